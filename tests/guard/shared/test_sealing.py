"""Sealed values: what whoever reads the store learns, and what whoever writes to it achieves. Nothing."""

from dataclasses import replace

import pytest

from tests.support.apis import settings_for
from zdemo.config.key_file import SigningKey
from zdemo.config.settings import Settings
from zdemo.errors import UnusableAnswer
from zdemo.guard.shared.sealing import LARGEST_VALUE_BYTES, Sealer
from zdemo.zitadel.introspection_answer import Introspection

SETTINGS = settings_for("https://acme.example")
HASH = b"h" * 32
CLAIMS: dict[str, object] = {
    "active": True,
    "sub": "42",
    "exp": 253402300799,
    "roles": {"read": {"1": "acme"}},
    "odd": "\ud800\u202e",
}
TIMES = {"asked_at": 1_800_000_000.25, "asked_at_wall": 1_800_000_001.0}
KEY = SigningKey(subject=SETTINGS.client_id, key_id="1", private_key="-----BEGIN one")
WITH_KEY = replace(SETTINGS, key=KEY, client_secret="")


def sealed(sealer: Sealer, claims: dict[str, object] = CLAIMS) -> bytes:
    value = sealer.seal_answer(sealer.name(HASH), Introspection(active=True, claims=claims), **TIMES)
    assert value
    return value


def test_what_is_sealed_opens_for_the_same_application() -> None:
    sealer, other = Sealer(SETTINGS), Sealer(SETTINGS)
    answer = Introspection(active=True, claims=CLAIMS, expires_at=253402300799)
    assert other.open_answer(other.name(HASH), sealed(sealer)) == (answer, *TIMES.values())
    assert sealer.open("order", "orders", other.seal("order", "orders", b"text")) == b"text"


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        (SETTINGS, replace(SETTINGS, client_secret="another secret")),
        (SETTINGS, replace(SETTINGS, client_id="another application")),
        (SETTINGS, replace(SETTINGS, issuer="https://acme.example:8443")),
        (SETTINGS, WITH_KEY),
        (WITH_KEY, replace(WITH_KEY, key=replace(KEY, private_key="another"))),
    ],
    ids=["changed secret", "other application", "other issuer", "key file", "other key"],
)
def test_another_application_opens_nothing_and_has_other_names(mine: Settings, others: Settings) -> None:
    ours, theirs = Sealer(mine), Sealer(others)
    assert theirs.name(HASH) != ours.name(HASH)
    with pytest.raises(ValueError, match="sealed"):
        theirs.open_answer(ours.name(HASH), sealed(ours))
    with pytest.raises(ValueError, match="sealed"):
        theirs.open("order", "orders", ours.seal("order", "orders", b"text"))


def test_a_value_opens_only_where_it_was_put() -> None:
    sealer = Sealer(SETTINGS)
    with pytest.raises(ValueError, match="sealed"):
        sealer.open_answer(sealer.name(b"another token"), sealed(sealer))
    with pytest.raises(ValueError, match="sealed"):
        sealer.open_answer("orders", sealer.seal("order", "orders", b"text"))
    with pytest.raises(ValueError, match="sealed"):
        sealer.open("order", sealer.name(HASH), sealed(sealer))


def test_no_changed_value_opens() -> None:
    sealer = Sealer(SETTINGS)
    value = sealed(sealer)
    flipped = [value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :] for at in range(0, len(value), 7)]
    for changed in (b"", value[:-1], value + value[-1:], value * 2, *flipped):
        with pytest.raises(ValueError, match="sealed"):
            sealer.open_answer(sealer.name(HASH), changed)


@pytest.mark.parametrize("claims", [{"active": "true"}, {"active": True, "exp": "soon"}], ids=str)
def test_what_opens_is_read_as_strictly_as_zitadels_answers(claims: dict[str, object]) -> None:
    sealer = Sealer(SETTINGS)
    with pytest.raises(UnusableAnswer):
        sealer.open_answer(sealer.name(HASH), sealed(sealer, claims))


def test_a_value_shows_no_claim_and_hardly_its_size() -> None:
    sealer = Sealer(SETTINGS)
    small: dict[str, object] = {"active": True, "sub": "visible-name"}
    value = sealed(sealer, small)
    assert b"visible" not in value
    assert len(value) == len(sealed(sealer))
    assert value != sealed(sealer, small)
    assert SETTINGS.client_secret not in repr(vars(sealer))


def test_an_answer_that_is_too_large_is_not_sealed() -> None:
    large = Introspection(active=True, claims={"active": True, "x": "x" * LARGEST_VALUE_BYTES})
    assert Sealer(SETTINGS).seal_answer("name", large, **TIMES) is None
