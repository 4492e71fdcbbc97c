"""``zdemo setup``: as a person runs it, as a script runs it, killed, and each way in which it is refused."""

import base64
import re
import stat
from pathlib import Path

import pytest

from tests.support.cli import Shell, at_terminal, is_two_lines
from tests.support.connection_faults import relay
from tests.support.files import git, needs_git, update_dotenv
from tests.support.processes import LONGEST_SECONDS
from tests.support.upstream import Received, upstream
from tests.support.waiting import eventually
from zdemo.config.dotenv_file import valid_dotenv
from zdemo.config.new_dotenv import emulator_text
from zdemo.config.variables import is_public
from zdemo.emulator import ADMIN, CLIENT_ID, NEVER, Emulator, emulate, known_start, new_fault
from zdemo.emulator.entities import INSTANCE, Resource
from zdemo.setup.setup_files import only_setup_in_folder
from zdemo.setup.state_file import read_state, write_state

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


def desk_of(folder: Path, url: str) -> Shell:
    """Return a folder without ``.env``; where ZITADEL is, and the administrator's token, are exported."""
    return Shell(folder=folder, env={"ZITADEL_DOMAIN": url, "ZITADEL_ADMIN_PAT": ADMIN.pat})


@pytest.fixture
def desk(own: Emulator, tmp_path: Path) -> Shell:
    return desk_of(tmp_path, own.url)


def env_of(shell: Shell) -> dict[str, str]:
    return valid_dotenv(shell.folder / ".env").values


def names_of(own: Emulator) -> list[str]:
    """Return the names of everything that setup might create."""
    world = own.world
    users = [user.username for user in world.users.values()]
    return sorted([*users, *(p.name for p in world.projects.values()), *(a.name for a in world.applications.values())])


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_first_run_writes_what_commands_need_and_a_second_changes_nothing(desk: Shell, own: Emulator) -> None:
    before = names_of(own)
    dry = desk(*DRY)
    assert (dry.code, "nothing was changed" in dry.err, names_of(own)) == (0, True, before)
    assert list(desk.folder.iterdir()) == []
    ran = desk(*YES, "--app")
    assert ran.code == 0, ran.all
    assert ran.out.endswith(
        "zdemo call scoped\n      zdemo token --login\n        for the token of a person who logs in\n"
    )
    assert files_of(desk.folder) == [".env", ".zdemo/.gitignore", ".zdemo/setup.json"]
    for pat, code in (({}, 0), ({"PAT": env_of(desk)["ZDEMO_VISITOR_PAT"]}, 1)):
        assert desk("introspect", "--require", "read:messages", "-q", ZITADEL_ADMIN_PAT="", **pat).code == code
    text = (desk.folder / ".env").read_bytes()
    ran = desk("setup", *OWN)
    assert (ran.code, "  no changes; zdemo-reader has read:messages" in ran.out) == (0, True)
    assert (desk.folder / ".env").read_bytes() == text


def test_what_to_do_next_works_in_the_folder_where_it_is_shown(desk: Shell) -> None:
    (desk.folder / "sub folder").mkdir()
    option = ("--env-file", "sub folder/my.env")
    text = desk(*YES, *option).out + desk(*TEARDOWN, *option).out
    commands = re.findall(r"^(?:next| {4})  (zdemo .*)$", text, re.MULTILINE)
    assert commands == [f"zdemo {name} --env-file 'sub folder/my.env'" for name in ("serve", "call scoped", "setup")]


@pytest.mark.thorough
def test_json_is_one_document_with_whole_words(desk: Shell) -> None:
    dry = desk(*DRY, "--json").document
    done, again = desk(*YES, "--json").document, desk(*YES, "--json").document
    assert [(d["dry_run"], d["changed"]) for d in (dry, done, again)] == [(True, False), (False, True), (False, False)]
    assert dry["steps"] == done["steps"]
    assert {step["action"] for step in again["steps"]} == {"leave"}
    assert done["shown_after_milliseconds"] >= 0
    gone = desk(*TEARDOWN, "--json").document
    assert (gone["changed"], gone["stays"], gone["put_back"]) == (True, [], [])
    assert [row["what"] for row in gone["removed"]] == ["service account"] * 2 + ["application", "project"]


