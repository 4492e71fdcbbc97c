"""The state of a setup: which credentials were lost, and IDs in ZITADEL's own form."""

import pytest

from zdemo.provisioning.state import ID_FIELDS, IssuedCredential, SetupState, digest, lost_credentials, new_id, units_in

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


NOW = 1_795_000_000.0


def test_ids_have_zitadels_form_and_never_collide() -> None:
    made = new_id("seed", "project_id", lambda: NOW)
    assert len(made) == 18
    assert units_in(made) == (1_795_000_000 - 1_556_496_000) * 100
    ids = {new_id(seed, field, lambda: NOW) for seed in map(str, range(100)) for field in ID_FIELDS}
    assert len(ids) == 400
    for _ in range(3):  # in the same 10 ms
        made, before = new_id("seed", "project_id", lambda: NOW, last=made), made
        assert int(made) > int(before)


def test_only_an_id_that_setup_made_for_a_field_is_its_own() -> None:
    made = new_id("seed", "project_id", lambda: NOW)
    state = SetupState(seed="seed", project_id=made)
    assert state.owns(made)
    for other in (
        SetupState(seed="another seed", project_id=made),
        SetupState(seed="seed", reader_id=made),
        SetupState(seed="seed", project_id="", application_id=made),
        SetupState(seed="seed"),
    ):
        assert not other.owns(made)
    for object_id in ("", "0", "-1", "zdemo", "\u0663" * 18, "9" * 5000, str(int(made) + 1), f" {made}", f"0{made}"):
        assert not SetupState(seed="seed", project_id=object_id).owns(object_id)
