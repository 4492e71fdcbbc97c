"""``zdemo role``: list, grant, revoke, and each reason for a refusal."""

import re
from pathlib import Path

import pytest

from tests.support.apis import SCOPED
from tests.support.cli import Shell, Stack, is_two_lines
from tests.support.ports import free_port
from tests.support.served import Served, environment_for, served
from tests.support.upstream import Behaviour, answer, hang_up, json_body, upstream
from tests.support.waiting import eventually
from zdemo.config.address import is_withheld
from zdemo.config.environment import EXPORTED, Environment
from zdemo.emulator import ADMIN, AUTHORIZATION_ID, PROJECT_ID, READER, VISITOR

GRANT = ("role", "grant", "visitor", "read:messages")
KEY = "0123456789abcdef"
OTHER_PROGRAMS = [answer(b"Forbidden", 403), answer(b"[]"), answer(json_body({"forgotten": "all"})), hang_up]
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


def test_grant_and_revoke_show_in_the_very_next_call(own_stack: Stack, own_shell: Shell) -> None:
    granted = own_shell(*GRANT)
    assert (granted.code, granted.err) == (0, "")
    assert granted.out.startswith(f"granted read:messages to visitor in project {PROJECT_ID}\n")
    assert " ms" in granted.out
    assert granted.out.endswith(f"the API at {own_stack.api_url} follows at once\n")
    assert own_shell("introspect", "--require", "read:messages", "-q", PAT=VISITOR.pat).code == 0
    assert own_shell(*REVOKE).out.startswith(f"revoked read:messages from reader in project {PROJECT_ID}\n")
    assert own_shell("role", "grant", "reader", "read:messages").code == 0
    revoked = own_shell(*REVOKE, "--json")
    assert (revoked.code, revoked.document["done"], revoked.document["role"]) == (0, "removed", "read:messages")
    assert revoked.document["api_follows_at_once"] is True
    assert revoked.document["user"] == {"id": READER.id, "login_name": "reader"}
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


# --- running APIs


def each_worker(api: Served, count: int) -> set[int]:
    """Ask until each worker had to ask ZITADEL, and return the statuses of all answers."""

    def asked() -> int:
        return len(re.findall(r" {2}asked {2}", api.log))

    before, statuses = asked(), set[int]()

    def ask() -> int:
        statuses.update(api.get(SCOPED).status for _ in range(10))
        return asked() - before

    eventually("each worker has asked", ask, lambda number: number >= count)
    return statuses


@pytest.mark.parametrize(("ttl", "workers"), [("5", 1), ("3600", 4)])
def test_after_a_change_the_next_request_to_each_worker_shows_it(
    own_stack: Stack, own_shell: Shell, tmp_path: Path, ttl: str, workers: int
) -> None:
    environment = {**environment_for(own_stack.emulator.url), "ZDEMO_CACHE_TTL": ttl}
    with served(tmp_path, environment, "--workers", str(workers)) as api:
        url = f"http://127.0.0.1:{api.port}"
        assert each_worker(api, workers) == {200}
        assert own_shell(*REVOKE, ZDEMO_API_URL=url).out.endswith(f"the API at {url} follows at once\n")
        assert each_worker(api, workers) == {401}
        assert own_shell("role", "grant", *REVOKE[2:], ZDEMO_API_URL=url).code == 0
        assert each_worker(api, workers) == {200}


def test_an_api_that_does_not_run_is_no_failure(own_shell: Shell) -> None:
    nowhere = {"ZDEMO_API_URL": f"http://127.0.0.1:{free_port()}"}
    granted = own_shell(*GRANT, **nowhere)
    assert (granted.code, granted.err) == (0, "")
    assert granted.out.endswith("running APIs follow within their ZDEMO_CACHE_TTL\n")
    document = own_shell(*REVOKE, "--json", **nowhere).document
    assert (document["done"], document["api_follows_at_once"]) == ("removed", False)
    assert own_shell("role", "grant", *REVOKE[2:], ZDEMO_API_URL="not an address").code == 0


@pytest.mark.parametrize("behaviour", OTHER_PROGRAMS)
def test_another_program_at_the_apis_address_is_no_api(own_shell: Shell, behaviour: Behaviour) -> None:
    with upstream(behaviour) as other:
        granted = own_shell(*GRANT, ZDEMO_API_URL=other.url, ZDEMO_TIMEOUT="1")
    assert (granted.code, granted.err) == (0, "")
    assert "running APIs follow within" in granted.out


def test_the_key_is_sent_and_its_refusal_is_said(own_shell: Shell, own_stack: Stack, tmp_path: Path) -> None:
    environment = {**environment_for(own_stack.emulator.url), "ZDEMO_FORGET_KEY": KEY}
    with served(tmp_path, environment) as api:
        url = f"http://127.0.0.1:{api.port}"
        refused = own_shell(*GRANT, ZDEMO_API_URL=url)
        assert refused.code == 0
        assert refused.err.startswith(f"note: the API at {url} did not forget its answers: ")
        assert "ZDEMO_FORGET_KEY (403)" in refused.err
        assert "running APIs follow within" in refused.out
        admitted = own_shell(*REVOKE, ZDEMO_API_URL=url, ZDEMO_FORGET_KEY=KEY)
        assert (admitted.code, admitted.err) == (0, "")
        assert admitted.out.endswith("follows at once\n")
        assert KEY not in refused.all + admitted.all + api.log


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
