"""Health, and how the Host field chooses the instance and the issuer."""

from http.client import HTTPConnection, HTTPSConnection

import pytest

from tests.support.emulator_target import (
    DISCOVERY,
    INTROSPECT,
    KEYS,
    TOKEN,
    USERINFO,
    Api,
    Server,
    basic,
    bearer,
    connect_path,
)
from tests.support.workshop import App, User

STRANGER = "not-a-zitadel.invalid"
UNKNOWN_INSTANCE = (
    "ID=QUERY-1kIjX Message=Instance not found. Make sure you got the domain right. "
    "Check out https://zitadel.com/docs/apis/introduction#domains"
)


@pytest.mark.parametrize(
    ("path", "content"), [("/debug/healthz", "ok"), ("/debug/ready", '"ok"'), ("/debug/validate", '"ok"')]
)
@pytest.mark.parametrize("host", [None, STRANGER])
def test_health_is_ok_whatever_the_host(server: Server, path: str, content: str, host: str | None) -> None:
    response = server.send("GET", path, headers={} if host is None else {"Host": host})
    assert (response.status_code, response.text.strip()) == (200, content)


@pytest.mark.parametrize("api", ["management", "auth", "admin"])
def test_the_apis_say_they_are_healthy_without_a_token(server: Server, api: str) -> None:
    response = server.get(f"/{api}/v1/healthz")
    assert (response.status_code, response.json()) == (200, {})


@pytest.mark.parametrize("path", [DISCOVERY, KEYS, INTROSPECT, TOKEN, USERINFO])
def test_another_host_is_no_instance(server: Server, path: str) -> None:
    response = server.get(path, Host=STRANGER)
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.text.startswith(f"unable to set instance using origin &{{{STRANGER}  http")
    assert response.text.rstrip("\n").endswith(UNKNOWN_INSTANCE)
    assert f"(ExternalDomain is {server.hostname})" in response.text
    assert "Set-Cookie" not in response.headers


def test_another_host_is_refused_before_the_credentials_are_checked(server: Server, app: App, reader: User) -> None:
    headers = basic(app.client_id, app.secret) | {"Host": STRANGER}
    assert server.post_form(INTROSPECT, [("token", reader.pat)], headers).status_code == 404


@pytest.mark.parametrize(
    ("field", "error_id"),
    [
        ("X-Forwarded-Host: {}", "QUERY-1kIjX"),
        ("x-zitadel-instance-host: {}", "QUERY-1kIjX"),
        ("Forwarded: host={}", "QUERY-1kIjX"),
        ("X-Zitadel-Forwarded: host={}", "QUERY-1kIjX"),
        ("x-zitadel-public-host: {}", "QUERY-IuGh1"),
    ],
)
def test_an_unknown_host_in_any_field_is_refused(server: Server, field: str, error_id: str) -> None:
    response = server.send("GET", DISCOVERY, headers=dict([field.format(STRANGER).split(": ")]))
    assert response.status_code == 404
    assert f"ID={error_id}" in response.text


def test_the_case_of_the_host_matters(server: Server) -> None:
    response = server.get(DISCOVERY, Host=server.host.upper())
    assert (response.status_code, "ID=QUERY-1kIjX" in response.text) == (404, True)


def test_the_apis_refuse_another_host_in_their_own_forms(server: Server, admin: Api) -> None:
    connect = admin.ask("ProjectService/ListProjects", {"Host": STRANGER})
    rest = admin.rest("POST", "/v2/users", {}, Host=STRANGER)
    health = server.get("/management/v1/healthz", Host=STRANGER)
    for response, code in ((connect, "not_found"), (rest, 5), (health, 5)):
        body = response.json()
        assert (response.status_code, body["code"]) == (404, code)
        assert body["message"].startswith(f"unable to set instance using origin &{{{STRANGER}  ")
        assert body["message"].endswith(UNKNOWN_INSTANCE)
        assert "details" not in body


@pytest.mark.parametrize("port", [":59999", ""])
def test_any_port_is_accepted_and_the_issuer_carries_it(server: Server, port: str) -> None:
    found = server.get(DISCOVERY, Host=f"{server.hostname}{port}").json()
    assert found["issuer"] == f"{server.scheme}://{server.hostname}{port}"
    assert found["introspection_endpoint"] == f"{found['issuer']}{INTROSPECT}"


@pytest.mark.parametrize("field", ["X-Forwarded-Host: {}", "x-zitadel-instance-host: {}", 'Forwarded: host="{}"'])
def test_a_forwarded_host_wins_over_the_host_field(server: Server, field: str) -> None:
    headers = {"Host": STRANGER} | dict([field.format(server.host).split(": ")])
    assert server.send("GET", DISCOVERY, headers=headers).json()["issuer"] == server.url


def test_the_scheme_is_the_one_that_was_forwarded(server: Server) -> None:
    issuer = server.get(DISCOVERY, X_Forwarded_Proto="https").json()["issuer"]
    assert issuer == f"https://{server.host}"


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/oauth//v2/introspect", "/oauth/v2/introspect"),
        ("/.well-known//openid-configuration", "/.well-known/openid-configuration"),
        (connect_path("ProjectService//ListProjects"), connect_path("ProjectService/ListProjects")),
    ],
)
def test_a_double_slash_is_redirected_to_the_clean_path(server: Server, path: str, clean: str) -> None:
    # requests would clean the path itself
    connect = HTTPSConnection if server.scheme == "https" else HTTPConnection
    connection = connect(server.host, timeout=30)
    try:
        connection.request("POST", path, headers=bearer("t"))
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    assert (response.status, body) == (301, b"")
    assert (response.getheader("Location") or "").removeprefix(server.url) == clean
