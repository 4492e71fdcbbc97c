"""What the guards share: which paths an app may name open, and which requests match them."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.apis import environment_of, settings_for
from tests.support.processes import ROOT, run_program
from zdemo.errors import GuardError, SettingsError
from zdemo.guard.guard import OpenRoutes, is_ambiguous, settings_of

WRONG = [
    *("", "*", "/*", "//*", "healthz", "*/x", "/a*", "/*/a", "/a/*/b", "/a/**", "/a?b", "/a#b", "/a/{id}", "/a/:id"),
    *("/a/../b", "/a/..", "//a", "/a//*", "/a\\b", "/a%2fb", "/a%2E%2e", "http://a/b", "/a/<id>", None, b"/a", ["/a"]),
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
    for route in ("/a/:id/b", "/a/{id}/b"):
        with pytest.raises(GuardError, match='hint: write "/a/<id>/b"'):
            OpenRoutes.of([route], with_rules=True)


OPEN = ("/", "/healthz", "/a/b", "/a/b/c.d", "/größe")
CLOSED = ("", "/a", "/a/", "/ab", "/A/b", "/healthz/", "/healthz/x", "/x/a/b", "/x", "healthz", "/größer")


def test_a_route_matches_these_paths_and_no_others() -> None:
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


def test_settings_can_be_variables() -> None:
    settings, logger = settings_for("http://127.0.0.1:9"), logging.getLogger("zdemo")
    assert settings_of(environment_of(settings), logger) == settings_of(settings, logger) == settings
    with pytest.raises(SettingsError) as missing:
        settings_of({}, logger)
    assert [problem.names[0] for problem in missing.value.problems] == ["ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET"]
    assert missing.value.hint.startswith("add them to the mapping of settings, which replaces the environment")
    with pytest.raises(SettingsError, match=r"ZITADEL_DOMAIN is not set.*\(DOMAIN is set instead"):
        settings_of({"DOMAIN": "http://localhost:8484", "CLIENT_ID": "1", "CLIENT_SECRET": "x"}, logger)
    with pytest.raises(SettingsError, match=r"\(zdemo does not read CLIENT_SECRET_FILE\)"):
        settings_of({**environment_of(settings), "CLIENT_SECRET": "", "CLIENT_SECRET_FILE": "x"}, logger)
    for given, what in (({"ZDEMO_TIMEOUT": 5}, "int in ZDEMO_TIMEOUT"), ("my-api.env", "str")):
        with pytest.raises(GuardError, match=f"a mapping of texts, not {what}\n"):
            settings_of(given, logger)  # type: ignore[arg-type]


PROGRAMS = {
    "flask --app app run": "from flask import Flask; from zdemo.server import protect; app = protect(Flask('app'))",
    "uvicorn app:app": "from fastapi import FastAPI; from zdemo.asgi import protect; app = protect(FastAPI())",
}


@pytest.mark.thorough
@pytest.mark.parametrize("program", PROGRAMS)
def test_missing_settings_are_shown_alone_by_the_program_that_runs_the_app(program: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PROGRAMS[program])
    command = [sys.executable, "-m", *program.split(), "--port", "0"]
    env = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    ended = run_program(*command, folder=tmp_path, env=env)
    first, *lines = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout, first.split()[:2]) == (3, "", ["Error:", "ZITADEL_DOMAIN"])
    assert [line.split()[0] for line in lines] == ["CLIENT_ID", "CLIENT_SECRET", "hint:", "hint:", "writes"]
