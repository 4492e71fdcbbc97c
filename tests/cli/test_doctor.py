"""``zdemo doctor`` as a command: what it prints, its exit code, its options; and any API as a black box."""

import io
import json
import re
import threading
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from flask import Flask, Response, request

from tests.support.cli import API_UNSET, LONGEST_SECONDS, Shell, Stack, is_two_lines
from tests.support.terminal import shown_at
from tests.support.upstream import Behaviour, Connection, after, answer, hang_up, refusing_port, upstream
from zdemo.cli.doctor import EVERY_CHECK
from zdemo.cli.explain import explain
from zdemo.cli.screen import Screen
from zdemo.doctor import API_CHECKS, CHECKS, Check
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER, VISITOR
from zdemo.serving.embedded import serving

GROUPS = ("settings", "network", "ZITADEL", "credentials", "token", "role", "administrator", "API")
WITHOUT_STORE = [check.id for check in CHECKS if not check.id.startswith("cache.")]


def outcomes(document: Any) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in document["checks"]}


def test_all_is_well(shell: Shell) -> None:
    ran = shell.anew("doctor")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[:2] for line in lines[:-2]] == [["✓", group] for group in GROUPS]
    assert max(map(len, lines)) <= 80
    assert " passed, 2 skipped" in lines[-1]
    assert lines[-1].endswith(" s")


def test_verbose_shows_every_check_with_its_evidence_in_order(shell: Shell) -> None:
    ran = shell("doctor", "-v", PAT=VISITOR.pat)
    shown = re.findall(r"^[✓✗!-] (\S+\.\S+)", ran.out, re.MULTILINE)
    assert (ran.code, shown) == (1, WITHOUT_STORE)
    assert "its database answers" in ran.out
    assert "\nrole.granted " in ran.out
    assert ran.out.splitlines()[-1] == "more            zdemo doctor --explain role.granted"


def test_what_failed_stands_below_the_groups_and_the_next_commands_at_the_end(shell: Shell) -> None:
    ran = shell("doctor", PAT=VISITOR.pat)
    groups, failure, end = ran.out.split("\n\n")
    assert [line.split()[:2] for line in groups.splitlines()] == [
        [{"role": "✗"}.get(group, "✓"), group] for group in GROUPS
    ]
    assert failure.startswith("role.granted    the token is valid, but the role read:messages is not granted")
    assert re.findall("^  fix +(.*)", failure, re.MULTILINE) == ["zdemo role grant visitor read:messages"]
    numbers, more = end.splitlines()
    assert (numbers.split(",")[0], more) == (
        "1 failed",
        "more            zdemo doctor -v, zdemo doctor --explain role.granted",
    )


def test_one_fix_is_shown_and_the_alternatives_only_with_v(shell: Shell) -> None:
    wrong = {"CLIENT_SECRET": "x" * 64}
    copy, new = "copy CLIENT_SECRET again", "only if the secret is lost"
    shown = shell("doctor", **wrong).out
    assert (copy in shown, new in shown) == (True, False)
    assert re.search(rf"fix +{copy}(.|\n)+{new}", shell("doctor", "-v", **wrong).out)
    (refused,) = [one for one in shell("doctor", "--json", **wrong).document["checks"] if one["outcome"] == "fail"]
    assert re.search(f"{copy}.*{new}", refused["fix"])


def test_what_does_not_fit_on_the_screen_is_named(shell: Shell) -> None:
    out = shell("doctor", CLIENT_SECRET="x" * 64, ZITADEL_ADMIN_PAT="A" * 71, ZDEMO_API_URL="http://127.0.0.1:1").out
    assert len(out.splitlines()) <= 24
    assert "\nalso            admin.valid, api.reachable\n" in out


@pytest.mark.parametrize(
    ("finding", "check"),
    [
        ("client.hidden", "settings.shadowed"),
        ("token.hidden", "settings.shadowed"),
        ("role.hidden", "settings.shadowed"),
        ("zitadel.hidden", "settings.shadowed"),
        ("client.misplaced", "settings.wellformed"),
        ("role.administrators_token", "role.granted"),
        ("role.swapped_tokens", "role.granted"),
    ],
)
def test_the_id_of_a_cause_leads_to_the_check_that_explains_it(bare: Shell, finding: str, check: str) -> None:
    ran = bare("doctor", "--explain", finding)
    assert (ran.code, ran.lines) == (
        2,
        [f"error: {finding} is a cause, not a check", f"hint:  zdemo doctor --explain {check}"],
    )


