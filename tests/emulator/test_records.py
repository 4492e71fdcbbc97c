"""The emulator's records: the exact reason for every refusal, and never in the answer. They are the emulator's own."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import requests

from tests.support.emulator_target import Server
from tests.support.introspector_doubles import Clock
from tests.support.oauth import ASSERTION_TYPE, assertion, key_pair
from zdemo.emulator import NEVER, Emulator
from zdemo.emulator.app import LONGEST_NOTE
from zdemo.emulator.entities import Resource
from zdemo.emulator.incoming.request_records import RequestRecord
from zdemo.emulator.seed import ADMIN, APPLICATION_ID, CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, READER, VISITOR

SERVICE = "/zitadel.project.v2.ProjectService"
CREATE = {"name": "x", "organizationId": ORGANIZATION_ID}
GOOD = (CLIENT_ID, CLIENT_SECRET)
UNKNOWN = "Yq3xT7mN-2bVkR9sLwE4uZ8cHd-5fGa1JpQ6oXnB0vMiStCyWrUeDzKh7gAjF3lP2R8wQ4n"
SECRET = "a-secret-of-the-reader"
LACKING = "the emulator does not serve this"
NOT_SERVED = f"{LACKING}: unknown path"
NOT_OIDC = "an API application, not an OIDC client"


class Desk(Server):
    """Requests to an emulator, and changes of its world."""

    def __init__(self, emulator: Emulator, clock: Clock) -> None:
        super().__init__(emulator.url)
        self.emulator, self.world, self.clock = emulator, emulator.world, clock

    @property
    def last(self) -> RequestRecord:
        return self.emulator.requests[-1]

    def introspect(self, token: str, client: tuple[str, str] = GOOD) -> requests.Response:
        return self.send("POST", "/oauth/v2/introspect", auth=client, data={"token": token})

    def pat(self, expires: float = NEVER) -> str:
        return self.world.add_pat(self.world.users[READER.id], expires).token

    def session(self, *scopes: str, jwt: bool = False) -> str:
        """A token of the token endpoint, of the reader."""
        reader = self.world.users[READER.id]
        reader.secret, reader.jwt_access_tokens = SECRET, jwt
        form = {"grant_type": "client_credentials", "scope": " ".join(("openid", *scopes))}
        return str(self.send("POST", "/oauth/v2/token", auth=("reader", SECRET), data=form).json()["access_token"])

    def after(self, state: str, token: str = READER.pat) -> str:
        """The token, after the reader's account was changed."""
        self.world.set_user_state(self.world.users[READER.id], state, "user.changed")
        return token

    def later(self, token: str, seconds: float) -> str:
        self.clock.advance(seconds)
        return token


@pytest.fixture
def desk(own: Emulator) -> Iterator[Desk]:
    own.world.now = clock = Clock()
    with closing(Desk(own, clock)) as desk:
        yield desk


def _gone(desk: Desk, what: str) -> str:
    reader = desk.world.users[READER.id]
    token = desk.session(jwt=True) if what == "session" else desk.pat()
    if what == "session":
        desk.world.session_tokens.clear()
    elif what == "user":
        desk.world.remove_user(reader)
    else:
        desk.world.remove_pat(reader, next(id for id, pat in reader.pats.items() if pat.token == token))
    return token


OF_OTHER = "urn:zitadel:iam:org:project:id:1234:aud"
INACTIVE: dict[str, tuple[Callable[[Desk], str], str]] = {
    "unknown": (lambda _: UNKNOWN, "unknown token"),
    "deactivated": (lambda desk: desk.after("INACTIVE"), "the user was deactivated"),
    "locked": (lambda desk: desk.after("LOCKED"), "the user was locked"),
    "new while inactive": (lambda desk: desk.after("INACTIVE", "") or desk.pat(), "the user is deactivated"),
    "deleted": (lambda desk: _gone(desk, "PAT"), "the PAT was deleted"),
    "removed user": (lambda desk: _gone(desk, "user"), "the user was removed"),
    "expired": (lambda desk: desk.later(desk.pat(desk.clock() + 10), 13), "expired 3 s ago"),
    "expired session": (lambda desk: desk.later(desk.session(), 12 * 3600 + 7), "expired 7 s ago"),
    "other project": (lambda desk: desk.session(OF_OTHER), "audience: the token is for project other (1234)"),
    "JWT nobody knows": (lambda desk: _gone(desk, "session"), "unknown token"),
    "broken JWT": (lambda _: "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", "issuer does not match"),
}


