"""``zdemo setup``: as a person runs it, as a script runs it, killed, and each way in which it is refused."""

import base64
import json
import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import LONGEST_SECONDS, Shell, is_two_lines, unbroken
from tests.support.dotenv import update_dotenv
from tests.support.ports import fixed_port
from tests.support.relay import relay
from tests.support.repository import git, needs_git, repository
from tests.support.terminal import at_terminal
from tests.support.upstream import Received, upstream
from zdemo.config.dotenv_file import read_dotenv
from zdemo.config.emulator_values import is_public
from zdemo.emulator import (
    ADMIN,
    CLIENT_ID,
    CLIENT_SECRET,
    DEFAULT_PORT,
    NEVER,
    Control,
    Emulator,
    Faults,
    RequestRecords,
    create_app,
    emulate,
    known_world,
)
from zdemo.provisioning.setting_groups import SETTINGS
from zdemo.provisioning.state_file import read_state, state_path, write_state
from zdemo.serving.embedded import serving

OWN = ("--project-name", "own", "--app-name", "own-api")  # nothing of the emulator's known world
YES = ("setup", "--yes", *OWN)
TEARDOWN = ("setup", "--teardown", "--yes")
KEY = ("--auth", "private-key-jwt")
EXAMPLE = Path(__file__).parents[2] / ".env.example"
MINE = """# mine
CLIENT_ID=1  # of my app
CLIENT_SECRET='my secret that nobody knows'
ZITADEL_KEY_FILE=mine.json # for later

export PAT=my-token
# to come:
ZDEMO_VISITOR_PAT=
A=1
"""
MY_VALUES = {"1", "my secret that nobody knows", "mine.json", "my-token"}
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


@pytest.fixture
def zitadel() -> Iterator[Emulator]:
    with emulate() as emulator:
        yield emulator


@pytest.fixture
def another() -> Iterator[Emulator]:
    """A second ZITADEL."""
    with emulate() as emulator:
        yield emulator


def desk_of(folder: Path, url: str) -> Shell:
    """Return a folder without ``.env``; where ZITADEL is, and the administrator's token, are exported."""
    return Shell(folder=folder, env={"ZITADEL_DOMAIN": url, "ZITADEL_ADMIN_PAT": ADMIN.pat})


@pytest.fixture
def desk(zitadel: Emulator, tmp_path: Path) -> Shell:
    return desk_of(tmp_path, zitadel.url)


def env_of(shell: Shell) -> dict[str, str]:
    return read_dotenv(shell.folder / ".env")


def names_of(zitadel: Emulator) -> list[str]:
    """Return the names of everything that setup might create."""
    world = zitadel.world
    users = [user.username for user in world.users.values()]
    return sorted([*users, *(p.name for p in world.projects.values()), *(a.name for a in world.applications.values())])


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@contextmanager
def emulated(answer: Callable[[Environ, StartResponse, App], Iterable[bytes]]) -> Iterator[Emulator]:
    """An emulator whose requests go through ``answer``, which gets its WSGI application too."""
    world = known_world()
    inner, requests, faults = create_app(world), RequestRecords(), Faults()
    control = Control(inner, world, requests, faults)
    with serving(lambda environ, start_response: answer(environ, start_response, inner)) as port:
        yield Emulator(url=f"http://localhost:{port}", world=world, requests=requests, faults=faults, control=control)


# --- a first run, and again


def test_a_first_run_shows_the_plan_and_the_result(desk: Shell) -> None:
    ran = desk.anew(*YES)
    assert ran.code == 0, ran.all
    assert "as zdemo-admin (IAM_OWNER, ORG_OWNER)" in ran.out
    rows = {line[2:18].strip(): line for line in ran.out.splitlines() if line.startswith("  ")}
    assert rows["project"].split()[-2:] == ["own", "create"]
    assert "own-api (Basic)" in rows["application"]
    assert rows[".env"].endswith("set 6")
    assert "zdemo-reader has read:messages, zdemo-visitor does not" in ran.out
    assert ran.out.rstrip().endswith("zdemo call scoped")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert [line.split(":")[0] for line in ran.lines][:3] == [
        "service account zdemo-reader",
        "service account zdemo-visitor",
        "project own",
    ]
    assert any("its client secret is in .env" in line for line in ran.lines)
    assert ran.lines[-1] == "settings: written to .env"
    assert files_of(desk.folder) == [".env", ".zdemo/.gitignore", ".zdemo/setup.json"]
    assert stat.S_IMODE((desk.folder / ".zdemo").stat().st_mode) == 0o700


def test_the_file_works_for_the_other_commands_and_a_second_run_changes_nothing(desk: Shell) -> None:
    desk(*YES)
    visitors_pat = env_of(desk)["ZDEMO_VISITOR_PAT"]
    for pat, code in (({}, 0), ({"PAT": visitors_pat}, 1)):
        assert desk("introspect", "--require", "read:messages", "-q", ZITADEL_ADMIN_PAT="", **pat).code == code
    before = (desk.folder / ".env").read_bytes()
    ran = desk("setup", *OWN)
    assert ran.code == 0
    assert "  no changes; zdemo-reader has read:messages" in ran.out
    assert {line.split("  ")[-1].strip() for line in ran.out.splitlines()[3:13]} == {"no change"}
    assert (desk.folder / ".env").read_bytes() == before


