"""``zdemo setup``: as a person runs it, as a script runs it, killed, and each way in which it is refused."""

import base64
import re
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import LONGEST_SECONDS, Shell, is_two_lines, unbroken
from tests.support.dotenv import update_dotenv
from tests.support.relay import relay
from tests.support.repository import git, needs_git, repository
from tests.support.terminal import at_terminal
from tests.support.upstream import Received, upstream
from zdemo.config.dotenv_file import read_dotenv
from zdemo.config.emulator_values import is_public
from zdemo.config.new_dotenv import emulator_text
from zdemo.emulator import (
    ADMIN,
    CLIENT_ID,
    NEVER,
    Control,
    Emulator,
    Faults,
    RequestRecords,
    create_app,
    emulate,
    known_world,
)
from zdemo.provisioning.files import SETTINGS
from zdemo.provisioning.state_file import read_state, write_state
from zdemo.serving.embedded import serving

OWN = ("--project-name", "own", "--app-name", "own-api")  # nothing of the emulator's known world
YES = ("setup", "--yes", *OWN)
DRY = ("setup", "--dry-run", *OWN)
TEARDOWN = ("setup", "--teardown", "--yes")
KEY = ("--auth", "private-key-jwt")
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


def test_a_first_run_writes_what_the_other_commands_need_and_a_second_changes_nothing(
    desk: Shell, zitadel: Emulator
) -> None:
    before = names_of(zitadel)
    dry = desk(*DRY)
    assert (dry.code, "nothing was changed" in dry.err, names_of(zitadel)) == (0, True, before)
    assert list(desk.folder.iterdir()) == []
    ran = desk(*YES)
    assert ran.code == 0, ran.all
    assert "as zdemo-admin (IAM_OWNER, ORG_OWNER)" in ran.out
    rows = {line[2:18].strip(): line for line in ran.out.splitlines() if line.startswith("  ")}
    assert rows["project"].split()[-2:] == ["own", "create"]
    assert "own-api (Basic)" in rows["application"]
    assert rows[".env"].endswith("set 6")
    assert "zdemo-reader has read:messages, zdemo-visitor does not" in ran.out
    assert ran.out.rstrip().endswith("zdemo call scoped")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert any("its client secret is in .env" in line for line in ran.lines)
    assert ran.lines[-1] == "settings: written to .env"
    assert files_of(desk.folder) == [".env", ".zdemo/.gitignore", ".zdemo/setup.json"]
    for pat, code in (({}, 0), ({"PAT": env_of(desk)["ZDEMO_VISITOR_PAT"]}, 1)):
        assert desk("introspect", "--require", "read:messages", "-q", ZITADEL_ADMIN_PAT="", **pat).code == code
    text = (desk.folder / ".env").read_bytes()
    ran = desk("setup", *OWN)
    assert (ran.code, "  no changes; zdemo-reader has read:messages" in ran.out) == (0, True)
    assert {line.split("  ")[-1].strip() for line in ran.out.splitlines()[3:13]} == {"no change"}
    assert (desk.folder / ".env").read_bytes() == text


def test_json_is_one_document_with_whole_words(desk: Shell) -> None:
    dry = desk(*DRY, "--json").document
    done, again = desk(*YES, "--json").document, desk(*YES, "--json").document
    assert [(d["dry_run"], d["changed"]) for d in (dry, done, again)] == [(True, False), (False, True), (False, False)]
    assert dry["steps"] == done["steps"]
    assert {step["action"] for step in again["steps"]} == {"leave"}
    assert done["shown_after_milliseconds"] >= 0
    assert {step["what"] for step in done["steps"]} == {
        "service account", "project", "role", "application", "client secret", "role assignment", "PAT", ".env"
    }  # fmt: skip
    gone = desk(*TEARDOWN, "--json").document
    assert (gone["changed"], gone["stays"], gone["put_back"]) == (True, [], [])
    assert [row["what"] for row in gone["removed"]] == ["service account"] * 2 + ["application", "project"]
    assert set(gone["lines"]) == set(SETTINGS) - {"ZITADEL_KEY_FILE"}


