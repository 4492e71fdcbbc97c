"""``docs/examples/one_file_guard.py``: it passes the server's table, fails closed, and is short enough to read."""

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from flask import Blueprint

from tests.support.apis import EXAMPLE, PUBLIC, SCOPED, Api, example, one_file_api, running, settings_for
from tests.support.connection_faults import ACTIVE, FAULTS, INACTIVE, claims
from tests.support.mistakes import TEXT, Mistake, ask
from tests.support.mistakes import check as check_mistake
from tests.support.rows import JUDGED, JUDGED_PROJECT, ROWS, check_body, check_rows
from tests.support.upstream import Upstream, upstream
from zdemo.config.settings import Settings

NOT_COVERED = {"aud with numbers": "401: no audience is a number"}
COVERED = {name: fault for name, fault in FAULTS.items() if name not in NOT_COVERED}
COVERED_ROWS = {name: row for name, row in ROWS.items() if row.status != 413}  # it limits only bodies that it reads


def test_it_is_short_and_needs_nothing_of_zdemo() -> None:
    source = EXAMPLE.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 170
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "zdemo" not in ast.unparse(node)


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[Api]:
    with one_file_api(settings) as running:
        yield running


def test_each_answer_is_the_one_in_the_table(api: Api) -> None:
    check_rows(api, COVERED_ROWS)


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream(INACTIVE) as running:
        yield running


@pytest.fixture(scope="module")
def fed(up: Upstream) -> Iterator[Api]:
    """The example, which asks ``up`` about every request."""
    with one_file_api(settings_for(up.url, project_id=JUDGED_PROJECT), ZDEMO_TIMEOUT="1") as running:
        yield running


@pytest.mark.parametrize("name", COVERED)
def test_it_fails_closed(name: str, up: Upstream, fed: Api) -> None:
    up.now(COVERED[name].behaviour)
    reply = fed.get(SCOPED)
    assert (reply.status, reply.one("www-authenticate")) == (COVERED[name].status, None)
    assert reply.one("retry-after") == ("1" if reply.status == 503 else None)
    check_body(reply, {502: "bad_gateway", 503: "service_unavailable"}[reply.status])
    assert fed.get(PUBLIC).status == 200


@pytest.mark.parametrize(("changed", "challenge"), JUDGED)
def test_claims_decide(changed: Mapping[str, Any], challenge: str | None, up: Upstream, fed: Api) -> None:
    up.now(claims(**changed))
    reply = fed.get(SCOPED)
    assert (reply.status, reply.one("www-authenticate")) == (401 if challenge else 200, challenge)


def test_an_active_answer_is_kept_and_no_other() -> None:
    with (
        upstream(INACTIVE, FAULTS["500"].behaviour, ACTIVE, FAULTS["hangs up"].behaviour) as up,
        one_file_api(settings_for(up.url, project_id=JUDGED_PROJECT), ZDEMO_CACHE_TTL="60") as api,
    ):
        assert [api.get(SCOPED).status for _ in range(5)] == [401, 503, 200, 200, 200]
        assert api.get(SCOPED, "another-token").status == 503
        assert len(up.requests) == 4


def view_without_a_guard(guard: Any) -> None:
    guard.app.add_url_rule("/x", "x", lambda: TEXT)


def the_route_below_the_guard(guard: Any) -> None:
    guard.requires_token("read:messages")(guard.app.route("/x")(lambda: TEXT))


def a_blueprint(guard: Any) -> None:
    part = Blueprint("part", "part")
    part.add_url_rule("/x", "x", lambda: TEXT, methods=["GET", "OPTIONS"], provide_automatic_options=False)
    part.before_app_request(lambda: TEXT)
    guard.app.register_blueprint(part)


def a_path_that_leads_out_of_an_open_one(guard: Any) -> None:
    guard.app.add_url_rule("/<path:rest>", "x", lambda **_: TEXT)


def functions_before(change: Callable[[dict[Any, Any]], object]) -> Callable[[Any], None]:
    def mistake(guard: Any) -> None:
        view_without_a_guard(guard)
        change(guard.app.before_request_funcs)

    return mistake


def another_dictionary_of_functions_before(guard: Any) -> None:
    view_without_a_guard(guard)
    guard.app.before_request_funcs = {None: [lambda: TEXT]}


OUT = tuple(ask(f"/api/public{end}") for end in ("/../x", "%2f..%2fx", "//", "%5cx", ";x", "%00", "/."))
MISTAKES: Mapping[Callable[[Any], None], tuple[Any, ...]] = {
    view_without_a_guard: (ask("/x"),),
    the_route_below_the_guard: (ask("/x"),),
    a_blueprint: (ask("/x"),),
    a_path_that_leads_out_of_an_open_one: OUT,
    another_dictionary_of_functions_before: (ask("/x"),),
    functions_before(lambda functions: functions.update({None: [lambda: TEXT]})): (ask("/x"),),
    functions_before(lambda functions: functions.clear()): (ask("/x"),),
    functions_before(lambda functions: functions.setdefault(None, []).insert(0, lambda: TEXT)): (ask("/x"),),
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_nobody_sees_the_text_without_a_token(mistake: Callable[[Any], None], settings: Settings) -> None:
    guard = example(EXAMPLE, settings)
    mistake(guard)
    with running(guard.app) as api:
        check_mistake(api, Mistake(lambda: None, MISTAKES[mistake]))
