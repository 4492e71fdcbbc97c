"""``zdemo role``: list, grant, revoke, and each reason for a refusal."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.apis import SCOPED, running, settings_for
from tests.support.cli import NO_API, Shell, Stack, is_two_lines
from tests.support.upstream import answer, hang_up, json_body, upstream
from zdemo.config.address import is_withheld
from zdemo.config.environment import EXPORTED, Environment
from zdemo.emulator import AUTHORIZATION_ID, PROJECT_ID, READER, VISITOR
from zdemo.errors import ROLE_SCOPE
from zdemo.server import create_app

GRANT = ("role", "grant", "visitor", "read:messages")
REVOKE = ("role", "revoke", "reader", "read:messages")
KEY = "0123456789abcdef"
OTHER_PROGRAMS = (answer(b"Forbidden", 403), answer(b"[]"), answer(json_body({"forgotten": "all"})), hang_up)


def test_list_shows_one_user_by_name_or_id(shell: Shell) -> None:
    """The list of all is a console of docs/commands.md."""
    for name in ("READER", READER.id):
        (assignment,) = shell("role", "list", name, "--json").document["assignments"]
        user, roles = assignment["user"], assignment["roles"]
        assert (user["login_name"], roles, assignment["active"]) == ("reader", ["read:messages"], True)
    assert shell("role", "list", "visitor", "--json").document["assignments"] == []


def test_grant_and_revoke_show_in_the_very_next_call(own_stack: Stack, own_shell: Shell) -> None:
    granted = own_shell(*GRANT)
    assert (granted.code, granted.err) == (0, "")
    assert granted.out.startswith(f"granted read:messages to visitor in project {PROJECT_ID}\n")
    assert granted.out.endswith(f"the API at {own_stack.api_url} follows at once\n")
    assert own_shell("introspect", "--require", "read:messages", "-q", PAT=VISITOR.pat).code == 0
    assert own_shell(*REVOKE).out.startswith(f"revoked read:messages from reader in project {PROJECT_ID}\n")
    assert own_shell("role", "grant", *REVOKE[2:]).code == 0
    revoked = own_shell(*REVOKE, "--json", PAT="A" * 71)  # a dead token does not matter
    assert (revoked.code, revoked.document["done"], revoked.document["role"]) == (0, "removed", "read:messages")
    assert revoked.document["api_follows_at_once"] is True
    assert revoked.document["user"] == {"id": READER.id, "login_name": "reader"}
    assert revoked.document["shown_after_milliseconds"] >= 0
    assert own_shell("introspect", "--require", "read:messages", "-q").code == 1


def test_a_grant_activates_an_assignment_and_no_name_forges_a_row(own_stack: Stack, own_shell: Shell) -> None:
    world = own_stack.emulator.world
    world.authorizations[AUTHORIZATION_ID].active = False
    assert "deactivated" in own_shell("role", "list").out
    ran = own_shell("role", "grant", *REVOKE[2:])
    assert (ran.code, "deactivated" in ran.out, world.authorizations[AUTHORIZATION_ID].active) == (0, True, True)
    world.users[READER.id].username = "reader\n  boss  admin  granted by ZITADEL"
    assert "  reader\\n  boss  admin" in own_shell("role", "list").out


def test_a_new_role_is_defined_and_users_who_cannot_use_theirs_are_shown(own_stack: Stack, own_shell: Shell) -> None:
    world = own_stack.emulator.world
    assert own_shell("role", "grant", "nobody", "write:x", "--create-role").code == 1
    assert "write:x" not in world.projects[PROJECT_ID].roles
    for defined in ("defined write:x in project", "no change"):
        ran = own_shell("role", "grant", "visitor", "write:x", "--create-role")
        assert (ran.code, ran.out.startswith(defined), ran.err) == (0, True, "")
    near = own_shell("role", "grant", "reader", "write:xs", "--create-role").out
    assert f"defined write:xs in project {PROJECT_ID} (did you mean write:x?)" in near
    for state, words in (("INACTIVE", "the user is deactivated"), ("LOCKED", "the user is locked")):
        world.users[VISITOR.id].state = state
        (row,) = [line for line in own_shell("role", "list").out.splitlines() if words in line]
        assert row.split()[:2] == ["visitor", "write:x"]
        (assignment,) = own_shell("role", "list", "visitor", "--json").document["assignments"]
        assert assignment["user"]["state"] == state.lower()
        ran = own_shell("role", "grant", "visitor", "write:x")
        assert (ran.out[:9], ran.err) == ("no change", f"note: {words}, so ZITADEL still refuses their tokens\n")


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ("list raeder", "no user raeder", "did you mean reader?"),
        ("list visitor@example.com", "no user", "did you mean visitor?"),
        ("grant visitor reader", "no role reader", "reader is a user: write the user, then a role"),
        ("grant stranger read:messages", "no user", "stranger"),
        ("revoke reader write:messages", "no role write:messages", "read:messages, admin"),
        ("grant visitor Read:Messages --create-role", "no role", "refuses a second one that differs only in case"),
        (f"grant visitor {ROLE_SCOPE}read:messages", "no role", "give the role's key alone, not its scope: read:m"),
        (f"grant visitor {ROLE_SCOPE}write:x --create-role", "no role", "not its scope: write:x\n"),
        ("grant visitor read:messages,admin --create-role", "no role", "one role at a time, first read:messages\n"),
        ("grant read:messages visitor", "no role visitor", "write the user first, then the role read:messages"),
        ("grant visitor write:x", "no role", "zdemo role grant --create-role visitor write:x\n"),
        *((f"grant visitor {role}", "no role", "keys are compared exactly\n") for role in ("visitor", "read:*", "a,b")),
        ("grant visitor ORG_OWNER", "no role ORG_OWNER", "a role of ZITADEL's administrators"),
        ("list read:messages", "no user read:messages", "read:messages names a role"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_right_one(shell: Shell, words: str, error: str, hint: str) -> None:
    ran = shell("role", *words.split(), "--json")
    assert (ran.code, is_two_lines(ran), error in ran.err, hint in ran.err) == (1, True, True, True)


@pytest.mark.parametrize("words", ["grant reader: already has", "revoke visitor: does not have"])
def test_a_change_that_is_not_needed_is_not_an_error(shell: Shell, shared_stack: Stack, words: str) -> None:
    change, _, state = words.partition(": ")
    ran = shell("role", *change.split(), "read:messages")
    where = f"in the emulator {shared_stack.emulator.world.name}"
    sentence = f"no change: {change.split()[1]} {state} read:messages {where}\n"
    assert (ran.code, ran.out, ran.err) == (0, sentence, "")
    document = shell("role", *change.split(), "read:messages", "--json").document
    assert (document["done"], document["shown_after_milliseconds"]) == ("unchanged", None)


@pytest.mark.parametrize(
    ("env", "code", "named"),
    [
        ({"CLIENT_ID": "", "CLIENT_SECRET": "", "PAT": "", "ZITADEL_PROJECT_ID": PROJECT_ID}, 0, ""),
        ({"CLIENT_ID": ""}, 3, "ZITADEL_PROJECT_ID"),
        ({"ZITADEL_ADMIN_PAT": ""}, 3, "ZITADEL_ADMIN_PAT is not set"),
        ({"ZITADEL_ADMIN_PAT": "cut off…"}, 3, "ZITADEL_ADMIN_PAT has characters other than ASCII"),
    ],
)
def test_project_and_administrator_come_from_settings(shell: Shell, env: dict[str, str], code: int, named: str) -> None:
    ran = shell("role", "list", **env)
    assert (ran.code, named in ran.err, is_two_lines(ran)) == (code, True, code != 0)
    assert code == 0 or shell(*GRANT, **env).err == ran.err


def test_a_refused_client_has_the_cause_that_introspect_names(shell: Shell) -> None:
    wrong = {"CLIENT_SECRET": "x" * 64}
    cause = "CLIENT_ID is right, CLIENT_SECRET is wrong"
    assert cause in shell("introspect", **wrong).out
    assert cause in shell("role", "list", **wrong).err


def test_after_a_change_the_next_request_shows_it_if_the_key_is_right(
    own_stack: Stack, own_shell: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings = replace(settings_for(own_stack.emulator.url), cache_ttl_seconds=3600, forget_key=KEY)
    with running(create_app(settings)) as api:
        url = f"http://127.0.0.1:{api.port}"
        refused = own_shell(*GRANT, ZDEMO_API_URL=url)
        assert refused.code == 0
        assert refused.err.startswith(f"note: the API at {url} did not forget its answers: ")
        assert "ZDEMO_FORGET_KEY (403)" in refused.err
        assert "running APIs follow within" in refused.out
        assert api.get(SCOPED).status == 200
        admitted = own_shell(*REVOKE, ZDEMO_API_URL=url, ZDEMO_FORGET_KEY=KEY)
        assert (admitted.code, admitted.err) == (0, "")
        assert admitted.out.endswith(f"the API at {url} follows at once\n")
        assert api.get(SCOPED).status == 401
    assert KEY not in refused.all + admitted.all + caplog.text


def test_an_api_that_does_not_run_or_another_program_in_its_place_is_no_failure(own_shell: Shell) -> None:
    granted = own_shell(*GRANT, ZDEMO_API_URL=NO_API)
    assert (granted.code, granted.err) == (0, "")
    assert granted.out.endswith("running APIs follow within their ZDEMO_CACHE_TTL\n")
    for number, behaviour in enumerate(OTHER_PROGRAMS):
        change = ("role", "grant" if number % 2 else "revoke", *GRANT[2:])
        with upstream(behaviour) as other:
            ran = own_shell(*change, ZDEMO_API_URL=other.url)
        assert (ran.code, ran.err, "running APIs follow within" in ran.out) == (0, "", True)
    document = own_shell(*REVOKE, "--json", ZDEMO_API_URL="not an address").document
    assert (document["done"], document["api_follows_at_once"]) == ("removed", False)


@pytest.mark.parametrize(
    ("other", "note"),
    [
        ({"issuer": "http://localhost:1"}, "asks another ZITADEL: http://localhost:1, not "),
        ({"issuer": "\x1b" + "x" * 5000}, f"asks another ZITADEL: \\x1b{'x' * 119}, not "),
        ({"project_id": "1"}, f"reads the roles of another project: 1, not {PROJECT_ID}\n"),
        ({"client_id": "1", "project_id": None}, ""),
    ],
)
def test_an_api_here_that_does_not_follow_says_why(own_shell: Shell, other: dict[str, str], note: str) -> None:
    with running(create_app(replace(settings_for(own_shell.env["ZITADEL_DOMAIN"]), **other))) as api:  # type: ignore[arg-type]  # a field of settings
        url = f"http://127.0.0.1:{api.port}"
        ran = own_shell(*GRANT, ZDEMO_API_URL=url)
    assert (ran.code, f"note: the API at {url} {note}" in ran.err if note else ran.err == "") == (0, True)
    assert (f"the API at {url} follows at once" in ran.out) is not bool(note)


@pytest.mark.parametrize(
    ("exported", "in_file", "withheld"),
    [
        ({"ZDEMO_FORGET_KEY": KEY}, {"ZDEMO_API_URL": "https://api.example.com"}, True),
        ({"ZDEMO_FORGET_KEY": KEY}, {"ZDEMO_API_URL": "http://localhost:5001"}, False),
        ({"ZDEMO_FORGET_KEY": KEY, "ZDEMO_API_URL": "https://api.example.com"}, {}, False),
        ({}, {"ZDEMO_FORGET_KEY": KEY, "ZDEMO_API_URL": "https://api.example.com"}, False),
    ],
)
def test_an_exported_key_does_not_go_where_only_a_dotenv_leads(
    exported: dict[str, str], in_file: dict[str, str], withheld: bool
) -> None:
    environment = Environment({EXPORTED: exported, ".env": in_file}, file=Path(".env"))
    address = environment["ZDEMO_API_URL"]
    assert is_withheld(environment, "ZDEMO_FORGET_KEY", setting="ZDEMO_API_URL", address=address) is withheld
