"""``zdemo setup``: as a person runs it, as a script runs it, killed, and each way in which it can be told no."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import BASE, LONGEST_SECONDS, Ran, Shell, is_two_lines
from tests.support.terminal import at_terminal
from tests.support.upstream import refusing_port
from zdemo.config.dotenv_file import read_dotenv, update_dotenv
from zdemo.emulator import (
    ADMIN,
    APPLICATION_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    PROJECT_ID,
    VISITOR,
    Emulator,
    create_app,
    emulate,
    known_world,
)
from zdemo.provisioning.names import NOTES, SETTINGS
from zdemo.serving.embedded import serving

OWN = ("--project-name", "own", "--app-name", "own-api")  # nothing of the emulator's known world
YES = ("setup", "--yes", *OWN)
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


@pytest.fixture
def zitadel() -> Iterator[Emulator]:
    with emulate() as emulator:
        yield emulator


@pytest.fixture
def desk(zitadel: Emulator, tmp_path: Path) -> Shell:
    """A folder without ``.env``; where ZITADEL is, and the administrator's token, are exported."""
    return Shell(folder=tmp_path, env={"ZITADEL_DOMAIN": zitadel.url, "ZITADEL_ADMIN_PAT": ADMIN.pat})


def env_of(shell: Shell) -> dict[str, str]:
    return read_dotenv(shell.folder / ".env")


def names_of(zitadel: Emulator) -> list[str]:
    """Of all that setup might make."""
    world = zitadel.world
    users = [user.username for user in world.users.values()]
    return sorted([*users, *(p.name for p in world.projects.values()), *(a.name for a in world.applications.values())])


# --- a first run


def test_a_first_run_shows_the_plan_and_the_proof(desk: Shell) -> None:
    ran = desk.anew(*YES)
    assert ran.code == 0, ran.all
    assert "as zdemo-admin (IAM_OWNER, ORG_OWNER)" in ran.out
    rows = {line[2:18].strip(): line for line in ran.out.splitlines() if line.startswith("  ")}
    assert rows["project"].split()[-2:] == ["own", "create"]
    assert "own-api (Basic)" in rows["application"]
    assert "PAT, ZDEMO_VISITOR_PAT" in ran.out
    assert re.search(r"ZITADEL shows read:messages for zdemo-reader and not for\s+zdemo-visitor", ran.out)
    assert ran.out.rstrip().endswith("zdemo call scoped")
    assert max(map(len, ran.out.splitlines())) <= 80


def test_progress_is_told_on_standard_error(desk: Shell) -> None:
    ran = desk(*YES)
    assert [line.split(":")[0] for line in ran.lines][:3] == [
        "service user zdemo-reader",
        "service user zdemo-visitor",
        "project own",
    ]


def test_the_file_works_for_the_other_commands(desk: Shell) -> None:
    desk(*YES)
    reader = desk("introspect", "--require", "read:messages", "-q", ZITADEL_ADMIN_PAT="")
    visitor = desk("introspect", "--require", "read:messages", "-q", PAT=env_of(desk)["ZDEMO_VISITOR_PAT"])
    assert (reader.code, visitor.code) == (0, 1)


def test_a_second_run_says_that_there_is_nothing_to_change(desk: Shell) -> None:
    desk(*YES)
    before = (desk.folder / ".env").read_bytes()
    ran = desk("setup")
    assert ran.code == 0
    assert "nothing to change" in ran.out
    assert "create" not in ran.out
    assert (desk.folder / ".env").read_bytes() == before


def test_the_plan_alone_changes_nothing(desk: Shell, zitadel: Emulator) -> None:
    before = names_of(zitadel)
    ran = desk("setup", "--dry-run", *OWN)
    assert ran.code == 0
    assert "nothing was changed" in ran.err
    assert names_of(zitadel) == before
    assert list(desk.folder.iterdir()) == []


def test_json_is_one_document(desk: Shell) -> None:
    dry = desk("setup", "--dry-run", "--json", *OWN).document
    done = desk(*YES, "--json").document
    again = desk(*YES, "--json").document
    assert [(d["dryRun"], d["changed"]) for d in (dry, done, again)] == [(True, False), (False, True), (False, False)]
    assert dry["steps"] == done["steps"]
    assert {step["action"] for step in again["steps"]} == {"leave"}
    assert done["shownAfterMilliseconds"] >= 0


