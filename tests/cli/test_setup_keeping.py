"""``zdemo setup`` loses nothing: a person's values, what may be in use elsewhere, and the proof of what it made."""

from __future__ import annotations

import base64
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_setup import killed, killing
from tests.support.cli import Shell
from tests.support.terminal import at_terminal
from zdemo.config.dotenv_file import read_dotenv, update_dotenv
from zdemo.emulator import ADMIN, Emulator, emulate
from zdemo.management.client import ManagementClient
from zdemo.management.resources import ask
from zdemo.provisioning.names import APPLICATION_ID, PROJECT_ID, WROTE

OWN = ("--project-name", "own", "--app-name", "own-api")  # nothing of the emulator's known world
YES = ("setup", "--yes", *OWN)
TEARDOWN = ("setup", "--teardown", "--yes")
EXAMPLE = Path(__file__).parents[2] / ".env.example"
KEY = ("--auth", "private-key-jwt")
MINE = """# mine
CLIENT_ID=1  # of my app
CLIENT_SECRET='my secret that nobody knows'
ZITADEL_KEY_FILE=mine.json # for later

export PAT="my-token"
# to come:
ZDEMO_VISITOR_PAT=
A=1
"""


@pytest.fixture
def zitadel() -> Iterator[Emulator]:
    with emulate() as emulator:
        yield emulator


@pytest.fixture
def another() -> Iterator[Emulator]:
    """A second ZITADEL."""
    with emulate() as emulator:
        yield emulator


@pytest.fixture
def desk(zitadel: Emulator, tmp_path: Path) -> Shell:
    """A folder without ``.env``; where ZITADEL is, and the administrator's token, are exported."""
    return Shell(folder=tmp_path, env={"ZITADEL_DOMAIN": zitadel.url, "ZITADEL_ADMIN_PAT": ADMIN.pat})


def env_of(desk: Shell) -> dict[str, str]:
    return read_dotenv(desk.folder / ".env")


def names_of(zitadel: Emulator) -> list[str]:
    """Of all that setup might make."""
    world = zitadel.world
    users = [user.username for user in world.users.values()]
    return sorted([*users, *(p.name for p in world.projects.values()), *(a.name for a in world.applications.values())])


def pats_of(zitadel: Emulator, name: str) -> list[str]:
    [user] = [user for user in zitadel.world.users.values() if user.username == name]
    return sorted(user.pats)


def drop(desk: Shell, *names: str) -> None:
    update_dotenv(desk.folder / ".env", dict.fromkeys(names))


# --- a person's values


def test_the_example_is_as_before_after_setup_and_teardown(desk: Shell) -> None:
    shutil.copy(EXAMPLE, desk.folder / ".env")
    ran = desk(*YES)
    assert ran.code == 0, ran.all
    assert "what was yours stays noted, and --teardown puts it back" in " ".join(ran.out.split())
    down = desk(*TEARDOWN)
    assert down.code == 0
    assert "put back" in down.out
    assert (desk.folder / ".env").read_text() == EXAMPLE.read_text()


@pytest.mark.parametrize("options", [(), KEY])
def test_values_of_a_person_come_back_with_their_comments(desk: Shell, options: tuple[str, ...]) -> None:
    (desk.folder / ".env").write_text(MINE)
    before = env_of(desk)
    assert desk(*YES, *options).code == 0
    assert desk("introspect", "--require", "read:messages", "-q").code == 0
    assert desk(*YES, *options).code == 0
    assert desk(*TEARDOWN).code == 0
    assert env_of(desk) == before
    for comment in ("# mine\n", "  # of my app\n", " # for later\n", "# to come:\n"):
        assert comment in (desk.folder / ".env").read_text()