def test_the_plan_alone_changes_nothing(desk: Shell, zitadel: Emulator) -> None:
    before = names_of(zitadel)
    ran = desk("setup", "--dry-run", *OWN)
    assert ran.code == 0
    assert "nothing was changed" in ran.err
    assert names_of(zitadel) == before
    assert list(desk.folder.iterdir()) == []


def test_json_is_one_document_with_whole_words(desk: Shell) -> None:
    dry = desk("setup", "--dry-run", "--json", *OWN).document
    done = desk(*YES, "--json").document
    again = desk(*YES, "--json").document
    assert [(d["dry_run"], d["changed"]) for d in (dry, done, again)] == [(True, False), (False, True), (False, False)]
    assert dry["steps"] == done["steps"]
    assert {step["action"] for step in again["steps"]} == {"leave"}
    assert done["shown_after_milliseconds"] >= 0
    assert {step["what"] for step in done["steps"]} == {
        "service account", "project", "role", "application", "client secret", "role assignment", "PAT", ".env"
    }  # fmt: skip


def test_an_env_file_of_another_name_has_a_state_of_its_own(desk: Shell) -> None:
    (desk.folder / ".env").write_text("PAT=other\n")
    ran = desk(*YES, "--env-file", "deep.env")
    assert ran.code == 0
    assert "\n  deep.env " in ran.out
    assert (desk.folder / ".env").read_text() == "PAT=other\n"
    assert "nothing to remove" in desk(*TEARDOWN).out
    update_dotenv(desk.folder / "deep.env", {"CLIENT_SECRET": None})
    assert "deep.env has no client secret" in desk(*YES, "--env-file", "deep.env").err
    assert desk(*TEARDOWN, "--env-file", "deep.env").code == 0
    assert files_of(desk.folder) == [".env"]


def test_doctor_says_why_a_pat_of_setups_died(desk: Shell, zitadel: Emulator) -> None:
    """The state file says whose it is and which, also when the text comes from elsewhere."""
    desk(*YES)
    token, state = env_of(desk)["PAT"], read_state(desk.folder / ".env")
    pat = state.reader_pats[-1]
    zitadel.world.users[state.reader_id].pats.pop(pat.id)
    for given in ((), ("--pat", token)):
        ran = desk("introspect", *given)
        assert "zdemo-reader" in ran.all, ran.all
        assert "deleted" in ran.all
        assert "ZDEMO_PAT_ID" not in ran.all


# --- asking


def test_a_script_that_did_not_say_yes_is_refused_with_the_option(desk: Shell, zitadel: Emulator) -> None:
    before = names_of(zitadel)
    ran = desk("setup", *OWN)
    assert ran.code == 2
    assert "--yes" in ran.lines[-1]
    assert names_of(zitadel) == before


@pytest.mark.parametrize(("answer", "agrees"), [("y\n", True), ("\n", False), ("n\n", False)])
def test_a_person_is_asked_and_may_decline(desk: Shell, zitadel: Emulator, answer: str, agrees: bool) -> None:
    before = names_of(zitadel)
    status, shown = at_terminal(desk, "setup", *OWN, when="[y/N]", typed=answer)
    assert status == 0, shown
    assert (names_of(zitadel) != before) == agrees
    assert ("nothing was changed" in shown, "error" in shown) == (not agrees, False)


def test_a_person_is_asked_for_the_token_without_echo(desk: Shell) -> None:
    env = {"ZITADEL_ADMIN_PAT": ""}
    status, shown = at_terminal(desk, "setup", "--dry-run", *OWN, when="not shown: ", typed=f"{ADMIN.pat}\n", **env)
    assert status == 0, shown
    assert ADMIN.pat not in shown
    status, shown = at_terminal(desk, *YES, **env)
    assert status == 3, "with --yes nothing is asked"
    assert "ZITADEL_ADMIN_PAT is not set" in shown


def test_the_token_may_come_from_standard_input_or_be_asked_for_by_a_bare_option(
    desk: Shell, zitadel: Emulator
) -> None:
    dry, typed, env = ("setup", "--dry-run", *OWN, "--admin-pat"), f"{ADMIN.pat}\n", {"ZITADEL_ADMIN_PAT": "x"}
    assert desk(*dry, "-", stdin=typed, **env).code == 0
    question = f"ZITADEL_ADMIN_PAT for {zitadel.url} (ZITADEL_DOMAIN in the environment), not shown: "
    status, shown = at_terminal(desk, *dry, when=question, typed=typed, **env)
    assert status == 0, shown


@pytest.mark.parametrize("option", [(), ("--admin-pat",)])
def test_the_question_for_the_token_says_where_it_goes_and_who_says_so(option: tuple[str, ...], bare: Shell) -> None:
    """A .env in a cloned repository could name a host that collects tokens. Then a person types Ctrl-C."""
    bare.dotenv(ZITADEL_DOMAIN="https://evil.example")
    status, shown = at_terminal(bare, "setup", *option, when="not shown: ", typed="\x03")
    assert status == 130
    question = " ".join(shown.partition("not shown:")[0].split())
    assert question.startswith("ZITADEL_ADMIN_PAT for https://evil.example (ZITADEL_DOMAIN in ")
    assert question.endswith("/.env),")


