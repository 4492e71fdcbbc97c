"""A person's values in ``.env`` under any sequence of what setup writes and what he puts there himself. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from zdemo.provisioning.names import BEFORE, SETTINGS, WROTE
from zdemo.provisioning.previous_values import given_back, with_marks, written

NAMES = ("PAT", "CLIENT_SECRET", "ZITADEL_KEY_FILE")
OWN = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("", "own-1", "own-2")))
SETUPS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from((None, "setup-1", "setup-2")))


def changed(values: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """As the file is after it."""
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def after_setup(values: dict[str, str], changes: dict[str, str | None]) -> dict[str, str]:
    real = {name: value for name, value in changes.items() if values.get(name, "") != (value or "")}
    return changed(values, with_marks(values, real)) if real else values


@given(OWN, st.lists(SETUPS))
def test_whatever_setup_writes_the_persons_values_come_back(
    own: dict[str, str], runs: list[dict[str, str | None]]
) -> None:
    values = own
    for changes in runs:
        values = after_setup(values, changes)
        assert written(values) <= {name for name in SETTINGS if values.get(name, "").startswith("setup")}
    assert changed(values, given_back(values, {*written(values), WROTE})) == own


@given(OWN, st.lists(st.one_of(OWN, SETUPS)))
def test_no_value_of_a_person_is_ever_gone(
    own: dict[str, str], turns: list[dict[str, str] | dict[str, str | None]]
) -> None:
    """Unless he writes over it himself."""
    values: dict[str, str] = own
    for turn in turns:
        before = {value for value in values.values() if value.startswith("own")}
        if any(value is None or value.startswith("setup") for value in turn.values()):
            values = after_setup(values, dict(turn))
            assert before <= set(values.values())
        else:
            values = changed(values, turn)
    before = {value for value in values.values() if value.startswith("own")}
    assert before <= set(changed(values, given_back(values, {*written(values), WROTE})).values())


def test_a_changed_value_is_no_longer_setups() -> None:
    values = after_setup({}, {"PAT": "setup-1", "CLIENT_SECRET": "setup-2"})
    assert written({**values, "PAT": "own"}) == {"CLIENT_SECRET"}
    assert "setup-1" not in values[WROTE]


def test_a_second_value_of_a_person_has_a_line_of_its_own() -> None:
    values = after_setup({"PAT": "own-1"}, {"PAT": "setup-1"})
    values = after_setup({**values, "PAT": "own-2"}, {"PAT": "setup-2"})
    assert (values[f"{BEFORE}PAT"], values[f"{BEFORE}PAT_2"]) == ("own-1", "own-2")


def test_a_value_that_comes_once_more_is_the_one_that_comes_back() -> None:
    values: dict[str, str] = {}
    for theirs in ("own-1", "own-2", "own-1"):
        values = after_setup({**values, "PAT": theirs}, {"PAT": "setup-1"})
    assert changed(values, given_back(values, written(values)))["PAT"] == "own-1"
