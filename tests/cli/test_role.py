"""``zdemo role``: list, grant, revoke, and each way in which it can be told no."""

from __future__ import annotations

import pytest

from tests.support.cli import Shell, Stack, is_two_lines
from tests.support.upstream import refusing_port
from zdemo.emulator import ADMIN, AUTHORIZATION_ID, ORGANIZATION_ID, PROJECT_ID, READER, VISITOR

GRANT = ("role", "grant", "visitor", "read:messages")
REVOKE = ("role", "revoke", "reader", "read:messages")


def test_list_shows_who_has_which_role_and_by_whom(shell: Shell) -> None:
    ran = shell.anew("role", "list")
    assert (ran.code, ran.err) == (0, "")
    assert PROJECT_ID in ran.out
    (row,) = [line for line in ran.out.splitlines() if "read:messages" in line]
    assert row.split()[:2] == ["reader", "read:messages"]


@pytest.mark.parametrize("name", ["reader", "READER", READER.id])
def test_list_of_one_user_by_name_or_id(shell: Shell, name: str) -> None:
    ran = shell("role", "list", name, "--json")
    assert ran.document["project"]["id"] == PROJECT_ID
    assert [(row["user"]["loginName"], row["roles"], row["active"]) for row in ran.document["assignments"]] == [
        ("reader", ["read:messages"], True)
    ]


def test_list_of_a_user_without_a_role_is_an_answer_and_not_a_refusal(shell: Shell) -> None:
    ran = shell("role", "list", "visitor")
    assert (ran.code, "reader" in ran.out) == (0, False)
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
    assert revoked.document["user"] == {"id": READER.id, "loginName": "reader"}
    assert revoked.document["shownAfterMilliseconds"] >= 0
    assert own_shell("introspect", "--require", "read:messages", "-q").code == 1


def test_a_second_role_joins_the_first_and_leaves_it_alone(own_shell: Shell) -> None:
    assert own_shell("role", "grant", "reader", "admin", "--json").document["done"] == "added"
    assert own_shell(*REVOKE).code == 0
    (row,) = own_shell("role", "list", "reader", "--json").document["assignments"]
    assert row["roles"] == ["admin"]
    assert own_shell("role", "revoke", "reader", "admin").code == 0
    assert own_shell("role", "list", "--json").document["assignments"] == []


@pytest.mark.parametrize("role", ["read:messages", "admin"])
def test_a_deactivated_assignment_is_shown_and_activated_by_a_grant(
    own_stack: Stack, own_shell: Shell, role: str
) -> None:
    own_stack.emulator.world.authorizations[AUTHORIZATION_ID].active = False
    assert "deactivated" in own_shell("role", "list").out
    assert own_shell("introspect", "--require", "read:messages", "-q").code == 1
    ran = own_shell("role", "grant", "reader", role)
    assert ran.code == 0
    assert "deactivated" in ran.out
    assert own_shell("introspect", "--require", role, "-q").code == 0


def test_the_first_one_that_fits_is_no_other_users(own_stack: Stack, own_shell: Shell) -> None:
    own_stack.emulator.world.add_user(ORGANIZATION_ID, "reader-2", "Another")
    assert own_shell("role", "grant", "reader-2", "admin", "--json").document["user"]["loginName"] == "reader-2"
    assert own_shell("role", "list", "reader", "--json").document["assignments"][0]["roles"] == ["read:messages"]


# --- told no


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("role", "list", "nobody"), ("no user", "nobody")),
        (("role", "grant", "nobody", "read:messages"), ("no user", "nobody")),
        (("role", "revoke", "nobody", "read:messages"), ("no user", "nobody")),
        (("role", "grant", "visitor", "write:messages"), ("no role", "write:messages", "read:messages, admin")),
        (("role", "revoke", "reader", "write:messages"), ("no role", "write:messages")),
        (("role", "grant", "visitor", "Read:Messages"), ("no role", "did you mean read:messages?")),
        (("role", "grant", "reader", "read:messages"), ("nothing to change", "reader already has")),
        (("role", "revoke", "visitor", "read:messages"), ("nothing to change", "visitor does not have")),
    ],
)
def test_unknown_names_and_nothing_to_change_have_each_their_message(
    shell: Shell, arguments: tuple[str, ...], named: tuple[str, ...]
) -> None:
    for more in ((), ("--json",)):
        ran = shell(*arguments, *more)
        assert (ran.code, is_two_lines(ran)) == (1, True)
        assert all(words in ran.err for words in named)


