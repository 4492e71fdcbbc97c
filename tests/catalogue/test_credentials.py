"""The catalogue of faults, second part: the credentials of applications, of service accounts, and of administrators.

Without the administrator most of them look the same: then the causes stay open, and no single one is certain. Which
refusal of a service account means what is in ``tests/diagnosis/test_refused_user.py``.
"""

import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.catalogue.named_causes import both, command, doctor, flat, introspect, write
from tests.support.cli import Ran, Shell, administered, settings
from tests.support.connection_faults import relay
from tests.support.emulator_target import as_real
from tests.support.planting import Planter, key_site
from tests.support.upstream import answer, depending, json_body, refusing_port, upstream
from tests.support.waiting import eventually
from zdemo.emulator import ADMIN, APPLICATION_ID, PROJECT_ID, READER, VISITOR, World
from zdemo.emulator.seed import APPLICATION_NAME

APP = {"projectId": PROJECT_ID, "applicationId": APPLICATION_ID}
OPEN = "it can be|cannot be told apart"
REFUSED = "refuses the API application's (credentials|key)"
CANDIDATES = ("CLIENT_ID is wrong", "CLIENT_SECRET is wrong", "inactive", "key-only", "recreated")
NEW_SECRET = (
    "copy CLIENT_SECRET again .*only if the secret is lost: .*Regenerate Client Secret.*breaks other deployments"
)