def test_an_env_file_of_another_name_is_made_and_the_usual_one_left_alone(desk: Shell) -> None:
    (desk.folder / ".env").write_text("PAT=other\n")
    assert desk(*YES, "--env-file", "deep.env").code == 0
    assert (desk.folder / ".env").read_text() == "PAT=other\n"
    assert "PAT" in read_dotenv(desk.folder / "deep.env")


def test_a_key_file_is_written_beside_it(desk: Shell) -> None:
    ran = desk(*YES, "--auth", "private-key-jwt")
    assert ran.code == 0, ran.all
    assert env_of(desk)["ZITADEL_KEY_FILE"] == "own-api.key.json"
    assert desk("introspect", "--require", "read:messages", "-q").code == 0
    assert "nothing to change" in desk("setup").out


def test_no_secret_is_ever_shown(desk: Shell) -> None:
    runs = [desk(*YES), desk("setup"), desk("setup", "--rotate-secret", "--yes"), desk("setup", "--json")]
    env = env_of(desk)
    runs += [desk("setup", "--teardown", "--dry-run"), desk("setup", "--teardown", "--yes")]
    for secret in (env["PAT"], env["ZDEMO_VISITOR_PAT"], env["CLIENT_SECRET"], ADMIN.pat):
        assert not any(secret in ran.all for ran in runs)
    assert ADMIN.pat not in (desk.folder / ".env").read_text()


# --- asking


def test_a_script_that_did_not_say_yes_is_told_how(desk: Shell, zitadel: Emulator) -> None:
    before = names_of(zitadel)
    ran = desk("setup", *OWN)
    assert ran.code == 2
    assert "--yes" in ran.lines[-1]
    assert names_of(zitadel) == before


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 1), ("n\n", 1)])
def test_a_person_is_asked(desk: Shell, zitadel: Emulator, answer: str, code: int) -> None:
    before = names_of(zitadel)
    status, seen = at_terminal(desk, "setup", *OWN, when="[y/N]", typed=answer)
    assert status == code, seen
    assert (names_of(zitadel) == before) == (code == 1)
    assert ("nothing was changed" in seen) == (code == 1)


def test_a_person_is_asked_for_the_token_without_echo(desk: Shell) -> None:
    env = {"ZITADEL_ADMIN_PAT": ""}
    status, seen = at_terminal(desk, "setup", "--dry-run", *OWN, when="not shown): ", typed=f"{ADMIN.pat}\n", **env)
    assert status == 0, seen
    assert ADMIN.pat not in seen


def test_who_wants_no_questions_is_not_asked_for_the_token_either(desk: Shell) -> None:
    status, seen = at_terminal(desk, "setup", "--yes", *OWN, ZITADEL_ADMIN_PAT="")
    assert status == 3, seen
    assert "ZITADEL_ADMIN_PAT is not set" in seen


def test_a_bare_option_at_the_end_asks_too(desk: Shell) -> None:
    status, seen = at_terminal(
        desk, "setup", "--dry-run", *OWN, "--admin-pat", when="token: ", typed=f"{ADMIN.pat}\n", ZITADEL_ADMIN_PAT="x"
    )
    assert status == 0, seen
    assert desk("setup", "--admin-pat").code == 2


def test_the_token_may_come_from_standard_input(desk: Shell) -> None:
    assert desk("setup", "--dry-run", "--admin-pat", "-", stdin=f"{ADMIN.pat}\n", ZITADEL_ADMIN_PAT="").code == 0
    assert desk("setup", "--admin-pat", "--yes").code == 2


def test_the_domain_may_be_asked_for_and_shows(desk: Shell, zitadel: Emulator) -> None:
    status, seen = at_terminal(
        desk,
        "setup",
        "--dry-run",
        *OWN,
        when="zitadel.cloud): ",
        typed=f"{zitadel.url}\n",
        ZITADEL_DOMAIN="",
    )
    assert status == 0, seen
    assert seen.count(zitadel.url) >= 2


def test_what_is_missing_is_said_all_at_once(bare: Shell) -> None:
    ran = bare("setup")
    assert ran.code == 3
    assert is_two_lines(ran) or len(ran.lines) == 3
    assert "ZITADEL_DOMAIN" in ran.err
    assert "ZITADEL_ADMIN_PAT" in ran.err


# --- secrets that cannot be read back


