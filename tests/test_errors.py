"""The tree of errors, as it is drawn."""

import re
import traceback

import pytest

from zdemo import errors
from zdemo.errors import ExitCode, IntrospectionError, Refused, SettingsError, ZdemoError


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


@pytest.mark.parametrize("kind", family(Refused), ids=lambda kind: kind.__name__)
def test_a_refusal_is_a_no(kind: type[Refused]) -> None:
    assert kind.exit_code is ExitCode.NO


def test_exit_codes_are_those_that_are_documented() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "YES": 0,
        "NO": 1,
        "USAGE": 2,
        "SETTINGS": 3,
        "NO_ANSWER": 4,
    }


def test_a_settings_error_holds_each_problem_and_says_them_all() -> None:
    error = SettingsError(["A is not set", "B is wrong"], hint="correct them")
    assert error.problems == ("A is not set", "B is wrong")
    assert "A is not set" in str(error)
    assert "B is wrong" in str(error)


def test_a_traceback_shows_the_hint_too() -> None:
    """In an app that uses the guard, nothing turns an error into two lines."""
    error = SettingsError(["CLIENT_ID is not set"], hint="set it")
    assert "".join(traceback.format_exception_only(error)).splitlines()[-1] == "hint: set it"
