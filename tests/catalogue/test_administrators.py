"""The catalogue of faults: five kinds of administrators, a second organization and a Project Grant."""

from dataclasses import replace
from typing import NamedTuple

import pytest

from tests.catalogue.test_one_brain import ABOUT_THE_TOKEN, COMMANDS, everywhere, failing_check, told
from tests.support.cli import Shell, administered
from tests.support.planting import Planter
from tests.support.workshop import HUMAN, Organization, Project, User, Workshop
from zdemo.emulator import PROJECT_ID

ROLE = "read:messages"


class World(NamedTuple):
    """The known world, whose project is granted to an organization abroad, and users of both.

    The member is a user abroad to whom that organization has given the role.
    """

    shell: Shell
    workshop: Workshop
    project: Project
    abroad: Organization
    local: User
    guest: User
    member: User

    def env(self, role: str | None, of: str = "", lives: str = "") -> dict[str, str]:
        """Return the PAT of a new administrator of this, who lives in this organization."""
        places: dict[str, Organization | Project] = {"project": self.project, "abroad": self.abroad}
        lives_in = self.abroad if lives else None
        return {"ZITADEL_ADMIN_PAT": self.workshop.administrator(role, of=places.get(of), lives=lives_in).pat}


@pytest.fixture
def world(planter: Planter, bare: Shell, api: str) -> World:
    workshop = Workshop(planter.api)
    abroad, project = workshop.organization(), Project(PROJECT_ID, "zdemo", workshop.home)
    ids = {"projectId": PROJECT_ID, "grantedOrganizationId": abroad.id}
    workshop.admin.projects.CreateProjectGrant(**ids, roleKeys=[ROLE]).has()
    guest, member = (workshop.user(organization=abroad) for _ in range(2))
    workshop.grant(member, project, ROLE, organization=abroad)
    shell = replace(bare, env=administered(planter.url, ZDEMO_API_URL=api))
    return World(shell, workshop, project, abroad, workshop.user(), guest, member)


MAY = "permissions that setup and role need"
TOO_SMALL = "role is not enough for setup, though not for zdemo role"
KINDS = [  # the role, of what, where its user lives; how many assignments are visible, and hidden; what doctor says
    ("ORG_OWNER", "abroad", "", (1, 2), MAY),
    ("PROJECT_OWNER", "project", "", (2, 1), TOO_SMALL),
    ("IAM_OWNER", "", "", (3, 0), MAY),  # as everywhere else
    ("ORG_OWNER", "", "", (2, 1), MAY),
    ("ORG_OWNER", "", "abroad", (2, 1), MAY),
    ("ORG_USER_MANAGER", "", "", (2, 1), TOO_SMALL),
]


@pytest.mark.parametrize(
    ("role", "of", "lives", "counts", "rights"),
    [KINDS[0], *(pytest.param(*kind, marks=pytest.mark.thorough) for kind in KINDS[1:])],
)
def test_57_each_kind_of_administrator_gives_the_role_to_users_of_both_organizations(
    world: World, role: str, of: str, lives: str, counts: tuple[int, int], rights: str
) -> None:
    """All commands agree: the fix that they print works with the same PAT."""
    env = world.env(role, of, lives) | {"PAT": world.guest.pat}
    local, guest = world.local.username, world.guest
    fails = {name: world.shell(*COMMANDS[name], **env) for name in ABOUT_THE_TOKEN}
    assert {name: told(ran, name) for name, ran in fails.items()} == everywhere(ABOUT_THE_TOKEN, "role.not_granted")
    assert all(f"zdemo role grant {guest.username} {ROLE}" in ran.all for ran in fails.values())
    for change, user in (("grant", local), ("revoke", local), ("grant", guest.username), ("revoke", guest.id)):
        ran = world.shell("role", change, user, ROLE, **env)
        assert (ran.code, ran.err) == (0, ""), ran.all
    listed = world.shell("role", "list", "--json", **env).document
    assert (listed["project"]["name"], len(listed["assignments"]), listed["hidden"]) == ("zdemo", *counts)
    assert rights in world.shell("doctor", "--only", "admin.rights", "--json", **env).out
    assert world.shell(*COMMANDS["setup"], **env).code == (0 if rights == MAY else 1)


