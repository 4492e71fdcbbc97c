"""The emulator as the ZITADEL of a run: changed tokens, and where redirects lead; ``test_grades`` uses the rest."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, Emulator, emulate
from zdemo.http.transport import Transport
from zdemo.response import Response
from zdemo.verify.cases.safe_answers import changed
from zdemo.verify.emulated_issuer import EmulatedIssuer, emulated_issuer
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH
from zdemo.zitadel.introspection_client import basic_credentials

ROLE = "reader of Ünicode:things"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with emulate() as running:
        yield running


@pytest.fixture
def issuer(emulator: Emulator) -> Iterator[EmulatedIssuer]:
    with emulated_issuer(emulator, PROJECT_ID) as made:
        yield made


def introspected(emulator: Emulator, token: str) -> Response:
    headers = {"Authorization": basic_credentials(CLIENT_ID, CLIENT_SECRET)}
    with closing(Transport(emulator.url, setting="")) as transport:
        return transport.send("POST", INTROSPECTION_PATH, timeout_seconds=5, headers=headers, form={"token": token})


def test_a_token_is_another_one_after_one_letter_is_changed(emulator: Emulator, issuer: EmulatedIssuer) -> None:
    for token in (issuer.person(ROLE).token, issuer.session(ROLE, as_jwt=True)):
        other = changed(token)
        assert [one == two for one, two in zip(token, other, strict=True)].count(False) == 1
        assert (other.lower(), other[:32]) == (token.lower(), token[:32])
        assert introspected(emulator, other).json_object() == {"active": False}


def test_a_redirect_leads_elsewhere_with_method_and_body(emulator: Emulator, issuer: EmulatedIssuer) -> None:
    started = time.time()
    with issuer.fault("redirect") as met:
        found = introspected(emulator, "some-token")
        assert met() == issuer.introspections(started) == 1
    assert found.status == 307
    with closing(Transport(found.headers["location"], setting="")) as transport:
        transport.send("POST", "/", timeout_seconds=5, headers={"Authorization": "Basic abc"}, form={"token": "t"})
    assert [b"Basic abc" in request and b"token=t" in request for request in issuer.collected] == [True]
    assert introspected(emulator, "some-token").status == 200
