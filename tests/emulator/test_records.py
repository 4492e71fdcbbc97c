"""The emulator's records: the exact reason for every refusal, and never in the answer. They are the emulator's own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.introspector_doubles import Clock
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import (
    ADMIN,
    APPLICATION_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    NEVER,
    ORGANIZATION_ID,
    PROJECT_ID,
    READER,
    VISITOR,
    Emulator,
    RequestRecord,
    World,
    emulate,
    known_world,
)

SERVICE = "/zitadel.project.v2.ProjectService"
CREATE = {"name": "x", "organizationId": ORGANIZATION_ID}
GOOD = (CLIENT_ID, CLIENT_SECRET)
UNKNOWN = "Yq3xT7mN-2bVkR9sLwE4uZ8cHd-5fGa1JpQ6oXnB0vMiStCyWrUeDzKh7gAjF3lP2R8wQ4n"


@dataclass
class Desk:
    """An emulator, its clock, and requests to it."""

    emulator: Emulator
    clock: Clock

    @property
    def world(self) -> World:
        return self.emulator.world

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        return requests.request(method, f"{self.emulator.url}{path}", timeout=PATIENCE_SECONDS, **more)

    def introspect(self, token: str, client: tuple[str, str] = GOOD) -> requests.Response:
        return self.send("POST", "/oauth/v2/introspect", auth=client, data={"token": token})

    def session_token(self, *scopes: str) -> str:
        """Return a token of the token endpoint, of the reader."""
        self.world.users[READER.id].secret = "a-secret-of-the-reader"  # invented
        form = {"grant_type": "client_credentials", "scope": " ".join(("openid", *scopes))}
        answer = self.send("POST", "/oauth/v2/token", auth=("reader", "a-secret-of-the-reader"), data=form)
        return str(answer.json()["access_token"])

    @property
    def last(self) -> RequestRecord:
        return self.emulator.requests[-1]


@pytest.fixture
def desk() -> Iterator[Desk]:
    clock, world = Clock(), known_world()
    clock.advance(world.now() - clock())
    world.now = clock
    with emulate(world) as emulator:
        yield Desk(emulator=emulator, clock=clock)


def _deactivated(desk: Desk) -> str:
    desk.world.set_user_state(desk.world.users[READER.id], "INACTIVE", "user.deactivated")
    return READER.pat


def _locked(desk: Desk) -> str:
    desk.world.set_user_state(desk.world.users[READER.id], "LOCKED", "user.locked")
    return READER.pat


def _reactivated(desk: Desk) -> str:
    _deactivated(desk)
    desk.world.set_user_state(desk.world.users[READER.id], "ACTIVE", "user.reactivated")
    return READER.pat


def _new_while_inactive(desk: Desk) -> str:
    _deactivated(desk)
    return desk.world.add_pat(desk.world.users[READER.id], NEVER).token


def _deleted(desk: Desk) -> str:
    desk.world.remove_pat(desk.world.users[READER.id], READER.token_id)
    return READER.pat


def _removed_user(desk: Desk) -> str:
    pat = desk.world.add_pat(desk.world.users[READER.id], NEVER).token
    desk.world.remove_user(desk.world.users[READER.id])
    return pat


def _expired(desk: Desk) -> str:
    pat = desk.world.add_pat(desk.world.users[READER.id], desk.clock() + 10).token
    desk.clock.advance(13)
    return pat


def _expired_long_ago(desk: Desk) -> str:
    pat = desk.world.add_pat(desk.world.users[READER.id], desk.clock() + 10).token
    desk.clock.advance(10 + 3 * 86_400)
    return pat


def _expired_session(desk: Desk) -> str:
    token = desk.session_token()
    desk.clock.advance(12 * 3600 + 7)
    return token


def _expired_jwt(desk: Desk) -> str:
    desk.world.users[READER.id].jwt_access_tokens = True
    return _expired_session(desk)


def _ended_session(desk: Desk) -> str:
    token = desk.session_token()
    _deactivated(desk)
    return token


def _of_another_project(desk: Desk) -> str:
    other = desk.world.add_project(ORGANIZATION_ID, "other", id="1234")
    return desk.session_token(f"urn:zitadel:iam:org:project:id:{other.id}:aud")


def _of_another_issuer(desk: Desk) -> str:
    desk.world.users[READER.id].jwt_access_tokens = True
    token = desk.session_token()
    desk.world.session_tokens.clear()
    return token


INACTIVE: dict[str, tuple[Callable[[Desk], str], str]] = {
    "unknown": (lambda _: UNKNOWN, "unknown token"),
    "short": (lambda _: "abc", "unknown token"),
    "deactivated": (_deactivated, "the user was deactivated"),
    "reactivated": (_reactivated, "the user was deactivated"),
    "locked": (_locked, "the user was locked"),
    "new while inactive": (_new_while_inactive, "the user is deactivated"),
    "deleted": (_deleted, "the PAT was deleted"),
    "removed user": (_removed_user, "the user was removed"),
    "expired": (_expired, "expired 3 s ago"),
    "expired long ago": (_expired_long_ago, "expired 3 days ago"),
    "expired session": (_expired_session, "expired 7 s ago"),
    "expired JWT": (_expired_jwt, "expired 7 s ago"),
    "ended session": (_ended_session, "the user was deactivated"),
    "other project": (_of_another_project, "audience: the token is for project other (1234)"),
    "no audience": (lambda desk: desk.session_token(), "audience: the token is for no project"),
    "JWT nobody knows": (_of_another_issuer, "unknown token"),
    "broken JWT": (lambda _: "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", "issuer does not match"),
}


@pytest.mark.parametrize("case", INACTIVE)
def test_the_reason_of_an_inactive_token_is_exact_and_not_in_the_answer(case: str, desk: Desk) -> None:
    make, reason = INACTIVE[case]
    token = make(desk)
    answer = desk.introspect(token)
    assert (answer.status_code, answer.json()) == (200, {"active": False})
    assert desk.last.reason.startswith(reason)
    assert (desk.last.client, desk.last.status) == ("emulator-api", 200)
    assert len(token) < 20 or desk.last.token == f"{token[:4]}…{token[-4:]}"
    known = case not in ("unknown", "short", "JWT nobody knows", "broken JWT")
    assert desk.last.user == ("reader" if known else "")
    refused = desk.send("GET", "/oidc/v1/userinfo", headers={"Authorization": f"Bearer {token}"})
    if "audience" not in case and "project" not in case:
        assert (refused.status_code, desk.last.reason.startswith(reason)) == (401, True)
        assert desk.last.reason not in refused.text


def _switch(kind: str) -> Callable[[World], None]:
    def switch(world: World) -> None:
        objects: dict[str, Any] = {
            "application": world.applications[APPLICATION_ID],
            "project": world.projects[PROJECT_ID],
            "organization": world.organizations[ORGANIZATION_ID],
        }
        objects[kind].active = False

    return switch


def _removed(kind: str) -> Callable[[World], None]:
    def remove(world: World) -> None:
        if kind == "application":
            world.remove_application(world.applications[APPLICATION_ID])
        else:
            world.remove_project(world.projects[PROJECT_ID])

    return remove


def _without_secret(world: World) -> None:
    world.applications[APPLICATION_ID].secret = None


@pytest.mark.parametrize(
    ("change", "client", "reason", "shown"),
    [
        (None, (CLIENT_ID, "wrong"), "wrong client secret", "emulator-api"),
        (None, ("1234", CLIENT_SECRET), "unknown client", "1234"),
        (None, (CLIENT_SECRET, CLIENT_ID), "unknown client", "zdem…0000"),
        (None, (CLIENT_ID, ""), "no client credentials", ""),
        (None, ("reader", CLIENT_SECRET), "a service account, not an API application", "…"),
        (None, (READER.id, CLIENT_SECRET), "a service account, not an API application", READER.id),
        (None, (APPLICATION_ID, CLIENT_SECRET), "the ID of the application, not a client ID", APPLICATION_ID),
        (None, (PROJECT_ID, CLIENT_SECRET), "the ID of the project, not a client ID", PROJECT_ID),
        (_removed("application"), GOOD, "the application was deleted", CLIENT_ID),
        (_removed("project"), GOOD, "the project was removed", CLIENT_ID),
        (_without_secret, GOOD, "the application has no client secret", "emulator-api"),
        (_switch("application"), GOOD, "the application is deactivated", "emulator-api"),
        (_switch("project"), GOOD, "the project is deactivated", "emulator-api"),
        (_switch("organization"), GOOD, "the organization is deactivated", "emulator-api"),
    ],
)
def test_the_reason_of_a_refused_client_is_exact(
    change: Callable[[World], None] | None, client: tuple[str, str], reason: str, shown: str, desk: Desk
) -> None:
    if change:
        change(desk.world)
    answer = desk.introspect(READER.pat, client)
    assert (answer.status_code, desk.last.reason, desk.last.client) == (400, reason, shown)
    assert reason not in answer.text


def _key(world: World, **changed: Any) -> None:
    for key in world.applications[APPLICATION_ID].keys.values():
        vars(key).update(changed)


@cache
def _key_pair(_name: str) -> tuple[str, str]:
    """Return a private key, and its public one."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    held = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return held.decode(), private.public_key().public_bytes(pem, form).decode()


