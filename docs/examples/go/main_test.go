package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

func TestMessages(t *testing.T) {
	routes, err := api(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(routes)
	defer server.Close()

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
		t.Run(c.name, func(t *testing.T) {
			request, err := http.NewRequest(http.MethodGet, server.URL+"/messages", nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.authorization != "" {
				request.Header.Set("Authorization", c.authorization)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != c.status {
				t.Errorf("status %d, want %d", response.StatusCode, c.status)
			}
		})
	}
}
