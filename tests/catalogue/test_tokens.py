"""The catalogue of faults, third part: the token, and the role that it lacks."""

import datetime
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.cli import Shell
from tests.support.jwe import jwe
from tests.support.named_causes import administered, call, command, doctor, introspect, settings
from tests.support.planting import AUDIENCE, ROLE, Planter
from tests.support.relay import relay
from tests.support.upstream import Behaviour, answer, depending, json_body, refusing_port, upstream
from tests.support.waiting import eventually
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, PROJECT_ID, READER, VISITOR, Emulator
from zdemo.introspection.client import basic_credentials
from zdemo.provisioning.state_file import read_state
from zdemo.server import create_app
from zdemo.serving.embedded import serving

CANDIDATES = ("deleted", "expired", "deactivated or locked", "reactivated since", "another ZITADEL")
IDS = {"ZDEMO_PAT_USER_ID": READER.id, "ZDEMO_PAT_ID": READER.token_id}
OWN = basic_credentials(CLIENT_ID, CLIENT_SECRET)
OPEN = "it can be|cannot be told apart"


@pytest.mark.parametrize(("cut", "length"), [(1, 70), (2, 69)])
def test_17_a_pat_that_is_cut(bare: Shell, zitadel: Emulator, cut: int, length: int) -> None:
    env = settings(zitadel.url, PAT=READER.pat[:-cut])
    for output in (introspect(bare, env), doctor(bare, env, "token.active", warned=("token.form",))):
        output.names(str(length), "71", "cut off|incomplete", "copy the whole").never("deleted", "refuses the API")


@pytest.mark.parametrize(
    "token",
    [jwe("PAT")[:-1], jwe("PAT")[:-24], jwe("access token")[20:], jwe("PAT")[:90] + jwe("PAT")[91:], jwe("PAT")[:142]],
)
def test_17_a_jwe_that_is_cut(bare: Shell, zitadel: Emulator, token: str) -> None:
    env = administered(zitadel.url, PAT=token)
    introspect(bare, env).names(str(len(token)), "cut off .incomplete", "copy the whole").never("deleted", "issues no")


def test_17_a_jwe_that_lost_its_end_at_doctor(bare: Shell, zitadel: Emulator) -> None:
    env = settings(zitadel.url, PAT=jwe("PAT")[:-2])
    output = doctor(bare, env, "token.active", warned=("token.form",))
    output.names("275", "cut off|incomplete", "last part has 20 instead of 22", "copy the whole").never("deleted")


def deleted(planter: Planter) -> None:
    planter.user("RemovePersonalAccessToken", tokenId=READER.token_id)


def deactivated(planter: Planter) -> None:
    planter.user("DeactivateUser")


def reactivated(planter: Planter) -> None:
    planter.user("DeactivateUser")
    planter.user("ReactivateUser")


def locked(planter: Planter) -> None:
    planter.user("LockUser")


def unlocked(planter: Planter) -> None:
    planter.user("LockUser")
    planter.user("UnlockUser")


def removed(planter: Planter) -> None:
    planter.user("DeleteUser")


DEATHS: dict[str, tuple[Callable[[Planter], None], tuple[str, ...], tuple[str, ...]]] = {
    "18 deleted": (deleted, ("was deleted", "create a new PAT"), ("deactivated", "locked", "expired")),
    "20 deactivated": (deactivated, ("deactivated", "reactivate .*and create a new PAT"), ("deleted", "locked")),
    "39 reactivated": (reactivated, ("was deactivated", "active again", "new PAT"), ("was deleted", "expired,")),
    "39 unlocked": (unlocked, ("was locked", "active again", "new PAT"), ("was deleted",)),
    "40 locked": (locked, ("is locked", "unlock .*and create a new PAT"), ("deleted", "deactivated")),
    "41 removed": (removed, ("removed|no such user", "another user"), ("was deleted", "locked")),
}


