"""``zdemo doctor`` as a command: what it prints, its exit code, its options; and any API as a black box."""

import io
import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from flask import Flask, Response, request

from tests.support.cli import Shell, Stack, administered, is_two_lines, unbroken
from tests.support.upstream import Behaviour, Received, answer, depending, upstream
from zdemo.cli.commands.doctor import EVERY_CHECK, show_explanation
from zdemo.cli.screen import Screen
from zdemo.diagnosis.checks import CHECKS
from zdemo.diagnosis.checks.check import Check
from zdemo.emulator import CLIENT_ID, READER, VISITOR
from zdemo.serving.embedded import serving
from zdemo.verify.conformance import API_CHECKS

GROUPS = ("settings", "network", "ZITADEL", "credentials", "token", "role", "administrator", "API")
WITHOUT_STORE = [check.id for check in CHECKS if not check.id.startswith("cache.")]
WRONG = {"CLIENT_SECRET": "x" * 64}
REFUSED = {"client.accepted": "fail", "role.granted": "skip"}


def outcomes(document: Any) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in document["checks"]}


def test_all_is_well(shell: Shell) -> None:
    ran = shell("doctor")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[:2] for line in lines[:-2]] == [["✓", group] for group in GROUPS]
    assert max(map(len, lines)) <= 80
    assert re.search(r" passed, 2 skipped .* s$", lines[-1])


def test_the_first_failure_stands_below_the_groups_and_the_others_are_named(shell: Shell) -> None:
    groups, failure, end = shell("doctor", PAT=VISITOR.pat).out.split("\n\n")
    marks = [line.split()[:2] for line in groups.splitlines()]
    assert marks == [["✗" if group == "role" else "✓", group] for group in GROUPS]
    assert failure.startswith("role.granted    the token is valid, but the role read:messages is not granted")
    assert re.findall("^  fix +(.*)", failure, re.MULTILINE) == ["zdemo role grant visitor read:messages"]
    assert end.splitlines()[1] == "more            zdemo doctor -v"
    ran = shell("doctor", "-v", **WRONG)
    assert (ran.code, re.findall(r"^[✓✗!-] (\S+\.\S+)", ran.out, re.MULTILINE)) == (1, WITHOUT_STORE)


MALFORMED = {"ZITADEL_DOMAIN": "localhost/ui", "CLIENT_SECRET": "a b", "ZDEMO_CACHE_TTL": "y", "ZDEMO_CACHE_SIZE": "z"}


@pytest.mark.parametrize("wrong", [{"PAT": "A" * 71}, MALFORMED])
def test_a_screen_has_at_most_24_lines_for_all_faults(bare: Shell, shared_stack: Stack, wrong: dict[str, str]) -> None:
    others = {"ZDEMO_TIMEOUT": "4", "ZDEMO_CACHE_URL": "redis://localhost:1", "ZDEMO_CACHE_TLL": "3"}
    values = administered(shared_stack.emulator.url) | {"ZDEMO_API_URL": "http://127.0.0.1:1"} | others | wrong
    lines = [*values.items(), ("PAT", values["PAT"]), ("CLIENT_ID", "1234")]
    file = bare.folder / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in lines))
    file.chmod(0o644)
    ran = bare("doctor", ZDEMO_TIMEOUT="5", CLIENT_ID=CLIENT_ID)
    assert len(ran.out.splitlines()) <= 24, ran.out


def test_json_is_one_document_with_all_of_it(shell: Shell) -> None:
    ran = shell("doctor", "--json", **WRONG)
    assert (ran.code, ran.document["passed"], list(outcomes(ran.document))) == (1, False, WITHOUT_STORE)
    (refused,) = [check for check in ran.document["checks"] if check["outcome"] == "fail"]
    assert (refused["id"], refused["group"], refused["certainty"]) == ("client.accepted", "credentials", "emulator")
    assert refused["fix"].startswith("copy CLIENT_SECRET again")
    keys = ("id", "finding", "group", "outcome", "because", "evidence", "fix", "certainty")
    assert refused.keys() == {*keys, "candidates", "seen", "anchor"}
    assert sum(ran.document["summary"].values()) == len(WITHOUT_STORE)


def test_list_shows_what_there_is_and_asks_nobody(bare: Shell) -> None:
    ran = bare("doctor", "--list")
    assert (ran.code, ran.err, max(map(len, ran.out.splitlines())) <= 80) == (0, "", True)
    assert all(f"  {check.id} " in ran.out for check in CHECKS)
    assert [line for line in ran.out.splitlines() if line[0] != " "] == [*GROUPS[:-1], "cache", GROUPS[-1]]
    assert [check["id"] for check in bare("doctor", "--list", "--json").document["checks"]] == [c.id for c in CHECKS]
    assert "api.query" in bare("doctor", "--list", "--api", "http://127.0.0.1:1").out


