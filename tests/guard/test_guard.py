"""What the guards share: which paths an app may name open, and which requests match them."""

from typing import Any

import pytest

from zdemo.errors import GuardError
from zdemo.guard.guard import OpenRoutes, is_ambiguous

WRONG = [
    *("", "*", "/*", "//*", "healthz", "*/x", "/a*", "/*/a", "/a/*/b", "/a/**", "/a?b", "/a#b", "/a/{id}", "/a/<id>"),
    *("/a/../b", "/a/..", "//a", "/a//*", "/a\\b", "/a%2fb", "/a%2E%2e", "http://a/b", None, 1, b"/a", ["/a"]),
]


@pytest.mark.parametrize("route", WRONG)
def test_a_route_that_nothing_or_everything_matches_is_an_error(route: Any) -> None:
    with pytest.raises(GuardError) as wrong:
        OpenRoutes.of(["/healthz", route])
    assert repr(route) in wrong.value.message
    assert '"/static/*"' in wrong.value.hint


@pytest.mark.parametrize("routes", ["/healthz", None, b"/"])
def test_one_text_is_not_a_list(routes: Any) -> None:
    with pytest.raises(GuardError, match="not a list"):
        OpenRoutes.of(routes)


def test_flask_has_rules() -> None:
    assert OpenRoutes.of({"/a/<id>"}, with_rules=True) == OpenRoutes(rules=frozenset({"/a/<id>"}))
    with pytest.raises(GuardError):
        OpenRoutes.of(["a/<id>"], with_rules=True)


OPEN = ("/", "/healthz", "/a/b", "/a/b/c.d", "/größe")
CLOSED = ("", "/a", "/a/", "/ab", "/A/b", "/healthz/", "/healthz/x", "/x/a/b", "/x", "healthz", "/größer")


def test_what_matches() -> None:
    routes = OpenRoutes.of(["/", "/healthz", "/a/*", "/größe"])
    assert routes
    assert [path for path in (*OPEN, *CLOSED) if routes.include(path)] == list(OPEN)
    assert OpenRoutes.of([]) is None


PLAIN = {("/a/b", ""), ("/a/b", "/a/b?c=//d/../%2f"), ("/a/b", "http://c/a/b"), ("/a.b", "/a%2Bb?"), ("/a?b", "/a%3fb")}
AMBIGUOUS = {
    *{
        (path, "")
        for path in ("/a/../b", "/a/b..c", "//a", "/a\\b", "/a/%2e%2E/b", "/a%252fb", "/a%25255cb", "/a?/../b")
    },
    *{("/a/b", target) for target in ("/a%2fb", "/a/%2e/b", "//a/b", "http://c//a/b", "http:///a/../b")},
}


def test_a_path_that_may_be_taken_for_another_is_ambiguous() -> None:
    assert {pair for pair in PLAIN | AMBIGUOUS if is_ambiguous(*pair)} == AMBIGUOUS