@pytest.mark.parametrize("case", INACTIVE)
def test_the_reason_of_an_inactive_token_is_exact_and_not_in_the_answer(case: str, desk: Desk) -> None:
    desk.world.add_project(ORGANIZATION_ID, "other", id="1234")
    make, reason = INACTIVE[case]
    token = make(desk)
    answer = desk.introspect(token)
    assert (answer.status_code, answer.json()) == (200, {"active": False})
    assert desk.last.reason.startswith(reason)
    assert (desk.last.client, desk.last.status) == ("emulator-api", 200)
    assert len(token) < 20 or desk.last.token == f"{token[:4]}…{token[-4:]}"
    known = case not in ("unknown", "JWT nobody knows", "broken JWT")
    assert desk.last.user == ("reader" if known else "")
    refused = desk.send("GET", "/oidc/v1/userinfo", headers={"Authorization": f"Bearer {token}"})
    if "audience" not in reason:
        assert (refused.status_code, desk.last.reason.startswith(reason)) == (401, True)
        assert desk.last.reason not in refused.text


@pytest.mark.parametrize(
    ("change", "client", "reason", "client_id"),
    [
        ("", (CLIENT_ID, "wrong"), "wrong client secret", "emulator-api"),
        ("", ("1234", CLIENT_SECRET), "unknown client", "1234"),
        ("", ("my API-2", CLIENT_SECRET), "unknown client", "my API-2"),
        ("", (f"a{'19' * 12}", CLIENT_SECRET), "unknown client", "a191…1919"),
        ("", (f"x{'aB-' * 13}", CLIENT_SECRET), "unknown client", "xaB-…-aB-"),
        ("remove_application", GOOD, "the application was deleted", CLIENT_ID),
        ("remove_project", GOOD, "the project was removed", CLIENT_ID),
        ("application.secret", GOOD, "the application has no client secret", "emulator-api"),
        ("application.active", GOOD, "the application is deactivated", "emulator-api"),
        ("project.active", GOOD, "the project is deactivated", "emulator-api"),
        ("organization.active", GOOD, "the organization is deactivated", "emulator-api"),
    ],
)
def test_the_reason_of_a_refused_client_is_exact(
    change: str, client: tuple[str, str], reason: str, client_id: str, desk: Desk
) -> None:
    kind, _, switch = change.removeprefix("remove_").partition(".")
    entity = next(iter(getattr(desk.world, f"{kind}s").values())) if change else None
    if switch:
        setattr(entity, switch, False)
    elif change:
        getattr(desk.world, change)(entity)
    answer = desk.introspect(READER.pat, client)
    assert (answer.status_code, desk.last.reason, desk.last.client) == (400, reason, client_id)
    assert reason not in answer.text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"audience": "http://elsewhere.example"}, "audience is not valid"),
        ({"kid": "7"}, "its key is unknown here"),
        ({}, "its key expired 5 s ago"),
    ],
)
def test_the_reason_of_a_refused_assertion_is_exact(change: dict[str, str], reason: str, desk: Desk) -> None:
    private, public = key_pair()
    key = desk.world.add_key(desk.world.applications[APPLICATION_ID], public, desk.clock() - 5)
    file = {"clientId": CLIENT_ID, "keyId": key.id, "key": private}
    fields: dict[str, Any] = {"audience": desk.url, "iat": int(desk.clock())}
    signed = assertion(file, **(fields | change))
    form = {"token": READER.pat, "client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
    answer = desk.send("POST", "/oauth/v2/introspect", data=form)
    assert (answer.status_code, desk.last.client) == (400, "emulator-api")
    assert desk.last.reason.startswith(f"client assertion: {reason}")
    assert reason not in answer.text


@pytest.mark.parametrize(
    ("headers", "reason", "user"),
    [
        ({}, "no Authorization header", ""),
        ({"Authorization": "Basic x"}, "the Authorization header is not Bearer and a token", ""),
        ({"Authorization": f"Bearer {UNKNOWN}"}, "unknown token", ""),
        ({"Authorization": f"Bearer {VISITOR.pat}"}, "visitor is not an administrator of the organization", "visitor"),
        ({"Authorization": f"Bearer {READER.pat}"}, "reader lacks the permission project.create", "reader"),
        ({"Authorization": f"Bearer {ADMIN.pat}", "x-zitadel-orgid": "7"}, "x-zitadel-orgid names no", "zdemo-admin"),
    ],
)
def test_the_reason_of_a_refused_call_is_exact(headers: dict[str, str], reason: str, user: str, desk: Desk) -> None:
    desk.world.add_administrator(READER.id, Resource("organization", ORGANIZATION_ID), ["ORG_OWNER_VIEWER"])
    answer = desk.send("POST", f"{SERVICE}/CreateProject", json=CREATE, headers=headers)
    assert answer.status_code in (401, 403, 404)
    assert desk.last.reason.startswith(reason)
    assert (desk.last.user, desk.last.client) == (user, "")
    assert desk.last.reason not in answer.text


@pytest.mark.parametrize(
    ("path", "more", "status", "reason"),
    [
        ("/debug/ready", {}, 200, ""),
        ("/oauth/v2/keys", {"headers": {"Host": "127.0.0.1"}}, 404, "no instance for host 127.0.0.1"),
        ("/nowhere", {}, 404, NOT_SERVED),
        ("/debug//ready", {}, 301, "the path has empty, . or .. segments"),
        (f"{SERVICE}/ListProjects", {"headers": {"Content-Type": "a/proto"}}, 415, "cannot read a/proto"),
        (f"{SERVICE}/ListProjects", {"json": {"filters": 5}}, 400, "the body is not a message of this method: the"),
        ("/" + UNKNOWN, {}, 404, NOT_SERVED),
        ("/p%C3%A4int.v2.A:%20b/Paint", {}, 404, NOT_SERVED),
        ("/paint.v2.PaintService/Paint", {}, 404, f"{LACKING}: unknown service paint.v2.PaintService"),
        (f"{SERVICE}/Paint", {}, 404, f"{LACKING}: unknown method Paint for service {SERVICE[1:]}"),
        (f"/oauth/v2/authorize?client_id={CLIENT_ID}", {}, 400, NOT_OIDC),
        (f"/oidc/v1/end_session?client_id={CLIENT_ID}", {}, 400, NOT_OIDC),
    ],
)
def test_every_request_has_a_record(path: str, more: dict[str, Any], status: int, reason: str, desk: Desk) -> None:
    method = "POST" if SERVICE in path else "GET"
    answer = desk.send(method, path, **more)
    assert (answer.status_code, desk.last.status, desk.last.method) == (status, status, method)
    assert (desk.last.reason.startswith(reason), bool(desk.last.reason)) == (True, bool(reason))
    assert answer.headers.get("X-Zdemo-Not-Served") == (reason.split(": ")[1] if LACKING in reason else None)
    assert UNKNOWN not in desk.last.path
    assert desk.last.milliseconds >= 0


@pytest.mark.parametrize("path", ["/oauth/v2/token", "/oauth/v2/introspect", "/oauth/v2/device_authorization"])
def test_a_body_that_is_not_a_form_is_the_reason(path: str, desk: Desk) -> None:
    bodies: list[dict[str, Any]] = [{"json": {"grant_type": "client_credentials"}}, {"files": {"token": "x"}}]
    for body in bodies:
        answer = desk.send("POST", path, auth=GOOD, **body)
        assert (answer.status_code, "form" in answer.text) == (400, False)
        sent = answer.request.headers["Content-Type"].partition(";")[0]
        assert desk.last.reason.endswith(f"; the body is {sent}: send a form (application/x-www-form-urlencoded)")
    desk.send("POST", path, auth=GOOD, data={"x": "y"})
    assert "form" not in desk.last.reason


def test_a_record_is_short_whatever_was_sent(desk: Desk) -> None:
    for form in ({"grant_type": "x" * 400_000}, {"grant_type": "client_credentials", "client_assertion": "x"}):
        desk.send("POST", "/oauth/v2/token", data=form | {"client_assertion_type": "x" * 400_000})
        assert len(desk.last.reason) == LONGEST_NOTE
