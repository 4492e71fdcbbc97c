"""The emulator as the ZITADEL of a run: odd answers, and where its redirects lead."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from tests.support.waiting import eventually
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, Emulator, emulate
from zdemo.http.transport import Transport
from zdemo.response import Response
from zdemo.verify.cases.safe_answers import changed
from zdemo.verify.emulated_issuer import EmulatedIssuer, emulated_issuer
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, roles_claim_of
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


def answer(emulator: Emulator, token: str) -> dict[str, Any]:
    return introspected(emulator, token).json_object()


def test_tokens_are_what_their_names_say(emulator: Emulator, issuer: EmulatedIssuer) -> None:
    good = issuer.person(ROLE)
    assert list(answer(emulator, good.token)[roles_claim_of(PROJECT_ID)]) == [ROLE]
    for token in (issuer.session(ROLE), issuer.session(ROLE, as_jwt=True)):
        assert list(answer(emulator, token)[roles_claim_of(PROJECT_ID)]) == [ROLE]
    assert issuer.session(ROLE, as_jwt=True).count(".") == 2
    for token in (issuer.person(ROLE, seconds=-3600).token, issuer.session(ROLE, elsewhere=True)):
        assert answer(emulator, token) == {"active": False}
    stranger = answer(emulator, issuer.person(ROLE, elsewhere=True).token)
    assert stranger["active"] is True
    assert roles_claim_of(PROJECT_ID) not in stranger
    for change in ("delete", "deactivate", "lock"):
        person = issuer.person(ROLE)
        issuer.change(change, person)
        assert answer(emulator, person.token) == {"active": False}
    issuer.change("revoke", good)
    assert roles_claim_of(PROJECT_ID) not in answer(emulator, good.token)


def test_a_token_is_another_one_after_one_letter_is_changed(emulator: Emulator, issuer: EmulatedIssuer) -> None:
    for token in (issuer.person(ROLE).token, issuer.session(ROLE, as_jwt=True)):
        other = changed(token)
        assert [one == two for one, two in zip(token, other, strict=True)].count(False) == 1
        assert (other.lower(), other[:32]) == (token.lower(), token[:32])
        assert answer(emulator, other) == {"active": False}


def test_claims_are_replaced_and_left_out(emulator: Emulator, issuer: EmulatedIssuer) -> None:
    person = issuer.person(ROLE, claims={"active": "true", "aud": None, "exp": ...})
    found = answer(emulator, person.token)
    assert (found["active"], found["aud"], "exp" in found) == ("true", None, False)
    assert answer(emulator, issuer.person(ROLE).token)["active"] is True


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


def test_an_answer_in_drips_is_completed_when_the_fault_is_cleared(emulator: Emulator, issuer: EmulatedIssuer) -> None:
    """Else an API that waits for it would wait for minutes after the outage."""
    token = issuer.person(ROLE).token
    with ThreadPoolExecutor() as pool:
        with issuer.fault("drip") as met:
            asked = pool.submit(introspected, emulator, token)
            eventually("it is asked", met)
        assert asked.result().json_object()["active"] is True
