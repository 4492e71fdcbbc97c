"""The state of a setup: which credentials were lost, and IDs in ZITADEL's own form."""

from __future__ import annotations

import pytest

from zdemo.provisioning.state import IssuedCredential, digest, lost_credentials, new_id

ISSUED = (
    IssuedCredential(owner_id="1", expires=10, digest=digest("old"), id="a"),
    IssuedCredential(owner_id="1", expires=20),
    IssuedCredential(owner_id="1", expires=30, digest=digest("new")),
)
LISTED: list[tuple[str, dict[str, int | None], str, tuple[str, ...]]] = [
    ("nothing", {}, "new", ()),
    ("one that was written", {"a": 10}, "", ()),
    ("one whose answer was lost", {"b": 20}, "new", ("b",)),
    ("one that never reached its file", {"c": 30}, "old", ("c",)),
    ("one that is in its file, though not recorded as written", {"c": 30}, "new", ()),
    ("a person's", {"d": 40, "e": None}, "", ()),
    ("a second one of the same time", {"a": 10, "d": 10}, "new", ()),
]


@pytest.mark.parametrize(("listed", "in_use", "lost"), [row[1:] for row in LISTED], ids=[row[0] for row in LISTED])
def test_lost_credentials_are_found_by_their_time_of_expiry(
    listed: dict[str, int | None], in_use: str, lost: tuple[str, ...]
) -> None:
    assert lost_credentials(ISSUED, listed, in_use) == lost


def test_ids_have_zitadels_form_and_never_collide() -> None:
    assert len(new_id(lambda: 1_795_000_000.0)) == 18
    assert int(new_id(lambda: 1_795_000_000.0)) >> 24 == (1_795_000_000 - 1_556_496_000) * 100
    assert len({new_id() for _ in range(100)}) == 100
