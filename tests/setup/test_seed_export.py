"""A ZITADEL that becomes a seed: what is in it, what is left out and why, and that it is the same again."""

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import pytest

from tests.support.processes import ROOT
from tests.support.upstream import Behaviour, Received, answer, depending, json_body, upstream
from zdemo.config.address import ZitadelAddress
from zdemo.emulator import NEVER, World, emulate
from zdemo.emulator.entities import INSTANCE, Resource
from zdemo.emulator.seed_file import seeded_start
from zdemo.errors import ManagementError, ZdemoError
from zdemo.setup.seed_export import SeedExport
from zdemo.zitadel.management import ManagementClient

# the documentation's example, which has everything that a file can have, and more of the same
EXAMPLE = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "emulator.md").read_text(), re.DOTALL)[0]
SEED = f"""{EXAMPLE}
[[projects]]
name = 'sh"op\\ [#=] 🦊 日本'
id = "p1"
organization = "Partner"
roles = ["a'b\\"c"]
[[projects]]
name = "p1"
id = "p2"
[[projects]]
name = "p1"
id = "p0"
organization = "Partner"
[[users]]
username = "guest"
id = "u1"
organization = "Partner"
administrator = "ORG_USER_MANAGER"
state = "locked"
[[users.assignments]]
project = "shop"
roles = ["orders:read"]
[[users.assignments]]
project = "p1"
roles = ["a'b\\"c"]
"""
OWN = ("a-secret-of-your-own", "for-client_credentials", "for-login-pages", "00000000000", "staff")
ROLES = "role assignments (without roles, or of roles or projects that are left out)"
GRANTS = "project grants (to organizations, or of roles, that are left out)"
ADMINISTRATORS = "administrator roles (of what is left out, or a further one of a user)"


def world() -> World:
    return seeded_start(SEED, "seed.toml").world


def exported(world: World, user_id: str = "", *, people: bool = True) -> tuple[str, dict[str, int]]:
    """Export a world as one of its users, by default the IAM_OWNER."""
    user_id = user_id or next(a.user_id for a in world.administrators.values() if "IAM_OWNER" in a.roles)
    token = next(iter(world.users[user_id].pats.values())).token
    with emulate(world) as emulator:
        return exported_from(emulator.url, token, people=people)


def exported_from(url: str, token: str, *, people: bool = True) -> tuple[str, dict[str, int]]:
    with closing(ManagementClient(ZitadelAddress(url), token, timeout_seconds=10)) as client:
        seed = SeedExport(client, token)
        return seed.text(people=people), seed.left_out


def again(text: str, *, people: bool = True) -> str:
    """Start an emulator with a seed, and export that."""
    start = seeded_start(text, "seed.toml")
    with emulate(start.world) as emulator:
        text, left_out = exported_from(emulator.url, start.admin_pat, people=people)
    assert left_out == {}
    return text


def content(world: World) -> list[Any]:
    """Return what a seed can say of a world, without secrets."""
    return [
        {(o.id, o.name) for o in world.organizations.values()},
        {(p.id, p.name, p.organization_id, *sorted(p.roles)) for p in world.projects.values()},
        {(p.id, id, *g.role_keys) for p in world.projects.values() for id, g in p.grants.items()},
        {(a.id, a.project_id, a.name, a.client_id, a.auth_method, bool(a.secret)) for a in world.applications.values()},
        [a.oidc["redirectUris"] for a in world.applications.values() if a.kind == "oidc"],
        {
            (u.id, u.username, u.name, u.state, u.machine, bool(u.secret or u.password), str(u.human))
            for u in world.users.values()
        },
        {(a.user_id, a.project_id, a.organization_id, *a.role_keys) for a in world.authorizations.values()},
        {(a.user_id, a.resource, *a.roles) for a in world.administrators.values()},
    ]


def test_a_world_is_exported_whole_with_new_secrets_and_then_the_same_file_again() -> None:
    before = world()
    text, left_out = exported(before)
    start = seeded_start(text, "seed.toml")
    assert (content(start.world), left_out) == (content(before), {})
    assert again(text) == text
    assert exported(before)[0] != text, "secrets are random"
    assert [own for own in OWN if own in text] == []
    assert all(secret.startswith("zdemo-seed-") for secret in (start.admin_pat, start.pat, start.client_secret))


def test_people_and_their_roles_are_left_out_and_counted() -> None:
    text, left_out = exported(world(), people=False)
    expected = {"people (--people includes them)": 1, ADMINISTRATORS: 1}
    assert left_out == expected | {"role assignments (of users who are left out)": 1}
    assert ("eve" in text, again(text, people=False)) == (False, text)


def test_characters_that_no_seed_can_have_become_blanks() -> None:
    before = world()
    before.projects["p1"].name, before.projects["p2"].name = "two\nlines\x7f\u200b", "two lines  "
    before.users["u1"].name = "Ada\u00a0Lovelace"
    text, _ = exported(before)
    after = seeded_start(text, "seed.toml").world
    assert [after.projects[id].name for id in ("p1", "p2")] == ["two lines  "] * 2
    assert (after.users["u1"].name, content(after)[6]) == ("Ada Lovelace", content(before)[6])
    assert again(text) == text


def switch_off(world: World) -> None:
    world.projects["p1"].active = False
    for things in (world.applications, world.authorizations):
        next(iter(things.values())).active = False
    world.add_administrator(next(iter(world.users)), Resource("project", "p1"), ["PROJECT_OWNER"])


BY_SECRET = {"kind": "oidc", "auth_method": "OIDC_AUTH_METHOD_TYPE_BASIC"}
MORE = ["PROJECT_OWNER", "PROJECT_OWNER_VIEWER"]


