"""The fixture ``zitadel_emulator``, which ``tests/testing/test_testing_page.py`` uses as another project does."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.support.emulator_target import Server
from tests.support.processes import run_script
from tests.support.zitadel_api import Api
from zdemo.config.new_dotenv import emulator_text
from zdemo.config.settings import Settings
from zdemo.testing import ZitadelEmulator
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.introspection_client import IntrospectionClient

ROLE = "read:messages"
FORGOTTEN = """
from http.client import HTTPConnection
from zdemo.testing import ZitadelEmulator

emulator = ZitadelEmulator().__enter__()
connection = HTTPConnection(emulator.url.removeprefix("http://"))
connection.request("GET", "/debug/healthz")
connection.getresponse().read()
"""


def introspect(zitadel: ZitadelEmulator, token: str) -> Introspection:
    with closing(IntrospectionClient(Settings.from_env(zitadel.env))) as client:
        return client.introspect(token)


@pytest.mark.parametrize(
    ("rest", "code"),
    [pytest.param("del emulator", 0, marks=pytest.mark.thorough), ("emulator.fault('hang'); raise SystemExit(7)", 7)],
)
def test_a_forgotten_exit_does_not_keep_a_program_running(rest: str, code: int, tmp_path: Path) -> None:
    ran = run_script(f"{FORGOTTEN}{rest}", tmp_path)
    assert (ran.returncode, ran.stderr) == (code, "")


def test_a_setting_that_a_test_changes_stays_changed(zitadel_emulator: ZitadelEmulator) -> None:
    zitadel_emulator.env["ZDEMO_CACHE_TTL"] = "5"
    assert Settings.from_env(zitadel_emulator.env).cache_ttl_seconds == 5


def test_users_have_the_given_roles_which_come_and_go(zitadel_emulator: ZitadelEmulator) -> None:
    pat = zitadel_emulator.user("robot", ROLE, "write:messages")
    assert set(introspect(zitadel_emulator, pat).roles(zitadel_emulator.project_id)) == {ROLE, "write:messages"}
    assert not introspect(zitadel_emulator, zitadel_emulator.user("bob")).roles()
    zitadel_emulator.revoke("robot", ROLE)
    assert not introspect(zitadel_emulator, pat).has_role(ROLE)
    for _ in range(2):
        zitadel_emulator.grant("robot", ROLE)
        assert introspect(zitadel_emulator, pat).has_role(ROLE)
    zitadel_emulator.remove("robot")
    assert not introspect(zitadel_emulator, pat).active


def test_each_test_has_its_own_with_the_known_users(zitadel_emulator: ZitadelEmulator) -> None:
    """Whatever the other test did, robot is free."""
    assert zitadel_emulator.user("robot")
    assert introspect(zitadel_emulator, zitadel_emulator.admin_pat).active


def test_another_organization_has_users_administrators_and_a_project_grant(zitadel_emulator: ZitadelEmulator) -> None:
    partner = zitadel_emulator.organization("Partner", ROLE)
    guest = introspect(zitadel_emulator, zitadel_emulator.user("guest", ROLE, organization=partner))
    assert guest.roles(zitadel_emulator.project_id)[ROLE] == {partner: "partner.localhost"}
    owner = zitadel_emulator.user("owner", administrator="ORG_OWNER", organization=partner)
    with closing(Server(zitadel_emulator.url)) as server:
        Api(server, owner).projects.ListProjects().has(projects=[{"grantedOrganizationId": partner}])
        shop_owner = Api(server, zitadel_emulator.user("shop", administrator="PROJECT_OWNER"))
        shop_owner.projects.GetProject(projectId=zitadel_emulator.project_id).has("project")
    with pytest.raises(ValueError, match="the name is taken: partner"):
        zitadel_emulator.organization("partner")
    with pytest.raises(ValueError, match=f"unknown organization: Partner; give an ID .*Partner is {partner}"):
        zitadel_emulator.user("x", organization="Partner")
    with pytest.raises(ValueError, match=r"unknown role of an administrator: OWNER .*ORG_OWNER"):
        zitadel_emulator.user("x", administrator="OWNER")


def test_keys_rotate(zitadel_emulator: ZitadelEmulator) -> None:
    old = zitadel_emulator.jwt("reader")
    zitadel_emulator.rotate_keys()
    new = zitadel_emulator.jwt("reader")
    assert [introspect(zitadel_emulator, token).active for token in (old, new)] == [True, True]
    zitadel_emulator.rotate_keys(remove_old=True)
    newest = zitadel_emulator.jwt("reader")
    assert [introspect(zitadel_emulator, token).active for token in (old, new, newest)] == [False, False, True]


def test_people_log_in_in_one_call(zitadel_emulator: ZitadelEmulator) -> None:
    subject = zitadel_emulator.person("eve", ROLE)
    client_id = zitadel_emulator.app("https://shop.example/callback")
    for person, client in (("ada", zitadel_emulator.app_client_id), ("EVE", client_id)):
        tokens = zitadel_emulator.login(person, scopes="openid profile offline_access", client_id=client)
        answer = introspect(zitadel_emulator, tokens["access_token"])
        assert (answer.text("username"), answer.text("client_id")) == (person.lower(), client)
        assert answer.has_role(ROLE, zitadel_emulator.project_id)
        assert {"refresh_token", "id_token"} < tokens.keys()
    assert answer.text("sub") == subject
    assert "refresh_token" not in zitadel_emulator.login("eve")
    zitadel_emulator.deactivate("eve")
    for call, message in (
        (lambda: zitadel_emulator.login("eve"), "nobody can log in as eve: it is INACTIVE"),
        (lambda: zitadel_emulator.login("reader"), "reader: it is a service account; use person"),
        (lambda: zitadel_emulator.login("ada", client_id=zitadel_emulator.client_id), "unknown application"),
        (lambda: zitadel_emulator.user("Reader"), "the username is taken: Reader"),
        (lambda: zitadel_emulator.grant("bob", ROLE), r'unknown user: bob .known: reader, .*; user\("bob"\) adds'),
        (lambda: zitadel_emulator.login("bob"), r'unknown user: bob .*; .* person\("bob"\) '),
        (lambda: zitadel_emulator.revoke(zitadel_emulator.admin_pat, ROLE), "unknown user: zdem…0000 "),
        (lambda: zitadel_emulator.person("Ada"), "the username is taken: Ada"),
        (lambda: zitadel_emulator.user("", ROLE), "the username is empty"),
        (lambda: zitadel_emulator.revoke("reader", "read:mesages"), "reader does not have read:mesages; has read:mess"),
        (lambda: zitadel_emulator.revoke("visitor", ROLE), "visitor does not have read:messages; has no role"),
        (lambda: zitadel_emulator.fault("slow", seconds="1"), "seconds must be a number from 0 to 3600, not '1'"),  # type: ignore[arg-type]  # as people write it
        (lambda: zitadel_emulator.fault("reset", seconds=1), "reset takes no seconds .slow and drip do"),
        (lambda: zitadel_emulator.fault("slow", times="1"), "times must be a whole number of at least 1, not '1'"),  # type: ignore[arg-type]  # as above
        (lambda: zitadel_emulator.fault("hang", 1), "unknown path: 1 .known: discovery, introspection"),  # type: ignore[arg-type]  # as above
        (lambda: zitadel_emulator.fault("hang", "/introspect"), "unknown path: /introspect .known: .* introspection"),
        (lambda: zitadel_emulator.fault("hang", "/oauth/v2/introspect/"), "unknown path: /oauth/v2/introspect/"),
        (lambda: zitadel_emulator.app("/callback"), "the redirect URI has no host: /callback"),
        (lambda: zitadel_emulator.user("bob", "Read:Messages"), "did you mean read:messages?"),
        (lambda: zitadel_emulator.advance(hours=-13), "time cannot go back: -46800 s"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    for duration in ((13,), ()):
        with pytest.raises(TypeError, match=r"such as advance\(hours=13\)"):
            zitadel_emulator.advance(*duration)
    with pytest.raises(AttributeError, match=r"unknown attribute of the emulator: settings \(known: .*, env, "):
        zitadel_emulator.settings  # type: ignore[attr-defined]  # noqa: B018  # as people write it
    with pytest.raises(RuntimeError, match="already running: use it without a with block"):
        zitadel_emulator.__enter__()
    for create in (zitadel_emulator.user, zitadel_emulator.person, zitadel_emulator.organization):
        for roles in (["read:messages"], "read:messages,admin"):
            with pytest.raises(TypeError, match=r"each role is an argument, .*, not .*read:messages"):
                create("bob", roles)  # type: ignore[arg-type]  # as people write it
    assert zitadel_emulator.user("bob", ROLE), "nothing was created"


OPTIONS = ["-q", "--disable-plugin-autoload", "-p", "zdemo.pytest_plugin", "-p", "no:cacheprovider", "."]
API_TEST = """
from flask import Flask
from zdemo.server import protect, requires_token

def test_messages(zitadel_emulator):
    app, token = protect(Flask(__name__){env}), zitadel_emulator.user("robot", "read:messages")
    app.add_url_rule("/messages", "messages", requires_token(role="read:messages")(lambda: "hello"))
    ask = lambda: app.test_client().get("/messages", headers={{"Authorization": f"Bearer {{token}}"}}).status_code
    before = ask()
    zitadel_emulator.revoke("robot", "read:messages")
    assert (before, ask()) == (200, 401)
"""


@pytest.mark.parametrize(
    ("env", "code", "remark"),
    [pytest.param(", zitadel_emulator.env", 0, False, marks=pytest.mark.thorough), ("", 1, True)],
)
def test_an_api_sees_changes_at_once_if_it_got_the_env(env: str, code: int, remark: bool, tmp_path: Path) -> None:
    (tmp_path / "test_api.py").write_text(API_TEST.format(env=env))
    (tmp_path / ".env").write_text(emulator_text(1))  # another ZITADEL, where nothing listens
    ran = run_script(f"import pytest\nraise SystemExit(pytest.main({OPTIONS}))", tmp_path)
    assert (ran.returncode, "did the API get zitadel_emulator.env?" in ran.stdout) == (code, remark), ran