# --- asking


@pytest.mark.parametrize(("answer", "agrees"), [("y\n", True), ("\n", False), ("n\n", False)])
def test_a_person_is_asked_and_may_decline(desk: Shell, zitadel: Emulator, answer: str, agrees: bool) -> None:
    before = names_of(zitadel)
    ran = desk("setup", *OWN)
    assert (ran.code, "--yes" in ran.lines[-1], names_of(zitadel)) == (2, True, before), "no one can be asked"
    status, shown = at_terminal(desk, "setup", *OWN, when="[y/N]", typed=answer)
    assert status == 0, shown
    assert (names_of(zitadel) != before) == agrees
    assert ("nothing was changed" in shown, "error" in shown) == (not agrees, False)


@pytest.mark.parametrize("option", [(), ("--admin-pat",)])
def test_the_question_for_the_token_says_where_it_goes_and_who_says_so(option: tuple[str, ...], bare: Shell) -> None:
    """A .env in a cloned repository could name a host that collects tokens. Then a person types Ctrl-C."""
    bare.dotenv(ZITADEL_DOMAIN="https://evil.example")
    status, shown = at_terminal(bare, "setup", *option, when="not shown: ", typed="\x03")
    assert status == 130
    question = " ".join(shown.partition("not shown:")[0].split())
    assert question.startswith("ZITADEL_ADMIN_PAT for https://evil.example (ZITADEL_DOMAIN in ")
    assert question.endswith("/.env),")
    bare.dotenv(ZITADEL_DOMAIN='"https://evil.example\\r\\x1b[2Khttps://me.example"')
    status, shown = at_terminal(bare, "setup")
    assert (status, "not shown" in shown, "contains a line end or a control character" in shown) == (3, False, True)


def test_the_token_is_typed_without_echo_or_comes_from_standard_input(desk: Shell, zitadel: Emulator) -> None:
    typed, when = f"{ADMIN.pat}\n", f"for {zitadel.url} (ZITADEL_DOMAIN in the environment), not shown: "
    assert desk(*DRY, "--admin-pat", "-", stdin=typed, ZITADEL_ADMIN_PAT="x").code == 0
    for option, exported in (((), ""), (("--admin-pat",), "x")):
        status, shown = at_terminal(desk, *DRY, *option, when=when, typed=typed, ZITADEL_ADMIN_PAT=exported)
        assert (status, ADMIN.pat in shown) == (0, False), shown
    status, shown = at_terminal(desk, *YES, ZITADEL_ADMIN_PAT="")
    assert (status, "ZITADEL_ADMIN_PAT is not set" in shown) == (3, True), "with --yes nothing is asked"
    typed = f"zdemo serve --emulator\n{zitadel.url}\n"
    status, shown = at_terminal(desk, *DRY, when="zitadel.cloud): ", typed=typed, ZITADEL_DOMAIN="")
    assert (status, shown.count("zitadel.cloud): "), "has a space inside" in shown) == (0, 2, True), "asked again"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--role", "a,b"), "--role"),
        (("--auth", "none"), "--auth"),
        (("--teardown", "--yes", "--rotate-secret"), "--rotate-secret"),
    ],
)
def test_a_wrong_command_line_is_named(desk: Shell, arguments: tuple[str, ...], named: str) -> None:
    ran = desk("setup", *arguments)
    assert (ran.code, is_two_lines(ran), named in ran.err) == (2, True, True)


# --- secrets


def test_yes_alone_never_replaces_a_secret(desk: Shell, zitadel: Emulator) -> None:
    restart = "restart zdemo serve to pick up the new settings"
    assert restart not in desk(*YES).out
    secret = env_of(desk)["CLIENT_SECRET"]
    update_dotenv(desk.folder / ".env", {"CLIENT_SECRET": None})
    ran = desk(*YES)
    assert (ran.code, "only once" in ran.err, "--rotate-secret" in ran.err) == (1, True, True)
    assert [a.secret for a in zitadel.world.applications.values() if a.name == "own-api"] == [secret]
    dry = desk(*DRY)
    assert (dry.code, "--rotate-secret" in dry.err) == (0, True)
    ran = desk(*YES, "--rotate-secret")
    assert (ran.code, restart in ran.out) == (0, True)
    assert env_of(desk)["CLIENT_SECRET"] != secret


