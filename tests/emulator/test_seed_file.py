"""A seed file: what it makes, and that each mistake is said with its place, and without a secret."""

import json
from contextlib import closing

import pytest

from tests.support.emulator_target import INTROSPECT, TOKEN, USERINFO, Server, basic
from zdemo.emulator import NEVER, emulate
from zdemo.emulator.oidc.user_claims import GROUPS
from zdemo.emulator.seed import SeedError
from zdemo.emulator.seed_file import seeded_start

SECRET = "s3cr3tS3cr3tS3cr3tS3cr3t"
JWE = ".".join(["eyJhbGciOiJBMjU2R0NNS1ciLCJlbmMiOiJBMjU2R0NNIn0", *[SECRET] * 4])
USER = '[[users]]\nusername = "ada"\n'
PATS = f"{USER}[[users.tokens]]\n"
PROJECT = '[[projects]]\nname = "shop"\nroles = ["read"]\n'
APPLICATION = f"{PROJECT}[[projects.applications]]\nname='a'\n"
GRANT = f"{PROJECT}[[projects.grants]]\norganization="
PARTNER = "[[organizations]]\nname='ZITADEL'\n[[organizations]]\nname='P'\n"
OWNER_OF = "administrator = 'ORG_OWNER'\nadministrator_of = "
ASSIGNMENT = "[[users.assignments]]\nproject="


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
    applications = [{"name": "front", "auth": "none", "client_id": "8", "redirect_uris": ["http://localhost/back"]}]
    applications += [{"name": "api", "client_id": "7", "client_secret": SECRET}]
    projects = [{"name": "shop", "id": "p-1", "roles": ["read"], "applications": applications}]
    start = seeded_start(json.dumps({"users": users, "projects": projects}), "seed.json")
    ada, bob = start.world.users["ada-1"], list(start.world.users.values())[1]
    assert (start.pat, start.client_id, start.client_secret, start.project_id) == (SECRET, "7", SECRET, "p-1")
    front = start.world.application_of("8")
    assert start.app_client_id == "8"
    assert front is not None
    assert front.oidc["redirectUris"] == ["http://localhost/back"]
    expiries = [pat.expires for pat in ada.pats.values()]
    assert expiries[::2] == [1893456000.0, NEVER]
    assert 0 < expiries[1] - start.world.now() <= 60
    (administrator,) = start.world.administrators.values()
    assert (bob.state, administrator.user_id, administrator.roles) == ("LOCKED", bob.id, ["ORG_OWNER"])
    (assignment,) = start.world.authorizations.values()
    assert (assignment.user_id, assignment.role_keys) == (ada.id, ["read"])


def test_people_have_passwords_and_roles_and_a_login_client_is_nobodys_administrator() -> None:
    people = [
        {"username": "eve", "password": SECRET, "assignments": [{"project": "shop", "roles": ["read"]}]},
        {"username": "bob", "given_name": "Bob", "family_name": "B", "email": "b@c.d", "state": "inactive"},
    ]
    users = [{"username": "login", "administrator": "IAM_LOGIN_CLIENT", "tokens": [{}]}]
    content = {"users": users, "people": people, "projects": [{"name": "shop", "roles": ["read"]}]}
    start = seeded_start(json.dumps(content), "seed.json")
    login, eve, bob, admin = start.world.users.values()
    assert (eve.name, eve.human["email"]["email"], eve.password) == ("Eve Example", "eve@example.com", SECRET)
    assert (bob.name, bob.human["email"]["email"], bob.password, bob.state) == ("Bob B", "b@c.d", None, "INACTIVE")
    assert [a.role_keys for a in start.world.authorizations.values()] == [["read"]]
    assert [known.username for known in start.users] == [admin.username]
    assert [a.roles for a in start.world.administrators.values() if a.user_id == login.id] == [["IAM_LOGIN_CLIENT"]]


