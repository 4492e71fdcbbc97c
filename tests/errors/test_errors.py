"""The tree of errors, as it is drawn."""

import re
import traceback

import pytest

from zdemo import errors
from zdemo.errors import SettingsError, ZdemoError


def family(root: type[ZdemoError]) -> list[type[ZdemoError]]:
    return [root, *(member for child in root.__subclasses__() for member in family(child))]


OURS = [kind for kind in family(ZdemoError) if kind.__module__ == errors.__name__]
DRAWN = re.findall(r"^    [│├└─ ]*([A-Z]\w+) +(?:exit code )?(.*)$", errors.__doc__ or "", re.MULTILINE)


def test_every_error_is_in_its_place_in_the_diagram() -> None:
    assert [name for name, _ in DRAWN] == [kind.__name__ for kind in OURS]


@pytest.mark.parametrize(("name", "words"), DRAWN)
def test_the_exit_code_and_status_in_the_diagram_are_right(name: str, words: str) -> None:
    kind = getattr(errors, name)
    code, status = re.match(r"\d\b", words), re.search(r"\b[45]\d\d\b", words)
    assert code is None or kind.exit_code == int(code[0])
    assert status is None or kind.status == int(status[0])


def test_a_traceback_shows_the_hint_too() -> None:
    """In an app that uses the guard, nothing turns an error into two lines."""
    error = SettingsError(["CLIENT_ID is not set"], hint="set it")
    assert "".join(traceback.format_exception_only(error)).splitlines()[-1] == "hint: set it"