@pytest.mark.parametrize(
    ("change", "left_out"),
    [
        (
            switch_off,
            {f"{what} (deactivated)": 1 for what in ("projects", "applications", "role assignments")}
            | {ROLES: 1, ADMINISTRATORS: 1},
        ),
        (
            lambda world: vars(world.application_of("401234567890123456")).update(BY_SECRET),
            {"applications (neither for an API nor OIDC without a secret)": 1},
        ),
        (lambda world: world.add_administrator("u1", Resource("project", "p1"), MORE), {ADMINISTRATORS: 2}),
        (lambda world: next(iter(world.projects.values())).roles.pop("orders:read"), {ROLES: 3, GRANTS: 1}),
        (
            lambda world: setattr(world.organizations[world.projects["p1"].organization_id], "active", False),
            {f"{what} (of organizations that are left out)": n for what, n in (("projects", 2), ("users", 1))}
            | {"organizations (deactivated)": 1, ADMINISTRATORS: 1, "role assignments (of users who are left out)": 2}
            | {GRANTS: 1},
        ),
    ],
)
def test_what_no_seed_can_have_is_left_out_and_counted(
    change: Callable[[World], object], left_out: Mapping[str, int]
) -> None:
    before = world()
    change(before)
    text, lacks = exported(before)
    assert lacks == left_out
    assert seeded_start(text, "seed.toml").world.projects


def test_an_administrator_exports_what_they_see_and_gets_another_who_sees_that() -> None:
    before = world()
    acme = next(iter(before.organizations))
    for name, role in (("owner", "ORG_OWNER"), ("settings", "ORG_SETTINGS_MANAGER"), ("nobody", "")):
        before.add_pat(before.add_user(acme, name, name, id=name), NEVER)
        if role:
            before.add_administrator(name, Resource("organization", acme), [role])
    text, left_out = exported(before, "owner")
    assert left_out["organizations (the administrator lacks org.read, or they were deleted meanwhile)"] == 1
    assert ("Partner" in text, "zdemo-seed-admin" in text, again(text)) == (False, True, text)
    assert exported(before, "settings")[1]["all projects (the administrator lacks project.read)"] == 0
    with pytest.raises(ZdemoError, match=r"may not read any organization \(org\.read\)") as refused:
        exported(before, "nobody")
    assert refused.value.finding == "admin.refused"


def test_a_user_keeps_the_strongest_role_and_an_active_account_comes_first() -> None:
    before = world()
    before.add_pat(before.add_user(next(iter(before.organizations)), "viewer", "V", id="viewer"), NEVER)
    for user_id, role in (("u1", "IAM_OWNER"), ("viewer", "IAM_OWNER_VIEWER")):
        before.add_administrator(user_id, INSTANCE, [role])
    owner = before.user_named("root")
    assert owner
    owner.state = "LOCKED"
    text, left_out = exported(before, "viewer")
    after = seeded_start(text, "seed.toml").world
    assert (next(iter(after.users)), left_out) == ("zdemo-seed-admin", {ADMINISTRATORS: 1})
    assert [a.roles for a in after.administrators.values() if a.user_id == "u1"] == [["IAM_OWNER"]]


def test_a_dead_token_and_an_id_that_no_seed_can_have_end_the_export() -> None:
    before = world()
    with emulate(before) as emulator, pytest.raises(ManagementError, match="token is not valid at this ZITADEL"):
        exported_from(emulator.url, "x" * 40)
    before.add_project(next(iter(before.organizations)), "odd", id="an id")
    with pytest.raises(ZdemoError, match=r"projects\[\d\]\.id: must be 1 to 512 letters"):
        exported(before)


ACCOUNT = {"state": "USER_STATE_ACTIVE", "details": {"resourceOwner": "o1"}, "machine": {}}
USERS = [
    ACCOUNT | {"userId": f"u{number}", "username": name, "preferredLoginName": f"{name}@{number}.example"}
    for number, name in enumerate(("ada", "bob", "ADA"))
]
ASSIGNED: dict[str, Any] = {"id": "g1", "user": {"id": "u0"}, "project": {"id": "p1"}, "organization": {"id": "o1"}}
LISTS = {
    "ListOrganizations": {"result": [{"id": "o1", "name": "Acme"}]},
    "ListProjects": {"projects": [{"projectId": id, "name": id, "organizationId": "o1"} for id in ("zitadel", "p1")]},
    "iam": {"iamProjectId": "zitadel"},
    "ListAuthorizations": {"authorizations": [ASSIGNED | {"state": "STATE_ACTIVE", "roles": [{"key": "read"}]}]},
}


def changing(received: Received) -> Behaviour:
    """Answer as a ZITADEL that changes: a user is on both pages, and a project is gone when its roles are read."""
    name, is_second = received.target.rpartition("/")[2], b'"offset": "100"' in received.body
    users = {"result": USERS[1:] if is_second else USERS[:2], "details": {"totalResult": "101", "appliedLimit": "100"}}
    return answer(json_body(users if name == "ListUsers" else LISTS.get(name, {})))


def test_a_zitadel_that_changes_while_it_is_read_becomes_a_seed_whose_usernames_are_unique() -> None:
    with upstream(depending(changing)) as zitadel:
        text, left_out = exported_from(zitadel.url, "x")
    names = [user.username for user in seeded_start(text, "seed.toml").world.users.values()]
    assert names == ["zdemo-seed-admin", "ada@0.example", "bob", "ADA@2.example"]
    assert (left_out[ROLES], "zitadel" in text, again(text)) == (1, False, text)