def test_explain_prints_the_section_of_the_troubleshooting_page(bare: Shell) -> None:
    ran = bare("doctor", "--explain", "token.active")
    assert (ran.code, ran.err, ran.out.splitlines()[1]) == (0, "", "")
    assert ran.out.startswith("token.active  PAT is active; if not, why")
    assert bare("doctor", "--explain", "net.connect", "--json").document["text"].startswith("The name resolves, but")


@pytest.mark.parametrize("check", EVERY_CHECK, ids=lambda check: check.id)
def test_every_check_can_be_explained_without_marks_of_markdown(check: Check[Any]) -> None:
    out = io.StringIO()
    show_explanation(Screen(out), check.id, as_json=False)
    head, _, text = out.getvalue().partition("\n\n")
    assert len(text.split()) > 10, f"docs/troubleshooting.md has no section, or hardly a word: {head}"
    assert not re.search(r"[`|]|\*\*|\]\(|^#|<a id", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("only", "env", "code", "expected"),
    [
        ("role.granted", {}, 0, {"role.granted": "pass"}),
        ("role.granted clock.skew", WRONG, 1, {"clock.skew": "pass"} | REFUSED),
        ("TOKEN", {}, 0, {"token.form": "pass", "token.active": "pass", "token.audience": "pass"}),
        ("net.resolve", {"ZITADEL_DOMAIN": ""}, 1, {"settings.complete": "fail", "net.resolve": "skip"}),
    ],
)
def test_only_what_is_asked_for_and_what_it_needs_is_shown(
    shell: Shell, only: str, env: dict[str, str], code: int, expected: dict[str, str]
) -> None:
    ran = shell("doctor", "--json", *(word for name in only.split() for word in ("--only", name)), **env)
    assert (ran.code, outcomes(ran.document)) == (code, expected)


def test_tokens_from_another_place_than_the_address_are_named(own_shell: Shell) -> None:
    own_shell.dotenv(PAT=READER.pat)
    assert own_shell("doctor", PAT="").err == "note: PAT comes from .env, ZITADEL_DOMAIN from the environment\n"


def test_a_junit_report_has_a_case_for_each_check(shell: Shell) -> None:
    path = shell.folder / "doctor.xml"
    path.touch()  # an empty file may become a report
    ran = shell("doctor", "--junit", str(path), **WRONG)
    assert (ran.code, "✗ credentials" in ran.out) == (1, True)
    root = ElementTree.parse(path).getroot()  # noqa: S314  # zdemo has just written it
    assert [case.attrib["name"] for case in root.iter("testcase")] == WITHOUT_STORE
    assert (root.attrib["tests"], root.attrib["failures"]) == (str(len(WITHOUT_STORE)), "1")
    assert shell("doctor", "--junit", str(path)).code == 0, "a report is replaced by the next"
    assert 'failures="0"' in path.read_text()


def test_a_junit_report_on_standard_output_is_xml_whatever_was_said_and_holds_no_secret(bare: Shell) -> None:
    names = "\x0b\x1b[31m<&\"']]>\ufffe\ud83d"
    body = {"issuer": f"http://{names}", "username": names, "active": True, "error": f"{names} {READER.pat}"}
    with upstream(answer(json.dumps(body).encode(), 400)) as up:
        env = {"ZITADEL_DOMAIN": up.url, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": "a&b<c>" * 9, "PAT": READER.pat}
        ran = bare("doctor", "--junit", "-", **env)
    ElementTree.fromstring(ran.out)  # noqa: S314  # zdemo has just written it
    assert (ran.code, is_two_lines(bare("doctor", "--junit", "-", "--json"))) == (1, True)
    assert not [text for text in (READER.pat, "a&b", "a&amp;b") if text in ran.all]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("mine", "--junit would overwrite mine, which is not a report of zdemo doctor"),
        (".", "--junit is not a file in an existing folder: ."),
        ("/dev/full", "cannot write /dev/full: No space left on device"),
    ],
)
def test_a_junit_report_that_cannot_be_written_is_a_clear_error(bare: Shell, name: str, error: str) -> None:
    mine = bare.folder / "mine"
    mine.write_text('<?xml version="1.0" encoding="UTF-8"?>\n<project/>\n')
    ran = bare("doctor", "--junit", name)
    assert (ran.code in (1, 2), error in ran.err, mine.read_text()[-11:]) == (True, True, "<project/>\n")


CHALLENGE = 'Bearer realm="x"'


def an_api(
    *, takes_query: bool = False, code_without_token: bool = False, guards: bool = True, status: int = 200, **more: Any
) -> Flask:
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
            return Response("[]", status, content_type="application/json")
        code = ', error="invalid_token"' if token or code_without_token else ""
        challenge = {"WWW-Authenticate": CHALLENGE + code} if more.get("challenges", True) else {}
        headers = challenge | {"Cache-Control": "no-store"}
        return Response(status=more.get("garbage", 401) if token else 401, headers=headers)

    return app