@pytest.mark.parametrize("death", DEATHS)
def test_18_20_39_40_41_a_dead_pat(bare: Shell, planter: Planter, death: str) -> None:
    plant, named, never = DEATHS[death]
    plant(planter)
    for env in (settings(planter.url), settings(planter.url, **IDS), administered(planter.url)):
        for output in (introspect(bare, env), doctor(bare, env, "token.active")):
            output.names(*CANDIDATES, OPEN, "create a new PAT")
    env = administered(planter.url, **IDS)
    for output in (introspect(bare, env), doctor(bare, env, "token.active")):
        output.names(*named).never(OPEN, *never)


def test_18_to_41_the_ids_of_another_token_prove_nothing(bare: Shell, planter: Planter) -> None:
    bare.dotenv(PAT=READER.pat, **IDS)
    deleted(planter)
    for pat in (secrets.token_urlsafe(53), jwe("PAT")):
        introspect(bare, administered(planter.url, PAT=pat)).names(*CANDIDATES, OPEN)


def short_lived(planter: Planter) -> dict[str, str]:
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=0.5)
    made = planter.user("AddPersonalAccessToken", expirationDate=expires.isoformat())
    eventually("the PAT has expired", lambda: datetime.datetime.now(datetime.UTC) > expires)
    return {"PAT": made["token"], "ZDEMO_PAT_USER_ID": READER.id, "ZDEMO_PAT_ID": made["tokenId"]}


def test_19_a_pat_that_has_expired(bare: Shell, planter: Planter) -> None:
    pat = short_lived(planter)
    introspect(bare, settings(planter.url, **pat)).names(*CANDIDATES, OPEN)
    today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    env = administered(planter.url, **pat)
    for output in (introspect(bare, env), doctor(bare, env, "token.active")):
        output.names("has expired", today, "create a new PAT").never(OPEN, "deleted", "deactivated")


def test_19_call_says_what_doctor_says(bare: Shell, planter: Planter) -> None:
    env = administered(planter.url, **short_lived(planter))
    with serving(create_app(planter.settings)) as port:
        output = call(bare, env | {"ZDEMO_API_URL": f"http://127.0.0.1:{port}"})
    output.names("the PAT has expired, at 2", "create a new PAT for reader").never("set ZITADEL_ADMIN_PAT", "deleted")


def test_18_what_setup_made_is_made_again_by_setup(bare: Shell, planter: Planter) -> None:
    assert bare("setup", "--yes", ZITADEL_DOMAIN=planter.url, ZITADEL_ADMIN_PAT=ADMIN.pat).code == 0
    made = read_state(bare.folder / ".env").reader_pats[-1]
    planter.user("RemovePersonalAccessToken", made.owner_id, tokenId=made.id)
    for env in ({}, {"ZITADEL_ADMIN_PAT": ADMIN.pat}):
        for output in (introspect(bare, env), doctor(bare, env, "token.active")):
            output.names("(fix|next) zdemo setup").never("create a new PAT for the user")
    assert bare("setup", "--yes", ZITADEL_DOMAIN=planter.url, ZITADEL_ADMIN_PAT=ADMIN.pat).code == 0
    assert bare("introspect").code == 0


@pytest.mark.parametrize("name", [READER.id, "reader"])
def test_4c_the_user_alone_narrows_it_down(bare: Shell, planter: Planter, name: str) -> None:
    env = administered(planter.url, ZDEMO_PAT_USER_ID=name)
    deleted(planter)
    introspect(bare, env).names(OPEN, "deleted: the user had a PAT", "another user or another ZITADEL")
    locked(planter)
    introspect(bare, env).names("is locked").never(OPEN)


@pytest.mark.parametrize("pat", [secrets.token_urlsafe(53), jwe("PAT")], ids=["before v4.14", "JWE"])
def test_26_a_text_that_is_not_the_pat_that_was_written_down(bare: Shell, zitadel: Emulator, pat: str) -> None:
    env = administered(zitadel.url, **IDS, PAT=pat)
    introspect(bare, env).names("not that PAT", "copy the whole PAT").never("was deleted", "has expired")


