"""Introspection with private_key_jwt (RFC 7523 §2.2): which assertions authenticate an API application."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.emulator_target import INTROSPECT, NOBODY, Api, Server, answer, basic
from tests.support.oauth import ASSERTION_TYPE, UNAUTHORIZED, assertion
from tests.support.waiting import eventually
from tests.support.workshop import App, KeyFile, Project, User, Workshop

Introspect = Callable[[str], requests.Response]


@pytest.fixture(scope="module")
def introspect(server: Server, reader: User) -> Introspect:
    """Asks about the reader's PAT with this assertion."""

    def ask(client_assertion: str) -> requests.Response:
        form = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", client_assertion)]
        return server.post_form(INTROSPECT, [("token", reader.pat), *form])

    return ask


@pytest.fixture(scope="module")
def served_key(introspect: Introspect, app_key: KeyFile, issuer: str) -> KeyFile:
    """The key file of the shared key application, once introspection knows it."""
    eventually("the key is known", lambda: introspect(assertion(app_key, issuer)).json().get("active"))
    return app_key


def test_a_good_assertion_authenticates(
    introspect: Introspect, served_key: KeyFile, issuer: str, key_app: App, project: Project
) -> None:
    once = assertion(served_key, issuer)
    claims = jwt.decode(once, options={"verify_signature": False})
    assertions = {
        "good": once,
        "used again": once,
        "several audiences": assertion(served_key, ["https://elsewhere.example", issuer]),
        "PS256": jwt.encode(claims, served_key["key"], algorithm="PS256", headers={"kid": served_key["keyId"]}),
    }
    audiences = {why: introspect(signed).json().get("aud") for why, signed in assertions.items()}
    assert all(audience == [key_app.client_id, project.id] for audience in audiences.values()), audiences


@pytest.mark.parametrize(
    "change",
    [{"iat": 0, "exp": 300}, {"iat": -3500}, {"iat": -600, "exp": 60}, {"jti": "seen before"}],
    ids=["now", "almost an hour old", "ten minutes old", "with a jti"],
)
def test_an_assertion_of_less_than_an_hour_is_accepted(
    introspect: Introspect, served_key: KeyFile, issuer: str, change: dict[str, Any]
) -> None:
    assert introspect(assertion(served_key, issuer, **from_now(change))).json()["active"] is True


@pytest.mark.parametrize(
    "change",
    [
        {"iat": None},
        {"exp": None},
        {"iat": 30},
        {"iat": 3600, "exp": 7200},
        {"iat": -3700},
        {"iat": -600, "exp": -300},
        {"sub": NOBODY},
        {"iss": NOBODY},
        {"iss": NOBODY, "sub": NOBODY},
        {"aud": "https://elsewhere.example"},
        {"aud": None},
    ],
    ids=str,
)
def test_an_assertion_with_a_bad_claim_is_refused(
    introspect: Introspect, served_key: KeyFile, issuer: str, change: dict[str, Any]
) -> None:
    assert answer(introspect(assertion(served_key, issuer, **from_now(change)))) == UNAUTHORIZED


def test_an_assertion_that_another_key_or_none_signed_is_refused(
    introspect: Introspect, served_key: KeyFile, reader_key: KeyFile, issuer: str
) -> None:
    other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    claims = jwt.decode(assertion(served_key, issuer), options={"verify_signature": False})
    assertions = {
        "slash at the end of the audience": assertion(served_key, issuer + "/"),
        "unknown key ID": assertion(served_key, issuer, kid=NOBODY),
        "signed by another key": assertion(served_key | {"key": other_key.decode()}, issuer),
        "unsigned": jwt.encode(claims, "", algorithm="none", headers={"kid": served_key["keyId"]}),
        "a service account's key": assertion(reader_key, issuer),
    }
    answers = {why: answer(introspect(signed)) for why, signed in assertions.items()}
    assert answers == dict.fromkeys(assertions, UNAUTHORIZED)


def test_a_deleted_key_is_refused(introspect: Introspect, workshop: Workshop, key_app: App, issuer: str) -> None:
    key = workshop.app_key(key_app)
    eventually("the key is known", lambda: introspect(assertion(key, issuer)).json().get("active"))
    workshop.admin.do("ApplicationService/DeleteApplicationKey", **key_app.ids, keyId=key["keyId"])
    eventually("the deleted key is refused", lambda: answer(introspect(assertion(key, issuer))), UNAUTHORIZED.__eq__)


def test_an_assertion_wins_over_a_secret(
    server: Server, served_key: KeyFile, issuer: str, app: App, key_app: App, reader: User
) -> None:
    form = [
        ("token", reader.pat),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion(served_key, issuer)),
    ]
    claims = server.post_form(INTROSPECT, form, basic(app.client_id, app.secret)).json()
    assert claims["aud"][0] == key_app.client_id


def test_an_application_switched_to_secrets_still_takes_its_key(
    introspect: Introspect, admin: Api, workshop: Workshop, project: Project, issuer: str
) -> None:
    app = workshop.app(project)
    by_key = {"authMethodType": "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}
    admin.do("ApplicationService/UpdateApplication", **app.ids, apiConfiguration=by_key)
    key = workshop.app_key(app)
    eventually("the key is known", lambda: introspect(assertion(key, issuer)).json().get("active"))
    admin.do(
        "ApplicationService/UpdateApplication",
        **app.ids,
        apiConfiguration={"authMethodType": "API_AUTH_METHOD_TYPE_BASIC"},
    )
    eventually(
        "the application is a Basic application",
        lambda: admin.ask("ApplicationService/GetApplication", applicationId=app.id).json().get("application"),
        lambda shown: shown and "authMethodType" not in shown["apiConfiguration"],
    )
    assert introspect(assertion(key, issuer)).json()["active"] is True


def from_now(claims: dict[str, Any]) -> dict[str, Any]:
    """Turn ``iat`` and ``exp`` from seconds from now into epoch seconds."""
    now = int(time.time())
    return {
        name: now + value if name in {"iat", "exp"} and value is not None else value for name, value in claims.items()
    }