def test_a_person_is_asked_and_may_decline(desk: Shell, own: Emulator) -> None:
    before = names_of(own)
    ran = desk("setup", *OWN)
    assert (ran.code, "--yes" in ran.lines[-1], names_of(own)) == (2, True, before), "no one can be asked"
    for answer, agrees in (("\n", False), ("y\n", True)):
        status, screen = at_terminal(desk, "setup", *OWN, when="[y/N]", typed=answer)
        assert status == 0, screen
        assert (names_of(own) != before) == agrees
        assert ("nothing was changed" in screen, "error" in screen) == (not agrees, False)


def test_the_address_is_asked_for_and_with_yes_nothing_is(desk: Shell, own: Emulator) -> None:
    status, screen = at_terminal(desk, *YES, ZITADEL_ADMIN_PAT="")
    assert (status, "hint:  add --admin-pat at the end" in screen) == (3, True), "with --yes nothing is asked"
    for typed, code, words in ((own.url, 0, "nothing was changed"), ("a b", 3, "is not an address")):
        status, screen = at_terminal(desk, *DRY, when="zitadel.cloud): ", typed=f"{typed}\n", ZITADEL_DOMAIN="")
        assert (status, words in screen) == (code, True)


@pytest.mark.thorough
def test_yes_alone_never_replaces_a_secret(desk: Shell, own: Emulator) -> None:
    restart = "restart zdemo serve to pick up the new settings"
    assert restart not in desk(*YES).out
    secret = env_of(desk)["CLIENT_SECRET"]
    update_dotenv(desk.folder / ".env", {"CLIENT_SECRET": None})
    ran = desk(*YES)
    assert (ran.code, "only once" in ran.err, "--rotate-secret" in ran.err) == (1, True, True)
    assert [a.secret for a in own.world.applications.values() if a.name == "own-api"] == [secret]
    dry = desk(*DRY)
    assert (dry.code, "--rotate-secret" in dry.err) == (0, True)
    for word, code in (("y\n", 1), ("yes\n", 0)):  # then the plan is asked about, too
        status, screen = at_terminal(desk, "setup", *OWN, when="[type yes]", typed=word + "y\n")
        assert (status, "CLIENT_SECRET" in env_of(desk)) == (code, code == 0), screen
    ran = desk(*YES, "--rotate-secret")
    assert (ran.code, restart in ran.out) == (0, True)
    assert env_of(desk)["CLIENT_SECRET"] != secret


def test_the_emulators_settings_do_not_tell_which_zitadel_is_meant(bare: Shell) -> None:
    (bare.folder / ".env").write_text(emulator_text())
    ran = bare("setup", "--yes")
    assert (ran.code, ran.out, files_of(bare.folder)) == (2, "", [".env"])
    assert ran.lines[0] == "error: .env has the emulator's settings, so it is not clear which ZITADEL to set up"
    assert ran.lines[1].startswith("hint:  add --domain, for example --domain https://")
    bare.dotenv(ZITADEL_ADMIN_PAT=ADMIN.pat)
    assert "ZITADEL_DOMAIN is not set" in bare("setup", "--yes").lines[0], "the emulator's PAT has no address"


@pytest.mark.thorough
def test_the_emulator_or_another_zitadel_may_be_meant_and_is_asked_for_once(bare: Shell, own: Emulator) -> None:
    text = emulator_text(int(own.url.rpartition(":")[2]))
    (bare.folder / ".env").write_text(text)
    which = f".env has the emulator's settings. Which ZITADEL do you want to set up? [{own.url}] "
    code, screen = at_terminal(bare, "setup", when=which, typed="y\nn\n")
    assert (code, f"{own.url} as zdemo-admin" in screen) == (0, True)
    assert (bare.folder / ".env").read_text() == text
    assert bare(*YES, "--domain", own.url).code == 0
    ran = bare(*YES)
    assert (ran.code, "no changes" in ran.out) == (0, True)


def test_the_emulators_public_values_are_not_sent_elsewhere(bare: Shell) -> None:
    """To a ZITADEL at another host, which a proxy on this machine stands for."""
    (bare.folder / ".env").write_text(emulator_text())
    world = known_start().world
    world.external_domain = "zitadel.example"
    pat = world.add_pat(world.users[ADMIN.id], NEVER).token
    with emulate(world) as there, upstream(relay(there.url.replace(world.external_domain, "localhost"))) as proxy:
        domain = ("--domain", "http://zitadel.example")
        env = {"HTTP_PROXY": proxy.url, "ZDEMO_ALLOW_HTTP": "1"}
        ran = bare(*YES, *domain, **env)
        assert (ran.code, proxy.requests) == (3, [])
        assert ran.lines[0] == "note: the emulator's ZITADEL_ADMIN_PAT in .env is not for another ZITADEL"
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


