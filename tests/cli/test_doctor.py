"""``zdemo doctor`` as a command: what it prints, its exit code, its options; and any API as a black box."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from flask import Flask, Response, request

from tests.support.cli import Shell, Stack, is_two_lines
from tests.support.upstream import Behaviour, answer, hang_up, refusing_port, upstream
from zdemo.cli.doctor import EVERY_CHECK
from zdemo.cli.explain import explain
from zdemo.cli.screen import Screen
from zdemo.doctor import API_CHECKS, CHECKS, Check
from zdemo.emulator import READER, VISITOR
from zdemo.serving.embedded import serving


def outcomes(document: Any) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in document["checks"]}


def test_all_is_well(shell: Shell) -> None:
    ran = shell.anew("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert "FAIL" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    assert " passed, 2 skipped" in ran.out.splitlines()[-1]
    assert ran.out.splitlines()[-1].endswith(" s")
    assert all(check.id in ran.out for check in CHECKS)


def test_json_is_one_document_with_all_of_it(shell: Shell) -> None:
    ran = shell("doctor", "--json", CLIENT_SECRET="x" * 64)
    assert (ran.code, ran.document["passed"]) == (1, False)
    assert [check["id"] for check in ran.document["checks"]] == [check.id for check in CHECKS]
    (refused,) = [check for check in ran.document["checks"] if check["outcome"] == "fail"]
    assert refused["id"] == "client.accepted"
    assert {"evidence", "fix", "anchor"} <= refused.keys()
    assert all(check["fix"] for check in ran.document["checks"] if check["outcome"] in ("warn", "fail"))
    assert sum(ran.document["summary"].values()) == len(CHECKS)


def test_list_shows_what_there_is_and_asks_nobody(bare: Shell) -> None:
    ran = bare("doctor", "--list")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert all(f"{check.id} " in ran.out for check in CHECKS)
    assert [check["id"] for check in bare("doctor", "--list", "--json").document["checks"]] == [c.id for c in CHECKS]
    assert "api.query" in bare("doctor", "--list", "--api", "http://127.0.0.1:1").out


def test_explain_prints_the_section_of_the_troubleshooting_page(bare: Shell) -> None:
    ran = bare("doctor", "--explain", "net.connect")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[:3] == [
        "net.connect  the port answers",
        "",
        "The name resolves, but nothing listens at the port, or packets get lost. Check",
    ]
    assert ran.out.splitlines()[-2:] == [
        "see also  zdemo doctor --explain zitadel.host",
        "check it  zdemo doctor --only net.connect",
    ]
    assert bare("doctor", "--explain", "net.connect", "--json").document["text"].startswith("The name resolves, but")


@pytest.mark.parametrize("check", EVERY_CHECK, ids=lambda check: check.id)
def test_every_check_can_be_explained_without_marks_of_markdown(check: Check[Any]) -> None:
    out = io.StringIO()
    explain(Screen(out), check, as_json=False)
    head, _, text = out.getvalue().partition("\n\n")
    assert len(text.split()) > 10, head
    assert not re.search(r"[`|]|\*\*|\]\(|^#|<a id", text, re.MULTILINE)
    assert max(len(line) for line in text.splitlines() if not line.startswith("    ")) <= 80


def test_what_fails_names_the_command_that_explains_it(bare: Shell) -> None:
    ran = bare("doctor", "--only", "settings.complete")
    assert "see: zdemo doctor --explain settings.complete\n" in ran.out
    assert "docs/" not in ran.out


def test_only_one_is_shown_and_its_grounds_are_examined(shell: Shell) -> None:
    ran = shell("doctor", "--only", "role.granted")
    assert (ran.code, ran.out.count("role.granted"), "client.accepted" in ran.out) == (0, 1, False)
    ran = shell("doctor", "--only", "role.granted", "--only", "clock.skew", "--json", CLIENT_SECRET="x" * 64)
    assert ran.code == 1
    assert outcomes(ran.document) == {"clock.skew": "pass", "client.accepted": "fail", "role.granted": "skip"}


def test_what_failed_is_said_again_at_the_end(bare: Shell, shell: Shell) -> None:
    ran = bare("doctor")
    summary = ran.out.rstrip().rpartition("\n\n")[2].splitlines()
    assert "failed" in summary[0]
    assert summary[1].startswith("failed  settings.complete: set them in the environment")
    assert "\nfailed " not in shell("doctor", "--only", "token.active", PAT="A" * 71).out


def test_tokens_from_another_place_than_the_address_are_named(own_shell: Shell) -> None:
    own_shell.dotenv(PAT=READER.pat)
    ran = own_shell("doctor", PAT="")
    assert ran.err == "note: PAT comes from .env, ZITADEL_DOMAIN from the environment\n"


def test_an_api_that_does_not_run_is_a_failure_where_its_address_is_set(shell: Shell) -> None:
    with refusing_port() as port:
        ran = shell("doctor", "--json", "--only", "api.reachable", ZDEMO_API_URL=f"http://127.0.0.1:{port}")
    assert (ran.code, outcomes(ran.document)) == (1, {"api.reachable": "fail"})
    assert "zdemo serve" in ran.document["checks"][0]["fix"]


def test_an_api_that_refuses_as_zitadel_does_agrees(shell: Shell) -> None:
    ran = shell("doctor", "--only", "api.agrees", PAT=VISITOR.pat)
    assert (ran.code, "insufficient_scope" in ran.out) == (0, True)


def test_an_api_that_uses_another_zitadel_is_found_out(shell: Shell, own_stack: Stack) -> None:
    own_stack.emulator.world.users[READER.id].pats.clear()
    ran = shell("doctor", "--only", "api.agrees", ZDEMO_API_URL=own_stack.api_url)
    assert ran.code == 1
    assert "disagree about this token" in " ".join(ran.out.split())


# any API


CHALLENGE = 'Bearer realm="x"'


def an_api(*, takes_query: bool = False, code_without_token: bool = False, guards: bool = True) -> Flask:
    """Return an API that is not zdemo's, with the given faults."""
    app = Flask("another")

    @app.get("/orders/7")
    def orders() -> Response:
        header = request.headers.get("Authorization", "")
        scheme, _, token = header.partition(" ")
        token = token if scheme.lower() == "bearer" else ""
        if takes_query and not header:
            token = request.args.get("access_token", "")
        malformed = scheme.lower() == "bearer" and (not token or any(c in token for c in ' "'))
        if malformed or (token and not takes_query and "access_token" in request.args):
            return Response(status=400, headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_request"'})
        if not guards or token == READER.pat:
            return Response("[]", content_type="application/json")
        code = ', error="invalid_token"' if token or code_without_token else ""
        headers = {"WWW-Authenticate": CHALLENGE + code, "Cache-Control": "no-store"}
        return Response(status=401, headers=headers)

    return app


@pytest.mark.parametrize(
    ("faults", "failing"),
    [
        ({}, {}),
        ({"takes_query": True}, {"api.query": "fail", "api.both_ways": "warn"}),
        ({"code_without_token": True}, {"api.no_token": "fail"}),
        ({"guards": False}, {"api.no_token": "fail"}),
    ],
)
def test_any_api_is_examined_by_one_url(bare: Shell, faults: dict[str, bool], failing: dict[str, str]) -> None:
    with serving(an_api(**faults)) as port:
        ran = bare("doctor", "--api", f"http://127.0.0.1:{port}/orders/7?page=1", "--json", PAT=READER.pat)
    came = outcomes(ran.document)
    assert {name: outcome for name, outcome in came.items() if outcome in ("warn", "fail")} == failing
    assert list(came) == [check.id for check in API_CHECKS]
    assert ran.code == (1 if "fail" in failing.values() else 0)
    assert READER.pat not in ran.all


def test_a_real_token_gets_into_no_url(bare: Shell) -> None:
    app = an_api()
    urls: list[str] = []
    app.before_request(lambda: urls.append(request.url))
    with serving(app) as port:
        bare("doctor", "--api", f"http://127.0.0.1:{port}/orders/7", PAT=READER.pat)
    assert any("access_token=" in url for url in urls)
    assert not any(READER.pat in url for url in urls)


def test_a_zdemo_api_is_as_it_should_be(shell: Shell) -> None:
    for path in ("", "/api/private", "/api/private-scoped"):
        ran = shell("doctor", "--api", shell.env["ZDEMO_API_URL"] + path)
        assert (ran.code, f"{len(API_CHECKS)} passed" in ran.out) == (0, True), ran.out


def test_the_path_that_is_examined_is_named(shell: Shell) -> None:
    url = shell.env["ZDEMO_API_URL"]
    for path, said in (
        ("/", f"{url} has nothing at / (404), so /api/private is examined: it answers 401"),
        ("/api/private-scoped?page=1", f"{url}/api/private-scoped answers 401"),
    ):
        ran = shell("doctor", "--api", url + path, "--json", "--only", "api.reachable")
        assert ran.document["checks"][0]["evidence"].startswith(said)


@pytest.mark.parametrize("url", ["http://", "ftp://x/y", "http://user:hunter2@x/", "http://example.com/x", "not a url"])
def test_an_address_that_is_none_is_a_wrong_command_line(bare: Shell, url: str) -> None:
    ran = bare("doctor", "--api", url)
    assert (ran.code, is_two_lines(ran), "--api" in ran.err, "hunter2" in ran.err) == (2, True, True, False)


NO_ROUTE: list[tuple[Behaviour, str, str]] = [
    (answer(b"busy", 503, headers={"Server": "envoy"}), "or its proxy does not reach it", "start the API"),
    (answer(b"slow down", 429, headers={"Retry-After": "7"}), "requests to the API are rate limited", "wait 7 s"),
    (answer(b"", 405), "does not allow GET", "give --api a URL that requires a token and allows GET"),
    (answer(b"Client sent an HTTP request to an HTTPS server.\n", 400), "expects https", "--api=https://{host}/x"),
    (answer(b"", 308, headers={"Location": "https://api.example/x"}), "redirects .*", "--api=https://api.example/x"),
]


@pytest.mark.parametrize(("behaviour", "cause", "fix"), NO_ROUTE, ids=[row[2] for row in NO_ROUTE])
def test_what_answers_before_any_route_is_not_told_to_answer_401(
    bare: Shell, behaviour: Behaviour, cause: str, fix: str
) -> None:
    with upstream(behaviour) as up:
        ran = bare("doctor", "--api", f"{up.url}/x?access_token=hidden", "--json")
    found = next(check for check in ran.document["checks"] if check["id"] == "api.no_token")
    assert re.search(cause, found["evidence"])
    assert found["fix"].startswith(fix.format(host=f"127.0.0.1:{up.port}"))
    assert "answer 401" not in found["fix"]
    assert "hidden" not in ran.all


def test_an_api_that_hangs_up_is_a_failure(bare: Shell) -> None:
    with upstream(hang_up) as up:
        ran = bare("doctor", "--api", f"{up.url}/x", "--json")
    assert (ran.code, outcomes(ran.document)["api.reachable"]) == (1, "fail")
    assert json.loads(ran.out)["passed"] is False


def test_what_stands_in_the_way_of_the_one_that_is_asked_for_is_shown(bare: Shell) -> None:
    ran = bare("doctor", "--only", "token.active", "--json")
    evidence = {check["id"]: check["evidence"] for check in ran.document["checks"]}
    assert evidence["net.resolve"] == "needs settings.complete: ZITADEL_DOMAIN is not set"
    assert ran.code == 1, "a check requested by name that could not run is not a yes"