@pytest.mark.parametrize(("word", "code"), [("yes\n", 0), ("y\n", 1)])
def test_a_typed_yes_creates_one(desk: Shell, word: str, code: int) -> None:
    """And then the plan is asked about, too."""
    desk(*YES)
    update_dotenv(desk.folder / ".env", {"CLIENT_SECRET": None})
    status, shown = at_terminal(desk, "setup", *OWN, when="[type yes]", typed=word + "y\n")
    assert status == code, shown
    assert ("CLIENT_SECRET" in env_of(desk)) == (code == 0)


@pytest.mark.parametrize(("text", "options"), [(emulator_text(), ()), (MINE, KEY)], ids=["example", "mine"])
def test_the_file_is_as_before_after_setup_and_teardown(desk: Shell, text: str, options: tuple[str, ...]) -> None:
    (desk.folder / ".env").write_text(text)
    ran = desk(*YES, *options)
    assert ran.code == 0, ran.all
    assert "your previous values are saved; --teardown restores them" in " ".join(ran.out.split())
    assert desk("introspect", "--require", "read:messages", "-q").code == 0
    down = desk(*TEARDOWN)
    assert (down.code, "your previous values" in down.out) == (0, True)
    assert re.search(r"PAT.* restored$", down.err, re.MULTILINE)
    assert (desk.folder / ".env").read_text() == text


# --- the emulator's settings in .env, and the ZITADEL that is meant


@pytest.mark.parametrize("options", [("--yes",), ("--dry-run",)])
def test_the_emulators_settings_do_not_tell_which_zitadel_is_meant(bare: Shell, options: tuple[str, ...]) -> None:
    (bare.folder / ".env").write_text(emulator_text())
    ran = bare("setup", *options)
    assert (ran.code, ran.out, files_of(bare.folder)) == (2, "", [".env"])
    assert ran.lines == [
        "error: .env has the emulator's settings, so it is not clear which ZITADEL to set up",
        "hint:  add --domain, for example --domain https://my-instance-abc123.zitadel.cloud; the emulator is --domain "
        "http://localhost:8484",
    ]
    bare.dotenv(ZITADEL_ADMIN_PAT=ADMIN.pat)
    assert "ZITADEL_DOMAIN is not set" in bare("setup", "--yes").lines[0], "the emulator's PAT has no address"


def test_the_emulator_or_another_zitadel_may_be_meant_and_is_asked_for_once(bare: Shell, zitadel: Emulator) -> None:
    text = emulator_text(int(zitadel.url.rpartition(":")[2]))
    (bare.folder / ".env").write_text(text)
    which = f".env has the emulator's settings. Which ZITADEL do you want to set up? [{zitadel.url}] "
    for typed in (f"{zitadel.url}\nn\n", "\nn\n"):
        code, screen = at_terminal(bare, "setup", when=which, typed=typed)
        assert (code, f"{zitadel.url} as zdemo-admin" in screen) == (0, True)
    ran = bare(*DRY, ZITADEL_DOMAIN=zitadel.url)
    assert (ran.code, f"{zitadel.url} as zdemo-admin" in ran.out) == (0, True)
    assert (bare.folder / ".env").read_text() == text
    assert bare(*YES, "--domain", zitadel.url).code == 0
    ran = bare(*YES)
    assert (ran.code, "no changes" in ran.out) == (0, True)


