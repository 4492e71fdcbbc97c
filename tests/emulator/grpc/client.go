// Calls by zitadel-go's client. The arguments are port and token. Each call prints its outcome on a line.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/zitadel/zitadel-go/v3/pkg/client"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/auth"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/zitadel"
	"google.golang.org/grpc/status"
)

func main() {
	ctx := context.Background()
	domain := zitadel.New("localhost", zitadel.WithInsecure(os.Args[1]))
	api, err := client.New(ctx, domain, client.WithAuth(client.PAT(os.Args[2])))
	if err != nil {
		panic(err)
	}
	me, err := api.AuthService().GetMyUser(ctx, &auth.GetMyUserRequest{})
	show(me.GetUser().GetUserName(), err)
	same, err := api.UserServiceV2().GetUserByID(ctx, &user.GetUserByIDRequest{UserId: me.GetUser().GetId()})
	show(same.GetUser().GetMachine().GetName(), err)
	_, err = api.UserServiceV2().GetUserByID(ctx, &user.GetUserByIDRequest{UserId: "5"})
	show("", err)
	_, err = api.ManagementService().GetOIDCInformation(ctx, &management.GetOIDCInformationRequest{})
	show("", err)
}

func show(answer string, err error) {
	refusal := status.Convert(err)
	fmt.Println(refusal.Code(), answer, refusal.Message(), refusal.Details())
}
