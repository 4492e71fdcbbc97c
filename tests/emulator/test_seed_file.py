"""A seed file: what it makes, and that each mistake is said with its place, and without a secret."""

import json

import pytest

from tests.support.emulator_target import USERINFO, Server
from zdemo.emulator import NEVER, SeedError, emulate, seeded_start

SECRET = "s3cr3tS3cr3tS3cr3tS3cr3t"
JWE = ".".join(["eyJhbGciOiJBMjU2R0NNS1ciLCJlbmMiOiJBMjU2R0NNIn0", *[SECRET] * 4])
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
        *(
            (f'{USER}[[users.tokens]]\ntoken = "{token}"', "line 4: users[0].tokens[0].token: a token has", "random")
            for token in (f"{SECRET}A", f"{SECRET}.{SECRET}.{SECRET}", f"{JWE}.x", f"{JWE}A", f"{JWE[:40]} {JWE[40:]}")
        ),
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
        ('"us[31mers" = 1', "seed.toml: us[31mers: unknown field", "users"),
        ('"us\\u001b[31m\\n\\u202eers" = 1', "seed.toml: us\\x1b[31m\\n\\u202eers: unknown field", "users"),
        (f"{USER}[[users.tokens]]\nexpires_in = {'9' * 6000}", "seed.toml: a number is too long", ""),
        ('[[users]]\nusername = "a\\u001b[31m"', "line 2: users[0].username: has a control character", ""),
        ('[[users]]\nusername = """\na\nB"""', "line 2: users[0].username: has a control character", ""),
        (f'{USER}state = "a\\u202e"', "line 3: users[0].state: has a control character", ""),
        ('[[projects]]\nname = "p"\nroles = ["a", "\\u0000"]', "line 3: projects[0].roles[1]: has a control", ""),
        (f'{USER}secret = "{SECRET}\\u0000"', "line 3: users[0].secret: must be 1 to 512 letters", ""),
        (f'{USER}secret = "{SECRET} "', "line 3: users[0].secret: must be 1 to 512 letters", ""),
        (f'{USER}secret = ""', "line 3: users[0].secret: must be 1 to 512 letters", ""),
        (f'{USER}id = "{"1" * 513}"', "line 3: users[0].id: must be 1 to 512 letters", ""),
        (f"{PROJECT}[[projects.applications]]\nname='a'\nclient_secret='{SECRET}é'", "client_secret: must be 1 to", ""),
        (f"{PROJECT}[[projects.applications]]\nname='a'\nclient_id='a:b\u00a0c'", "client_id: must be 1 to 512", ""),
        (f"{USER}{'.'.join(['a'] * 30_000)} = 1", "seed.toml, line 3: a key has more than 16 parts", ""),
        (f"x = {{'a' . {' . '.join(['b'] * 30_000)} = 1}}", "seed.toml, line 1: a key has more than 16 parts", ""),
    ],
)
def test_a_mistake_is_said_with_its_place(text: str, message: str, hint: str) -> None:
    with pytest.raises(SeedError) as caught:
        seeded_start(text, "seed.toml")
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert SECRET not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: not valid JSON"),
        ("[]", "not a JSON object"),
        ("7", "not a JSON object"),
        ('{"users": 7}', "users: must be a list"),
        ("{", "not valid JSON"),
        ('{"users": [7]}', "users[0]: must be a table"),
        ("[" * 100_000, "nested too deeply"),
        ('{"us[31mers": 1}', "us[31mers: unknown field"),
        ('{"us.31mers": 1}', "us.31mers: unknown field"),
        (f'{{"users": {"9" * 6000}}}', "a number is too long"),
        ('{"users": [{"username": "a", "username": "b"}]}', "a table has two fields with one name: username"),
        ('{"users": [], "us\\u0065rs": []}', "a table has two fields with one name: users"),
        ('{"users": [{"username": "\\ud800"}]}', "users[0].username: has a control character"),
        ('{"users": [{"username": "a", "ud\\ud800": 1}]}', "users[0].ud\\ud800: unknown field"),
    ],
)
def test_json_is_checked_too(text: str, message: str) -> None:
    with pytest.raises(SeedError, match=r"^seed\.json") as caught:
        seeded_start(text, "seed.json")
    assert message in str(caught.value)


@pytest.mark.parametrize(("seconds", "expires"), [("9" * 400, NEVER), (f"-{'9' * 400}", -NEVER)])
def test_any_number_of_seconds_has_an_end(seconds: str, expires: float) -> None:
    start = seeded_start(f'{{"users": [{{"username": "a", "tokens": [{{"expires_in": {seconds}}}]}}]}}', "seed.json")
    (pat,) = next(iter(start.world.users.values())).pats.values()
    assert abs(pat.expires - expires) < 1e10


def test_chosen_tokens_of_either_form_are_active() -> None:
    tables = "".join(f'[[users.tokens]]\ntoken = "{token}"\n' for token in (SECRET, JWE))
    with emulate(seeded_start(USER + tables, "seed.toml").world) as emulator:
        server = Server(emulator.url)
        for spelling in (SECRET, f"{SECRET[:5]}\n{SECRET[5:]}", JWE, f" {JWE[:60]}\t{JWE[60:]}"):
            assert server.post_form(USERINFO, [("access_token", spelling)]).status_code == 200
        server.close()


@pytest.mark.parametrize(("one", "same"), [(SECRET, SECRET), (f"{SECRET}00", f"{SECRET}01"), (JWE, JWE)])
def test_two_tokens_cannot_mean_the_same(one: str, same: str) -> None:
    twice = f'{USER}[[users.tokens]]\ntoken="{one}"\n[[users.tokens]]\ntoken="{same}"'
    with pytest.raises(SeedError, match=r"line 6: users\[0\]\.tokens\[1\]\.token: another token has the same text"):
        seeded_start(twice, "seed.toml")