BY_KEY = {"authMethodType": "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}


def key_only(planter: Planter) -> dict[str, str]:
    app = planter.api.apps.CreateApplication(projectId=PROJECT_ID, name="by-key", apiConfiguration=BY_KEY)
    return {"CLIENT_ID": str(app["apiConfiguration"]["clientId"])}


def test_14_the_credentials_of_a_service_user(bare: Shell, planter: Planter) -> None:
    user = planter.tokens()
    env = settings(planter.url, CLIENT_ID=user["name"], CLIENT_SECRET=user["secret"])
    for output in both(bare, env, "client.accepted", warned=("settings.wellformed",)):
        output.names("those of a service account", "API application's").never(OPEN, "expired")


def organization_off(planter: Planter) -> dict[str, str]:
    planter.api.rest("POST", "/management/v1/orgs/me/_deactivate", {}).has()
    return {}


Plant = Callable[[Planter], dict[str, str]]  # breaks an application, and returns the settings that differ


def does(method: str, **ids: str) -> Plant:
    def plant(planter: Planter) -> dict[str, str]:
        planter.api.do(method, **ids)
        return {}

    return plant


APPLICATION = "ApplicationService"
IS_WRONG = ("CLIENT_SECRET is wrong", "regenerated|rotated", "(fix|next) copy CLIENT_SECRET again")
IS_BY_KEY = ("private_key_jwt", "create a key .*ZITADEL_KEY_FILE")
UNKNOWN = "no application has this client ID"


@pytest.mark.parametrize(
    ("plant", "named", "never"),
    [
        (does(f"{APPLICATION}/GenerateClientSecret", **APP), IS_WRONG, "inactive|no application"),
        (key_only, IS_BY_KEY, "inactive"),
        (organization_off, ("organization ZITADEL .*is inactive", "activate"), "project zdemo"),
        (does(f"{APPLICATION}/DeleteApplication", **APP), (UNKNOWN, "deleted"), "inactive"),
    ],
)
def test_11_13_43_44_a_refused_client(
    bare: Shell, planter: Planter, plant: Plant, named: tuple[str, ...], never: str
) -> None:
    values, token = plant(planter), (r"token is (dead|not valid)", "deleted PAT")
    output = introspect(bare, settings(planter.url, **values))
    output.names(REFUSED, *CANDIDATES, OPEN, "doctor --admin-pat", NEW_SECRET).never(*token)
    for output in both(bare, administered(planter.url, **values), "client.accepted"):
        output.names(REFUSED, *named).never(OPEN, never, *token)
        output.never(*(() if named is IS_WRONG else ("CLIENT_SECRET is wrong",)))
        output.names(*{IS_WRONG: [NEW_SECRET], IS_BY_KEY: ["switch .*Basic"]}.get(named, []))


def test_37_a_zitadel_that_was_recreated(bare: Shell) -> None:
    with as_real(World()) as other:
        output = doctor(bare, administered(other.url), "client.accepted")
    output.names("ZITADEL refuses everything", "recreated|another instance", "zdemo setup", "new")
    output.never("CLIENT_SECRET is wrong", "inactive")


def test_58_the_key_file_of_a_service_user(bare: Shell, planter: Planter) -> None:
    path = write(bare.folder, "key.json", '{"type":"serviceaccount","keyId":"1","key":"x","userId":"2"}')
    env = settings(planter.url, ZITADEL_KEY_FILE=path)
    output = doctor(bare, env, "settings.wellformed")
    output.names("service account", "ZITADEL_KEY_FILE", "fix .*API application").never("expired")
    command(bare, env, "introspect").names("service account", "API application")


@pytest.mark.parametrize("expires_in", [pytest.param(1.5, marks=pytest.mark.thorough), None])
def test_59_an_application_key_that_has_expired_or_was_deleted(bare: Shell, expires_in: float | None) -> None:
    life = {"lifetime_milliseconds": int(expires_in * 1000)} if expires_in else {}
    with key_site(bare.folder / "key.json", **life) as site:
        expires = datetime.now(UTC) + timedelta(seconds=expires_in or 0)  # or a little earlier
        env = keyed(site.settings.issuer, site.file)
        if expires_in:
            eventually("the key has expired", lambda: datetime.now(UTC) > expires)
        else:
            site.delete_key()
        doctor(bare, env, "client.accepted").names(REFUSED, "key", "deleted", "expired", OPEN)
        output = doctor(bare, env | {"ZITADEL_ADMIN_PAT": ADMIN.pat}, "client.accepted")
    reason = ("has expired", f"{expires:%Y-%m-%d}") if expires_in else ("unknown", "deleted")
    output.names("key", *reason, "create a new key").never(OPEN, "inactive")


def keyed(url: str, file: Path) -> dict[str, str]:
    return {"ZITADEL_DOMAIN": url, "ZITADEL_KEY_FILE": str(file), "PAT": READER.pat}


def test_60_a_clock_that_is_off_with_a_key(bare: Shell) -> None:
    """ZITADEL has another time, by its Date, and refuses what is signed at ours."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=900), usegmt=True)
    refused = answer(json_body({"error": "unauthorized_client"}), 400, headers={"Date": date})
    with key_site(bare.folder / "key.json") as site:
        passed = relay(site.settings.issuer, date_shift_seconds=900)
        with upstream(depending(lambda r: refused if r.target.startswith("/oauth/v2/introspect") else passed)) as up:
            env = keyed(f"http://localhost:{up.port}", site.file)
            outputs = both(bare, env, "clock.skew", "client.accepted")
    for output in outputs:
        output.names("clock", r"\d\d\d s behind", "synchronise").never("key was deleted", "new key")


# The administrator's PAT


def test_56_an_administrators_pat_that_is_dead(bare: Shell, planter: Planter) -> None:
    env = settings(planter.url, ZITADEL_ADMIN_PAT=secrets.token_urlsafe(53), ZITADEL_PROJECT_ID=PROJECT_ID)
    for output in (doctor(bare, env, "admin.valid"), command(bare, env, "role", "list"), command(bare, env, "setup")):
        output.names("token is not valid at this ZITADEL", "new PAT").never("membership", "not enough for")


REMOTE = "https://zitadel.invalid"


def test_an_exported_administrators_pat_does_not_go_where_only_a_file_says(bare: Shell) -> None:
    """A copied folder must not collect it."""
    bare.dotenv(**settings(REMOTE, ZDEMO_TIMEOUT="1"))
    env = {"ZITADEL_ADMIN_PAT": secrets.token_urlsafe(53)}
    lines = (("role", "list"), ("role", "grant", "visitor", "read:messages"), ("setup", "--yes"), ("demo", "--live"))
    for arguments in lines:
        output = command(bare, env, *arguments)
        output.names(r"exported in this shell, but only \S*.env names the address, https://zitadel.invalid")
        output.names("not sent", f"export ZITADEL_DOMAIN={REMOTE} if that is your ZITADEL").never("resolve")
    command(bare, env | {"ZITADEL_DOMAIN": REMOTE}, "role", "list").names("does not resolve").never("not sent")
    bare.dotenv(**settings("http://localhost:8080", ZITADEL_INTERNAL_URL=REMOTE, ZDEMO_TIMEOUT="1"))
    output = command(bare, env, "role", "list")  # the name that is connected to counts, whoever gave the issuer
    output.names(f"export ZITADEL_INTERNAL_URL={REMOTE} if that is your ZITADEL.*not sent").never("resolve")


def test_doctor_and_introspect_do_without_an_administrators_pat_that_may_be_collected(bare: Shell) -> None:
    refused = answer(json_body({"error": "unauthorized_client"}), 400)
    discovery = answer(
        json_body({"issuer": "http://0.0.0.0", "introspection_endpoint": "http://x/oauth/v2/introspect"})
    )
    paths = {"/.well-known/openid-configuration": discovery, "/debug/ready": answer(b'"ok"')}
    pat = secrets.token_urlsafe(53)
    with upstream(depending(lambda request: paths.get(request.target, refused))) as up:
        url = up.url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104  # not loopback
        bare.dotenv(**settings(url, CLIENT_SECRET="B" * 64, ZDEMO_ALLOW_HTTP="1"))
        outputs = [command(bare, {"ZITADEL_ADMIN_PAT": pat}, *line) for line in (("introspect",), ("doctor", "-v"))]
        assert pat not in str([request.headers for request in up.requests])
    for output in outputs:
        output.names("not sent", "export ZITADEL_DOMAIN=http://0.0.0.0").never("set ZITADEL_ADMIN_PAT")


def test_64_the_documentation_says_whose_credentials_introspection_needs() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "troubleshooting.md").read_text()
    assert "client_id or client_assertion must be provided" in page
    assert re.search(r"API application's.*credentials.*token.*form", page, re.DOTALL | re.IGNORECASE)


def test_an_application_that_was_switched_to_a_key_is_pointed_out(bare: Shell, planter: Planter) -> None:
    planter.api.apps.UpdateApplication(**APP, apiConfiguration=BY_KEY).has()
    output = doctor(bare, administered(planter.url), warned=("client.kind",))
    output.names("still accepts", f"{APPLICATION_NAME} is registered for a key", "ZITADEL_KEY_FILE")


def with_key(url: str, file: Path) -> dict[str, str]:
    return settings(url, ZITADEL_PROJECT_ID=PROJECT_ID, ZDEMO_USER_KEY_FILE=file.name)


@pytest.mark.thorough
def test_an_administrators_key_file_is_as_good_as_a_pat(bare: Shell, planter: Planter) -> None:
    env = settings(planter.url, ZITADEL_PROJECT_ID=PROJECT_ID)

    def ran(user: str, line: str, **more: str) -> Ran:
        return bare(*line.split(), "--admin-key", keys[user], **env | more)

    keys = {user.username: planter.key_file(bare.folder, user.id).name for user in (ADMIN, READER)}
    lines = ("role list", "doctor --only admin.rights", "setup --dry-run --project-name own")
    for line in lines:
        assert ran(ADMIN.username, line).code == 0
        refused = ran(READER.username, line)
        assert (refused.code, "membership" in refused.all) == (1, True), refused.all
        assert "ZITADEL_ADMIN_PAT" not in refused.all
    assert "membership" in ran(READER.username, "demo --live").err
    planter.user("DeactivateUser", READER.id)
    assert "is deactivated or locked" in ran(READER.username, "role list").err
    with refusing_port() as port:
        away = ran(ADMIN.username, "role list", ZITADEL_DOMAIN=f"http://localhost:{port}")
    assert (away.code, "nothing listens" in away.all) == (4, True)


def test_a_fix_names_the_key_file_that_was_given(bare: Shell, planter: Planter) -> None:
    key = f"--admin-key {planter.key_file(bare.folder, READER.id).name}"  # which is not an administrator's
    swapped = bare("introspect", *key.split(), **settings(planter.url, PAT=ADMIN.pat))
    assert "administrator's token should not be sent" in flat(swapped.out)
    assert "ADMIN_PAT" not in swapped.all
    env, key = settings(planter.url, PAT=VISITOR.pat), f"--admin-key {planter.key_file(bare.folder, ADMIN.id).name}"
    assert f"zdemo role grant visitor read:messages {key}\n" in bare("introspect", *key.split(), **env).out
    assert f"  zdemo doctor --fix {key}\n" in bare("doctor", *key.split(), **env).out
    assert "leave out --pat: then PAT in the environment" in flat(bare("introspect", "--pat", ADMIN.pat, **env).out)
    assert "hint:  set ZITADEL_PROJECT_ID, or use" in bare("role", "list", *key.split(), **env).err


def test_a_key_that_was_deleted_or_belongs_to_another_zitadel(bare: Shell, planter: Planter) -> None:
    file = planter.key_file(bare.folder)
    other = write(bare.folder, "other.json", json.dumps(json.loads(file.read_text()) | {"userId": "1" * 18}))
    planter.user("RemoveKey", keyId=file.stem)
    output = command(bare, with_key(planter.url, file), "token")
    output.names(f"refuses the key of the user {READER.id}", f"key {file.stem} was deleted", "user was removed")
    output.names("create a key on the service account's page")
    command(bare, with_key(planter.url, Path(other)), "token").names("refuses the key", "another ZITADEL", "recreated")
