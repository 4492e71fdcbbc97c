"""private_key_jwt: what an assertion says, how long one serves, and that an emulated ZITADEL accepts it."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.config.test_key_file import CLIENT_ID, KEY_ID, content, rsa_key
from tests.support.connection_faults import ACTIVE
from tests.support.introspector_doubles import Clock
from tests.support.planting import key_site
from tests.support.upstream import upstream
from zdemo.config.key_file import SigningKey, parse_key_file
from zdemo.config.settings import Settings
from zdemo.emulator import PROJECT_ID, READER
from zdemo.errors import CredentialsRefused
from zdemo.guard.authorization import Policy
from zdemo.zitadel.client_assertion import CLOCK_LEEWAY_SECONDS, LIFETIME_SECONDS, ClientAssertion
from zdemo.zitadel.introspection_client import ASSERTION_TYPE, IntrospectionClient

ISSUER = "https://zitadel.example"
NOW = 1_800_000_000.75


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return parse_key_file(content())


def claims_of(text: str) -> dict[str, Any]:
    """The claims, the signature checked; times are looked at by the tests."""
    claims: dict[str, Any] = json.loads(jwt.PyJWS().decode(text, rsa_key().public_key(), algorithms=["RS256"]))
    return claims


def test_an_assertion_says_what_zitadel_asks_for_and_no_more(key: SigningKey) -> None:
    text = ClientAssertion(key, f"{ISSUER}:443", clock=Clock(NOW)).text()
    assert jwt.get_unverified_header(text) == {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
    assert claims_of(text) == {
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "aud": ISSUER,
        "iat": int(NOW) - CLOCK_LEEWAY_SECONDS,
        "exp": int(NOW) + LIFETIME_SECONDS,
    }


@pytest.mark.parametrize(
    ("last", "too_far"), [(LIFETIME_SECONDS - CLOCK_LEEWAY_SECONDS - 1, 1), (1 - CLOCK_LEEWAY_SECONDS, -3600)]
)
def test_an_assertion_serves_until_near_its_end_or_a_clock_set_back(key: SigningKey, last: int, too_far: int) -> None:
    clock = Clock(NOW)
    assertion = ClientAssertion(key, ISSUER, clock=clock)
    first = assertion.text()
    clock.now += last
    assert assertion.text() is first
    clock.now += too_far
    assert claims_of(assertion.text())["exp"] == int(clock.now) + LIFETIME_SECONDS


def test_the_client_sends_the_assertion_and_no_header_or_other_credentials(key: SigningKey) -> None:
    with upstream(ACTIVE) as up:
        client = IntrospectionClient(Settings(issuer=up.url, client_id=key.subject, client_secret="", key=key))
        assert client.introspect("token-1").active
        assert client.introspect("token-2").active
        client.ask("t", authorization="Basic made-up")
        client.close()
    first, second, other = up.requests
    assert "authorization" not in first.headers
    assert set(first.form) == {"client_assertion_type", "client_assertion", "token"}
    assert first.form["client_assertion_type"] == ASSERTION_TYPE
    assert (first.form["token"], second.form["token"]) == ("token-1", "token-2")
    assert first.form["client_assertion"] == second.form["client_assertion"]
    assert client.secrets == (first.form["client_assertion"],)
    assert (other.headers["authorization"], other.form) == ("Basic made-up", {"token": "t"})


def test_zitadel_answers_an_application_that_has_only_a_key_until_that_is_deleted(tmp_path: Path) -> None:
    with key_site(tmp_path / "api key.json") as site, closing(IntrospectionClient(site.settings)) as client:
        answer = client.introspect(READER.pat)
        assert answer.audience == (site.settings.client_id, PROJECT_ID)
        assert "read:messages" in answer.roles()
        assert Policy.from_settings(site.settings).audience <= set(answer.audience)
        site.delete_key()
        with pytest.raises(CredentialsRefused, match="refuses the API application's key") as refused:
            client.introspect(READER.pat)
        assert refused.value.hint.startswith("check this machine's clock; ")
