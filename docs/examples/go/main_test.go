package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

func TestMessages(t *testing.T) {
	server := serve(t)
	cases := []struct {
		name, authorization string
		status              int
	}{
		{"a user with the role passes", "Bearer " + os.Getenv("PAT"), http.StatusOK},
		{"a user without the role is refused", "Bearer " + os.Getenv("ZDEMO_VISITOR_PAT"), http.StatusForbidden},
		{"an unknown token is refused", "Bearer invented", http.StatusUnauthorized},
		{"a request without a token is refused", "", http.StatusUnauthorized},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { expect(t, server, c.authorization, c.status) })
	}
}

// serve starts the API for a test.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	routes, err := api(context.Background())
	must(t, err)
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	return server
}

// expect fails the test if GET /messages answers with another status.
func expect(t *testing.T, server *httptest.Server, authorization string, status int) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, server.URL+"/messages", nil)
	must(t, err)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	if response.StatusCode != status {
		t.Errorf("status %d, want %d", response.StatusCode, status)
	}
}

// must ends the test at an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