@pytest.mark.parametrize("kill_at", range(1, 9))
def test_they_outlive_a_run_that_is_killed(kill_at: int, tmp_path: Path) -> None:
    with killing(kill_at) as (zitadel, victims):
        desk = Shell(folder=tmp_path, env={"ZITADEL_DOMAIN": zitadel.url, "ZITADEL_ADMIN_PAT": ADMIN.pat})
        (tmp_path / ".env").write_text(MINE)
        before = env_of(desk)
        assert killed(desk, victims) == -signal.SIGKILL
        victims.clear()
        assert {*before.values()} <= {*env_of(desk).values()}
        assert desk(*YES).code == 0
        assert desk(*TEARDOWN).code == 0
        assert env_of(desk) == before


def test_a_value_put_there_between_two_runs_is_kept_too(desk: Shell) -> None:
    (desk.folder / ".env").write_text("PAT=my-first\n")
    desk(*YES)
    update_dotenv(desk.folder / ".env", {"PAT": "my-second"})
    assert desk(*YES).code == 0
    assert desk(*TEARDOWN).code == 0
    assert env_of(desk)["PAT"] == "my-second"
    assert "my-first" in env_of(desk).values()


def test_a_value_put_there_after_setup_stays(desk: Shell) -> None:
    desk(*YES)
    update_dotenv(desk.folder / ".env", {"PAT": ADMIN.pat})
    assert desk(*TEARDOWN).code == 0
    assert env_of(desk) == {"PAT": ADMIN.pat}


def test_a_file_of_before_whose_list_has_names_alone_is_read(desk: Shell) -> None:
    desk(*YES)
    names = ",".join(item.partition(":")[0] for item in env_of(desk)[WROTE].split(","))
    update_dotenv(desk.folder / ".env", {WROTE: names})
    drop(desk, "ZDEMO_SETUP_ZITADEL", "ZDEMO_SETUP_PATS", "ZDEMO_SETUP_VISITOR_PATS")
    assert "nothing to change" in desk("setup").out
    assert desk(*TEARDOWN).code == 0
    assert env_of(desk) == {}


# --- what may be in use


def test_a_pat_whose_line_is_gone_stays_valid(desk: Shell, zitadel: Emulator) -> None:
    desk(*YES)
    old = env_of(desk)
    drop(desk, "PAT")
    ran = desk(*YES)
    assert ran.code == 0, ran.all
    assert "1 made before stays valid" in " ".join(ran.out.split())
    assert len(pats_of(zitadel, "zdemo-reader")) == 2
    assert desk("introspect", "--require", "read:messages", "-q", PAT=old["PAT"]).code == 0
    assert "nothing to change" in desk("setup").out
    assert desk("introspect", "--require", "read:messages", "-q", PAT=old["PAT"]).code == 0


def test_pats_of_a_user_who_is_not_setups_are_all_removed_by_teardown(desk: Shell, zitadel: Emulator) -> None:
    before = pats_of(zitadel, "reader")
    assert desk(*YES, "--reader-name", "reader").code == 0
    drop(desk, "PAT")
    assert desk(*YES, "--reader-name", "reader").code == 0
    assert len(pats_of(zitadel, "reader")) == len(before) + 2
    assert desk(*TEARDOWN, "--reader-name", "reader").code == 0
    assert pats_of(zitadel, "reader") == before


def test_a_pat_that_a_person_made_is_not_taken_for_setups(desk: Shell, zitadel: Emulator) -> None:
    """Its IDs are written down for doctor, and prove nothing."""
    before = pats_of(zitadel, "reader")
    [user] = [user for user in zitadel.world.users.values() if user.username == "reader"]
    assert desk(*YES, "--reader-name", "reader").code == 0
    update_dotenv(desk.folder / ".env", {"PAT": next(iter(user.pats.values())).token})
    assert desk(*YES, "--reader-name", "reader").code == 0
    drop(desk, "PAT")
    assert desk(*YES, "--reader-name", "reader").code == 0
    assert desk(*TEARDOWN, "--reader-name", "reader").code == 0
    assert pats_of(zitadel, "reader") == before