ASSERTIONS: dict[str, tuple[dict[str, Any], Callable[[World], None] | None, str]] = {
    "another audience": ({"aud": "http://elsewhere.example"}, None, "audience is not valid"),
    "from the future": ({"iat": 60}, None, "issuedAt of token is in the future"),
    "too old": ({"iat": -4000}, None, "issuedAt of token is to old"),
    "expired": ({"exp": -60}, None, "token has expired"),
    "expired key": ({}, lambda world: _key(world, expires=world.now() - 60), "its key expired 60 s ago"),
    "deleted key": ({}, lambda world: world.applications[APPLICATION_ID].keys.clear(), "its key is unknown here"),
    "another key": ({}, lambda world: _key(world, pem=_key_pair("other")[1]), "invalid signature"),
}


@pytest.mark.parametrize("case", ASSERTIONS)
def test_the_reason_of_a_refused_assertion_is_exact(case: str, desk: Desk) -> None:
    claims, change, reason = ASSERTIONS[case]
    private, public = _key_pair("own")
    key = desk.world.add_key(desk.world.applications[APPLICATION_ID], public, NEVER)
    if change:
        change(desk.world)
    now = desk.clock()
    made = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": desk.emulator.url, "iat": int(now), "exp": int(now) + 600}
    made |= {name: int(now) + value if isinstance(value, int) else value for name, value in claims.items()}
    form = {
        "token": READER.pat,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(made, private, algorithm="RS256", headers={"kid": key.id}),
    }
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
        ({"Authorization": f"Bearer {ADMIN.pat}", "x-zitadel-orgid": "7"}, "x-zitadel-orgid names no", "zdemo-admin"),
    ],
)
def test_the_reason_of_a_refused_management_call_is_exact(
    headers: dict[str, str], reason: str, user: str, desk: Desk
) -> None:
    answer = desk.send("POST", f"{SERVICE}/CreateProject", json=CREATE, headers=headers)
    assert answer.status_code in (401, 403, 404)
    assert desk.last.reason.startswith(reason)
    assert (desk.last.user, desk.last.client) == (user, "")
    assert desk.last.reason not in answer.text