@pytest.mark.thorough
def test_a_run_that_is_killed_is_completed_by_the_next_and_loses_nothing(desk: Shell, own: Emulator) -> None:
    """In the middle; tests/setup cuts before and after each change."""
    (desk.folder / ".env").write_text(MINE)
    known = names_of(own)
    own.faults.add(new_fault("drip", path="/zitadel.application.v2.ApplicationService/CreateApplication", seconds=60))
    with desk.running(*YES, ZDEMO_TIMEOUT="60") as process:
        eventually("the application is there", lambda: "own-api" in names_of(own))
        process.kill()
        process.wait(LONGEST_SECONDS)
    own.faults.clear()
    ran = desk(*YES, *KEY)
    assert ran.code == 0, ran.all
    assert "your previous values are saved; --teardown restores them" in " ".join(ran.out.split())
    assert set(names_of(own)) - set(known) == {"own", "own-api", "zdemo-reader", "zdemo-visitor"}
    assert "no changes" in desk("setup", *OWN).out
    assert {len(user.pats) for user in own.world.users.values() if user.machine} == {1}
    assert desk(*TEARDOWN).code == 0
    assert names_of(own) == known
    assert (desk.folder / ".env").read_text() == MINE


def test_a_second_setup_in_the_folder_is_refused_and_a_dry_run_is_not(desk: Shell) -> None:
    with only_setup_in_folder(desk.folder / ".env"):
        for arguments in (YES, TEARDOWN):
            ran = desk(*arguments)
            assert (ran.code, is_two_lines(ran)) == (1, True), ran.all
            assert ran.lines[0] == f"error: another zdemo setup is running in {desk.folder}; nothing was changed"
        assert desk(*DRY).code == 0


@pytest.mark.thorough
def test_teardown_shows_asks_and_removes(desk: Shell, own: Emulator) -> None:
    before = names_of(own)
    desk(*YES)
    names_after, state = names_of(own), read_state(desk.folder / ".env")
    assert desk("setup", "--teardown").code == 2
    dry = desk("setup", "--teardown", "--dry-run")
    assert (dry.code, "zdemo-reader" in dry.out) == (0, True)
    assert dry.out.startswith(f"{own.url} as zdemo-admin (IAM_OWNER, ORG_OWNER)\n")
    status, screen = at_terminal(desk, "setup", "--teardown", when="[y/N]", typed="n\n")
    assert (status, "nothing was changed" in screen) == (0, True)
    assert names_of(own) == names_after
    assert at_terminal(desk, "setup", "--teardown", when="[y/N]", typed="y\n")[0] == 0
    assert (names_of(own), list(desk.folder.iterdir())) == (before, [])
    bare = {"ZITADEL_DOMAIN": "", "ZITADEL_ADMIN_PAT": ""}
    again = desk(*TEARDOWN, **bare)
    assert (again.code, "nothing to remove" in again.out) == (0, True), "it needs no settings"
    write_state(desk.folder / ".env", state)  # as if the first one was killed at its end
    assert "only the state file is left" in desk(*TEARDOWN).out


@pytest.mark.thorough
def test_what_others_add_while_the_question_is_open_stops_teardown(desk: Shell, own: Emulator) -> None:
    desk(*YES)
    world, project_id = own.world, read_state(desk.folder / ".env").project_id
    names_after, env = names_of(own), (desk.folder / ".env").read_bytes()

    def late() -> str:
        world.add_role(world.projects[project_id], "editor", "Editor")
        return "y\n"

    status, screen = at_terminal(desk, "setup", "--teardown", when="[y/N]", typed=late)
    error = "others added to what setup created: role editor; nothing was removed"
    assert (status, error in " ".join(screen.split())) == (1, True)
    dry = desk("setup", "--teardown", "--dry-run", "--json")
    assert (dry.code, dry.document["added_by_others"]) == (0, [{"what": "role", "name": "editor"}])
    assert (names_of(own), (desk.folder / ".env").read_bytes()) == (names_after, env)