def test_a_key_whose_file_is_gone_is_not_replaced_by_yes_alone(desk: Shell) -> None:
    assert desk(*YES, *KEY).code == 0
    file, away = desk.folder / "own-api.key.json", desk.folder / "away"
    file.rename(away)
    ran = desk("setup", "--yes")
    assert ran.code == 1
    assert "shows a key only once" in ran.err
    assert "--rotate-secret" in ran.err
    away.rename(file)
    assert desk("introspect", "--require", "read:messages", "-q").code == 0
    file.rename(away)
    assert desk("setup", "--yes", "--rotate-secret").code == 0
    assert desk("introspect", "--require", "read:messages", "-q").code == 0
    assert "nothing to change" in desk("setup").out


@pytest.mark.parametrize("kill_at", [10, 11])
def test_a_rotation_of_a_key_that_is_killed_is_completed_by_yes_alone(kill_at: int, tmp_path: Path) -> None:
    """The tenth change makes the new key, the one after it removes the old."""
    with killing(kill_at) as (zitadel, victims):
        desk = Shell(folder=tmp_path, env={"ZITADEL_DOMAIN": zitadel.url, "ZITADEL_ADMIN_PAT": ADMIN.pat})
        assert desk(*YES, *KEY).code == 0
        assert killed(desk, victims, "--rotate-secret") == -signal.SIGKILL
        victims.clear()
        assert desk("setup", "--yes").code == 0
        assert "nothing to change" in desk("setup").out
        [application] = [a for a in zitadel.world.applications.values() if a.name == "own-api"]
        assert len(application.keys) == 1
        assert desk("introspect", "--require", "read:messages", "-q").code == 0


def test_a_key_of_a_person_leaves_setups_alone(desk: Shell, zitadel: Emulator) -> None:
    """Both are of one application; setup's may be on a server."""
    assert desk(*YES, *KEY).code == 0
    client = ManagementClient(zitadel.url, ADMIN.pat, timeout_seconds=10)
    names = {"projectId": env_of(desk)[PROJECT_ID], "applicationId": env_of(desk)[APPLICATION_ID]}
    own = ask(client, "ApplicationService/CreateApplicationKey", **names, expirationDate="9999-01-01T00:00:00Z")
    client.close()
    (desk.folder / "own.json").write_bytes(base64.b64decode(own["keyDetails"]))
    update_dotenv(desk.folder / ".env", {"ZITADEL_KEY_FILE": "own.json"})
    assert "nothing to change" in desk("setup", "--yes").out
    for file in ("own.json", "own-api.key.json"):
        key = str(desk.folder / file)
        assert desk("introspect", "--require", "read:messages", "-q", ZITADEL_KEY_FILE=key).code == 0


def test_a_secret_in_place_of_a_key_takes_more_than_yes(desk: Shell) -> None:
    assert desk(*YES, *KEY).code == 0
    ran = desk("setup", "--yes", "--auth", "basic")
    assert ran.code == 1
    assert "its key stops working" in ran.err
    assert desk("introspect", "--require", "read:messages", "-q").code == 0
    assert desk("setup", "--yes", "--auth", "basic", "--rotate-secret").code == 0
    assert not (desk.folder / "own-api.key.json").exists()
    assert desk("introspect", "--require", "read:messages", "-q").code == 0
    assert "nothing to change" in desk("setup").out


def test_a_key_in_place_of_a_secret_stops_nothing(desk: Shell) -> None:
    desk(*YES)
    old = env_of(desk)
    ran = desk("setup", "--yes", *KEY)
    assert ran.code == 0, ran.all
    rows = [line.split() for line in ran.out.splitlines() if line.startswith("  app") or line.startswith("  auth")]
    assert [row[2] for row in rows] == ["(Basic)", "(to"]
    pair = {"CLIENT_ID": old["CLIENT_ID"], "CLIENT_SECRET": old["CLIENT_SECRET"]}
    (desk.folder / "empty").mkdir()
    elsewhere = Shell(folder=desk.folder / "empty", env={**desk.env, **pair, "PAT": old["PAT"]})
    assert elsewhere("introspect", "--require", "read:messages", "-q").code == 0