def test_a_missing_permission_is_named(desk: Desk) -> None:
    desk.world.add_administrator(VISITOR.id, ("organization", ORGANIZATION_ID), ["ORG_OWNER_VIEWER"])
    headers = {"Authorization": f"Bearer {VISITOR.pat}"}
    answer = desk.send("POST", f"{SERVICE}/CreateProject", json=CREATE, headers=headers)
    assert (answer.status_code, desk.last.reason) == (403, "visitor lacks the permission project.create")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "reason"),
    [
        ("GET", "/debug/ready", {}, 200, ""),
        ("GET", "/oauth/v2/keys", {"Host": "127.0.0.1"}, 404, "no instance for host 127.0.0.1"),
        ("GET", "/nowhere", {}, 404, "no such path"),
        ("GET", "/debug//ready", {}, 301, "the path has empty, . or .. segments"),
        (
            "POST",
            f"{SERVICE}/ListProjects",
            {"Content-Type": "application/proto"},
            415,
            "cannot read application/proto",
        ),
        ("GET", "/" + UNKNOWN, {}, 404, "no such path"),
    ],
)
def test_every_request_has_a_record(
    method: str, path: str, headers: dict[str, str], status: int, reason: str, desk: Desk
) -> None:
    answer = desk.send(method, path, headers=headers, allow_redirects=False)
    assert (answer.status_code, desk.last.status, desk.last.method) == (status, status, method)
    assert desk.last.reason.startswith(reason)
    assert bool(desk.last.reason) is bool(reason)
    assert UNKNOWN not in desk.last.path
    assert desk.last.milliseconds >= 0


def test_a_good_token_has_no_reason_and_its_records_hold_no_secret(desk: Desk) -> None:
    assert desk.introspect(READER.pat).json()["active"]
    assert (desk.last.client, desk.last.user, desk.last.reason) == ("emulator-api", "reader", "")
    held = json.dumps([vars(record) for record in desk.emulator.requests], default=str)
    assert not [secret for secret in (READER.pat, CLIENT_SECRET) if secret in held]
