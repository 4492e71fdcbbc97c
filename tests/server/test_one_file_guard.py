"""``docs/examples/one_file_guard.py``: it passes the server's table, fails closed, and is short enough to read."""

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from flask import Blueprint

from tests.guard.test_authorization import ROLE_CLAIMS
from tests.server.test_faults import PROJECT
from tests.support.apis import EXAMPLE, PUBLIC, SCOPED, Api, example, one_file_api, running, settings_for
from tests.support.connection_faults import ACTIVE, FAULTS, INACTIVE, claims
from tests.support.mistakes import TEXT, Mistake, ask
from tests.support.mistakes import check as check_mistake
from tests.support.rows import INSUFFICIENT_SCOPE, INVALID_TOKEN, ROWS, check_body, check_rows
from tests.support.upstream import Upstream, upstream
from zdemo.config.settings import Settings
from zdemo.zitadel.introspection_answer import roles_claim_of

NOT_COVERED = {"aud with numbers": "401: no audience is a number", "nested 500 times": "200: it shows no claims"}
COVERED = {name: fault for name, fault in FAULTS.items() if name not in NOT_COVERED}
COVERED_ROWS = {name: row for name, row in ROWS.items() if row.status != 413}  # it limits only bodies that it reads


def test_it_is_short_and_needs_nothing_of_zdemo() -> None:
    source = EXAMPLE.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 170
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "zdemo" not in ast.unparse(node)


def test_each_answer_is_the_one_in_the_table(settings: Settings) -> None:
    with one_file_api(settings) as api:
        check_rows(api, COVERED_ROWS)


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream(INACTIVE) as running:
        yield running


@pytest.fixture(scope="module")
def fed(up: Upstream) -> Iterator[Api]:
    """The example, which asks ``up`` about every request."""
    with one_file_api(settings_for(up.url, project_id=PROJECT)) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(up: Upstream) -> Iterator[Api]:
    """The example with a short timeout, for a server that hangs. Other servers may be slow on a busy machine."""
    with one_file_api(settings_for(up.url, project_id=PROJECT), ZDEMO_TIMEOUT="0.5") as running:
        yield running


@pytest.mark.parametrize("name", COVERED)
def test_it_fails_closed(name: str, up: Upstream, fed: Api, hasty: Api) -> None:
    up.now(COVERED[name].behaviour)
    api = hasty if COVERED[name].hangs else fed
    reply = api.get(SCOPED)
    assert (reply.status, reply.one("www-authenticate")) == (COVERED[name].status, None)
    assert reply.one("retry-after") == ("1" if reply.status == 503 else None)
    check_body(reply, {502: "bad_gateway", 503: "service_unavailable"}[reply.status])
    assert api.get(PUBLIC).status == 200


CLAIMS: list[tuple[Mapping[str, Any], str | None]] = [
    *(({}, None), ({"exp": 1}, INVALID_TOKEN), ({"nbf": 1 << 40}, INVALID_TOKEN)),
    *(({"aud": audience}, INVALID_TOKEN) for audience in ([], ["300000000000000099"])),
    *(({roles_claim_of(PROJECT): claim}, INSUFFICIENT_SCOPE) for claim in ROLE_CLAIMS),
]


@pytest.mark.parametrize(("changed", "challenge"), CLAIMS)
def test_claims_decide(changed: Mapping[str, Any], challenge: str | None, up: Upstream, fed: Api) -> None:
    up.now(claims(**changed))
    reply = fed.get(SCOPED)
    assert (reply.status, reply.one("www-authenticate")) == (401 if challenge else 200, challenge)


def test_an_active_answer_is_kept_and_no_other() -> None:
    with (
        upstream(INACTIVE, FAULTS["500"].behaviour, ACTIVE, FAULTS["hangs up"].behaviour) as up,
        one_file_api(settings_for(up.url, project_id=PROJECT), ZDEMO_CACHE_TTL="60") as api,
    ):
        assert [api.get(SCOPED).status for _ in range(5)] == [401, 503, 200, 200, 200]
        assert api.get(SCOPED, "another-token").status == 503
        assert len(up.requests) == 4


def a_blueprint() -> Blueprint:
    part = Blueprint("part", "part")
    part.add_url_rule("/y", "y", lambda: TEXT, methods=["GET", "OPTIONS"], provide_automatic_options=False)
    part.before_app_request(lambda: TEXT)
    return part


OUT = tuple(ask(f"/api/public{end}") for end in ("/../x", "%2f..%2fx", "//", "%5cx", ";x", "%00", "/."))
LEADS_OUT, BELOW, BLUEPRINT = "a path that leads out of an open one", "a route below the guard", "a blueprint"
ASKED: dict[str, tuple[Any, ...]] = {LEADS_OUT: OUT, BELOW: ("/y",), BLUEPRINT: ("/y",)}  # and elsewhere /x
MISTAKES: dict[str, Callable[[Any], object]] = {
    "a view without a guard": lambda _: None,
    BELOW: lambda guard: guard.requires_token("read:messages")(guard.app.get("/y")(lambda: TEXT)),
    BLUEPRINT: lambda guard: guard.app.register_blueprint(a_blueprint()),
    LEADS_OUT: lambda guard: guard.app.get("/<path:rest>")(lambda **_: TEXT),
    "other functions": lambda guard: setattr(guard.app, "before_request_funcs", {None: [lambda: TEXT]}),
    "another list of functions": lambda guard: guard.app.before_request_funcs.update({None: [lambda: TEXT]}),
    "no functions": lambda guard: guard.app.before_request_funcs.clear(),
    "a function that is put first": lambda guard: guard.app.before_request_funcs[None].insert(0, lambda: TEXT),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_nobody_sees_the_text_without_a_token(mistake: str, settings: Settings) -> None:
    guard = example(EXAMPLE, settings)
    guard.app.add_url_rule("/x", "x", lambda: TEXT)
    MISTAKES[mistake](guard)
    with running(guard.app) as api:
        check_mistake(api, Mistake(lambda: None, ASKED.get(mistake, ("/x",))))