def test_yes_alone_never_makes_a_new_secret(desk: Shell, zitadel: Emulator) -> None:
    desk(*YES)
    env, before = env_of(desk), (desk.folder / ".env").read_text()
    (desk.folder / ".env").write_text(before.replace(f"CLIENT_SECRET={env['CLIENT_SECRET']}\n", ""))
    ran = desk("setup", "--yes")
    assert ran.code == 1
    assert "only once" in ran.err
    assert "--rotate-secret" in ran.err
    assert [a.secret for a in zitadel.world.applications.values() if a.name == "own-api"] == [env["CLIENT_SECRET"]]
    assert desk("setup", "--yes", "--rotate-secret").code == 0
    assert env_of(desk)["CLIENT_SECRET"] != env["CLIENT_SECRET"]


@pytest.mark.parametrize(("word", "code"), [("yes\n", 0), ("y\n", 1), ("\n", 1)])
def test_a_typed_yes_makes_one(desk: Shell, word: str, code: int) -> None:
    """And then the plan is asked about, too."""
    desk(*YES)
    update_dotenv(desk.folder / ".env", {"CLIENT_SECRET": None})
    status, seen = at_terminal(desk, "setup", when="[type yes]", typed=word + "y\n")
    assert status == code, seen
    assert ("CLIENT_SECRET" in env_of(desk)) == (code == 0)


def test_an_application_that_is_there_and_known_is_used(desk: Shell) -> None:
    """The emulator's own, with the values of ``.env.example``."""
    shutil.copy(Path(__file__).parents[2] / ".env.example", desk.folder / ".env")
    ran = desk("setup", "--yes", "--project-name", "zdemo", "--app-name", "emulator-api")
    if "only once" in ran.err:  # the known application has another name
        pytest.fail(ran.err)
    assert ran.code == 0, ran.all


# --- killed


@contextmanager
def killing(kill_at: int) -> Iterator[tuple[Emulator, list[int]]]:
    """An emulator that, once it has done the change of this number, kills the process in the list and answers nothing.

    The list is empty at first, and nothing is killed.
    """
    world, changes = known_world(), 0
    victims: list[int] = []
    inner = create_app(world)

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        nonlocal changes
        answer = inner(environ, start_response)
        name = environ["PATH_INFO"].rpartition("/")[2]
        if environ["PATH_INFO"].startswith("/zitadel.") and not name.startswith(("Get", "List")):
            changes += 1
            if changes == kill_at and victims:
                os.kill(victims[0], signal.SIGKILL)
        return answer

    with serving(app) as port:
        yield Emulator(url=f"http://localhost:{port}", world=world), victims


@pytest.mark.parametrize("kill_at", range(1, 9))
def test_a_run_that_is_killed_is_completed_by_the_next(kill_at: int, tmp_path: Path) -> None:
    with killing(kill_at) as (zitadel, victims):
        desk = Shell(folder=tmp_path, env={"ZITADEL_DOMAIN": zitadel.url, "ZITADEL_ADMIN_PAT": ADMIN.pat})
        assert killed(desk, victims) == -signal.SIGKILL
        victims.clear()
        known = set(names_of(zitadel)) - {"own", "own-api", "zdemo-reader", "zdemo-visitor"}
        ran = desk(*YES)
        assert ran.code == 0, ran.all
        assert set(names_of(zitadel)) - known == {"own", "own-api", "zdemo-reader", "zdemo-visitor"}
        third = desk("setup")
        assert third.code == 0
        assert "nothing to change" in third.out
        for user in zitadel.world.users.values():
            assert len(user.pats) == 1
        assert [p.name for p in tmp_path.iterdir()] == [".env"]
        assert desk("setup", "--teardown", "--yes").code == 0
        assert set(names_of(zitadel)) == known