def test_the_next_command_has_the_options_that_it_needs(bare: Shell) -> None:
    (bare.folder / "own.env").write_text("ZITADEL_DOMAIN=x\n")
    assert "zdemo doctor --env-file own.env -v," in " ".join(bare("doctor", "--env-file", "own.env").out.split())
    with refusing_port() as port:
        url = f"http://127.0.0.1:{port}/x"
        assert f"zdemo doctor -v --api {url}," in " ".join(bare("doctor", "--api", url).out.split())


def test_a_check_that_waits_for_another_names_the_group_that_failed(shell: Shell) -> None:
    lines = shell("doctor", CLIENT_SECRET="x" * 64).out.splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines if line.startswith("- ")] == ["needs credentials"] * 3


def test_a_warning_that_may_explain_a_failure_is_told_with_it(bare: Shell, shell: Shell) -> None:
    bare.dotenv(CLIENT_ID="299999999999999999")
    out = replace(bare, env=shell.env)("doctor", CLIENT_SECRET="x" * 64).out
    assert re.search(r"^client\.accepted .*\n(?: {3,}.*\n)*  (warning|hidden) +CLIENT_ID ", out, re.MULTILINE)
    assert "\nsettings.shadowed" not in out


@pytest.mark.parametrize("column", [40, 60, 80, 120])
def test_a_line_for_each_group_at_any_width(shell: Shell, column: int) -> None:
    screen = shown_at(column, shell, "doctor", PAT=VISITOR.pat, TERM="dumb")
    assert [line.split()[1] for line in screen.splitlines() if line[:2] in ("✓ ", "✗ ", "! ", "- ")] == [*GROUPS]
    assert "\n  fix" in screen


def held(release: threading.Event) -> Behaviour:
    """Answer when that is allowed."""

    def behave(connection: Connection) -> bool:
        release.wait(LONGEST_SECONDS)
        return answer(b"", 500)(connection)

    return behave