@pytest.mark.parametrize(
    ("faults", "failing"),
    [
        ({}, {}),
        ({"takes_query": True}, {"api.query": "fail", "api.both_ways": "warn"}),
        ({"code_without_token": True}, {"api.no_token": "fail", "api.other_scheme": "fail"}),
        ({"guards": False}, {"api.no_token": "fail"}),
        ({"status": 406}, {}),
    ],
)
def test_any_api_is_examined_by_one_url(bare: Shell, faults: dict[str, Any], failing: dict[str, str]) -> None:
    app, urls = an_api(**faults), list[str]()
    app.before_request(lambda: urls.append(request.url))
    with serving(app) as port:
        ran = bare("doctor", "--api", f"http://127.0.0.1:{port}/orders/7?page=1", "--json", PAT=READER.pat)
    came = outcomes(ran.document)
    assert {name: outcome for name, outcome in came.items() if outcome in ("warn", "fail")} == failing
    assert list(came) == [check.id for check in API_CHECKS]
    assert ran.code == (1 if "fail" in failing.values() else 0)
    assert not [text for text in (ran.all, *urls) if READER.pat in text]


@pytest.mark.parametrize(
    ("faults", "pat", "line", "explained"),
    [
        ({"garbage": 200}, READER.pat, "lets in a made-up token, a long token; a", "api.garbage GET /orders/7 200"),
        ({}, VISITOR.pat, "acceptance the token is not accepted", "api.accepts"),
        ({"garbage": 308}, VISITOR.pat, "a token, a made-up token, another", "api.accepts 127.0.0.1"),
        ({"garbage": 500}, READER.pat, "fails at a made-up token, a long token;", "api.garbage GET /orders/7 500"),
        ({}, READER.pat, "refusals a request without a token, a made-up token", "api.no_token GET /orders/7 401, no"),
    ],
)
def test_the_worst_is_explained_first(bare: Shell, faults: dict[str, Any], pat: str, line: str, explained: str) -> None:
    with serving(an_api(challenges=False, **faults)) as port:
        text = " ".join(bare("doctor", "--api", f"http://127.0.0.1:{port}/orders/7", PAT=pat).out.split())
    assert [line in text, explained in text] == [True, True], text


def test_a_zdemo_api_is_as_it_should_be(shell: Shell) -> None:
    ran = shell("doctor", "--api", f"{shell.env['ZDEMO_API_URL']}/api/private", "--json")
    assert (ran.code, ran.document["summary"]["pass"]) == (0, len(API_CHECKS)), ran.out


def test_the_address_of_zitadel_is_no_api(shell: Shell) -> None:
    for path in ("", "/oidc/v1/userinfo"):
        ran = shell("doctor", "--api", shell.env["ZITADEL_DOMAIN"] + path)
        assert (ran.code, "is ZITADEL itself, not an API" in unbroken(ran.out)) == (1, True)


@pytest.mark.parametrize(
    ("refusal", "steps"),
    [
        (answer(b"", 302, headers={"Location": "/login"}), ["in the API, answer 401", "answer 401 with error="]),
        (answer(b"{}", 422), ["answer 401 with WWW-Authenticate", "answer 401 with error="]),
        (answer(b'{"error":"no"}'), ["answer 401 with WWW-Authenticate: Bearer", ""]),
        (answer(b"", 308, headers={"Location": "https://api.example/m"}), ["--api=https://api.example/m", ""]),
        (answer(b"{}", 404), ["give --api a URL that requires a token", ""]),
        (answer(b"<title>502", 502, headers={"Content-Type": "text/html"}), ["start the API, or correct", ""]),
    ],
)
def test_each_wrong_refusal_has_its_own_step(bare: Shell, refusal: Behaviour, steps: list[str]) -> None:
    def reply(request: Received) -> Behaviour:
        return answer(b"{}") if request.headers.get("authorization") == f"Bearer {READER.pat}" else refusal

    with upstream(depending(reply)) as up:
        ran = bare("doctor", "--api", f"{up.url}/m?access_token=hidden", "--json", PAT=READER.pat)
    fixes = {check["id"]: check["fix"] for check in ran.document["checks"]}
    assert list(map(str.startswith, (fixes["api.no_token"], fixes["api.garbage"]), steps)) == [True, True], fixes
    assert (outcomes(ran.document)["api.accepts"], "hidden" in ran.all) == ("pass" if steps[1] else "skip", False)


@pytest.mark.parametrize("url", ["ftp://x/y", "http://user:hunter2@x/", "http://example.com/x", "http://[x/"])
def test_an_address_that_is_none_is_a_wrong_command_line(bare: Shell, url: str) -> None:
    ran = bare("doctor", "--api", url)
    assert (ran.code, is_two_lines(ran), "--api" in ran.err, "hunter2" in ran.err) == (2, True, True, False)
