"""``zdemo role``: list, grant, revoke, and each reason for a refusal."""

from __future__ import annotations

import pytest

from tests.support.cli import Shell, Stack, is_two_lines
from zdemo.emulator import ADMIN, AUTHORIZATION_ID, PROJECT_ID, READER, VISITOR

GRANT = ("role", "grant", "visitor", "read:messages")
REVOKE = ("role", "revoke", "reader", "read:messages")


def test_list_shows_who_has_which_role_and_by_whom(shell: Shell) -> None:
    ran = shell.anew("role", "list")
    assert (ran.code, ran.err) == (0, "")
    assert PROJECT_ID in ran.out
    (row,) = [line for line in ran.out.splitlines() if "read:messages" in line]
    assert row.split()[:2] == ["reader", "read:messages"]


@pytest.mark.parametrize("name", ["READER", READER.id])
def test_list_of_one_user_by_name_or_id(shell: Shell, name: str) -> None:
    ran = shell("role", "list", name, "--json")
    assert ran.document["project"]["id"] == PROJECT_ID
    assert [(row["user"]["login_name"], row["roles"], row["active"]) for row in ran.document["assignments"]] == [
        ("reader", ["read:messages"], True)
    ]
    assert shell("role", "list", "visitor", "--json").document["assignments"] == []


def test_grant_and_revoke_show_in_the_very_next_call(own_shell: Shell) -> None:
    granted = own_shell(*GRANT)
    assert (granted.code, granted.err) == (0, "")
    assert granted.out.startswith(f"granted read:messages to visitor in project {PROJECT_ID}\n")
    assert " ms" in granted.out
    assert "ZDEMO_CACHE_TTL" in granted.out
    assert own_shell("introspect", "--require", "read:messages", "-q", PAT=VISITOR.pat).code == 0
    assert own_shell(*REVOKE).out.startswith(f"revoked read:messages from reader in project {PROJECT_ID}\n")
    assert own_shell("role", "grant", "reader", "read:messages").code == 0
    revoked = own_shell(*REVOKE, "--json")
    assert (revoked.code, revoked.document["done"], revoked.document["role"]) == (0, "removed", "read:messages")
    assert revoked.document["user"] == {"id": READER.id, "login_name": "reader", "loginName": "reader"}
    assert revoked.document["shown_after_milliseconds"] >= 0
    assert own_shell("introspect", "--require", "read:messages", "-q").code == 1


def test_a_deactivated_assignment_is_shown_and_activated_by_a_grant(own_stack: Stack, own_shell: Shell) -> None:
    own_stack.emulator.world.authorizations[AUTHORIZATION_ID].active = False
    assert "deactivated" in own_shell("role", "list").out
    assert own_shell("introspect", "--require", "read:messages", "-q").code == 1
    ran = own_shell("role", "grant", "reader", "read:messages")
    assert (ran.code, "deactivated" in ran.out) == (0, True)
    assert own_shell("introspect", "--require", "read:messages", "-q").code == 0


def test_a_name_cannot_forge_a_row(own_stack: Stack, own_shell: Shell) -> None:
    own_stack.emulator.world.users[READER.id].username = "reader\n  boss  admin  granted by ZITADEL"
    ran = own_shell("role", "list")
    assert "  reader\\n  boss  admin" in ran.out
    assert not any(line.lstrip().startswith("boss") for line in ran.out.splitlines())


# --- refusals


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("role", "list", "stranger"), ("no user", "stranger")),
        (("role", "grant", "stranger", "read:messages"), ("no user", "stranger")),
        (("role", "revoke", "stranger", "read:messages"), ("no user", "stranger")),
        (("role", "grant", "visitor", "write:messages"), ("no role", "write:messages", "read:messages, admin")),
        (("role", "revoke", "reader", "write:messages"), ("no role", "write:messages")),
        (("role", "grant", "visitor", "Read:Messages"), ("no role", "did you mean read:messages?")),
        (("role", "list", "raeder"), ("no user raeder", "did you mean reader?")),
        (("role", "grant", "Visitr", "read:messages"), ("no user Visitr", "did you mean visitor?")),
        (("role", "grant", "visitor", "read:mesages"), ("no role read:mesages", "did you mean read:messages?")),
        (("role", "grant", "visitr", "read:mesages"), ("no user visitr", "did you mean visitor and read:messages?")),
        (("role", "grant", "read:messages", "visitor"), ("no role visitor", "visitor read:messages")),
    ],
)
def test_unknown_names_have_each_their_message_and_the_nearest_right_ones(
    shell: Shell, arguments: tuple[str, ...], named: tuple[str, ...]
) -> None:
    for more in ((), ("--json",)):
        ran = shell(*arguments, *more)
        assert (ran.code, is_two_lines(ran)) == (1, True)
        assert all(words in ran.err for words in named)


@pytest.mark.parametrize(
    ("words", "state"), [("grant reader", "reader already has"), ("revoke visitor", "visitor does not have")]
)
def test_what_is_so_already_is_no_change_and_no_error(
    shell: Shell, shared_stack: Stack, words: str, state: str
) -> None:
    where = f"in the emulator {shared_stack.emulator.world.name}"
    ran = shell("role", *words.split(), "read:messages")
    assert (ran.code, ran.out, ran.err) == (0, f"no change: {state} read:messages {where}\n", "")
    document = shell("role", *words.split(), "read:messages", "--json").document
    assert (document["done"], document["shown_after_milliseconds"]) == ("unchanged", None)


@pytest.mark.parametrize(
    ("env", "code", "named"),
    [
        ({"CLIENT_ID": "", "CLIENT_SECRET": "", "PAT": "", "ZITADEL_PROJECT_ID": PROJECT_ID}, 0, ""),
        ({"CLIENT_SECRET": "B" * 64, "ZITADEL_PROJECT_ID": PROJECT_ID}, 0, ""),
        ({"CLIENT_SECRET": "B" * 64}, 1, "CLIENT_SECRET"),
        ({"CLIENT_ID": ""}, 3, "ZITADEL_PROJECT_ID"),
        ({"ZITADEL_PROJECT_ID": "1" * 18}, 1, "ZITADEL_PROJECT_ID"),
        ({"ZITADEL_ADMIN_PAT": ""}, 3, "ZITADEL_ADMIN_PAT is not set"),
        ({"ZITADEL_ADMIN_PAT": "A" * 71}, 1, "create a new PAT"),
    ],
)
def test_project_and_administrator_come_from_the_settings(
    shell: Shell, env: dict[str, str], code: int, named: str
) -> None:
    ran = shell("role", "list", **env)
    assert (ran.code, named in ran.err) == (code, True)
    if code:
        assert is_two_lines(ran)
        assert shell(*GRANT, **env).err == ran.err


def test_a_change_waits_though_the_token_at_hand_is_dead_or_anothers(own_shell: Shell) -> None:
    assert own_shell(*GRANT, PAT="A" * 71).code == 0
    assert own_shell(*REVOKE, PAT=VISITOR.pat).code == 0
    assert own_shell("role", "grant", "reader", "read:messages", PAT='"broken').code == 0
    assert own_shell("role", "list", ADMIN.username).code == 0
