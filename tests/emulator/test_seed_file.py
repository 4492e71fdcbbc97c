"""A seed file: what it makes, and that each mistake is said with its place, and without a secret."""

from __future__ import annotations

import json

import pytest

from zdemo.emulator import NEVER, SeedError, seeded_start

SECRET = "s3cr3tS3cr3tS3cr3tS3cr3t"
USER = '[[users]]\nusername = "ada"\n'
PROJECT = '[[projects]]\nname = "shop"\nroles = ["read"]\n'


def test_an_empty_file_has_an_organization_and_an_administrator() -> None:
    start = seeded_start("", "seed.toml")
    assert [o.name for o in start.world.organizations.values()] == ["ZITADEL"]
    assert [u.username for u in start.world.users.values()] == ["zdemo-admin"]
    assert (start.client_id, start.project_id, start.pat, bool(start.admin_pat)) == ("", "", "", True)


def test_chosen_values_are_kept() -> None:
    users = [
        {
            "username": "ada",
            "id": "ada-1",
            "tokens": [{"token": SECRET, "expires": "2030-01-01T00:00:00Z"}, {"expires_in": 60}, {}],
            "assignments": [{"project": "shop", "roles": ["read"]}],
        },
        {"username": "bob", "state": "locked", "administrator": "ORG_OWNER"},
    ]
    applications = [{"name": "api", "client_id": "7", "client_secret": SECRET}]
    projects = [{"name": "shop", "id": "p-1", "roles": ["read"], "applications": applications}]
    start = seeded_start(json.dumps({"users": users, "projects": projects}), "seed.json")
    ada, bob = start.world.users["ada-1"], list(start.world.users.values())[1]
    assert (start.pat, start.client_id, start.client_secret, start.project_id) == (SECRET, "7", SECRET, "p-1")
    expiries = [pat.expires - start.world.now() for pat in ada.pats.values()]
    assert [pat.expires for pat in ada.pats.values()][::2] == [1893456000.0, NEVER]
    assert 50 < expiries[1] <= 60
    (administrator,) = start.world.administrators.values()
    assert (bob.state, administrator.user_id, administrator.roles) == ("LOCKED", bob.id, ["ORG_OWNER"])
    (assignment,) = start.world.authorizations.values()
    assert (assignment.user_id, assignment.role_keys) == (ada.id, ["read"])


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('[[users]\nusername = "ada"', "seed.toml, line 1, column 8: not valid TOML", ""),
        (f"{USER}usrname = 1", "seed.toml, line 3: users[0].usrname: unknown field", "did you mean username?"),
        ("[[user]]", "seed.toml, line 1: user: unknown field", "did you mean users?"),
        ("[[users]]\nname = 'x'", "seed.toml, line 1: users[0]: username is missing", ""),
        ("[[users]]\nusername = 7", "seed.toml, line 2: users[0].username: must be a string", ""),
        (f"users = 7\n{PROJECT}", "seed.toml, line 1: users: must be a list", ""),
        (f'{USER}state = "inactiv"', "line 3: users[0].state: unknown value: inactiv", "did you mean inactive?"),
        (f'{USER}administrator = "OWNER"', "users[0].administrator: unknown value: OWNER", "IAM_OWNER"),
        (f"{USER}[[users.tokens]]\nexpires = 2030-01-01", "line 4: users[0].tokens[0].expires: must be a time", "Z"),
        (f"{USER}[[users.tokens]]\nexpires_in = true", "users[0].tokens[0].expires_in: must be a number", ""),
        (f'{USER}[[users.tokens]]\ntoken = "a {SECRET}"', "line 4: users[0].tokens[0].token: a token has", "random"),
        (f"{USER}secret = [{SECRET!r}]", "line 3: users[0].secret: must be a string", ""),
        (f"{USER}\n{USER}", "line 4: users[1]: user already exists", ""),
        (f"{USER}[[users.assignments]]\nproject = 'shp'\nroles = ['read']\n{PROJECT}", "unknown project: shp", "shop"),
        (f"{PROJECT}{USER}[[users.assignments]]\nproject='shop'\nroles=['red']", "roles[0]: unknown role: red", "read"),
        (f"{PROJECT}organization = 'X'", "line 4: projects[0].organization: unknown organization: X", "ZITADEL"),
        (f"{PROJECT}[[projects.applications]]\nname='a'\nauth='basicc'", "auth: unknown value: basicc", "basic?"),
        (
            f"{PROJECT}[[projects.applications]]\nname='a'\nauth='private_key_jwt'\nclient_secret='{SECRET}'",
            "line 7: projects[0].applications[0].client_secret: an application with private_key_jwt has no secret",
            "",
        ),
    ],
)
def test_a_mistake_is_said_with_its_place(text: str, message: str, hint: str) -> None:
    with pytest.raises(SeedError) as caught:
        seeded_start(text, "seed.toml")
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert SECRET not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", "7", '{"users": 7}', "{", '{"users": [7]}', "[" * 100_000])
def test_json_is_checked_too(text: str) -> None:
    with pytest.raises(SeedError, match=r"^seed\.json"):
        seeded_start(text, "seed.json")


def test_two_objects_cannot_have_one_secret_name() -> None:
    twice = f'{USER}[[users.tokens]]\ntoken="{SECRET}"\n[[users.tokens]]\ntoken="{SECRET}"'
    with pytest.raises(SeedError, match=r"line 6: users\[0\]\.tokens\[1\]\.token: another token has the same text"):
        seeded_start(twice, "seed.toml")