def test_the_emulators_public_values_are_not_sent_elsewhere(bare: Shell) -> None:
    """To a ZITADEL at another host, which a proxy on this machine stands for."""
    (bare.folder / ".env").write_text(emulator_text())
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
        assert bare(*TEARDOWN, *domain, **env, ZITADEL_ADMIN_PAT=pat).code == 0
    assert (bare.folder / ".env").read_text() == emulator_text()


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
        saved = " ".join(read_state(tmp_path / ".env").previous.values())
        assert all(value in saved or value in env_of(desk).values() for value in MY_VALUES)
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
            assert second(*DRY).code == 0
            go.set()
            assert first.wait(LONGEST_SECONDS) == 0
        assert read_state(tmp_path / ".env").project_id in held.world.projects


def test_of_two_setups_with_the_same_names_one_explains_and_goes_on_later(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    both, left = threading.Barrier(2, timeout=LONGEST_SECONDS), iter(range(2))

    def racing(environ: Environ, start_response: StartResponse, inner: App) -> Iterable[bytes]:
        if environ["PATH_INFO"].endswith("/CreateProject") and next(left, None) is not None:
            both.wait()
        return inner(environ, start_response)

    with emulated(racing) as zitadel:
        before = names_of(zitadel)
        one, other = (desk_of(tmp_path / name, zitadel.url) for name in ("one", "other"))
        users = ("--reader-name", "other-reader", "--visitor-name", "other-visitor")
        with one.running(*YES) as first, other.running(*YES, *users) as second:
            ended = [(p.communicate(timeout=LONGEST_SECONDS)[1], p.returncode) for p in (first, second)]
        assert sorted(code for _, code in ended) == [0, 1]
        winner, loser = (one, other) if ended[0][1] == 0 else (other, one)
        err = unbroken(max(ended, key=lambda end: end[1])[0])
        assert "error: project own did not exist when this setup began; somebody else created it" in err
        state = read_state(loser.folder / ".env")
        for user_id in (state.reader_id, state.visitor_id):
            assert f"({user_id})" in err.partition("hint:")[2]
        assert sorted(set(names_of(zitadel))) == names_of(zitadel), "nothing is there twice"
        more = users if loser is other else ()
        assert "choose another --app-name" in loser(*YES, *more).lines[-1]
        assert loser(*YES, *more, "--app-name", "second-api").code == 0
        assert all(shell("introspect", "--require", "read:messages", "-q").code == 0 for shell in (one, other))
        assert [shell(*TEARDOWN).code for shell in (loser, winner)] == [0, 0]
        assert (names_of(zitadel), files_of(tmp_path)) == (before, [])


# --- another ZITADEL


def test_the_state_of_another_zitadel_is_not_touched(desk: Shell, zitadel: Emulator) -> None:
    known = names_of(zitadel)
    desk(*YES)
    made, path = names_of(zitadel), desk.folder / ".env"
    text = path.read_bytes()
    with emulate() as another:
        for arguments in (YES, TEARDOWN):
            ran = desk(*arguments, ZITADEL_DOMAIN=another.url)
            assert (ran.code, f"belongs to the ZITADEL at {zitadel.url}" in ran.err) == (1, True)
            assert f"--domain {zitadel.url}, or use another --env-file" in ran.err
        assert (names_of(zitadel), names_of(another), path.read_bytes()) == (made, known, text)
    write_state(path, replace(read_state(path), zitadel="https://old.example"))
    assert desk(*TEARDOWN).code == 0, "it is the same one at another address"
    assert names_of(zitadel) == known


# --- teardown


def test_teardown_shows_asks_and_removes(desk: Shell, zitadel: Emulator) -> None:
    before = names_of(zitadel)
    desk(*YES)
    made = names_of(zitadel)
    assert desk("setup", "--teardown").code == 2
    dry = desk("setup", "--teardown", "--dry-run")
    assert (dry.code, "zdemo-reader" in dry.out) == (0, True)
    assert dry.out.startswith(f"{zitadel.url} as zdemo-admin (IAM_OWNER, ORG_OWNER)\n")
    for more in ((), ("--json",)):
        status, shown = at_terminal(desk, "setup", "--teardown", *more, when="[y/N]", typed="n\n")
        assert (status, "nothing was changed" in shown, '"changed": false' in shown) == (0, True, bool(more))
    assert names_of(zitadel) == made
    assert at_terminal(desk, "setup", "--teardown", when="[y/N]", typed="y\n")[0] == 0
    assert (names_of(zitadel), list(desk.folder.iterdir())) == (before, [])
    bare = {"ZITADEL_DOMAIN": "", "ZITADEL_ADMIN_PAT": ""}
    again = desk(*TEARDOWN, **bare)
    assert (again.code, "nothing to remove" in again.out) == (0, True), "it needs no settings"
    assert not desk(*TEARDOWN, "--json", **bare).document["changed"]


def test_what_others_added_stops_teardown_also_with_yes(desk: Shell, zitadel: Emulator) -> None:
    before = names_of(zitadel)
    desk(*YES)
    world, project_id = zitadel.world, read_state(desk.folder / ".env").project_id
    shop = world.add_application(world.projects[project_id], "shop", "api", "API_AUTH_METHOD_TYPE_BASIC").id
    made, env = names_of(zitadel), (desk.folder / ".env").read_bytes()
    ran = desk(*TEARDOWN)
    assert (ran.code, len(ran.lines)) == (1, 2)
    assert f"others added to what setup created: application shop ({shop}); nothing was removed" in ran.lines[0]
    assert f"application shop ({shop}) not setup's" in [" ".join(line.split()) for line in ran.out.splitlines()]
    dry = desk("setup", "--teardown", "--dry-run", "--json")
    assert (dry.code, dry.document["added_by_others"]) == (0, [{"what": "application", "name": f"shop ({shop})"}])
    assert "note: --teardown stops here: others added" in dry.err
    assert (names_of(zitadel), (desk.folder / ".env").read_bytes()) == (made, env)
    world.remove_project(world.projects[project_id])
    assert desk(*TEARDOWN).code == 0
    assert (names_of(zitadel), list(desk.folder.iterdir())) == (before, [])


def test_what_others_add_while_the_question_is_open_stops_teardown(desk: Shell, zitadel: Emulator) -> None:
    desk(*YES)
    made = names_of(zitadel)

    def late() -> str:
        zitadel.world.add_role(zitadel.world.projects[read_state(desk.folder / ".env").project_id], "editor", "Editor")
        return "y\n"

    status, shown = at_terminal(desk, "setup", "--teardown", when="[y/N]", typed=late)
    assert (status, names_of(zitadel)) == (1, made)
    assert "others added to what setup created: role editor; nothing was removed" in " ".join(shown.split())


def test_an_owner_cannot_delete_an_application_in_somebody_elses_project(desk: Shell, zitadel: Emulator) -> None:
    home = next(iter(zitadel.world.organizations))
    zitadel.world.administrators.clear()
    zitadel.world.add_administrator(ADMIN.id, ("organization", home), ["ORG_OWNER"])
    assert desk("setup", "--yes", "--app-name", "own-api").code == 0
    ran = desk(*TEARDOWN)
    assert (ran.code, "IAM_OWNER" in ran.err) == (1, True)
    assert "not everything is removed: application own-api" in ran.err
    zitadel.world.add_administrator(ADMIN.id, ("instance", ""), ["IAM_OWNER"])
    assert desk(*TEARDOWN).code == 0
    assert "own-api" not in names_of(zitadel)


# --- what stands in the way


IN_THE_WAY: dict[str, tuple[str, str, bytes, int, str]] = {
    "/zitadel.project": ("404 Not Found", "application/json", b'{"code":5,"message":"Not Found"}', 1, "too old"),
    "/oidc": ("429 Too Many Requests", "text/plain", b"Your ZITADEL instance is blocked.", 4, "429"),
    "/": ("200 OK", "text/html", b"<html>", 4, "correct --domain"),
}


@pytest.mark.parametrize("path", IN_THE_WAY)
def test_what_is_not_a_usable_zitadel_is_said(path: str, bare: Shell) -> None:
    """Each refusal by itself is in tests/management."""
    status, media_type, body, code, words = IN_THE_WAY[path]

    def answer(environ: Environ, start_response: StartResponse, inner: App) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(path):
            return inner(environ, start_response)
        start_response(status, [("Content-Type", media_type), ("Content-Length", str(len(body)))])
        return [body]

    with emulated(answer) as zitadel:
        ran = bare("setup", "--dry-run", "--domain", zitadel.url, ZITADEL_ADMIN_PAT=ADMIN.pat)
    assert (ran.code, words in ran.err, ran.lines[-1][:5]) == (code, True, "hint:"), ran.all


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--teardown",)])
def test_a_missing_folder_is_said_first(desk: Shell, options: tuple[str, ...]) -> None:
    ran = desk("setup", *options, "--env-file", "missing/.env", ZITADEL_DOMAIN="")
    assert (ran.code, ran.lines[0]) == (3, "error: missing/.env cannot be written: there is no folder missing")
    (desk.folder / ".env").mkdir()
    ran = desk("setup", *options)
    assert (ran.code, ran.lines[0]) == (3, "error: .env is a folder, not a file")


def test_a_read_only_file_is_refused_before_anything_is_created_or_removed(desk: Shell, zitadel: Emulator) -> None:
    path, before = desk.folder / ".env", names_of(zitadel)
    path.write_text("A=1\n")
    path.chmod(0o400)
    refusal = ["error: .env is read-only (mode 0400)", "hint:  if it may be changed: chmod u+w .env"]
    ran = desk(*YES)
    assert (ran.code, ran.lines[-2:]) == (3, refusal)
    assert (names_of(zitadel), files_of(desk.folder)) == (before, [".env"])
    path.chmod(0o600)
    assert desk(*YES).code == 0
    path.chmod(0o400)
    assert desk(*YES).code == 0, "there is nothing to write"
    ran = desk(*TEARDOWN)
    assert (ran.code, ran.lines[-2:], "own" in names_of(zitadel)) == (3, refusal, True)


def test_a_link_out_of_the_folder_is_followed_only_by_a_person_who_sees_where_it_leads(
    zitadel: Emulator, tmp_path: Path
) -> None:
    """A copied folder could make setup change a file elsewhere."""
    target, folder, before = tmp_path / "real.env", tmp_path / "copied", names_of(zitadel)
    target.write_text("A=1\n")
    target.chmod(0o640)
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
    text = " ".join(shown.split())
    assert (status, f".env is a link to {target}, which would be changed. Make these changes?" in text) == (0, True)
    assert "warning: .env holds secrets, and its group can read it (mode 0640): chmod 600 .env" in text
    assert "CLIENT_ID=" in target.read_text()
    assert desk(*TEARDOWN).code == 2
    assert desk(*TEARDOWN, "--env-file", str(target)).code == 0
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode), names_of(zitadel)) == ("A=1\n", 0o640, before)


# --- warnings


def test_a_variable_in_the_environment_that_hides_what_is_written_is_named(desk: Shell) -> None:
    ran = desk(*YES, PAT="another", CLIENT_ID=CLIENT_ID)
    assert ran.code == 0, ran.all
    assert all(f"unset {name}" in ran.err for name in ("PAT", "CLIENT_ID"))


@needs_git
def test_secrets_that_git_has_or_would_take_are_said(desk: Shell) -> None:
    def said(*arguments: str) -> list[str]:
        return [line for line in desk(*arguments).lines if "git" in line]

    words = (
        "warning: git does not ignore files with secrets: add to .gitignore: {} (and git rm --cached what it tracks)"
    )
    assert said(*DRY) == []
    repository(desk.folder)
    assert said(*DRY) == [words.format(".env")]
    assert said(*DRY, *KEY) == [words.format(".env, own-api.key.json")]
    (desk.folder / ".gitignore").write_text(".env\n*.key.json\n")
    assert said(*YES, *KEY) == []
    git(desk.folder, "add", "-f", ".env")
    assert said(*DRY) == [words.format(".env")]
    (desk.folder / ".git" / "index").write_bytes(b"not an index")
    assert said(*DRY) == []
