// An API that asks ZITADEL about each token, with the HTTP middleware of ZITADEL's Go SDK.
package main

import (
	"context"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/zitadel/zitadel-go/v3/pkg/authorization"
	"github.com/zitadel/zitadel-go/v3/pkg/authorization/oauth"
	"github.com/zitadel/zitadel-go/v3/pkg/http/middleware"
	"github.com/zitadel/zitadel-go/v3/pkg/zitadel"
)

// instance returns the ZITADEL at an address such as https://zitadel.example.com.
func instance(address string) (*zitadel.Zitadel, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if parsed.Scheme == "http" {
		return zitadel.New(parsed.Hostname(), zitadel.WithInsecure(parsed.Port())), nil
	}
	if parsed.Port() == "" {
		return zitadel.New(parsed.Hostname()), nil
	}
	port, err := strconv.ParseUint(parsed.Port(), 10, 16)
	return zitadel.New(parsed.Hostname(), zitadel.WithPort(uint16(port))), err
}

// api returns the routes. It asks ZITADEL's discovery endpoint once.
func api(ctx context.Context) (http.Handler, error) {
	target, err := instance(os.Getenv("ZITADEL_DOMAIN"))
	if err != nil {
		return nil, err
	}
	credentials := oauth.ClientIDSecretIntrospectionAuthentication(os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET"))
	authorizer, err := authorization.New(ctx, target, oauth.WithIntrospection[*oauth.IntrospectionContext](credentials))
	if err != nil {
		return nil, err
	}
	guard := middleware.New(authorizer)
	messages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"messages": []}`))
	})
	routes := http.NewServeMux()
	routes.Handle("GET /messages", guard.RequireAuthorization(authorization.WithRole("read:messages"))(messages))
	return routes, nil
}

func main() {
	routes, err := api(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:5000", routes))
}
