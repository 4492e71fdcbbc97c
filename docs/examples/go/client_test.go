package main

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/authorization/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/project/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestNewUser(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	target, err := instance(os.Getenv("ZITADEL_DOMAIN"))
	must(t, err)
	admin, err := client.New(ctx, target, client.WithAuth(client.PAT(os.Getenv("ZITADEL_ADMIN_PAT"))))
	must(t, err)
	defer admin.Close()
	server := serve(t)

	answer, err := admin.ProjectServiceV2().GetProject(ctx, &project.GetProjectRequest{
		ProjectId: os.Getenv("ZITADEL_PROJECT_ID"),
	})
	must(t, err)
	messages := answer.GetProject()
	robot, err := admin.UserServiceV2().CreateUser(ctx, &user.CreateUserRequest{
		OrganizationId: messages.GetOrganizationId(),
		UserType: &user.CreateUserRequest_Machine_{
			Machine: &user.CreateUserRequest_Machine{Name: "Robot"},
		},
	})
	must(t, err)
	pat, err := admin.UserServiceV2().AddPersonalAccessToken(ctx, &user.AddPersonalAccessTokenRequest{
		UserId:         robot.GetId(),
		ExpirationDate: timestamppb.New(time.Now().Add(time.Hour)),
	})
	must(t, err)
	expect(t, server, "Bearer "+pat.GetToken(), http.StatusForbidden)

	_, err = admin.AuthorizationServiceV2().CreateAuthorization(ctx, &authorization.CreateAuthorizationRequest{
		UserId:         robot.GetId(),
		ProjectId:      messages.GetProjectId(),
		OrganizationId: messages.GetOrganizationId(),
		RoleKeys:       []string{"read:messages"},
	})
	must(t, err)
	expect(t, server, "Bearer "+pat.GetToken(), http.StatusOK)

	_, err = admin.UserServiceV2().DeleteUser(ctx, &user.DeleteUserRequest{UserId: robot.GetId()})
	must(t, err)
	expect(t, server, "Bearer "+pat.GetToken(), http.StatusUnauthorized)
	_, err = admin.UserServiceV2().GetUserByID(ctx, &user.GetUserByIDRequest{UserId: robot.GetId()})
	if status.Code(err) != codes.NotFound {
		t.Errorf("%v, want NotFound", err)
	}
}