def test_a_project_is_granted_and_administrators_have_one_organization_or_project() -> None:
    def user(name: str, **fields: object) -> dict[str, object]:
        return {"username": name, "organization": "Partner"} | fields

    assignments = [{"project": project, "roles": ["read"]} for project in ("shop", "other")]
    grant = {"organization": "Partner", "roles": ["read"]}
    shop = {"name": "shop", "id": "shop-1", "roles": ["read", "write"], "grants": [grant]}
    content = {
        "organizations": [{"name": "Acme", "id": "acme"}, {"name": "Partner", "id": "partner"}],
        "projects": [shop, {"name": "other", "roles": ["read"]}],
        "users": [
            user("guest", assignments=assignments),
            user("here", administrator="ORG_OWNER"),
            user("there", administrator="ORG_USER_MANAGER", administrator_of="Acme"),
            user("owner", administrator="PROJECT_OWNER", administrator_of="shop"),
        ],
    }
    world = seeded_start(json.dumps(content), "seed.json").world
    assert [a.organization_id for a in world.authorizations.values()] == ["partner", "acme"]
    assert {id: grant.role_keys for id, grant in world.projects["shop-1"].grants.items()} == {"partner": ["read"]}
    resources = [("organization", "partner"), ("organization", "acme"), ("project", "shop-1")]
    assert [a.resource for a in world.administrators.values()] == resources


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('[[users]\nusername = "ada"', "line 1, column 8: not valid TOML: Expected ']]'", ""),
        (f"{USER}usrname = 1", "seed.toml: users[0]: object contains unknown field usrname", "known: username, id, "),
        (f"[[applications]]\n{USER}", "seed.toml: object contains unknown field appl", "of [[projects]]; known: org"),
        ('[projects]\nname = "a"', "seed.toml: projects: expected array, got object", "write [[projects]]"),
        (f"{APPLICATION}auth='jwt'", "applications[0].auth: invalid enum value 'jwt'", "basic, none, private_key_jwt"),
        (
            f"{APPLICATION}auth='none'\nredirect_uris=['localhost/callback']",
            "projects[0].applications[0].redirect_uris: the redirect URI has no host: localhost/callback; give one",
            "",
        ),
        (f"{USER}[users.assignments]\nproject='a'", "assignments: expected array, got object", "[[users.assignments]]"),
        (f"{USER}password = 'a'", "users[0]: object contains unknown field password", "of [[people]]; known: user"),
        (f"{USER}administrator = true", "users[0].administrator: must be a string", "IAM_OWNER"),
        (f'auto_login = "ada"\n{USER}', "seed.toml: auto_login: unknown person: ada", "known: none"),
        ("auto_login = 'ada'\n[[people]]\nusername='eve'", "auto_login: unknown person: ada", "known: eve"),
        ("[[users]]\nusername = ada", "seed.toml, line 2, column 12: not valid TOML", 'write a text in quotes: "…"'),
        (f"{PROJECT}{USER}{ASSIGNMENT}'shop'\nroles='a'", "roles: expected array, got str", 'write a list: ["…"]'),
        (f"{PATS}expires = 2030-01-01T00:00:00Z\nexpires_in = 3", "expires_in: expires is set too", ""),
        (f"{PATS}expires_in = '1h'", "users[0].tokens[0].expires_in: expected int | null, got str", "example 3600"),
        (f'{USER}state = "inactiv"', "users[0].state: invalid enum value 'inactiv'", "known: active, inactive, locked"),
        ("[[people]]\nusername = 'a'\nemail = 'eve'", "seed.toml: people[0].email: is not an email address", ""),
        ('[[people]]\npassword = "x"', "seed.toml: people[0]: object missing required field username", ""),
        (f'[[people]]\nusername = "a"\npassword = "{SECRET} "', "people[0].password: must be 1 to 512", ""),
        (f"{USER}[[people]]\nusername = 'ADA'", "people[0]: user already exists", ""),
        (
            f"{PATS}expires = 2030-01-01",
            "users[0].tokens[0].expires: expected datetime",
            "example 2030-01-01T00:00:00Z",
        ),
        (f"{PATS}expires_in = {'9' * 6000}", "seed.toml: not valid TOML", ""),
        (f"{PATS}expires_in = -{'9' * 18}", "users[0].tokens[0].expires_in: expected int >= -10", ""),
        *(
            (f'{PATS}token = "{token}"', "users[0].tokens[0].token: must be 20 to 512", "")
            for token in (f"a {SECRET}", f"{SECRET}A", f"{SECRET}.{SECRET}.{SECRET}", f"{JWE}.x", f"{JWE}A")
        ),
        (f"{USER}\n{USER}", "users[1]: user already exists", ""),
        (f"{USER}{ASSIGNMENT}'shp'\nroles=['read']\n{PROJECT}", "users[0].assignments[0].project: un", "shop"),
        (f"{PROJECT}{USER}{ASSIGNMENT}'shop'\nroles=['red']", "users[0].assignments[0].roles[0]: un", "read"),
        (f"{GRANT}'ZITADEL'", "projects[0].grants[0].organization: the project belongs to this organization", ""),
        (f"{PARTNER}{GRANT}'P'\nroles=['red']", "projects[0].grants[0].roles[0]: unknown role: red", "read"),
        (
            f"{PARTNER}{GRANT}'P'\n{USER}organization='P'\n{ASSIGNMENT}'shop'\nroles=['read']",
            "users[0].assignments[0].roles[0]: unknown role: read",
            "none",
        ),
        (f'{USER}administrator = "OWNER"', "administrator: unknown role: OWNER", "IAM_OWNER"),
        (f'{USER}administrator = "PROJECT_OWNER"', "administrator_of: the project is missing", "none"),
        (f"{PROJECT}{USER}{OWNER_OF}'shop'", "users[0].administrator_of: unknown organization: shop", "ZITADEL"),
        (f"{USER}administrator='IAM_OWNER'\nadministrator_of='ZITADEL'", "IAM_OWNER is for the whole instance", ""),
        (f"{APPLICATION}redirect_uris=['x:y']", 'applications[0].redirect_uris: needs auth = "none"', ""),
        (
            f"{APPLICATION}auth='none'\nclient_secret='{SECRET}'",
            "client_secret: an application with none has no se",
            "",
        ),
        ('"us\\u001b[31m\\n\\u202eers" = 1', "seed.toml: object contains unknown field us\\x1b[31m\\n\\u202eers", ""),
        ('[[users]]\nusername = "a\\u001b[31m"', "users[0].username: has a control character", ""),
        *(
            (f"{USER}secret = {secret}", "users[0].secret: must be 1 to 512 letters", "")
            for secret in (f'"{SECRET}\\u0000"', f'"{SECRET} "', '""', f"'{SECRET}é'", f"'{'1' * 513}'")
        ),
        (f'{PATS}token="{JWE}"\n[[users.tokens]]\ntoken="{JWE}"', "users[0].tokens[1].token: another", ""),
        (f'{PATS}token="{SECRET}00"\n[[users.tokens]]\ntoken="{SECRET}01"', "another token has the same text", ""),
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
        ("", "line 1, column 1: not valid JSON: Expecting value"),
        ('{"users": [7]}', "users[0]: expected object, got int"),
        ("[" * 100_000, "seed.json: not valid JSON"),
        ('{"users": [{"username": "a", "ud\\ud800": 1}]}', "has a character that is not Unicode"),
    ],
)
def test_json_is_checked_too(text: str, message: str) -> None:
    with pytest.raises(SeedError, match=r"^seed\.json") as caught:
        seeded_start(text, "seed.json")
    assert message in str(caught.value)