def test_no_token_is_asked_for_where_the_address_is_not_one(bare: Shell) -> None:
    bare.dotenv(ZITADEL_DOMAIN='"https://evil.example\\r\\x1b[2Khttps://me.example"')
    status, shown = at_terminal(bare, "setup")
    assert (status, "not shown" in shown, "contains a line end or a control character" in shown) == (3, False, True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--admin-pat",), "--admin-pat"),
        (("--admin-pat", "--yes"), "--admin-pat"),
        (("--role", "a,b"), "--role"),
        (("--auth", "none"), "--auth"),
        (("--teardown", "--yes", "--rotate-secret"), "--rotate-secret"),
        (("--teardown", "--yes", *KEY), "--auth"),
    ],
)
def test_a_wrong_command_line_is_named(desk: Shell, arguments: tuple[str, ...], named: str) -> None:
    ran = desk("setup", *arguments)
    assert (ran.code, is_two_lines(ran), named in ran.err) == (2, True, True)


def test_the_domain_is_asked_for_until_it_can_be_one(desk: Shell, zitadel: Emulator) -> None:
    typed = f"zdemo serve --emulator\n{zitadel.url}\n"
    status, shown = at_terminal(
        desk, "setup", "--dry-run", *OWN, when="zitadel.cloud): ", typed=typed, ZITADEL_DOMAIN=""
    )
    assert status == 0, shown
    assert "ZITADEL_DOMAIN has a space inside" in shown
    assert shown.count("zitadel.cloud): ") == 2
    assert shown.count(zitadel.url) >= 2


# --- secrets


def test_yes_alone_never_replaces_a_secret(desk: Shell, zitadel: Emulator) -> None:
    desk(*YES)
    secret = env_of(desk)["CLIENT_SECRET"]
    update_dotenv(desk.folder / ".env", {"CLIENT_SECRET": None})
    ran = desk(*YES)
    assert ran.code == 1
    assert "only once" in ran.err
    assert "--rotate-secret" in ran.err
    assert [a.secret for a in zitadel.world.applications.values() if a.name == "own-api"] == [secret]
    dry = desk("setup", "--dry-run", *OWN)
    assert (dry.code, "--rotate-secret" in dry.err) == (0, True)
    assert desk(*YES, "--rotate-secret").code == 0
    assert env_of(desk)["CLIENT_SECRET"] != secret


@pytest.mark.parametrize(("word", "code"), [("yes\n", 0), ("y\n", 1), ("\n", 1)])
def test_a_typed_yes_creates_one(desk: Shell, word: str, code: int) -> None:
    """And then the plan is asked about, too."""
    desk(*YES)
    update_dotenv(desk.folder / ".env", {"CLIENT_SECRET": None})
    status, shown = at_terminal(desk, "setup", *OWN, when="[type yes]", typed=word + "y\n")
    assert status == code, shown
    assert ("CLIENT_SECRET" in env_of(desk)) == (code == 0)


def test_a_running_api_needs_a_restart_after_a_change_of_credentials(desk: Shell) -> None:
    words = "restart zdemo serve to pick up the new settings"
    assert words not in desk(*YES).out
    assert words not in desk("setup", *OWN).out
    assert words in desk(*YES, "--rotate-secret").out
    assert words in desk(*YES, *KEY).out


# --- a person's values


@pytest.mark.parametrize("options", [(), KEY])
@pytest.mark.parametrize("text", [EXAMPLE.read_text(), MINE], ids=["example", "mine"])
def test_the_file_is_as_before_after_setup_and_teardown(desk: Shell, text: str, options: tuple[str, ...]) -> None:
    (desk.folder / ".env").write_text(text)
    ran = desk(*YES, *options)
    assert ran.code == 0, ran.all
    assert "your previous values are saved; --teardown restores them" in " ".join(ran.out.split())
    assert desk("introspect", "--require", "read:messages", "-q").code == 0
    down = desk(*TEARDOWN)
    assert down.code == 0
    assert re.search(r"PAT.* restored$", down.err, re.MULTILINE)
    assert "your previous values" in down.out
    assert (desk.folder / ".env").read_text() == text


# --- the emulator's settings in .env, and the ZITADEL that is meant


WHICH = ".env has the emulator's settings. Which ZITADEL do you want to set up? [http://localhost:8484] "


@pytest.mark.parametrize("options", [("--yes",), ("--dry-run",), (), ("--admin-pat=another-token",)])
def test_the_emulators_settings_do_not_tell_which_zitadel_is_meant(bare: Shell, options: tuple[str, ...]) -> None:
    (bare.folder / ".env").write_text(EXAMPLE.read_text())
    ran = bare("setup", *options)
    assert (ran.code, ran.out, files_of(bare.folder)) == (2, "", [".env"])
    assert ran.lines == [
        "error: .env has the emulator's settings, so it is not clear which ZITADEL to set up",
        "hint:  add --domain, for example --domain https://my-instance-abc123.zitadel.cloud; the emulator is --domain "
        "http://localhost:8484",
    ]


def test_the_emulators_pat_alone_is_not_used_without_an_address(bare: Shell) -> None:
    bare.dotenv(ZITADEL_ADMIN_PAT=ADMIN.pat)
    ran = bare("setup", "--yes")
    assert (ran.code, [line[:6] for line in ran.lines]) == (3, ["error:", "      ", "hint: "])
    assert "ZITADEL_DOMAIN is not set" in ran.lines[0]