# --- another ZITADEL


def test_teardown_elsewhere_removes_nothing_and_keeps_the_proof(
    desk: Shell, zitadel: Emulator, another: Emulator
) -> None:
    known = names_of(zitadel)
    desk(*YES)
    made, before = names_of(zitadel), (desk.folder / ".env").read_bytes()
    ran = desk(*TEARDOWN, ZITADEL_DOMAIN=another.url)
    assert ran.code == 1
    assert zitadel.url in ran.err
    assert another.url in ran.err
    assert f"--domain {zitadel.url}" in ran.err
    update_dotenv(desk.folder / ".env", {"ZITADEL_DOMAIN": another.url})
    assert desk(*TEARDOWN, ZITADEL_DOMAIN="").code == 1
    update_dotenv(desk.folder / ".env", {"ZITADEL_DOMAIN": zitadel.url})
    assert (names_of(zitadel), (desk.folder / ".env").read_bytes()) == (made, before)
    assert desk(*TEARDOWN, "--domain", zitadel.url, ZITADEL_DOMAIN=another.url).code == 0
    assert names_of(zitadel) == known


def test_a_role_of_the_same_name_elsewhere_is_not_taken_for_setups(desk: Shell, another: Emulator) -> None:
    """In a project that was there before, a role is known by its name."""
    wishes = ("--project-name", "zdemo", "--role", "own:role")
    assert desk("setup", "--yes", *wishes).code == 0
    assert desk("setup", "--yes", *wishes, "--env-file", "other.env", ZITADEL_DOMAIN=another.url).code == 0
    ran = desk(*TEARDOWN, ZITADEL_DOMAIN=another.url)
    assert ran.code == 1, ran.all
    assert any("own:role" in project.roles for project in another.world.projects.values())


def test_setup_elsewhere_overwrites_nothing(desk: Shell, another: Emulator) -> None:
    known = names_of(another)
    desk(*YES)
    before = (desk.folder / ".env").read_bytes()
    ran = desk(*YES, ZITADEL_DOMAIN=another.url)
    assert ran.code == 1
    assert "--env-file" in ran.err
    assert (names_of(another), (desk.folder / ".env").read_bytes()) == (known, before)


def test_the_same_zitadel_at_another_address_is_the_same(desk: Shell, zitadel: Emulator) -> None:
    known = names_of(zitadel)
    desk(*YES)
    old = {"ZITADEL_DOMAIN": "https://old.example", "ZDEMO_SETUP_ZITADEL": "https://old.example"}
    update_dotenv(desk.folder / ".env", old)
    assert desk(*TEARDOWN).code == 0
    assert names_of(zitadel) == known


def test_a_zitadel_that_is_gone_can_be_let_go(desk: Shell, another: Emulator) -> None:
    desk(*YES)
    new = {"ZITADEL_DOMAIN": another.url, "ZDEMO_SETUP_ZITADEL": another.url}
    update_dotenv(desk.folder / ".env", new)
    assert desk(*TEARDOWN, ZITADEL_DOMAIN="").code == 0
    assert PROJECT_ID not in env_of(desk)


# --- teardown


def test_teardown_shows_who_removes_what_where_the_key_file_too(desk: Shell, zitadel: Emulator) -> None:
    desk(*YES, *KEY)
    ran = desk("setup", "--teardown", "--dry-run")
    assert ran.out.startswith(f"{zitadel.url} as zdemo-admin (IAM_OWNER, ORG_OWNER)\n")
    assert "own-api.key.json" in ran.out
    assert desk(*TEARDOWN).code == 0
    assert [path.name for path in desk.folder.iterdir()] == [".env"]


