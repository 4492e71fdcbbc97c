"""Sealed values: what whoever reads the store learns, and what whoever writes to it achieves. Nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.apis import settings_for
from zdemo.config.key_file import ApplicationKey
from zdemo.config.settings import Settings
from zdemo.introspection.model import Introspection
from zdemo.introspection.shared.sealing import LARGEST_VALUE_BYTES, Sealer, StoredAnswer, Unbelievable

SETTINGS = settings_for("https://acme.example")
NOW = 1_800_000_000.25
HASH = b"h" * 32
CLAIMS = {"active": True, "sub": "42", "exp": 253402300799, "roles": {"read": {"1": "acme"}}, "odd": "\ud800\u202e"}
ANSWER = StoredAnswer(
    asked_at=NOW,
    dated_at=1_800_000_001,
    introspection=Introspection(active=True, claims=CLAIMS, expires_at=253402300799),
)
KEY = ApplicationKey(client_id=SETTINGS.client_id, key_id="1", private_key="-----BEGIN one", path=Path())


def sealed(sealer: Sealer, answer: StoredAnswer = ANSWER) -> bytes:
    value = sealer.seal_answer(sealer.name(HASH), answer)
    assert value
    return value


def test_what_is_sealed_opens_for_the_same_application() -> None:
    one, other = Sealer(SETTINGS), Sealer(SETTINGS)
    assert other.open_answer(other.name(HASH), sealed(one)) == ANSWER
    assert one.open_order("orders", other.seal_order("orders", NOW, {"user_id": "42"})) == (NOW, {"user_id": "42"})


@pytest.mark.parametrize(
    "others",
    [
        replace(SETTINGS, client_secret="another secret"),
        replace(SETTINGS, client_id="another application"),
        replace(SETTINGS, issuer="https://acme.example:8443"),
        replace(SETTINGS, key=KEY, client_secret=""),
    ],
    ids=["changed secret", "other application", "other issuer", "key file"],
)
def test_nothing_opens_and_no_name_is_the_same_for_others(others: Settings) -> None:
    mine, theirs = Sealer(SETTINGS), Sealer(others)
    assert theirs.name(HASH) != mine.name(HASH)
    with pytest.raises(Unbelievable):
        theirs.open_answer(mine.name(HASH), sealed(mine))
    with pytest.raises(Unbelievable):
        theirs.open_order("orders", mine.seal_order("orders", NOW, {"everything": True}))


def test_another_key_of_the_application_opens_nothing() -> None:
    one, other = (Sealer(replace(SETTINGS, key=replace(KEY, private_key=text))) for text in ("one", "another"))
    assert sealed(one)
    with pytest.raises(Unbelievable):
        other.open_answer(one.name(HASH), sealed(one))


def test_a_value_opens_only_where_it_was_put() -> None:
    sealer = Sealer(SETTINGS)
    with pytest.raises(Unbelievable):
        sealer.open_answer(sealer.name(b"another token"), sealed(sealer))
    with pytest.raises(Unbelievable, match="sealed"):
        sealer.open_answer("orders", sealer.seal_order("orders", NOW, {"active": True}))
    with pytest.raises(Unbelievable):
        sealer.open_order(sealer.name(HASH), sealed(sealer))


@given(data=st.data())
def test_no_changed_value_opens(data: st.DataObject) -> None:
    sealer = Sealer(SETTINGS)
    value = sealed(sealer)
    place = data.draw(st.integers(0, len(value) - 1))
    flipped = bytes([value[place] ^ data.draw(st.integers(1, 255))])
    changed = data.draw(
        st.sampled_from([value[:place], value[:place] + flipped + value[place + 1 :], value + value[-1:], value * 2])
    )
    with pytest.raises(Unbelievable):
        sealer.open_answer(sealer.name(HASH), changed)


@given(value=st.binary(max_size=200))
def test_garbage_does_not_open(value: bytes) -> None:
    with pytest.raises(Unbelievable):
        Sealer(SETTINGS).open_answer("name", value)


@pytest.mark.parametrize(
    "claims", [{"active": "true"}, {"active": True, "exp": "soon"}, {"active": True, "aud": [1]}, {}], ids=str
)
def test_what_opens_is_read_as_strictly_as_zitadels_answers(claims: dict[str, object]) -> None:
    sealer = Sealer(SETTINGS)
    odd = replace(ANSWER, introspection=Introspection(active=True, claims=claims))
    with pytest.raises(Unbelievable, match="not an introspection answer"):
        sealer.open_answer(sealer.name(HASH), sealed(sealer, odd))


def test_a_value_shows_no_claim_and_hardly_its_size() -> None:
    sealer = Sealer(SETTINGS)
    small = replace(ANSWER, introspection=Introspection(active=True, claims={"active": True, "sub": "visible-name"}))
    value = sealed(sealer, small)
    assert b"visible" not in value
    assert len(value) == len(sealed(sealer, ANSWER))
    assert value != sealed(sealer, small)
    assert SETTINGS.client_secret not in repr(vars(sealer)["_owner"])


def test_an_answer_that_is_too_large_is_not_sealed_and_not_opened() -> None:
    sealer = Sealer(SETTINGS)
    claims = {"active": True, "x": "x" * LARGEST_VALUE_BYTES}
    name = sealer.name(HASH)
    assert sealer.seal_answer(name, replace(ANSWER, introspection=Introspection(active=True, claims=claims))) is None
    with pytest.raises(Unbelievable, match="format"):
        sealer.open_answer(name, sealed(sealer) + bytes(LARGEST_VALUE_BYTES))


def test_each_day_has_a_key_of_its_own() -> None:
    sealer = Sealer(SETTINGS)
    for days in range(20):
        answer = replace(ANSWER, asked_at=NOW + days * 86_400)
        assert sealer.open_answer(sealer.name(HASH), sealed(sealer, answer)) == answer
