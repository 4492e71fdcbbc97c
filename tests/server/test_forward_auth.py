"""Forward authentication: the table of cases on three kinds of servers, the identity fields, and ``zdemo serve``."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from posixpath import normpath
from typing import Any

import pytest

from tests.support.apis import ROUTES, Endpoint
from tests.support.introspector_doubles import Scripted, refused, unavailable
from tests.support.rows import CHALLENGE, INVALID_REQUEST, INVALID_TOKEN
from tests.support.served import environment_for, served
from tests.support.waiting import eventually
from tests.support.wire import Reply, bearer, request
from zdemo.emulator import Emulator, seed
from zdemo.server import create_app, forward_auth
from zdemo.serving import WSGIApp
from zdemo.serving.embedded import serving
from zdemo.zitadel.introspection_answer import Introspection, roles_claim_of

GRANT = {"350000000000000001": "acme.example.com"}
PROJECT = "350000000000000002"
SETTINGS = {"ZITADEL_DOMAIN": "https://zitadel.invalid", "CLIENT_ID": "a", "CLIENT_SECRET": "b"}
SETTINGS |= {"ZITADEL_PROJECT_ID": PROJECT, "ZDEMO_ROLE_DENIED_STATUS": "403"}
FIELDS = ("x-auth-subject", "x-auth-username", "x-auth-roles")
BEARER = bearer("a-token")
ROLE_SCOPE = "urn:zitadel:iam:org:project:role:"


def user(*roles: str, **claims: str) -> Introspection:
    granted = {roles_claim_of(PROJECT): dict.fromkeys(roles, GRANT)}
    return Introspection(active=True, claims={"active": True, **claims, **granted}, audience=(PROJECT,))


READER = user("reader", "writer", "-x", "a/b", sub="7", username="ada@example.com")


def as_it_is(app: WSGIApp) -> WSGIApp:
    """Return the app as a server calls it that tells the path as it came, such as gunicorn."""
    return app


def without_raw_path(app: WSGIApp) -> WSGIApp:
    """Return the app as Granian calls it."""
    hidden = ("RAW_URI", "REQUEST_URI")
    return lambda environ, start: app({key: environ[key] for key in environ if key not in hidden}, start)


def with_resolved_path(app: WSGIApp) -> WSGIApp:
    """Return the app as uWSGI calls it."""
    return lambda environ, start: app(environ | {"PATH_INFO": normpath(environ["PATH_INFO"])}, start)


@contextmanager
def answering(
    outcome: Introspection | BaseException, server: Callable[[WSGIApp], WSGIApp] = as_it_is, **options: Any
) -> Iterator[Endpoint]:
    with serving(server(forward_auth(SETTINGS, Scripted(outcome), **options))) as port:
        yield Endpoint(port=port)


def ask(api: Endpoint, target: str | bytes, *fields: str | bytes, method: str = "GET", body: bytes = b"") -> Reply:
    reply = api.send(request(target, *fields, method=method, body=body))
    assert (reply.one("cache-control"), reply.one("vary")) == ("no-store", "Authorization")
    assert reply.one("x-request-id")
    if reply.status != 200:
        assert [name for name in FIELDS if reply.all(name)] == []
        assert method == "HEAD" or set(reply.json) == {"error", "error_description", "request_id"}
    return reply


WAYS = {  # paths, and the roles that they need; None: 404
    "/auth/-": (),
    "/auth/-/": (),
    "/auth/-/any/thing": (),
    "/auth/-?role=admin": (),
    "/auth/role/reader/-": ("reader",),
    "/auth/role/reader/role/writer/-": ("reader", "writer"),
    "/auth/role/reader/role/admin/-": ("reader", "admin"),
    "/auth/role/admin/-": ("admin",),
    "/auth/role/admin/-/../../../-": ("admin",),
    "/auth/role/admin/-/..%2f..%2f..%2f-": ("admin",),
    "/auth/role/admin/-//auth/-": ("admin",),
    "/auth/role/admin/-/..;/..;/..;/-": ("admin",),
    "/auth/role/admin/-?/../../-": ("admin",),
    "/auth/role/admin/-/%00%ff%zz": ("admin",),
    "/auth/role/-x/-": ("-x",),
    "/auth/role/%2Dx/%2D/y": ("-x",),
    "/auth/role/role/-": ("role",),
    "/auth/role/r%65ader/-": ("reader",),
    "/auth/role/read%3Amessages/-": ("read:messages",),
    "/auth/role/p%C3%BC/-": ("pü",),
    "/auth/role/50%25/-": ("50%",),
    "http://elsewhere/auth/role/admin/-": ("admin",),
    "/": None,
    "/auth": None,
    "/auth/": None,
    "/auth/-x": None,
    "/auth/-*": None,
    "/auth//-": None,
    "/auth/./-": None,
    "/Auth/-": None,
    "/auth/role/-": None,
    "/auth/role/-/-": None,
    "/auth/role//-": None,
    "/auth/role/reader": None,
    "/auth/role/reader/": None,
    "/auth/role/reader/x/-": None,
    "/auth/role/reader//-": None,
    "/auth/roles/reader/-": None,
    "/auth/role/a%0d%0aX:%20y/-": None,
    "/auth/role/%ff/-": None,
    "/auth/x?/auth/-": None,
    "/healthz": None,
}


@pytest.fixture(scope="module")
def apis() -> Iterator[list[Endpoint]]:
    """The app as each kind of server calls it."""
    with ExitStack() as stack:
        servers = (as_it_is, without_raw_path, with_resolved_path)
        yield [stack.enter_context(answering(READER, server)) for server in servers]


def ask_all(apis: list[Endpoint], target: str, *fields: str, **more: Any) -> Reply:
    """Return the answer of each server, which is the same but for the ID of the request."""
    replies = [ask(api, target, *fields, **more) for api in apis]
    seen = [(reply.status, reply.one("www-authenticate"), len(reply.body)) for reply in replies]
    assert seen == [seen[0]] * len(apis), f"the servers differ: {seen}"
    return replies[0]


@pytest.mark.parametrize("path", WAYS)
def test_the_path_alone_names_the_roles_that_are_needed(path: str, apis: list[Endpoint]) -> None:
    reply, roles = ask_all(apis, path, BEARER), WAYS[path]
    if roles is None:
        assert (reply.status, reply.one("www-authenticate")) == (404, None)
    elif set(roles) <= {"reader", "writer", "-x"}:
        assert (reply.status, reply.body) == (200, b"")
    else:
        assert reply.status == 403
        scopes = " ".join(f"{ROLE_SCOPE}{role}" for role in roles if role.isascii())
        named = f', scope="{scopes}"' if scopes else ""
        assert reply.one("www-authenticate") == f'{CHALLENGE}, error="insufficient_scope"{named}'


def test_a_role_with_a_slash_cannot_be_written() -> None:
    """Where the server tells the path as it came; elsewhere an escaped slash is one."""
    with answering(READER) as api:
        assert [ask(api, path, BEARER).status for path in ("/auth/role/a%2Fb/-", "/auth%2F-")] == [404, 404]
    with answering(READER, without_raw_path) as api:
        assert ask(api, "/auth/role/a%2Fb/-", BEARER).status == 404


REFUSED = {
    (): (401, CHALLENGE),
    ("Authorization: Bearer",): (400, INVALID_REQUEST),
    ("Authorization: Bearer a", "Authorization: Bearer b"): (400, INVALID_REQUEST),
    ("Authorization_: Bearer a", "X-Authorization: Bearer a", "Cookie: access_token=a"): (401, CHALLENGE),
    ("Proxy-Authorization: Bearer a", "X-Forwarded-Authorization: Bearer a"): (401, CHALLENGE),
}


@pytest.mark.parametrize("fields", REFUSED)
def test_nothing_but_one_bearer_token_is_taken(fields: tuple[str, ...], apis: list[Endpoint]) -> None:
    reply = ask_all(apis, "/auth/-?access_token=a", *fields)
    assert (reply.status, reply.one("www-authenticate")) == REFUSED[fields]


def test_a_proxy_that_knows_no_400_can_get_401() -> None:
    with answering(READER, denied_as=401) as api:
        reply = ask(api, "/auth/-", "Authorization: Bearer a,Bearer b")
        assert (reply.status, reply.one("www-authenticate")) == (401, INVALID_REQUEST)
        assert ask(api, "/auth/role/admin/-", BEARER).status == 403


SPOOFED: tuple[str, ...] = (
    "X-Forwarded-Uri: /auth/-",
    "X-Forwarded-Method: OPTIONS",
    "X-Original-URL: /auth/-",
    "Forwarded: for=a",
)
SPOOFED += ("X-Original-Method: OPTIONS", "X_Forwarded_Uri: /auth/-", "X-HTTP-Method-Override: OPTIONS")
SPOOFED += ("Raw-Uri: /auth/-", "Request_Uri: /auth/-", "X-Auth-Roles: admin", "Script-Name: /auth/role/admin")
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: YQ==", "Sec-WebSocket-Version: 13")
PREFLIGHT = ("Origin: https://app.example.com", "Access-Control-Request-Method: GET")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "TRACE"])
@pytest.mark.parametrize("fields", [(), SPOOFED, UPGRADE, PREFLIGHT])
def test_method_and_other_fields_change_nothing(method: str, fields: tuple[str, ...], apis: list[Endpoint]) -> None:
    body = b"access_token=a" if method in ("POST", "PUT") else b""
    targets = {"/auth/role/reader/-": (BEARER, 200), "/auth/role/admin/-": (BEARER, 403), "/auth/-": ("X: y", 401)}
    for target, (field, status) in targets.items():
        assert ask_all(apis, target, field, *fields, method=method, body=body).status == status


def test_the_user_is_in_three_fields_that_are_always_there() -> None:
    odd = user("50%", "a,b", "p ü\r\n", "{x}", sub="7\r\nX: y", username="Zoë\ud800")
    users = [
        (user(), ("", "", "")),
        (READER, ("7", "ada@example.com", "reader,writer,-x,a/b")),
        (odd, ("7%0D%0AX:%20y", "Zo%C3%AB%5Cud800", "50%25,a%2Cb,p%20%C3%BC%0D%0A,%7Bx%7D")),
    ]
    for answer, fields in users:
        with answering(answer) as api:
            reply = ask(api, "/auth/-", BEARER)
            assert (reply.status, tuple(reply.one(name) for name in FIELDS)) == (200, fields)


def test_more_than_4_kib_of_identity_are_refused_and_the_log_names_the_user(caplog: pytest.LogCaptureFixture) -> None:
    for length, status in ((4093, 200), (4094, 500)):
        with answering(user("r" * length, sub="7", username="ad")) as api, caplog.at_level(logging.ERROR):
            reply = ask(api, "/auth/-", BEARER)
            assert (reply.status, reply.one("www-authenticate")) == (status, None)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("the identity of ad takes 4097 bytes, more than 4096")


OTHER = Introspection(active=True, claims={"active": True})
OUTCOMES: list[tuple[Introspection | BaseException, int, str | None, str | None]] = [
    (OTHER, 401, INVALID_TOKEN, None),
    (Introspection(active=False), 401, INVALID_TOKEN, None),
]
OUTCOMES += [(unavailable(), 503, None, "1"), (refused(), 502, None, None)]


def test_a_token_that_is_not_active_for_this_api_or_not_known_is_refused() -> None:
    for outcome, *expected in OUTCOMES:
        with answering(outcome) as api:
            reply = ask(api, "/auth/-", BEARER)
            assert [reply.status, reply.one("www-authenticate"), reply.one("retry-after")] == expected


@pytest.mark.thorough
def test_serve_answers_proxies_instead_of_callers(zitadel: Emulator, tmp_path: Path) -> None:
    environment = environment_for(zitadel.url) | {"ZDEMO_ROLE_DENIED_STATUS": "403"}
    options = ("--forward-auth", "--denied-as", "401", "--open-metrics", "--no-page")
    with served(tmp_path, environment, *options, ready="/healthz") as running:
        fields = (bearer(seed.READER.pat), *SPOOFED, *UPGRADE)
        reply = ask(running, "/auth/role/read:messages/-/a%2f..//b?c", *fields, method="POST")
        assert (reply.status, reply.body, reply.one("x-auth-roles")) == (200, b"", "read:messages")
        assert (reply.one("x-auth-subject"), reply.one("x-auth-username")) == (seed.READER.id, "reader")
        reply = ask(running, "/auth/role/read:messages/-", bearer(seed.VISITOR.pat))
        assert (reply.status, reply.one("x-auth-roles")) == (403, None)
        assert ask(running, "/auth/-", "Authorization: Bearer a,Bearer b").one("www-authenticate") == INVALID_REQUEST
        assert [running.get(path).status for path in ("//auth/-", "/auth/x", "/authx", *ROUTES)] == [404] * 6
        assert [running.get(path, None).status for path in ("/healthz", "/readyz", "/openapi.json")] == [200, 200, 404]
        eventually("all is logged", lambda: "/authx" in running.log)
        assert re.search(r"^  zdemo call /auth/- ", running.log, re.MULTILINE)
        for line in (
            "POST /auth/role/read:messages/-/a/..//b  200  reader",
            "GET /auth/role/read:messages/-  403  visitor",
        ):
            assert line in running.log
        assert b'zdemo_requests_total{outcome="ok",route="forward_auth"} 1.0' in running.get("/metrics").body


@pytest.mark.parametrize("app", [forward_auth, partial(create_app, denied_as=400)])
def test_with_a_resource_the_challenge_leads_to_its_metadata(app: Callable[..., WSGIApp]) -> None:
    resource = "https://api.example.com/mcp"
    with serving(app(SETTINGS | {"ZDEMO_RESOURCE": resource}, Scripted(READER))) as port:
        api = Endpoint(port=port)
        refusal = ask(api, "/auth/-", BEARER)  # a PAT: the answer names no client
        metadata = api.get("/.well-known/oauth-protected-resource/mcp", None)
    assert (refusal.status, metadata.status, metadata.json["resource"]) == (401, 200, resource)
    leads_to = "https://api.example.com/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{leads_to}"' in str(refusal.one("www-authenticate"))