def killed(desk: Shell, victims: list[int], *arguments: str) -> int:
    """The exit status of a run that the emulator kills; it holds the process until it knows whom to kill."""
    process = subprocess.Popen(  # noqa: S603  # the program under test
        [sys.executable, "-m", "zdemo", *YES, *arguments],
        cwd=desk.folder,
        env={**BASE, **desk.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    victims.append(process.pid)
    return process.wait(LONGEST_SECONDS)


# --- teardown


def test_teardown_shows_asks_and_removes(desk: Shell, zitadel: Emulator) -> None:
    before = names_of(zitadel)
    (desk.folder / ".env").write_text("# mine\n\nA=1\n")
    desk(*YES)
    made = names_of(zitadel)
    assert desk("setup", "--teardown").code == 2
    dry = desk("setup", "--teardown", "--dry-run")
    assert dry.code == 0
    assert "zdemo-reader" in dry.out
    assert at_terminal(desk, "setup", "--teardown", when="[y/N]", typed="n\n")[0] == 1
    assert names_of(zitadel) == made
    assert at_terminal(desk, "setup", "--teardown", when="[y/N]", typed="y\n")[0] == 0
    assert names_of(zitadel) == before
    assert (desk.folder / ".env").read_text() == "# mine\n\nA=1\n"
    again = desk("setup", "--teardown", "--yes")
    assert (again.code, "nothing to remove" in again.out) == (0, True)


def test_teardown_as_json(desk: Shell) -> None:
    desk(*YES)
    document = desk("setup", "--teardown", "--yes", "--json").document
    assert document["changed"]
    assert [row["what"] for row in document["removed"]] == [
        "service user",
        "service user",
        "application",
        "project",
    ]
    assert set(document["lines"]) <= {*SETTINGS, *NOTES}


def test_an_owner_cannot_delete_an_application_in_somebody_elses_project(desk: Shell, zitadel: Emulator) -> None:
    zitadel.world.administrators.clear()
    zitadel.world.add_administrator(ADMIN.id, ("organization", _home(zitadel)), ["ORG_OWNER"])
    assert desk("setup", "--yes", "--project-name", "zdemo", "--app-name", "own-api").code == 0
    ran = desk("setup", "--teardown", "--yes", "--project-name", "zdemo")
    assert ran.code == 1
    assert "IAM_OWNER" in ran.err
    zitadel.world.add_administrator(ADMIN.id, ("instance", ""), ["IAM_OWNER"])
    assert desk("setup", "--teardown", "--yes", "--project-name", "zdemo").code == 0
    assert "own-api" not in names_of(zitadel)
    assert (desk.folder / ".env").read_text() == ""


def _home(zitadel: Emulator) -> str:
    return next(iter(zitadel.world.organizations))


# --- what stands in the way


@contextmanager
def answering(path: str, status: str, media_type: str, body: bytes) -> Iterator[str]:
    """The emulator, but for paths that begin so."""
    inner = create_app(known_world())

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(path):
            return inner(environ, start_response)
        start_response(status, [("Content-Type", media_type), ("Content-Length", str(len(body)))])
        return [body]

    with serving(app) as port:
        yield f"http://localhost:{port}"


BLOCKED = b'{"code":"resource_exhausted","message":"Errors.Limits.Instance.Blocked (LIMITS-molsj)"}'
UNKNOWN = b'{"code":5,"message":"Not Found"}'
UNIMPLEMENTED = b'{"code":"unimplemented","message":"not implemented"}'
IN_THE_WAY: list[tuple[str, tuple[str, str, bytes], int, str]] = [
    ("/zitadel.project", ("404 Not Found", "application/json", UNKNOWN), 1, "too old"),
    ("/zitadel.application", ("404 Not Found", "application/json", UNKNOWN), 1, "too old"),
    ("/zitadel.project", ("501 Not Implemented", "application/json", UNIMPLEMENTED), 1, "too old"),
    ("/zitadel.project", ("404 Not Found", "text/plain", b"404 page not found"), 1, "too old"),
    ("/zitadel.project", ("429 Too Many Requests", "application/json", BLOCKED), 4, "429"),
    ("/oidc", ("429 Too Many Requests", "text/plain", b"Your ZITADEL instance is blocked."), 4, "429"),
    ("/", ("200 OK", "text/html", b"<html>"), 4, "ZITADEL_DOMAIN"),
    ("/", ("502 Bad Gateway", "text/html", b"<html>"), 4, "502"),
]


@pytest.mark.parametrize(
    ("path", "answer", "code", "words"), IN_THE_WAY, ids=[f"{row[1][0][:3]} {row[0]}" for row in IN_THE_WAY]
)
def test_what_is_no_zitadel_or_none_for_us_is_said(
    path: str, answer: tuple[str, str, bytes], code: int, words: str, bare: Shell
) -> None:
    with answering(path, *answer) as url:
        ran = bare("setup", "--dry-run", "--domain", url, ZITADEL_ADMIN_PAT=ADMIN.pat)
    assert ran.code == code, ran.all
    assert words in ran.err
    assert ran.lines[-1].startswith("hint:")


def test_nobody_there_and_a_wrong_name_are_told_apart(desk: Shell, zitadel: Emulator) -> None:
    with refusing_port() as port:
        nobody = desk("setup", "--yes", "--domain", f"http://localhost:{port}")
    assert (nobody.code, "refuses connections" in nobody.err) == (4, True)
    wrong = desk("setup", "--yes", "--domain", zitadel.url.replace("localhost", "127.0.0.1"))
    assert wrong.code == 4
    assert "localhost" in wrong.err


def test_a_token_without_a_membership_and_a_dead_one_are_told_apart(desk: Shell) -> None:
    stranger = desk("setup", "--yes", *OWN, ZITADEL_ADMIN_PAT=VISITOR.pat)
    dead = desk("setup", "--yes", *OWN, ZITADEL_ADMIN_PAT="x" * 71)
    assert (stranger.code, dead.code) == (1, 1)
    assert "not an administrator" in stranger.err
    assert "ORG_OWNER" in stranger.err
    assert "is not valid" in dead.err


def test_a_role_that_is_too_small_is_told_before_anything_is_made(desk: Shell, zitadel: Emulator) -> None:
    zitadel.world.administrators.clear()
    zitadel.world.add_administrator(ADMIN.id, ("organization", _home(zitadel)), ["ORG_USER_MANAGER"])
    before = names_of(zitadel)
    ran = desk(*YES)
    assert ran.code == 1
    assert "project.create" in ran.err
    assert names_of(zitadel) == before


def test_a_zitadel_that_was_set_up_anew_is_filled_again(desk: Shell, tmp_path: Path) -> None:
    desk(*YES)
    with emulate() as another:
        update_dotenv(tmp_path / ".env", {"ZITADEL_DOMAIN": another.url})
        ran = desk(*YES, ZITADEL_DOMAIN="")
        assert ran.code == 0, ran.all
        assert "own-api" in names_of(another)


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_made(desk: Shell, zitadel: Emulator) -> None:
    before = names_of(zitadel)
    ran = desk(*YES, "--env-file", "missing/.env")
    assert ran.code == 3
    assert "cannot be written" in ran.err
    assert names_of(zitadel) == before


def test_a_wrong_wish_is_a_wrong_command_line(desk: Shell) -> None:
    ran = desk("setup", "--role", "a,b")
    assert ran.code == 2
    assert is_two_lines(ran)
    assert desk("setup", "--auth", "none").code == 2


# --- warnings


def test_a_variable_in_the_environment_that_hides_what_is_written_is_named(desk: Shell) -> None:
    ran = desk(*YES, PAT="another", CLIENT_ID=CLIENT_ID, CLIENT_SECRET=CLIENT_SECRET)
    assert ran.code == 0, ran.all
    for name in ("PAT", "CLIENT_ID", "CLIENT_SECRET"):
        assert f"unset {name}" in ran.err


def _git(folder: Path, *arguments: str) -> None:
    git = shutil.which("git")
    assert git
    subprocess.run([git, *arguments], cwd=folder, check=True, capture_output=True, env={"HOME": str(folder)})  # noqa: S603  # git of this machine


def _warning(ran: Ran) -> str:
    return next((line for line in ran.lines if line.startswith("warning: git")), "")


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here to warn about")
def test_git_that_would_take_the_file_is_warned_of(desk: Shell) -> None:
    path = os.path.dirname(shutil.which("git") or "")
    dry = ("setup", "--dry-run", *OWN)
    assert _warning(desk(*dry, PATH=path)) == ""
    _git(desk.folder, "init", "-q")
    assert "would track" in _warning(desk(*dry, PATH=path))
    (desk.folder / ".env").write_text("A=1\n")
    _git(desk.folder, "add", ".env")
    assert "tracks" in _warning(desk(*dry, PATH=path))
    _git(desk.folder, "rm", "-q", "--cached", ".env")
    (desk.folder / ".gitignore").write_text(".env\n")
    assert _warning(desk(*dry, PATH=path)) == ""


def test_the_known_world_holds_what_these_tests_assume() -> None:
    world = known_world()
    assert world.applications[APPLICATION_ID].project_id == PROJECT_ID