def test_a_zitadel_that_is_named_is_set_up(bare: Shell, desk: Shell) -> None:
    url = desk.env["ZITADEL_DOMAIN"]
    (bare.folder / ".env").write_text(EXAMPLE.read_text())
    code, screen = at_terminal(bare, "setup", when=WHICH, typed=f"{url}\nn\n")
    assert (code, f"{url} as zdemo-admin" in screen) == (0, True)
    for ran in (bare(*YES, "--dry-run", "--domain", url), bare(*YES, "--dry-run", ZITADEL_DOMAIN=url)):
        assert (ran.code, f"{url} as zdemo-admin" in ran.out) == (0, True)
    assert (bare.folder / ".env").read_text() == EXAMPLE.read_text()


def test_the_emulator_may_be_meant_and_is_not_asked_for_twice(bare: Shell) -> None:
    (bare.folder / ".env").write_text(EXAMPLE.read_text())
    with fixed_port(DEFAULT_PORT):
        code, screen = at_terminal(bare, "setup", when=WHICH, typed="\n")
        assert (code, "localhost:8484" in screen.replace("\n", " ").partition(WHICH)[2]) == (4, True)
        with emulate(port=DEFAULT_PORT):
            assert bare(*YES, "--domain", "http://localhost:8484").code == 0
            ran = bare(*YES)
            assert (ran.code, "no changes" in ran.out) == (0, True)


def test_the_emulators_public_values_are_not_sent_elsewhere(bare: Shell) -> None:
    """To a ZITADEL at another host, which a proxy on this machine stands for."""
    (bare.folder / ".env").write_text(EXAMPLE.read_text())
    world = known_world()
    world.external_domain = "zitadel.example"
    pat = world.add_pat(world.users[ADMIN.id], NEVER).token
    with emulate(world) as there, upstream(relay(there.url.replace(world.external_domain, "localhost"))) as proxy:
        domain = ("--domain", "http://zitadel.example")
        env = {"HTTP_PROXY": proxy.url, "ZDEMO_ALLOW_HTTP": "1"}
        ran = bare(*YES, *domain, **env)
        assert (ran.code, proxy.requests) == (3, [])
        assert ran.lines[0] == "note: the emulator's ZITADEL_ADMIN_PAT in .env is not for http://zitadel.example"
        assert ran.lines[1].startswith("error: ZITADEL_ADMIN_PAT is not set")
        ran = bare(*YES, *domain, **env, ZITADEL_ADMIN_PAT=pat)
        assert ran.code == 0, ran.all
        assert not any(is_public(text) for request in proxy.requests for text in texts_of(request))
        assert env_of(bare)["ZITADEL_ADMIN_PAT"] == ""
        ran = bare(*YES, *domain, **env, ZITADEL_ADMIN_PAT=pat)
        assert (ran.code, "no changes" in ran.out) == (0, True)
        assert bare(*TEARDOWN, *domain, **env, ZITADEL_ADMIN_PAT=pat).code == 0
    assert (bare.folder / ".env").read_text() == EXAMPLE.read_text()


