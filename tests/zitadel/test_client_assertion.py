"""private_key_jwt: what an assertion says, how long one serves, and that an emulated ZITADEL accepts it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.config.test_key_file import CLIENT_ID, KEY_ID, content, rsa_key
from tests.support.connection_faults import ACTIVE, CREDENTIALS_REFUSED
from tests.support.introspector_doubles import Clock
from tests.support.planting import KeySite, key_site, settings_for
from tests.support.upstream import upstream
from zdemo.config.key_file import SigningKey, parse_key_file
from zdemo.emulator import PROJECT_ID, READER
from zdemo.errors import CredentialsRefused
from zdemo.guard.authorization import Policy
from zdemo.zitadel.client_assertion import (
    ASSERTION_TYPE,
    CLOCK_LEEWAY_SECONDS,
    LIFETIME_SECONDS,
    ClientAssertion,
    audience_of,
)
from zdemo.zitadel.introspection_client import IntrospectionClient

ISSUER = "https://zitadel.example"
NOW = 1_800_000_000.75


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return parse_key_file(content())


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def assertion(key: SigningKey, clock: Clock) -> ClientAssertion:
    return ClientAssertion(key, ISSUER, clock=clock)


def claims_of(text: str) -> dict[str, Any]:
    """The claims, the signature checked; times are looked at by the tests."""
    claims: dict[str, Any] = json.loads(jwt.PyJWS().decode(text, rsa_key().public_key(), algorithms=["RS256"]))
    return claims


def test_an_assertion_says_what_zitadel_asks_for_and_no_more(assertion: ClientAssertion) -> None:
    text = assertion.text()
    assert audience_of(f"{ISSUER}:443") == ISSUER
    assert jwt.get_unverified_header(text) == {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
    assert claims_of(text) == {
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "aud": ISSUER,
        "iat": int(NOW) - CLOCK_LEEWAY_SECONDS,
        "exp": int(NOW) + LIFETIME_SECONDS,
    }


def test_one_assertion_serves_until_shortly_before_its_end(assertion: ClientAssertion, clock: Clock) -> None:
    first = assertion.text()
    clock.now = NOW + LIFETIME_SECONDS - CLOCK_LEEWAY_SECONDS - 1
    assert assertion.text() is first
    clock.now += 1
    assert claims_of(assertion.text())["exp"] == int(clock.now) + LIFETIME_SECONDS


def test_a_clock_that_is_set_back_gets_a_new_one(assertion: ClientAssertion, clock: Clock) -> None:
    first = assertion.text()
    clock.now = NOW - CLOCK_LEEWAY_SECONDS + 1
    assert assertion.text() is first
    clock.now = NOW - 3600
    assert claims_of(assertion.text())["iat"] == int(clock.now) - CLOCK_LEEWAY_SECONDS


def test_the_client_sends_the_assertion_and_no_header_or_other_credentials(key: SigningKey) -> None:
    with upstream(ACTIVE) as up:
        client = IntrospectionClient(settings_for(up.url, key))
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


def test_a_refusal_points_at_the_key_and_the_clock(key: SigningKey) -> None:
    with upstream(CREDENTIALS_REFUSED) as up:
        client = IntrospectionClient(settings_for(up.url, key))
        with pytest.raises(CredentialsRefused) as refused:
            client.introspect("t")
        client.close()
    assert "key" in refused.value.message
    assert "clock" in refused.value.hint
    assert "ZITADEL_KEY_FILE" in refused.value.hint
    assert "CLIENT_SECRET" not in refused.value.hint


@pytest.fixture
def site(tmp_path: Path) -> Iterator[KeySite]:
    with key_site(tmp_path / "api key.json") as site:
        yield site


def test_zitadel_answers_an_application_that_has_only_a_key(site: KeySite) -> None:
    client = IntrospectionClient(site.settings)
    answer = client.introspect(READER.pat)
    assert answer.active
    assert answer.audience == (site.settings.client_id, PROJECT_ID)
    assert "read:messages" in answer.roles()
    assert Policy.from_settings(site.settings).audience <= set(answer.audience)
    site.delete_key()
    with pytest.raises(CredentialsRefused):
        client.introspect(READER.pat)
    client.close()