def test_57_a_pat_without_permissions_gets_the_same_answer_everywhere(world: World) -> None:
    env = world.env(None)
    check = failing_check(world.shell(*COMMANDS["doctor"], **env))
    assert "its user is not an administrator there (no membership)" in check["evidence"]
    for name in ("role", "setup"):
        document = world.shell(*COMMANDS[name], **env).document
        assert (document["error"], document["hint"]) == (check["evidence"], check["fix"])
    callers = world.shell("role", "list", **env, ZDEMO_VISITOR_PAT=env["ZITADEL_ADMIN_PAT"]).err
    assert ("hold the same value" in callers, "ORG_OWNER" in callers) == (True, False), callers


def test_what_an_administrator_may_not_see_is_reported(world: World) -> None:
    env, abroad, nobody = world.env("ORG_OWNER"), world.env("ORG_OWNER", "abroad", "abroad"), world.env(None)
    rows: list[tuple[str, dict[str, str], str]] = [
        (f"revoke {world.member.id} {ROLE}", env, "that the administrator may not see"),
        (f"grant {world.local.username}x {ROLE}", env, "a user of another organization may be hidden"),
        (f"grant 299999999999999999 {ROLE}", env, "there is no user with the ID 299999999999999999"),
        (f"grant 299999999999999999 {ROLE}", {}, "there is no user 299999999999999999"),
        (f"grant {world.guest.id} admin", abroad, "or does not grant it to the administrator's organization"),
        (f"grant {world.local.id} {ROLE}", nobody, "its user is not an administrator there"),
    ]
    for words, pat, message in rows:
        ran = world.shell("role", *words.split(), **pat)
        assert (ran.code, message in ran.err, "did you mean" in ran.err) == (1, True, False), ran.all
    assert world.shell("role", "list", **abroad).out.endswith("\n  hidden from this administrator: 2\n")


def test_an_id_is_never_taken_for_a_username(world: World) -> None:
    impostor = world.workshop.user(username=world.guest.id)
    ran = world.shell("role", "grant", world.guest.id, ROLE, **world.env("ORG_OWNER"))
    assert (ran.code, ran.err) == (0, "")
    holders = [row["user"]["id"] for row in world.shell("role", "list", "--json").document["assignments"]]
    assert (world.guest.id in holders, impostor.id in holders) == (True, False)


def test_an_email_address_finds_its_user_unless_two_have_it(world: World) -> None:
    for number in range(2):
        email = {"email": {"email": "Eve@example.com", "isVerified": True}}
        user = world.workshop.user(pat=False, machine=None, human=HUMAN | email)
        ran = world.shell("role", "grant", "eve@example.com", ROLE)
        assert (ran.code, user.username in ran.all, "several users" in ran.err) == (number, True, number == 1)


def test_an_email_address_that_is_the_login_name_of_another_finds_neither(world: World) -> None:
    email = {"email": {"email": "mallory@example.com", "isVerified": True}}
    users = [world.workshop.user(pat=False, machine=None, human=HUMAN | email)]
    users.append(world.workshop.user(username="Mallory@example.com"))
    for command in ("grant", "revoke"):
        ran = world.shell("role", command, "mallory@example.com", ROLE)
        assert (ran.code, all(user.id in ran.err for user in users)) == (1, True), ran.all


def test_doctor_grants_the_role_to_a_user_whom_the_administrator_cannot_see(world: World) -> None:
    env = world.env("ORG_OWNER") | {"PAT": world.guest.pat}
    ran = world.shell("doctor", "--only", "role.granted", "--fix", "--yes", **env)
    assert (ran.code, f"+ {world.guest.username}  {ROLE}" in ran.out) == (0, True), ran.all