def test_teardown_removes_a_key_file_of_somebody_elses_application(desk: Shell) -> None:
    desk(*YES, *KEY)
    (desk.folder / "mine").mkdir()
    mine = Shell(folder=desk.folder / "mine", env=desk.env)
    assert mine(*YES).code == 0
    assert (mine.folder / "own-api.key.json").exists()
    assert mine(*TEARDOWN, *OWN).code == 0
    assert not (mine.folder / "own-api.key.json").exists()
    assert desk("introspect", "--require", "read:messages", "-q").code == 0


def test_a_teardown_after_a_teardown_needs_no_settings(desk: Shell) -> None:
    desk(*YES)
    bare = {"ZITADEL_DOMAIN": "", "ZITADEL_ADMIN_PAT": ""}
    assert desk(*TEARDOWN).code == 0
    for arguments in (TEARDOWN, ("setup", "--teardown")):
        ran = desk(*arguments, **bare)
        assert (ran.code, "nothing to remove" in ran.out) == (0, True)
    assert not desk(*TEARDOWN, "--json", **bare).document["changed"]


def test_ids_that_a_person_wrote_down_for_doctor_are_not_setups(desk: Shell) -> None:
    (desk.folder / ".env").write_text("PAT=mine\nZDEMO_PAT_USER_ID=1\n")
    assert "nothing to remove" in desk(*TEARDOWN).out
    assert env_of(desk) == {"PAT": "mine", "ZDEMO_PAT_USER_ID": "1"}


@pytest.mark.parametrize("option", [("--rotate-secret",), KEY])
def test_teardown_with_what_makes_something_is_a_wrong_command_line(desk: Shell, option: tuple[str, ...]) -> None:
    ran = desk(*TEARDOWN, *option)
    assert ran.code == 2
    assert option[0] in ran.err


# --- what is said


def test_what_was_written_is_said(desk: Shell) -> None:
    ran = desk(*YES)
    assert "its client secret is in .env" in ran.err
    assert ran.lines[-1] == "settings: written to .env"


def test_a_running_api_is_to_be_started_anew_after_a_change_of_credentials(desk: Shell) -> None:
    said = "restart zdemo serve if it runs"
    assert said not in desk(*YES).out
    assert said not in desk("setup").out
    assert said in desk("setup", "--yes", "--rotate-secret").out
    assert said in desk("setup", "--yes", *KEY).out


def test_json_names_things_by_whole_words(desk: Shell) -> None:
    words = {step["what"] for step in desk(*YES, "--json").document["steps"]}
    assert words == {
        "service user", "project", "role", "application", "client secret", "role assignment", "PAT", ".env"
    }  # fmt: skip


def test_the_file_is_called_by_its_name(desk: Shell) -> None:
    ran = desk(*YES, "--env-file", "deep.env")
    assert "\n  deep.env " in ran.out
    update_dotenv(desk.folder / "deep.env", {"CLIENT_SECRET": None})
    assert "deep.env holds no client secret" in desk(*YES, "--env-file", "deep.env").err


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--teardown",)])
def test_a_folder_that_is_not_there_is_said_first(desk: Shell, options: tuple[str, ...]) -> None:
    ran = desk("setup", *options, "--env-file", "missing/.env", ZITADEL_DOMAIN="")
    assert ran.code == 3
    assert ran.lines[0] == "error: missing/.env cannot be written: there is no folder missing"
    assert ran.out == ""


def test_a_folder_in_place_of_the_file_is_said(desk: Shell) -> None:
    (desk.folder / ".env").mkdir()
    ran = desk(*YES)
    assert ran.code == 3
    assert ran.lines[0] == "error: .env is a folder, not a file"


def test_what_is_no_address_is_asked_for_again(desk: Shell, zitadel: Emulator) -> None:
    typed = f"zdemo serve --emulator\n{zitadel.url}\n"
    status, seen = at_terminal(
        desk, "setup", "--dry-run", *OWN, when="zitadel.cloud): ", typed=typed, ZITADEL_DOMAIN=""
    )
    assert status == 0, seen
    assert "ZITADEL_DOMAIN has a space inside: zdemo serve --emulator" in seen
    assert seen.count("zitadel.cloud): ") == 2