def test_tokens_name_the_groups_of_a_user_for_two_scopes_and_pats_do_not() -> None:
    user = {"username": "ada", "groups": ["staff", "night"], "secret": SECRET, "tokens": [{}]}
    project = {"name": "shop", "id": "7", "applications": [{"name": "api"}]}
    start = seeded_start(json.dumps({"users": [user], "projects": [project]}), "seed.json")
    with emulate(start.world) as emulator, closing(Server(emulator.url)) as server:
        scope = f"openid groups {GROUPS} urn:zitadel:iam:org:project:id:7:aud"
        form = [("grant_type", "client_credentials"), ("scope", scope)]
        token = server.post_form(TOKEN, form, basic("ada", SECRET)).json()["access_token"]
        client = basic(start.client_id, start.client_secret)
        seen, pat = (server.post_form(INTROSPECT, [("token", t)], client).json() for t in (token, start.visitor_pat))
    assert seen["groups"] == ["staff", "night"]
    assert [group["name"] for group in seen[GROUPS]] == ["staff", "night"]
    assert (pat["active"], "groups" in pat, GROUPS in pat) == (True, False, False)


def test_chosen_tokens_of_either_form_are_active() -> None:
    tables = "".join(f'[[users.tokens]]\ntoken = "{token}"\n' for token in (SECRET, JWE))
    with emulate(seeded_start(USER + tables, "seed.toml").world) as emulator, closing(Server(emulator.url)) as server:
        for spelling in (SECRET, f"{SECRET[:5]}\n{SECRET[5:]}", JWE, f" {JWE[:60]}\t{JWE[60:]}"):
            assert server.post_form(USERINFO, [("access_token", spelling)]).status_code == 200