@pytest.mark.thorough
def test_an_owner_cannot_delete_an_application_in_somebody_elses_project(desk: Shell, own: Emulator) -> None:
    home = next(iter(own.world.organizations))
    own.world.administrators.clear()
    own.world.add_administrator(ADMIN.id, Resource("organization", home), ["ORG_OWNER"])
    assert desk("setup", "--yes", "--app-name", "own-api").code == 0
    ran = desk(*TEARDOWN)
    assert (ran.code, "IAM_OWNER" in ran.err) == (1, True)
    assert "not everything is removed: application own-api" in ran.err
    own.world.add_administrator(ADMIN.id, INSTANCE, ["IAM_OWNER"])
    assert desk(*TEARDOWN).code == 0
    assert "own-api" not in names_of(own)


def test_a_missing_folder_is_said_first(desk: Shell) -> None:
    ran = desk("setup", "--env-file", "missing/.env", ZITADEL_DOMAIN="")
    assert (ran.code, ran.lines[0]) == (3, "error: missing/.env cannot be written: there is no folder missing")


@pytest.mark.thorough
def test_a_read_only_file_is_refused_before_anything_is_created_or_removed(desk: Shell, own: Emulator) -> None:
    path, before = desk.folder / ".env", names_of(own)
    path.write_text("A=1\n")
    path.chmod(0o400)
    refusal = ["error: .env is read-only (mode 0400)", "hint:  chmod u+w .env", "         if it may be changed"]
    ran = desk(*YES)
    assert (ran.code, ran.lines[-3:]) == (3, refusal)
    assert (names_of(own), files_of(desk.folder)) == (before, [".env"])
    path.chmod(0o600)
    assert desk(*YES).code == 0
    path.chmod(0o400)
    ran = desk(*TEARDOWN)
    assert (ran.code, ran.lines[-3:], "own" in names_of(own)) == (3, refusal, True)


@pytest.mark.thorough
def test_a_link_is_followed_only_by_a_person_who_sees_where_it_leads(own: Emulator, tmp_path: Path) -> None:
    """A copied folder could make setup change a file elsewhere."""
    target, folder, before = tmp_path / "real.env", tmp_path / "copied", names_of(own)
    target.write_text("A=1\n")
    target.chmod(0o640)
    folder.mkdir()
    (folder / ".env").symlink_to(target)
    desk, refused = desk_of(folder, own.url), f"hint:  name that file: --env-file {target}"
    ran = desk(*YES)
    assert ran.lines[-2:] == [f"error: .env is a link to {target}, which would be changed", refused]
    assert (ran.code, target.read_text(), names_of(own)) == (2, "A=1\n", before)
    status, screen = at_terminal(desk, "setup", *OWN, when="[y/N]", typed="y\n")
    text = " ".join(screen.split())
    assert (status, f".env is a link to {target}, which would be changed. Make these changes?" in text) == (0, True)
    assert "warning: other users can read .env (mode 0640) chmod 600 .env" in text
    assert "CLIENT_ID=" in target.read_text()
    assert desk(*TEARDOWN).code == 2
    assert desk(*TEARDOWN, "--env-file", str(target)).code == 0
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode), names_of(own)) == ("A=1\n", 0o640, before)


def test_a_variable_in_the_environment_that_hides_what_is_written_is_named(desk: Shell) -> None:
    ran = desk(*YES, PAT="another", CLIENT_ID=CLIENT_ID)
    assert ran.code == 0, ran.all
    assert all(f"unset {name}" in ran.err for name in ("PAT", "CLIENT_ID"))


@pytest.mark.thorough
@needs_git
def test_secrets_that_git_has_or_would_take_are_said(desk: Shell) -> None:
    git(desk.folder, "init")
    warning = "warning: git does not ignore files with secrets: add to .gitignore: .env, own-api.key.json"
    assert warning in desk(*DRY, *KEY).err
    (desk.folder / ".gitignore").write_text(".env\n*.key.json\n")
    assert "git" not in desk(*YES, *KEY).err
    git(desk.folder, "add", "-f", ".env")
    assert "add to .gitignore: .env\n         git rm --cached --ignore-unmatch .env\n" in desk(*DRY).err