def texts_of(request: Received) -> list[str]:
    """Return the credentials in a request: in its header, decoded where they are Basic, and in its form."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    pair = base64.b64decode(credentials).decode() if scheme == "Basic" else ""
    return [credentials, pair.partition(":")[2], *request.form.values()]


# --- killed, and one run at a time


@contextmanager
def holding(path: str) -> Iterator[tuple[Emulator, threading.Event, threading.Event]]:
    """An emulator that does what it is asked at paths that begin so, but answers only when it may.

    The events: such a request was carried out, and it may be answered.
    """
    reached, go = threading.Event(), threading.Event()

    def answer(environ: Environ, start_response: StartResponse, inner: App) -> Iterable[bytes]:
        body = inner(environ, start_response)
        if environ["PATH_INFO"].startswith(path):
            reached.set()
            go.wait()
        return body

    with emulated(answer) as zitadel:
        try:
            yield zitadel, reached, go
        finally:
            go.set()


def test_a_run_that_is_killed_is_completed_by_the_next_and_loses_nothing(tmp_path: Path) -> None:
    """In the middle; tests/provisioning cuts before and after each change."""
    (tmp_path / ".env").write_text(MINE)
    with holding("/zitadel.application.v2.ApplicationService/CreateApplication") as (zitadel, reached, go):
        desk, known = desk_of(tmp_path, zitadel.url), names_of(zitadel)
        with desk.running(*YES) as process:
            assert reached.wait(LONGEST_SECONDS)
            process.kill()
            process.wait(LONGEST_SECONDS)
        go.set()
        assert {*env_of(desk).values(), *read_state(tmp_path / ".env").previous.values()} >= MY_VALUES
        ran = desk(*YES)
        assert ran.code == 0, ran.all
        assert set(names_of(zitadel)) - set(known) == {"own", "own-api", "zdemo-reader", "zdemo-visitor"}
        assert "no changes" in desk("setup", *OWN).out
        assert all(len(user.pats) == 1 for user in zitadel.world.users.values())
        assert files_of(tmp_path) == [".env", ".zdemo/.gitignore", ".zdemo/setup.json"]
        assert desk(*TEARDOWN).code == 0
        assert names_of(zitadel) == known
        assert (tmp_path / ".env").read_text() == MINE


def test_a_second_setup_in_the_folder_is_refused_and_a_dry_run_is_not(tmp_path: Path) -> None:
    with holding("/") as (held, reached, go), emulate() as free:
        with desk_of(tmp_path, held.url).running(*YES, ZDEMO_TIMEOUT="60") as first:
            assert reached.wait(LONGEST_SECONDS)
            second = desk_of(tmp_path, free.url)
            for arguments in (YES, TEARDOWN):
                ran = second(*arguments)
                assert (ran.code, is_two_lines(ran)) == (1, True), ran.all
                assert ran.lines[0] == f"error: another zdemo setup is running in {tmp_path}"
            assert second("setup", "--dry-run").code == 0
            go.set()
            assert first.wait(LONGEST_SECONDS) == 0
        assert read_state(tmp_path / ".env").project_id in held.world.projects
    assert files_of(tmp_path) == [".env", ".zdemo/.gitignore", ".zdemo/setup.json"], "no lock is left behind"


def racing(method: str) -> Callable[[Environ, StartResponse, App], Iterable[bytes]]:
    """Return what lets the first two calls of a method wait for each other."""
    both, left = threading.Barrier(2, timeout=LONGEST_SECONDS), iter(range(2))

    def answer(environ: Environ, start_response: StartResponse, inner: App) -> Iterable[bytes]:
        if environ["PATH_INFO"].endswith(method) and next(left, None) is not None:
            both.wait()
        return inner(environ, start_response)

    return answer


def run_both(one: Shell, other: Shell, arguments: Sequence[str], more: Sequence[str]) -> list[tuple[int, str, Shell]]:
    """Run setup in both folders at the same time; return code, standard error and folder, the winner first."""
    with one.running(*arguments) as first, other.running(*arguments, *more) as second:
        ended = [(process.communicate(timeout=LONGEST_SECONDS)[1], process.returncode) for process in (first, second)]
    found = [(code, unbroken(err), shell) for (err, code), shell in zip(ended, (one, other), strict=True)]
    return sorted(found, key=lambda row: row[0])


OTHER_USERS = ("--reader-name", "other-reader", "--visitor-name", "other-visitor")


def test_of_two_setups_with_the_same_names_one_explains_and_goes_on_later(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with emulated(racing("/CreateUser")) as zitadel:
        before = names_of(zitadel)
        one, other = (desk_of(tmp_path / name, zitadel.url) for name in ("one", "other"))
        (won, _, winner), (lost, err, loser) = run_both(one, other, YES, ())
        assert (won, lost) == (0, 1), err
        reader = read_state(winner.folder / ".env").reader_id
        assert (
            f"error: service account zdemo-reader ({reader}) did not exist when this setup began; another zdemo" in err
        )
        assert "created it on 20" in err
        assert "hint:  choose another --reader-name, or wait" in err
        assert sorted(set(names_of(zitadel))) == names_of(zitadel), "nothing is there twice"

        again = loser(*YES)
        assert again.code == 1
        assert "choose another --app-name" in again.lines[-1]
        ran = loser(*YES, "--app-name", "second-api")
        assert ran.code == 0, ran.all
        assert loser("introspect", "--require", "read:messages", "-q").code == 0
        assert winner("introspect", "--require", "read:messages", "-q").code == 0
        ran = winner(*TEARDOWN)
        assert (ran.code, "application second-api" in ran.err) == (1, True)
        assert [shell(*TEARDOWN).code for shell in (loser, winner)] == [0, 0]
        assert names_of(zitadel) == before


def test_of_two_setups_for_one_project_the_loser_names_what_it_created(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with emulated(racing("/CreateProject")) as zitadel:
        before = names_of(zitadel)
        one, other = (desk_of(tmp_path / name, zitadel.url) for name in ("one", "other"))
        (won, _, winner), (lost, err, loser) = run_both(one, other, YES, OTHER_USERS)
        assert (won, lost) == (0, 1), err
        state = read_state(loser.folder / ".env")
        assert "error: project own (" in err
        for user_id in (state.reader_id, state.visitor_id):
            assert f"({user_id})" in err.partition("hint:")[2]
        assert loser(*TEARDOWN).code == 0
        assert winner(*TEARDOWN).code == 0
        assert names_of(zitadel) == before
        assert files_of(tmp_path) == []


# --- another ZITADEL


@pytest.mark.parametrize("arguments", [YES, TEARDOWN])
def test_the_state_of_another_zitadel_is_not_touched(
    desk: Shell, zitadel: Emulator, another: Emulator, arguments: tuple[str, ...]
) -> None:
    known = names_of(another)
    desk(*YES)
    made, before = names_of(zitadel), (desk.folder / ".env").read_bytes()
    ran = desk(*arguments, ZITADEL_DOMAIN=another.url)
    assert ran.code == 1
    assert f"belongs to the ZITADEL at {zitadel.url}" in ran.err
    assert f"--domain {zitadel.url}" in ran.err
    assert "--env-file" in ran.err
    assert (names_of(zitadel), names_of(another), (desk.folder / ".env").read_bytes()) == (made, known, before)
    assert desk(*TEARDOWN, "--domain", zitadel.url, ZITADEL_DOMAIN=another.url).code == 0
    assert names_of(zitadel) == known


def test_the_same_zitadel_at_another_address_is_the_same(desk: Shell, zitadel: Emulator) -> None:
    known = names_of(zitadel)
    desk(*YES)
    path = desk.folder / ".env"
    write_state(path, replace(read_state(path), zitadel="https://old.example"))
    assert desk(*TEARDOWN).code == 0
    assert names_of(zitadel) == known


def test_a_damaged_state_file_stops_setup(desk: Shell, zitadel: Emulator) -> None:
    desk(*YES)
    made, path = names_of(zitadel), state_path(desk.folder / ".env")
    path.write_text(path.read_text()[:-20])
    for arguments in (YES, TEARDOWN):
        ran = desk(*arguments)
        assert (ran.code, is_two_lines(ran)) == (3, True)
        assert f"{path} is damaged" in ran.err
        assert f"mv {path} {path}.damaged" in ran.err
    assert names_of(zitadel) == made
    assert desk("introspect", "--require", "read:messages", "-q").code == 0, "other commands go on without it"


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("saved.json")], ids=["pipe", "link"])
def test_what_is_not_setups_own_state_file_stops_setup_and_nothing_waits_for_it(
    desk: Shell, zitadel: Emulator, put: Callable[[Path], object]
) -> None:
    desk(*YES)
    made, path = names_of(zitadel), state_path(desk.folder / ".env")
    path.rename(path.with_name("saved.json"))
    put(path)
    for arguments in (YES, TEARDOWN, (*TEARDOWN, "--dry-run")):
        ran = desk(*arguments)
        assert (ran.code, is_two_lines(ran)) == (3, True)
        assert str(path) in ran.lines[0]
    assert names_of(zitadel) == made
    assert desk("introspect", "--require", "read:messages", "-q").code == 0, "other commands go on without it"
    path.with_name("saved.json").rename(path)
    assert desk(*TEARDOWN).code == 0


# --- teardown


def test_teardown_shows_asks_and_removes(desk: Shell, zitadel: Emulator) -> None:
    before = names_of(zitadel)
    desk(*YES)
    made = names_of(zitadel)
    assert desk("setup", "--teardown").code == 2
    dry = desk("setup", "--teardown", "--dry-run")
    assert dry.code == 0
    assert dry.out.startswith(f"{zitadel.url} as zdemo-admin (IAM_OWNER, ORG_OWNER)\n")
    assert "zdemo-reader" in dry.out
    for more in ((), ("--json",)):
        status, shown = at_terminal(desk, "setup", "--teardown", *more, when="[y/N]", typed="n\n")
        assert (status, "nothing was changed" in shown, '"changed": false' in shown) == (0, True, bool(more))
    assert names_of(zitadel) == made
    assert at_terminal(desk, "setup", "--teardown", when="[y/N]", typed="y\n")[0] == 0
    assert names_of(zitadel) == before
    assert list(desk.folder.iterdir()) == []
    bare = {"ZITADEL_DOMAIN": "", "ZITADEL_ADMIN_PAT": ""}
    again = desk(*TEARDOWN, **bare)
    assert (again.code, "nothing to remove" in again.out) == (0, True), "it needs no settings"
    assert not desk(*TEARDOWN, "--json", **bare).document["changed"]


def test_teardown_as_json(desk: Shell) -> None:
    desk(*YES)
    document = desk(*TEARDOWN, "--json").document
    assert document["changed"]
    assert [row["what"] for row in document["removed"]] == [
        "service account",
        "service account",
        "application",
        "project",
    ]
    assert set(document["lines"]) == set(SETTINGS) - {"ZITADEL_KEY_FILE"}
    assert (document["stays"], document["put_back"]) == ([], [])


def test_an_id_that_was_written_by_hand_proves_nothing(desk: Shell, zitadel: Emulator) -> None:
    world = zitadel.world
    theirs = world.add_user(next(iter(world.organizations)), "theirs", "Theirs").id
    desk(*YES)
    path = state_path(desk.folder / ".env")
    document = json.loads(path.read_text())
    document["files"][".env"] |= {"visitor_id": theirs}
    signed = path.read_text()
    path.write_text(json.dumps(document))
    for arguments in (YES, TEARDOWN):
        ran = desk(*arguments)
        assert (ran.code, is_two_lines(ran)) == (3, True)
        assert f"{path} was not written by your zdemo on this machine, or was changed since" in ran.err
    path.write_text(signed)
    forged = replace(read_state(desk.folder / ".env"), visitor_id=theirs)
    write_state(desk.folder / ".env", forged)  # by somebody who has the key, too
    assert desk(*TEARDOWN).code == 0
    assert theirs in world.users


def test_what_others_added_stops_teardown_also_with_yes(desk: Shell, zitadel: Emulator) -> None:
    before = names_of(zitadel)
    desk(*YES)
    world, state = zitadel.world, read_state(desk.folder / ".env")
    project = world.projects[state.project_id]
    shop = world.add_application(project, "shop", "api", "API_AUTH_METHOD_TYPE_BASIC").id
    made, env = names_of(zitadel), (desk.folder / ".env").read_bytes()
    ran = desk(*TEARDOWN)
    assert ran.code == 1
    assert ran.lines == [
        f"error: others added to what setup created: application shop ({shop}); nothing was removed",
        "hint:  remove it in the Management Console, or delete the whole project or user there; then run zdemo setup "
        "--teardown again",
    ]
    assert f"application shop ({shop}) not setup's" in [" ".join(line.split()) for line in ran.out.splitlines()]
    dry = desk("setup", "--teardown", "--dry-run", "--json")
    assert (dry.code, dry.document["added_by_others"]) == (0, [{"what": "application", "name": f"shop ({shop})"}])
    assert "note: --teardown stops here: others added" in dry.err
    assert (names_of(zitadel), (desk.folder / ".env").read_bytes()) == (made, env)
    world.remove_project(project)
    assert desk(*TEARDOWN).code == 0
    assert names_of(zitadel) == before
    assert list(desk.folder.iterdir()) == []


def test_what_others_add_while_the_question_is_open_stops_teardown(desk: Shell, zitadel: Emulator) -> None:
    desk(*YES)
    made = names_of(zitadel)

    def late() -> str:
        zitadel.world.add_role(zitadel.world.projects[read_state(desk.folder / ".env").project_id], "editor", "Editor")
        return "y\n"

    status, shown = at_terminal(desk, "setup", "--teardown", when="[y/N]", typed=late)
    assert status == 1
    assert "others added to what setup created: role editor; nothing was removed" in " ".join(shown.split())
    assert names_of(zitadel) == made


def test_an_owner_cannot_delete_an_application_in_somebody_elses_project(desk: Shell, zitadel: Emulator) -> None:
    home = next(iter(zitadel.world.organizations))
    zitadel.world.administrators.clear()
    zitadel.world.add_administrator(ADMIN.id, ("organization", home), ["ORG_OWNER"])
    assert desk("setup", "--yes", "--app-name", "own-api").code == 0
    ran = desk(*TEARDOWN)
    assert ran.code == 1
    assert "not everything is removed: application own-api" in ran.err
    assert "IAM_OWNER" in ran.err
    zitadel.world.add_administrator(ADMIN.id, ("instance", ""), ["IAM_OWNER"])
    assert desk(*TEARDOWN).code == 0
    assert "own-api" not in names_of(zitadel)
    assert list(desk.folder.iterdir()) == []


# --- what stands in the way


UNKNOWN = ("404 Not Found", "application/json", b'{"code":5,"message":"Not Found"}')
IN_THE_WAY: dict[str, tuple[tuple[str, str, bytes], int, str]] = {
    "/zitadel.project": (UNKNOWN, 1, "too old"),
    "/zitadel.application": (("501 Not Implemented", "application/json", b'{"code":12,"message":"x"}'), 1, "too old"),
    "/zitadel.authorization": (("404 Not Found", "text/plain", b"404 page not found"), 1, "too old"),
    "/oidc": (("429 Too Many Requests", "text/plain", b"Your ZITADEL instance is blocked."), 4, "429"),
    "/": (("200 OK", "text/html", b"<html>"), 4, "correct --domain"),
}


@contextmanager
def answering(path: str, status: str, media_type: str, body: bytes) -> Iterator[str]:
    """The emulator, but for paths that begin so."""

    def answer(environ: Environ, start_response: StartResponse, inner: App) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(path):
            return inner(environ, start_response)
        start_response(status, [("Content-Type", media_type), ("Content-Length", str(len(body)))])
        return [body]

    with emulated(answer) as zitadel:
        yield zitadel.url


@pytest.mark.parametrize("path", IN_THE_WAY)
def test_what_is_not_a_usable_zitadel_is_said(path: str, bare: Shell) -> None:
    """Each refusal by itself is in tests/management."""
    answer, code, words = IN_THE_WAY[path]
    with answering(path, *answer) as url:
        ran = bare("setup", "--dry-run", "--domain", url, ZITADEL_ADMIN_PAT=ADMIN.pat)
    assert ran.code == code, ran.all
    assert words in ran.err
    assert ran.lines[-1].startswith("hint:")


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--teardown",)])
def test_a_missing_folder_is_said_first(desk: Shell, options: tuple[str, ...]) -> None:
    ran = desk("setup", *options, "--env-file", "missing/.env", ZITADEL_DOMAIN="")
    assert (ran.code, ran.out) == (3, "")
    assert ran.lines[0] == "error: missing/.env cannot be written: there is no folder missing"
    (desk.folder / ".env").mkdir()
    ran = desk("setup", *options)
    assert (ran.code, ran.lines[0]) == (3, "error: .env is a folder, not a file")


def test_a_read_only_file_is_refused_before_anything_is_created_or_removed(desk: Shell, zitadel: Emulator) -> None:
    path, before = desk.folder / ".env", names_of(zitadel)
    path.write_text("A=1\n")
    path.chmod(0o400)
    refusal = ["error: .env is read-only (mode 0400)", "hint:  if it may be changed: chmod u+w .env"]
    assert "own-api" in desk("setup", "--dry-run", *OWN).out
    ran = desk(*YES)
    assert (ran.code, ran.lines[-2:]) == (3, refusal)
    assert (names_of(zitadel), files_of(desk.folder)) == (before, [".env"])
    path.chmod(0o600)
    assert desk(*YES).code == 0
    path.chmod(0o400)
    assert desk(*YES).code == 0, "there is nothing to write"
    ran = desk(*TEARDOWN)
    assert (ran.code, ran.lines[-2:]) == (3, refusal)
    assert "own" in names_of(zitadel)
    path.chmod(0o600)
    assert desk(*TEARDOWN).code == 0
    assert (names_of(zitadel), path.read_text()) == (before, "A=1\n")


def test_a_linked_file_that_a_group_may_read_keeps_its_rights_and_its_bytes(desk: Shell) -> None:
    text = b"\xef\xbb\xbfPAT=1\r\nPAT = '2' # mine\r\nA=1"
    target = desk.folder / "elsewhere" / "real.env"
    target.parent.mkdir()
    target.write_bytes(text)
    target.chmod(0o640)
    (desk.folder / ".env").symlink_to(target)
    ran = desk(*YES)
    assert (ran.code, stat.S_IMODE(target.stat().st_mode)) == (0, 0o640)
    assert "warning: .env holds secrets, and its group can read it (mode 0640): chmod 600 .env" in ran.err
    assert env_of(desk)["PAT"] != "2"
    assert desk(*TEARDOWN).code == 0
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (text, 0o640)
    assert (desk.folder / ".env").is_symlink()


def test_a_link_out_of_the_folder_is_followed_only_by_a_person_who_sees_where_it_leads(
    zitadel: Emulator, tmp_path: Path
) -> None:
    """A copied folder could make setup change a file elsewhere."""
    target, folder, before = tmp_path / "real.env", tmp_path / "copied", names_of(zitadel)
    target.write_text("A=1\n")
    target.chmod(0o600)
    folder.mkdir()
    (folder / ".env").symlink_to(target)
    desk = desk_of(folder, zitadel.url)
    ran = desk(*YES)
    refused = [
        f"error: .env is a link to {target}, which would be changed",
        f"hint:  name that file: --env-file {target}",
    ]
    assert (ran.code, ran.lines[-2:], target.read_text(), names_of(zitadel)) == (2, refused, "A=1\n", before)
    status, shown = at_terminal(desk, "setup", *OWN, when="[y/N]", typed="y\n")
    assert status == 0
    assert f".env is a link to {target}, which would be changed. Make these changes?" in " ".join(shown.split())
    assert "CLIENT_ID=" in target.read_text()
    assert desk(*TEARDOWN).code == 2
    assert desk(*TEARDOWN, "--env-file", str(target)).code == 0
    assert (target.read_text(), names_of(zitadel)) == ("A=1\n", before)


# --- warnings


def test_a_variable_in_the_environment_that_hides_what_is_written_is_named(desk: Shell) -> None:
    ran = desk(*YES, PAT="another", CLIENT_ID=CLIENT_ID, CLIENT_SECRET=CLIENT_SECRET)
    assert ran.code == 0, ran.all
    for name in ("PAT", "CLIENT_ID", "CLIENT_SECRET"):
        assert f"unset {name}" in ran.err


def _git_lines(shown: str) -> list[str]:
    return [line for line in shown.splitlines() if "git" in line]


WOULD_TAKE = "warning: git would take files with secrets: add to .gitignore: .env, .env.*.tmp, *.key.json"


@needs_git
def test_secrets_that_git_would_take_are_said_and_with_yes_kept_out_of_it(desk: Shell) -> None:
    dry = ("setup", "--dry-run", *OWN)
    assert _git_lines(desk(*dry).err) == []
    repository(desk.folder)
    assert _git_lines(desk(*dry).err) == [WOULD_TAKE]
    assert not (desk.folder / ".gitignore").exists()
    (desk.folder / ".env").write_text("A=1\n")
    git(desk.folder, "add", ".env")
    tracked = (
        "warning: git tracks .env, which holds secrets: git rm --cached .env; what was committed stays in the history"
    )
    assert _git_lines(desk(*dry).err) == [tracked, WOULD_TAKE]
    assert _git_lines(desk(*YES).err) == [tracked, ".gitignore: added .env, .env.*.tmp, *.key.json"]
    git(desk.folder, "rm", "-q", "-f", "--cached", ".env")
    assert _git_lines(desk(*YES).err) == []
    assert (desk.folder / ".gitignore").read_text() == ".env\n.env.*.tmp\n*.key.json\n"


@needs_git
@pytest.mark.parametrize(("answer", "added"), [("y\ny\n", True), ("y\nn\n", False), ("n\n", False)])
def test_a_person_is_asked_before_a_line_is_added(desk: Shell, answer: str, added: bool) -> None:
    repository(desk.folder)
    _, shown = at_terminal(desk, "setup", *OWN, when="[y/N]", typed=answer)
    assert ("Add .env, .env.*.tmp and *.key.json to .gitignore, so that git" in shown) == answer.startswith("y")
    assert (desk.folder / ".gitignore").exists() == added
    assert (WOULD_TAKE in " ".join(shown.split())) == (answer == "y\nn\n")


@needs_git
def test_a_look_at_a_cloned_repository_runs_no_program_of_it(desk: Shell) -> None:
    """Neither one that its configuration names, nor its own git, although the search path leads there."""
    trap = desk.folder / "git"
    trap.write_text("#!/bin/sh\necho >> sprung\n")
    trap.chmod(0o700)
    repository(desk.folder)
    git(desk.folder, "config", "core.fsmonitor", str(trap))
    (desk.folder / ".env").write_text("A=1\n")
    ran = desk("setup", "--dry-run", *OWN, PATH=f".:{os.defpath}")
    assert (ran.code, _git_lines(ran.err)) == (0, [WOULD_TAKE])
    assert not (desk.folder / "sprung").exists()
