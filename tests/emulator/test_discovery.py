"""The discovery document, the signing keys, the headers of OAuth answers, health, and how the host is read."""

import re
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.support.emulator_target import DISCOVERY, INTROSPECT, KEYS, TOKEN, USERINFO, Server

STRANGER = "not-a-zitadel.invalid"
UNKNOWN_INSTANCE = (
    "ID=QUERY-1kIjX Message=Instance not found. Make sure you got the domain right. "
    "Check out https://zitadel.com/docs/apis/introduction#domains"
)


def test_discovery_names_the_endpoints_and_what_they_take(server: Server) -> None:
    document = server.get(DISCOVERY).json()
    addresses = [address for name, address in document.items() if name.endswith(("_endpoint", "_uri"))]
    statuses = [server.get(address.removeprefix(server.url)).status_code for address in addresses]
    assert (len(addresses), 404 in statuses) == (8, False)
    assert document["issuer"] == server.url
    assert document["introspection_endpoint_auth_methods_supported"] == ["client_secret_basic", "private_key_jwt"]
    assert "client_credentials" in document["grant_types_supported"]
    assert document["code_challenge_methods_supported"] == ["S256"]


def test_two_rsa_keys_are_published_and_may_be_cached_for_five_minutes(server: Server) -> None:
    first, second = server.get(KEYS), server.get(KEYS)
    assert (first.json(), first.headers["Cache-Control"]) == (second.json(), "max-age=300, must-revalidate")
    for key in first.json()["keys"]:
        assert set(key) == {"use", "kty", "kid", "alg", "n", "e"}, "no private half"
        assert (key["use"], key["kty"], key["alg"], key["kid"].isdigit()) == ("sig", "RSA", "RS256", True)
    assert len(first.json()["keys"]) == 2


@pytest.mark.parametrize("path", [DISCOVERY, INTROSPECT, TOKEN, USERINFO])
def test_no_oauth_answer_may_be_stored_whatever_its_status(server: Server, path: str) -> None:
    response = server.get(path, Origin="https://app.example")
    headers = response.headers
    assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")
    assert headers["Content-Type"] == "application/json"
    age = parsedate_to_datetime(headers["Date"]) - parsedate_to_datetime(headers["Expires"])
    assert timedelta(minutes=59) < age < timedelta(minutes=61)
    assert re.fullmatch("zitadel.useragent=.*; Max-Age=31536000; HttpOnly; SameSite=Lax", headers["Set-Cookie"])
    assert {"Origin", "Cookie"} <= {name.strip() for name in headers["Vary"].split(",")}
    assert (headers["X-Robots-Tag"], "Server" in headers, "WWW-Authenticate" in headers) == ("none", False, False)
    assert headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Access-Control-Expose-Headers"] == "Location, Content-Length"


def test_a_preflight_allows_all_that_it_asks_for_or_nothing(server: Server) -> None:
    for path, method, headers, allowed in (
        (TOKEN, "POST", "authorization, Content-Type", True),
        (TOKEN, "POST", "authorization,x-a", False),
        (TOKEN, "POST", "x-zitadel-orgid", False),
        ("/v2/users", "DELETE", "x-zitadel-orgid,connect-protocol-version", True),
        ("/v2/users", "POST", "x-a", False),
        ("/zitadel.user.v2.UserService/GetUserByID", "POST", "authorization,content-type,x-grpc-web", True),
    ):
        asked = {"Origin": "o", "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
        heard = server.send("OPTIONS", path, headers=asked)
        told = [heard.headers.get(f"Access-Control-Allow-{name}") for name in ("Origin", "Methods", "Headers")]
        assert (heard.status_code, told) == (204, list(asked.values()) if allowed else [None] * 3), (path, headers)


@pytest.mark.parametrize("host", [None, STRANGER])
def test_health_is_ok_whatever_the_host(server: Server, host: str | None) -> None:
    headers = {} if host is None else {"Host": host}
    for path, content in (("healthz", "ok"), ("ready", '"ok"'), ("validate", '"ok"')):
        response = server.send("GET", f"/debug/{path}", headers=headers)
        assert (response.status_code, response.text.strip()) == (200, content)
    for api in ("management", "auth", "admin"):
        for verb, status in (("GET", 200), ("POST", 405)):
            response = server.send(verb, f"/{api}/v1/healthz", headers=headers)
            assert response.status_code == (404 if host else status)


@pytest.mark.parametrize("path", [DISCOVERY, KEYS, INTROSPECT, TOKEN, USERINFO])
def test_another_host_is_not_an_instance(server: Server, path: str) -> None:
    """It is refused before the credentials are checked."""
    response = server.get(path, Host=STRANGER)
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.text.startswith(f"unable to set instance using origin &{{{STRANGER}  http")
    assert response.text.rstrip("\n").endswith(UNKNOWN_INSTANCE)
    assert f"(ExternalDomain is {server.hostname})" in response.text
    assert "Set-Cookie" not in response.headers


def test_an_unknown_host_in_any_field_is_refused(server: Server) -> None:
    for name, value, error_id in (
        ("Host", server.host.upper(), "QUERY-1kIjX"),
        ("X-Forwarded-Host", STRANGER, "QUERY-1kIjX"),
        ("x-zitadel-instance-host", STRANGER, "QUERY-1kIjX"),
        ("Forwarded", f"host={STRANGER}", "QUERY-1kIjX"),
        ("X-Zitadel-Forwarded", f"host={STRANGER}", "QUERY-1kIjX"),
        ("x-zitadel-public-host", STRANGER, "QUERY-IuGh1"),
    ):
        response = server.send("GET", DISCOVERY, headers={name: value})
        assert (response.status_code, f"ID={error_id}" in response.text) == (404, True), name


def test_the_issuer_is_where_the_request_was_sent_to(server: Server) -> None:
    for headers, issuer in (
        ({"Host": "{name}:59999"}, "{scheme}://{name}:59999"),
        ({"Host": "{name}"}, "{scheme}://{name}"),
        ({"Host": STRANGER, "X-Forwarded-Host": "{host}"}, "{scheme}://{host}"),
        ({"Host": STRANGER, "x-zitadel-instance-host": "{host}"}, "{scheme}://{host}"),
        ({"Host": STRANGER, "Forwarded": 'host="{host}"'}, "{scheme}://{host}"),
        ({"X-Forwarded-Proto": "https"}, "https://{host}"),
    ):
        values = {"name": server.hostname, "host": server.host, "scheme": server.scheme}
        sent = {name: text.format(**values) for name, text in headers.items()}
        document = server.send("GET", DISCOVERY, headers=sent).json()
        assert document["issuer"] == issuer.format(**values)
        assert document["introspection_endpoint"] == document["issuer"] + INTROSPECT