def test_18_the_ids_that_a_replaced_pat_left_may_be_another_ones(bare: Shell, planter: Planter) -> None:
    deleted(planter)
    env = administered(planter.url, **IDS, PAT="A" + VISITOR.pat[1:])
    for output in (introspect(bare, env), doctor(bare, env, "token.active")):
        output.names("most likely, the PAT was deleted", "PAT was replaced since", "ZDEMO_PAT_ID").offers(
            "or remove them"
        )


def test_41_a_user_who_never_was_may_be_misspelt(bare: Shell, planter: Planter) -> None:
    locked(planter)
    env = administered(planter.url, ZDEMO_PAT_USER_ID="raeder")
    for output in (introspect(bare, env), doctor(bare, env, "token.active")):
        output.names("no user raeder", "ZDEMO_PAT_USER_ID is wrong", "correct ZDEMO_PAT_USER_ID", OPEN)


def test_39_a_user_to_whom_much_happened_since(bare: Shell, planter: Planter) -> None:
    unlocked(planter)
    for _ in range(210):
        planter.user("AddPersonalAccessToken", expirationDate="2099-01-01T00:00:00Z")
    introspect(bare, administered(planter.url, **IDS)).names("was locked", "active again").never(OPEN, "is good")


def pat_of_a_user_with_a_short_id(planter: Planter, user_id: str) -> dict[str, Any]:
    planter.do(
        "user.v2.UserService/CreateUser",
        organizationId=ORGANIZATION_ID,
        userId=user_id,
        username="short",
        machine={"name": "short"},
    )
    return planter.user("AddPersonalAccessToken", user_id, expirationDate="2099-01-01T00:00:00Z")


def test_40_the_whole_pat_of_a_user_with_a_short_id(bare: Shell, planter: Planter) -> None:
    user_id = "123456789012345"
    made = pat_of_a_user_with_a_short_id(planter, user_id)
    planter.user("LockUser", user_id)
    env = administered(planter.url, PAT=made["token"], ZDEMO_PAT_USER_ID=user_id, ZDEMO_PAT_ID=made["tokenId"])
    assert len(made["token"]) == 273
    for output in (introspect(bare, env), doctor(bare, env, "token.active", warned=("token.form",))):
        output.names("is locked").never(OPEN)
    introspect(bare, settings(planter.url, PAT=made["token"])).names("cut off", "chosen by hand", OPEN)


def test_18_an_administrator_who_may_not_see_the_user_is_not_asked_for_again(bare: Shell, planter: Planter) -> None:
    deleted(planter)
    env = settings(planter.url, **IDS, ZITADEL_ADMIN_PAT=VISITOR.pat)
    introspect(bare, env).names(*CANDIDATES, OPEN, "ZITADEL_ADMIN_PAT did not show").never("tells it, with")


def owner_of_the_organization(planter: Planter) -> str:
    """Return the PAT of an administrator who may not read events."""
    planter.do(
        "internal_permission.v2.InternalPermissionService/CreateAdministrator",
        userId=VISITOR.id,
        resource={"organizationId": ORGANIZATION_ID},
        roles=["ORG_OWNER"],
    )
    return VISITOR.pat


def test_39_what_no_iam_owner_looked_up_stays_open(bare: Shell, planter: Planter) -> None:
    unlocked(planter)
    env = settings(planter.url, ZITADEL_ADMIN_PAT=owner_of_the_organization(planter))
    introspect(bare, env | IDS).names("deactivated or locked in between", "create a new PAT", OPEN).never(
        "either fixes"
    )
    env |= {"ZDEMO_PAT_USER_ID": READER.id}
    introspect(bare, env).names("switched off in between", "it was deleted", "create a new PAT", OPEN)