@pytest.mark.parametrize("arguments", [("role", "list"), GRANT, REVOKE])
def test_a_token_without_rights_a_dead_one_and_none_at_all_are_told_apart(
    shell: Shell, arguments: tuple[str, ...]
) -> None:
    visitors = shell(*arguments, ZITADEL_ADMIN_PAT=VISITOR.pat)
    assert (visitors.code, is_two_lines(visitors)) == (1, True)
    assert "not an administrator" in visitors.err
    assert "ORG_OWNER" in visitors.err
    for env in ({}, {"ZITADEL_PROJECT_ID": PROJECT_ID}):
        dead = shell(*arguments, ZITADEL_ADMIN_PAT="A" * 71, **env)
        assert (dead.code, is_two_lines(dead)) == (1, True)
        assert "ZITADEL_ADMIN_PAT is not" in dead.err
        assert "new PAT" in dead.err
    none = shell(*arguments, ZITADEL_ADMIN_PAT="")
    assert (none.code, is_two_lines(none), "ZITADEL_ADMIN_PAT is not set" in none.err) == (3, True, True)


def test_the_project_is_the_one_that_is_set_else_that_of_the_application(shell: Shell) -> None:
    env = {"ZITADEL_PROJECT_ID": PROJECT_ID, "CLIENT_ID": "", "CLIENT_SECRET": "", "PAT": ""}
    assert shell("role", "list", **env).code == 0
    neither = shell("role", "list", CLIENT_ID="", ZITADEL_PROJECT_ID="")
    assert (neither.code, is_two_lines(neither)) == (3, True)
    assert "ZITADEL_PROJECT_ID" in neither.err
    assert "CLIENT_SECRET" in neither.err


@pytest.mark.parametrize("arguments", [("role", "list"), ("role", "grant", "visitor", "read:messages")])
def test_a_project_that_is_not_there_is_named_as_the_cause(shell: Shell, arguments: tuple[str, ...]) -> None:
    ran = shell(*arguments, ZITADEL_PROJECT_ID="1" * 18)
    assert (ran.code, is_two_lines(ran), "ZITADEL_PROJECT_ID" in ran.err) == (1, True, True)


def test_wrong_client_credentials_are_named_when_they_are_needed(shell: Shell) -> None:
    ran = shell("role", "list", CLIENT_SECRET="B" * 64)
    assert (ran.code, is_two_lines(ran), "CLIENT_SECRET" in ran.err) == (1, True, True)
    assert shell("role", "list", CLIENT_SECRET="B" * 64, ZITADEL_PROJECT_ID=PROJECT_ID).code == 0


def test_a_zitadel_that_does_not_answer_is_exit_code_four(shell: Shell) -> None:
    with refusing_port() as port:
        for env in ({}, {"ZITADEL_PROJECT_ID": PROJECT_ID}):
            ran = shell("role", "list", ZITADEL_DOMAIN=f"http://127.0.0.1:{port}", **env)
            assert (ran.code, is_two_lines(ran), "ZITADEL_DOMAIN" in ran.err) == (4, True, True)


def test_a_change_waits_though_the_token_at_hand_is_dead_or_anothers(own_shell: Shell) -> None:
    assert own_shell(*GRANT, PAT="A" * 71).code == 0
    assert own_shell(*REVOKE, PAT=VISITOR.pat).code == 0
    assert own_shell("role", "grant", "reader", "read:messages", PAT='"broken').code == 0
    assert own_shell("role", "list", ADMIN.username).code == 0