def test_the_first_groups_are_there_while_zitadel_hangs(bare: Shell) -> None:
    release = threading.Event()
    with upstream(held(release)) as up:
        env = {"ZITADEL_DOMAIN": up.url, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
        with bare.running("doctor", **env) as process:
            assert process.stdout
            assert process.stdout.readline().startswith("✓ settings")
            assert process.poll() is None
            release.set()
            out, err = process.communicate(timeout=LONGEST_SECONDS)
    assert ("network" in out, err) == (True, "")


def test_a_spinner_says_which_group_is_checked_and_leaves_nothing_behind(bare: Shell) -> None:
    with upstream(after(0.5, answer(b"", 500))) as up:
        env = {"ZITADEL_DOMAIN": up.url, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
        screen = shown_at(80, bare, "doctor", **env)
    assert "checking: network" in screen
    assert "checking" not in re.sub(r"[^\n]*(?:\n\x1b\[\?25h\r\x1b\[1A|\r)\x1b\[2K", "", screen)


@pytest.mark.parametrize(
    ("env", "mark"),
    [
        ({}, "✓"),
        ({"LANG": "de_DE.UTF-8"}, "✓"),
        ({"LANG": "C"}, "ok"),
        ({"LC_ALL": "POSIX"}, "ok"),
        ({"LANG": "en_US.UTF-8", "PYTHONIOENCODING": "latin-1"}, "ok"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.ISO-8859-1", "PYTHONIOENCODING": "utf-8"}, "ok"),
    ],
)
def test_marks_are_words_where_the_terminal_may_not_know_the_signs(bare: Shell, env: dict[str, str], mark: str) -> None:
    out = bare.anew("doctor", "--only", "settings.shadowed", **env).out
    assert out.split()[:2] == [mark, "settings"]


def test_marks_have_colours_at_a_terminal(shell: Shell) -> None:
    screen = shown_at(80, shell, "doctor", PAT=VISITOR.pat)
    assert "\x1b[32m✓\x1b[0m settings" in screen
    assert "\x1b[31m✗\x1b[0m role" in screen
    assert "\x1b[31mrole.granted\x1b[0m " in screen


def test_json_is_one_document_with_all_of_it(shell: Shell) -> None:
    ran = shell("doctor", "--json", CLIENT_SECRET="x" * 64)
    assert (ran.code, ran.document["passed"]) == (1, False)
    assert [check["id"] for check in ran.document["checks"]] == WITHOUT_STORE
    (refused,) = [check for check in ran.document["checks"] if check["outcome"] == "fail"]
    assert refused["id"] == "client.accepted"
    assert {"evidence", "fix", "anchor"} <= refused.keys()
    assert refused["group"] == "credentials"
    assert all(check["fix"] for check in ran.document["checks"] if check["outcome"] in ("warn", "fail"))
    assert sum(ran.document["summary"].values()) == len(WITHOUT_STORE)


def test_list_shows_what_there_is_and_asks_nobody(bare: Shell) -> None:
    ran = bare("doctor", "--list")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert all(f"  {check.id} " in ran.out for check in CHECKS)
    assert [line for line in ran.out.splitlines() if line[0] != " "] == [*GROUPS[:-1], "cache", GROUPS[-1]]
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
    assert ran.out.splitlines()[-1] == "check it  zdemo doctor --only net.connect"
    assert "see also  zdemo doctor --explain settings.shadowed" in bare("doctor", "--explain", "token.active").out
    assert bare("doctor", "--explain", "net.connect", "--json").document["text"].startswith("The name resolves, but")


@pytest.mark.parametrize("check", EVERY_CHECK, ids=lambda check: check.id)
def test_every_check_can_be_explained_without_marks_of_markdown(check: Check[Any]) -> None:
    out = io.StringIO()
    explain(Screen(out), check, as_json=False)
    head, _, text = out.getvalue().partition("\n\n")
    assert len(text.split()) > 10, head
    assert not re.search(r"[`|]|\*\*|\]\(|^#|<a id", text, re.MULTILINE)
    assert max(len(line) for line in text.splitlines() if not line.startswith("    ")) <= 80


def test_only_one_is_shown_and_its_grounds_are_examined(shell: Shell) -> None:
    ran = shell("doctor", "--only", "role.granted")
    assert (ran.code, ran.out.splitlines()[:-1]) == (
        0,
        ["✓ role          read:messages, granted by zitadel.localhost (353545601679362561)", ""],
    )
    ran = shell("doctor", "--only", "role.granted", "--only", "clock.skew", "--json", CLIENT_SECRET="x" * 64)
    assert ran.code == 1
    assert outcomes(ran.document) == {"clock.skew": "pass", "client.accepted": "fail", "role.granted": "skip"}


def test_a_group_stands_for_its_checks(shell: Shell) -> None:
    ran = shell("doctor", "--only", "TOKEN", "--only", "role", "--json")
    assert [*outcomes(ran.document)] == ["token.form", "token.active", "token.audience", "role.granted"]
    ran = shell("doctor", "--only", "token", CLIENT_SECRET="x" * 64)
    assert [line[:16] for line in ran.out.splitlines()[:2]] == ["✗ credentials   ", "- token         "]
    assert "\nclient.accepted " in ran.out
    assert "  fix " in ran.out


def test_what_was_asked_for_and_cannot_run_comes_with_the_fix_for_it(bare: Shell) -> None:
    ran = bare("doctor", "--only", "role", **API_UNSET)
    assert ran.code == 1
    assert "\nsettings.complete  ZITADEL_DOMAIN is not set" in ran.out
    assert "zdemo init --emulator" in ran.out


def test_each_setting_that_is_missing_has_a_line_of_its_own(bare: Shell) -> None:
    lines = bare("doctor", "--only", "settings.complete").out.splitlines()
    starts = [
        line.split("settings.complete")[-1].strip().split(" is not set")[0] for line in lines if " is not set" in line
    ]
    assert starts == ["ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET"]
    column = next(line for line in lines if line.startswith("settings.complete")).index("ZITADEL_DOMAIN")
    assert [line.index("CLIENT_ID is not") for line in lines if "CLIENT_ID is not" in line] == [column]


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
    ran = shell("doctor", "-v", "--only", "api.agrees", PAT=VISITOR.pat)
    assert (ran.code, "insufficient_scope" in ran.out) == (0, True)


def test_an_api_that_uses_another_zitadel_is_found_out(shell: Shell, own_stack: Stack) -> None:
    own_stack.emulator.world.users[READER.id].pats.clear()
    ran = shell("doctor", "--only", "api.agrees", ZDEMO_API_URL=own_stack.api_url)
    assert ran.code == 1
    assert "disagree about this token" in " ".join(ran.out.split())


# JUnit


def test_a_junit_report_has_a_case_for_each_check(shell: Shell) -> None:
    path = shell.folder / "doctor.xml"
    ran = shell("doctor", "--junit", str(path), CLIENT_SECRET="x" * 64)
    assert (ran.code, "✗ credentials" in ran.out) == (1, True)
    root = ElementTree.parse(path).getroot()  # noqa: S314  # zdemo has just written it
    cases = list(root.iter("testcase"))
    assert [case.attrib["name"] for case in cases] == WITHOUT_STORE
    assert [suite.attrib["name"] for suite in root] == [*GROUPS]
    failed = [case for case in cases if case.find("failure") is not None]
    assert [case.attrib["name"] for case in failed] == ["client.accepted"]
    assert re.search("CLIENT_SECRET is wrong(.|\n)*^fix: ", failed[0].findtext("failure") or "", re.MULTILINE)
    skipped = sum(case.find("skipped") is not None for case in cases)
    assert (root.attrib["tests"], root.attrib["failures"]) == (str(len(WITHOUT_STORE)), "1")
    assert root.attrib["skipped"] == str(skipped) != "0"
    assert shell("doctor", "--junit", str(path)).code == 0, "a report is replaced by the next"
    assert 'failures="0"' in path.read_text()


def test_a_junit_report_on_standard_output_is_all_that_stands_there(shell: Shell) -> None:
    ran = shell("doctor", "--junit", "-", "--only", "token")
    assert [case.attrib["name"] for case in ElementTree.fromstring(ran.out).iter("testcase")] == [  # noqa: S314
        "token.form",
        "token.active",
        "token.audience",
    ]
    assert is_two_lines(shell("doctor", "--junit", "-", "--json"))


def test_a_junit_report_is_xml_whatever_was_said_and_holds_no_secret(bare: Shell) -> None:
    names = "\x0b\x1b[31m<&\"']]>\ufffe\ud83d"
    body = {"issuer": f"http://{names}", "username": names, "active": True, "error": f"{names} {READER.pat}"}
    with upstream(answer(json.dumps(body).encode(), 400)) as up:
        env = {"ZITADEL_DOMAIN": up.url, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": "a&b<c>" * 9, "PAT": READER.pat}
        ran = bare("doctor", "--junit", "-", **env)
    ElementTree.fromstring(ran.out)  # noqa: S314  # zdemo has just written it
    assert ran.code == 1
    assert READER.pat not in ran.all
    assert "a&b" not in ran.all
    assert "a&amp;b" not in ran.all


@pytest.mark.parametrize("content", ["PAT=x\n", '<?xml version="1.0" encoding="UTF-8"?>\n<project/>\n'])
def test_a_junit_report_overwrites_nothing_else(bare: Shell, content: str) -> None:
    mine = bare.folder / "mine"
    mine.write_text(content)
    ran = bare("doctor", "--junit", "mine")
    assert (ran.code, is_two_lines(ran)) == (2, True)
    assert "--junit would overwrite mine, which is not a report of zdemo doctor" in ran.err
    assert mine.read_text() == content


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (".", "--junit is not a file in an existing folder: ."),
        ("nowhere/x.xml", "--junit is not a file in an existing folder: nowhere/x.xml"),
        ("x" * 300, "cannot read"),
        ("/dev/full", "cannot write /dev/full: No space left on device"),
    ],
)
def test_a_junit_report_that_cannot_be_written_is_a_clear_error(bare: Shell, name: str, said: str) -> None:
    ran = bare("doctor", "--junit", name)
    assert ran.code in (1, 2)
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_an_empty_file_may_become_a_junit_report(bare: Shell) -> None:
    path = bare.folder / "report"
    path.touch()
    assert bare("doctor", "--junit", "report").code == 1
    assert ElementTree.parse(path).getroot().attrib["failures"] == "2"  # noqa: S314  # zdemo has just written it


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
