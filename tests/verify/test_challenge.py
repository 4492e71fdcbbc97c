"""``WWW-Authenticate``, read strictly."""

import pytest
from hypothesis import given

from tests.support.any_text import texts
from zdemo.verify.api_client import challenges, problem_of

WELL_FORMED = {
    "Bearer": [("bearer", {})],
    'Bearer realm="zdemo"': [("bearer", {"realm": "zdemo"})],
    'bearer Realm = "a, b" , error=invalid_token': [("bearer", {"realm": "a, b", "error": "invalid_token"})],
    'Bearer realm="a \\"b\\""': [("bearer", {"realm": 'a "b"'})],
    'Basic realm="x", Bearer realm="y"': [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})],
    "Negotiate abc==, Bearer": [("negotiate", {}), ("bearer", {})],
    ", Bearer ,": [("bearer", {})],
    "Negotiate, Bearer error=x": [("negotiate", {}), ("bearer", {"error": "x"})],
}
MALFORMED = ('Bearer realm="open', 'Bearer realm="a" error="b"', '"Bearer"', "Bearer =x", 'Bearer realm="a";error="b"')
PROBLEMS = {
    'Bearer realm="a", realm="b"': "realm occurs more than once",
    'Bearer error_description="\\"quoted\\""': "error_description has characters",
    'Bearer error_description="ü"': "error_description has characters",
    'Bearer scope="a  b"': "scope has characters",
}


@pytest.mark.parametrize("text", WELL_FORMED)
def test_a_list_of_challenges_is_read(text: str) -> None:
    assert [(challenge.scheme, challenge.parameters) for challenge in challenges(text)] == WELL_FORMED[text]
    assert problem_of(text) == "" or "characters" in problem_of(text)


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_not_a_list_of_challenges_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unexpected text at character"):
        challenges(text)
    assert problem_of(text).startswith("not a list of challenges")


@pytest.mark.parametrize("text", PROBLEMS)
def test_what_rfc_6750_forbids_is_named(text: str) -> None:
    assert problem_of(text).startswith(PROBLEMS[text])


@given(texts('Bearlm ="\\,;a\t\x00ü', most=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        challenges(text)
    except ValueError:
        assert problem_of(text)