def test_21_a_role_that_is_not_granted(bare: Shell, zitadel: Emulator) -> None:
    api = Settings(issuer=zitadel.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    with serving(create_app(api)) as port:
        env = settings(zitadel.url, PAT=VISITOR.pat, ZDEMO_API_URL=f"http://127.0.0.1:{port}")
        outputs = (call(bare, env, "scoped"), introspect(bare, env), doctor(bare, env, "role.granted"))
    for output in outputs:
        output.names("token is valid", "role read:messages is not granted", "zdemo role grant visitor read:messages")
        output.never("expired", "deactivated", "another project")


@pytest.mark.parametrize("status", [502, 503])
def test_an_api_that_cannot_ask_zitadel_points_to_doctor(bare: Shell, zitadel: Emulator, status: int) -> None:
    with refusing_port() as port:
        issuer = zitadel.url if status == 502 else f"http://127.0.0.1:{port}"
        api = Settings(issuer=issuer, client_id=CLIENT_ID, client_secret="A" * 64)
        with serving(create_app(api)) as port_of_api:
            env = settings(zitadel.url, ZDEMO_API_URL=f"http://127.0.0.1:{port_of_api}")
            outputs = [call(bare, some) for some in (env, env | {"CLIENT_ID": ""})]
    for output in outputs:
        output.names(str(status), r"zdemo doctor \(shows what prevents it\)")


def test_22_a_role_in_another_project(bare: Shell, planter: Planter) -> None:
    other = planter.project(ROLE)
    planter.grant(ROLE, project_id=other)
    env = settings(planter.url, PAT=VISITOR.pat)
    for output in (introspect(bare, env), doctor(bare, env, "role.granted")):
        output.names("granted in project elsewhere", other, "not in this API's", "role grant visitor")
        output.never("deactivated", "expired")


def test_22_a_token_that_may_not_tell_is_looked_up_by_the_administrator(bare: Shell, planter: Planter) -> None:
    made = planter.tokens(AUDIENCE)
    token = {"PAT": made["access_token"]}
    introspect(bare, settings(planter.url, **token)).names(OPEN, "this token may not list", "in this project; needs")
    introspect(bare, administered(planter.url, **token)).names("is not granted to its user", "with ZITADEL_ADMIN_PAT")
    planter.grant(ROLE, project_id=planter.project(ROLE), user_id=made["user_id"])
    for output in (
        introspect(bare, administered(planter.url, **token)),
        doctor(bare, administered(planter.url, **token), "role.granted"),
    ):
        output.names("granted in project elsewhere").never(OPEN, "is not granted to its user")


def without_claims(url: str, *, cached: bool) -> Behaviour:
    """Return a relay that removes ZITADEL's own claims from introspections, or gives the first answer to all."""

    def change(body: bytes) -> bytes:
        claims = json.loads(body)
        dropped = "urn:zitadel:iam:org" if cached else "urn:zitadel:"
        return json_body({name: value for name, value in claims.items() if not name.startswith(dropped)})

    return relay(url, changes=lambda target, body: change(body) if target == "/oauth/v2/introspect" else body)


def test_21_a_proxy_that_changes_the_answers_is_named(bare: Shell, zitadel: Emulator) -> None:
    with upstream(without_claims(zitadel.url, cached=False)) as up:
        env = settings(f"http://localhost:{up.port}")
        outputs = [introspect(bare, env), doctor(bare, env, "role.granted")]
    for output in outputs:
        output.names("most likely, something between here and ZITADEL removes its claims", "urn:zitadel:")
        output.names("pass the answers of /oauth/v2/introspect").never("try again", "role grant")


def test_21_a_role_that_is_granted_for_long_and_not_shown(bare: Shell, zitadel: Emulator, planter: Planter) -> None:
    planter.grant(ROLE)
    with upstream(without_claims(zitadel.url, cached=True)) as up:
        env = settings(f"http://localhost:{up.port}", PAT=VISITOR.pat)
        fresh = [introspect(bare, env), doctor(bare, env, "role.granted")]
        zitadel.control.timeline.advance(datetime.timedelta(minutes=5))
        old = [introspect(bare, env), doctor(bare, env, "role.granted")]
    for output in fresh:
        output.names("granted in this project", "a moment ago", "between here and ZITADEL", "try again", "if it stays")
    for output in old:
        output.names("granted in this project", "between here and ZITADEL").never("try again", "a moment ago")


def of_another_organization(planter: Planter, *roles: str) -> tuple[str, str]:
    """Make an organization that the project is granted to with these roles; return its ID, and a PAT of its user."""
    made = planter.do("org.v2.OrganizationService/AddOrganization", name="Partner")["organizationId"]
    grant = {"projectId": PROJECT_ID, "grantedOrganizationId": made, "roleKeys": list(roles)}
    planter.do("project.v2.ProjectService/CreateProjectGrant", **grant)
    user = planter.do(
        "user.v2.UserService/CreateUser", organizationId=made, username="guest", machine={"name": "guest"}
    )["id"]
    pat = planter.user("AddPersonalAccessToken", user, expirationDate="2099-01-01T00:00:00Z")["token"]
    planter.do(
        "authorization.v2.AuthorizationService/CreateAuthorization",
        userId=user,
        projectId=PROJECT_ID,
        organizationId=made,
        roleKeys=list(roles),
    )
    return made, pat


@pytest.mark.parametrize("is_deleted", [True, False])
def test_21_a_project_grant_that_lost_the_role(bare: Shell, planter: Planter, is_deleted: bool) -> None:
    organization, pat = of_another_organization(planter, ROLE)
    of = {"projectId": PROJECT_ID, "grantedOrganizationId": organization}
    method = "DeleteProjectGrant" if is_deleted else "UpdateProjectGrant"
    planter.do(f"project.v2.ProjectService/{method}", **of, **({} if is_deleted else {"roleKeys": []}))
    env = administered(planter.url, PAT=pat)
    for output in (introspect(bare, env), doctor(bare, env, "role.granted")):
        output.names(
            "is not granted to its user", f"organization Partner .{organization}", "(fix|next) zdemo role grant guest"
        )
        output.names("no project grant for" if is_deleted else "project grant .* lacks the role")
    command(bare, settings(planter.url, PAT=pat), "introspect", "--require", ROLE).never("project grant")


def test_8_a_name_that_begins_with_a_dash_can_be_pasted(bare: Shell, planter: Planter) -> None:
    made = planter.do(
        "user.v2.UserService/CreateUser", organizationId=ORGANIZATION_ID, username="-rf2", machine={"name": "-rf2"}
    )
    pat = planter.user("AddPersonalAccessToken", made["id"], expirationDate="2099-01-01T00:00:00Z")["token"]
    env = administered(planter.url, PAT=pat)
    for output in (introspect(bare, env, "--require", ROLE), doctor(bare, env, "role.granted")):
        output.names(f"zdemo role grant -- -rf2 {ROLE}")
    assert replace(bare, env=env)("role", "grant", "--", "-rf2", ROLE).code == 0
    assert introspect(bare, env, "--require", ROLE).ran.code == 0


def test_22_a_role_to_be_added_has_a_place(bare: Shell, planter: Planter) -> None:
    app = planter.app(planter.project("admin"))
    env = settings(planter.url, PAT=VISITOR.pat, CLIENT_ID=app.client_id, CLIENT_SECRET=app.client_secret)
    for output in (introspect(bare, env), doctor(bare, env, "role.granted")):
        output.names("in the Management Console: Projects, .* Roles, New")


def test_23_near_misses(bare: Shell, planter: Planter) -> None:
    planter.role("read:message")
    planter.grant("read:message")
    env = settings(planter.url, PAT=VISITOR.pat)
    for output in (introspect(bare, env), doctor(bare, env, "role.granted")):
        output.names(r"read:message\b", "read:messages", "fix|next")
    other = planter.project("Read:messages")
    planter.grant("Read:messages", project_id=other)
    app = planter.app(other)
    env = settings(planter.url, PAT=VISITOR.pat, CLIENT_ID=app.client_id, CLIENT_SECRET=app.client_secret)
    command(bare, env, "introspect", "--require", ROLE).names("Read:messages", "read:messages", "exactly")


@pytest.mark.parametrize(
    ("role", "defined"), [("read:message", False), ("read:message", True), ("Read:messages", False)]
)
def test_23_an_api_of_ones_own_that_misspells_the_role_is_corrected_first(
    bare: Shell, planter: Planter, role: str, defined: bool
) -> None:
    if defined:
        planter.role(role)
    challenge = f'Bearer error="insufficient_scope", scope="urn:zitadel:iam:org:project:role:{role}"'
    with upstream(answer(json_body({}), 403, headers={"WWW-Authenticate": challenge})) as api:
        env = settings(planter.url, ZDEMO_API_URL=api.url)
        for output in (call(bare, env, "/messages"), introspect(bare, env, "--require", role)):
            output.names(
                f"fix in the API, require {ROLE} instead of {role}", f"if {role} is right", "role grant reader"
            )
    env = settings(planter.url)
    assert "in the API" not in introspect(bare, env | {"PAT": VISITOR.pat}, "--require", "another").blamed


def test_24_a_role_assignment_that_is_deactivated(bare: Shell, planter: Planter) -> None:
    planter.grant(ROLE)
    row = planter.do(
        "authorization.v2.AuthorizationService/ListAuthorizations", filters=[{"inUserIds": {"ids": [VISITOR.id]}}]
    )["authorizations"][0]
    planter.do("authorization.v2.AuthorizationService/DeactivateAuthorization", id=row["id"])
    env = settings(planter.url, PAT=VISITOR.pat)
    for output in (introspect(bare, env), doctor(bare, env, "role.granted")):
        output.names("role assignment is deactivated", "activates").never("not granted", "another project")


@pytest.mark.parametrize("of", ["nothing", "another project"])
def test_25_a_token_for_another_audience(bare: Shell, planter: Planter, of: str) -> None:
    scopes = () if of == "nothing" else (f"urn:zitadel:iam:org:project:id:{planter.project(ROLE)}:aud",)
    token = planter.tokens(*scopes)["access_token"]
    env = administered(planter.url, PAT=token, ZITADEL_PROJECT_ID=PROJECT_ID)
    for output in (introspect(bare, env), doctor(bare, env, "token.audience")):
        output.names("alive", "not meant for this API", "audience", f"scope {AUDIENCE}").never("expired", "deleted")


@pytest.mark.parametrize("jwt", [True, False])
def test_25_a_wrong_project_is_not_asked_for_again(bare: Shell, planter: Planter, jwt: bool) -> None:
    """The token was requested for the project that is configured: the same request would give the same token."""
    wrong = planter.project(ROLE)
    token = planter.tokens(f"urn:zitadel:iam:org:project:id:{wrong}:aud", jwt=jwt)["access_token"]
    values = {"PAT": token, "ZITADEL_PROJECT_ID": wrong}
    env = administered(planter.url, **values)
    for output in (introspect(bare, env), doctor(bare, env, "token.audience")):
        output.names(f"ZITADEL_PROJECT_ID is wrong.*{wrong}", f"(fix|next) ZITADEL_PROJECT_ID={PROJECT_ID} then")
        output.never(f"{wrong}:aud")
    env = settings(planter.url, **values)
    for output in (introspect(bare, env), doctor(bare, env, "token.audience")):
        output.names("ZITADEL_PROJECT_ID", "to another project", "set ZITADEL_PROJECT_ID to|compare ZITADEL_PROJECT_ID")
        output.names(*(() if jwt else ("requested for another project", OPEN)))
    bare.dotenv(**administered(planter.url, PAT=token, ZITADEL_PROJECT_ID=PROJECT_ID))
    exported = {"ZITADEL_PROJECT_ID": wrong}
    for output in (introspect(bare, exported), doctor(bare, exported, "token.active")):
        output.names("ZITADEL_PROJECT_ID is exported in this shell", rf"belongs to project {PROJECT_ID}")
        output.names("(fix|next) unset ZITADEL_PROJECT_ID then request").never("does not work either", OPEN)
    bare.dotenv(**settings(planter.url, PAT=token, ZITADEL_PROJECT_ID=PROJECT_ID))
    for output in (introspect(bare, exported), doctor(bare, exported, "token.audience")):
        output.names("hides the one in .env, which this token cannot test").never("does not work either")


def test_28_an_api_that_is_not_running(bare: Shell) -> None:
    with refusing_port() as port:
        url = f"http://127.0.0.1:{port}"
        env = settings("http://localhost:1", ZDEMO_API_URL=url)
        call(bare, env).names(url, "refuses|not running", "zdemo serve", "ZDEMO_API_URL").never("ZITADEL refuses")


ALONE = "token alone"
SPOILT = {  # what is wrong with the text, and the fix
    "Bearer PAT": ("Bearer", ALONE),
    "PAT\u200b": (r"U\+200B", ALONE),
    "PAT x": ("space", ALONE),
    "PAT%": ('"%" at the end, as zsh marks', ALONE),
    "PAT\\": (r'"\\" at the end', ALONE),
    "%2BPAT": ("encoded for a URL", ALONE),
    "***": ("show instead of a secret", "put the token itself"),
    "$(cat pat.txt)": ("a command that was not run", "single quotes"),
    '{"tokenId": "1", "token": "PAT"}': ("a whole answer in JSON", 'the value of "token"'),
    '{"access_token":"PAT","token_type":"Bearer"}': ("a whole answer in JSON", 'the value of "access_token"'),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_31_a_pat_that_was_not_pasted_alone(bare: Shell, zitadel: Emulator, spoilt: str) -> None:
    env = settings(zitadel.url, PAT=spoilt.replace("PAT", READER.pat))
    for output in (call(bare, env), introspect(bare, env), doctor(bare, env, "token.form")):
        output.names(*SPOILT[spoilt]).never("deleted", "expired", "written out", "example")


def test_31_a_mark_before_an_exported_pat_that_hides_a_good_one(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    env = {"PAT": f"\ufeff{READER.pat}"}
    for output in (call(bare, env), introspect(bare, env), doctor(bare, env, "token.form")):
        output.names(r"invisible character \(U\+FEFF\); it hides the one in .env", "unset PAT").never(ALONE)


def test_45_an_api_application_in_another_project(bare: Shell, planter: Planter) -> None:
    other = planter.project("something")
    app = planter.app(other)
    client = {"CLIENT_ID": app.client_id, "CLIENT_SECRET": app.client_secret}
    for env in (settings(planter.url, **client), settings(planter.url, **client, ZITADEL_PROJECT_ID=PROJECT_ID)):
        for output in (introspect(bare, env), doctor(bare, env, "role.granted")):
            output.names(other, PROJECT_ID, "API application (of|in) ").never("not granted to its user", "expired")


def test_45_a_project_that_is_none_is_the_setting(bare: Shell, zitadel: Emulator) -> None:
    env = settings(zitadel.url, ZITADEL_PROJECT_ID="353545601679499999")
    output = introspect(bare, env)
    output.names(f"fix ZITADEL_PROJECT_ID={PROJECT_ID} or", "if there is such a project").never("grant the role there")
    output = introspect(bare, env | {"PAT": VISITOR.pat})
    output.names(f"fix ZITADEL_PROJECT_ID={PROJECT_ID} and grant the role there: zdemo role grant visitor {ROLE} or")


def test_32_an_id_token(bare: Shell, planter: Planter) -> None:
    env = settings(planter.url, PAT=planter.tokens(AUDIENCE)["id_token"])
    output = doctor(bare, env, "token.active", warned=("token.form",))
    output.names("an ID token", "fix send the access_token").never("copy the whole")


def test_a_blank_behind_a_role_is_the_shells(bare: Shell, zitadel: Emulator) -> None:
    for name in ("read:messages ", " read:messages"):
        assert introspect(bare, settings(zitadel.url), "--require", name).ran.code == 0


def test_46_a_token_that_was_narrowed(bare: Shell, planter: Planter) -> None:
    made = planter.tokens(AUDIENCE, "urn:zitadel:iam:org:project:role:admin")
    planter.grant(ROLE, user_id=made["user_id"])
    env = settings(planter.url, PAT=made["access_token"])
    introspect(bare, env).names("requested for the role admin only", "without role scopes").never("not granted to")


def test_47_49_an_opaque_token_that_is_dead(bare: Shell, planter: Planter) -> None:
    made = planter.tokens(AUDIENCE)
    planter.user("DeactivateUser", made["user_id"])
    for token in (made["access_token"], secrets.token_urlsafe(78), jwe("access token")):
        env = settings(planter.url, PAT=token)
        for output in (introspect(bare, env), doctor(bare, env, "token.active")):
            output.names("expired", "ended", "request a new", OPEN).never(r"\bPAT\b")


def test_47_a_refresh_token(bare: Shell, zitadel: Emulator) -> None:
    introspect(bare, settings(zitadel.url, PAT=secrets.token_urlsafe(78))).names("it is a refresh token", OPEN)
    env = settings(zitadel.url, PAT=jwe("refresh token"))
    for output in (introspect(bare, env), doctor(bare, env, "token.active", warned=("token.form",))):
        output.names("refresh token", "send the access_token").never("expired", "copy the whole", OPEN)


def session_api() -> Behaviour:
    refused = answer(json_body({"error": "unauthorized_client"}), 400)
    inactive = answer(json_body({"active": False}))
    paths = {
        "/debug/ready": answer(b'"ok"\n'),
        "/oidc/v1/userinfo": answer(json_body({"error": "access_denied"}), 401),
        "/auth/v1/users/me": answer(json_body({"code": 7, "message": "authentication required (AUTHZ-Kl3p0)"}), 403),
    }
    own = depending(lambda request: inactive if request.headers["authorization"] == OWN else refused)
    return depending(
        lambda request: own if request.target == "/oauth/v2/introspect" else paths.get(request.target, refused)
    )


def test_48_a_session_api_token(bare: Shell) -> None:
    with upstream(session_api()) as up:
        for token, length in ((secrets.token_urlsafe(58), "78"), (jwe("session"), "283")):
            output = introspect(bare, settings(up.url, PAT=token))
            output.names("Session API token", "not an access token", length, "use a PAT|OIDC").never("expired", OPEN)


def test_50_a_jwt_of_another_host_name(bare: Shell, planter: Planter) -> None:
    token = planter.tokens(AUDIENCE, jwt=True, host="localhost:59999")["access_token"]
    env = settings(planter.url, PAT=token)
    for output in (introspect(bare, env), doctor(bare, env, "token.active")):
        output.names("http://localhost:59999", planter.url, "one issuer for all").never("expired", OPEN)


# Not faults


def test_the_pat_of_a_user_with_a_short_id_is_no_fault(bare: Shell, planter: Planter) -> None:
    made = pat_of_a_user_with_a_short_id(planter, "12345")
    planter.grant(ROLE, user_id="12345")
    env = settings(planter.url, PAT=made["token"])
    assert doctor(bare, env).blamed == ""
    introspect(bare, env).names("active yes", "opaque token").never("cut off", "incomplete", "unknown form")


def test_a_line_end_inside_a_pat_that_zitadel_overlooks_is_said(bare: Shell, zitadel: Emulator) -> None:
    broken = f"{READER.pat[:30]}\n{READER.pat[30:]}"
    output = introspect(bare, settings(zitadel.url, PAT=broken))
    output.names("active yes", "line end inside", "no client can send it", "applies to the token alone")
    assert "line end" not in introspect(bare, settings(zitadel.url)).blamed


def test_a_line_end_behind_a_pat_is_no_fault(bare: Shell, zitadel: Emulator) -> None:
    output = doctor(bare, settings(zitadel.url, PAT=READER.pat + "\n"))
    assert output.blamed == ""
