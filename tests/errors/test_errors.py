"""The tree of errors, as it is drawn."""

import re
import traceback

import pytest

from zdemo import errors
from zdemo.errors import IntrospectionError, Refused, SettingsError, ZdemoError


def family(root: type[ZdemoError]) -> list[type[ZdemoError]]:
    return [root, *(member for child in root.__subclasses__() for member in family(child))]


OURS = [kind for kind in family(ZdemoError) if kind.__module__ == errors.__name__]
DRAWN = re.findall(r"^    [│├└─ ]*([A-Z]\w+) +(?:exit code )?(.*)$", errors.__doc__ or "", re.MULTILINE)


def test_every_error_is_drawn_in_its_place() -> None:
    assert [name for name, _ in DRAWN] == [kind.__name__ for kind in OURS]


@pytest.mark.parametrize(("name", "words"), [row for row in DRAWN if row[1][:1].isdigit() and not row[1][:3].isdigit()])
def test_the_drawn_exit_code_is_the_real_one(name: str, words: str) -> None:
    assert getattr(errors, name).exit_code == int(words[0])


@pytest.mark.parametrize("kind", [*family(Refused), *family(IntrospectionError)], ids=lambda kind: kind.__name__)
def test_the_drawn_status_is_the_real_one(kind: type[Refused | IntrospectionError]) -> None:
    words = dict(DRAWN).get(kind.__name__, "")
    drawn = re.search(r"\b[45]\d\d\b", words)
    assert drawn is None or int(drawn[0]) == kind.status


def test_a_traceback_shows_the_hint_too() -> None:
    """In an app that uses the guard, nothing turns an error into two lines."""
    error = SettingsError(["CLIENT_ID is not set"], hint="set it")
    assert "".join(traceback.format_exception_only(error)).splitlines()[-1] == "hint: set it"
