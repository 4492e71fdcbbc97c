"""The catalogue of faults: the token, the role that it lacks, and a PAT at a protected resource."""

import datetime
import re
from collections.abc import Callable

import pytest

from tests.catalogue.named_causes import both, call, command, doctor, introspect
from tests.support.cli import Shell, administered, settings
from tests.support.planting import AUDIENCE, ROLE, Planter
from tests.support.secret_forms import jwe
from tests.support.waiting import eventually
from tests.support.workshop import FOREVER
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, ORGANIZATION_ID, PROJECT_ID, READER, VISITOR, Emulator
from zdemo.server import create_app
from zdemo.serving.embedded import serving
from zdemo.setup.state_file import read_state

CANDIDATES = ("deleted", "expired", "deactivated or locked", "reactivated since", "another ZITADEL")
IDS = {"ZDEMO_PAT_USER_ID": READER.id, "ZDEMO_PAT_ID": READER.token_id}
OPEN = "it can be|cannot be told apart"


MOST_REQUESTS_OF_DOCTOR, MOST_REQUESTS_OF_A_REFUSED_CALL = 8, 3


def does(*methods: str) -> Callable[[Planter], None]:
    def plant(planter: Planter) -> None:
        for method in methods:
            planter.user(method, **({"tokenId": READER.token_id} if "Token" in method else {}))

    return plant


DEATHS = {  # the change in ZITADEL, what the report must say about it, and what it must not say
    "18 deleted": (does("RemovePersonalAccessToken"), ("was deleted", "create a new PAT"), "deactiv|locked|expired"),
    "39 reactivated": (
        does("DeactivateUser", "ReactivateUser"),
        ("was deactivated", "active again", "new PAT"),
        "was deleted|expired,",
    ),
    "40 locked": (does("LockUser"), ("is locked", "unlock .*and create a new PAT"), "deleted|deactivated"),
    "41 removed": (does("DeleteUser"), ("removed|no such user", "another user"), "was deleted|locked"),
}


@pytest.mark.parametrize("death", DEATHS)
def test_18_39_40_41_a_dead_pat(bare: Shell, planter: Planter, death: str) -> None:
    plant, named, never = DEATHS[death]
    plant(planter)
    planter.emulator.requests.clear()
    outputs = [doctor(bare, administered(planter.url, **IDS), "token.active")]
    assert len(planter.emulator.requests) <= MOST_REQUESTS_OF_DOCTOR, "what an administrator sees costs most"
    for output in (*outputs, introspect(bare, administered(planter.url, **IDS))):
        output.names(*named).never(OPEN, never)
    if death != "18 deleted":
        return
    introspect(bare, settings(planter.url)).names(*CANDIDATES, OPEN, "create a new PAT")
    introspect(bare, administered(planter.url)).names(*CANDIDATES, OPEN)
    bare.dotenv(PAT=VISITOR.pat)
    for env in (settings(planter.url), administered(planter.url, **IDS)):  # the hidden value may be an older one
        assert re.search("unset PAT\n.*\n( .*\n)?.*(new PAT|another user)", bare("introspect", **env).out)


def test_19_a_pat_that_has_expired(bare: Shell, planter: Planter, api: str) -> None:
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1.5)  # a busy machine needs a part of it
    new_pat = planter.user("AddPersonalAccessToken", expirationDate=expires.isoformat())
    eventually("the PAT has expired", lambda: datetime.datetime.now(datetime.UTC) > expires)
    pat = {"PAT": new_pat["token"], "ZDEMO_PAT_USER_ID": READER.id, "ZDEMO_PAT_ID": new_pat["tokenId"]}
    introspect(bare, settings(planter.url, **pat)).names(*CANDIDATES, OPEN)
    env = administered(planter.url, **pat, ZDEMO_API_URL=api)
    for output in (*both(bare, env, "token.active"), call(bare, env)):
        output.names(f"has expired, at {expires:%Y-%m-%d}", "create a new PAT for reader")
        output.never(OPEN, "deleted", "deactivated", "set ZITADEL_ADMIN_PAT")


def test_18_what_setup_made_is_made_again_by_setup(bare: Shell, planter: Planter) -> None:
    assert bare("setup", "--yes", ZITADEL_DOMAIN=planter.url, ZITADEL_ADMIN_PAT=ADMIN.pat).code == 0
    pat = read_state(bare.folder / ".env").reader_pats[-1]
    planter.user("RemovePersonalAccessToken", pat.owner_id, tokenId=pat.id)
    for env in ({}, {"ZITADEL_ADMIN_PAT": ADMIN.pat}):
        for output in both(bare, env, "token.active"):
            output.names("(fix|next) zdemo setup").never("create a new PAT for the user")


def test_26_a_text_that_is_not_the_pat_that_was_written_down(bare: Shell, planter: Planter) -> None:
    """What the recorded IDs show is of another PAT: nothing of it is certain."""
    pat = jwe("PAT")
    env = administered(planter.url, **IDS, PAT=pat)
    introspect(bare, env).names("not that PAT", "copy the whole PAT").never("was deleted", "has expired")
    does("RemovePersonalAccessToken")(planter)
    for output in both(bare, env, "token.active"):
        output.names(r"most likely, the PAT was deleted at [\d-]+ ", "PAT was replaced since", "or remove them")
    bare.dotenv(PAT=READER.pat, **IDS)  # IDs from another place than the PAT are not its own
    introspect(bare, administered(planter.url, PAT=pat)).names(*CANDIDATES, OPEN)


def test_18_to_41_the_user_alone_narrows_it_down(bare: Shell, planter: Planter) -> None:
    env = administered(planter.url, ZDEMO_PAT_USER_ID="visitor")
    doctor(bare, env, warned=("token.active",)).names(
        "another user than PAT's, reader", "correct ZDEMO_PAT_USER_ID"
    ).never("not active")
    env |= {"ZDEMO_PAT_USER_ID": "reader"}
    does("RemovePersonalAccessToken")(planter)
    introspect(bare, env).names(OPEN, "deleted: the user had a PAT", "another user or another ZITADEL")
    does("LockUser")(planter)
    introspect(bare, env).names("is locked since", "or remove it").never(OPEN)
    env |= {"ZDEMO_PAT_USER_ID": "raeder"}
    for output in both(bare, env, "token.active"):
        output.names("no user raeder", "ZDEMO_PAT_USER_ID is wrong", "correct ZDEMO_PAT_USER_ID", OPEN)


def test_39_what_an_administrator_may_not_see_stays_open(bare: Shell, planter: Planter) -> None:
    does("LockUser", "UnlockUser")(planter)
    doctor(bare, settings(planter.url), "token.active").names(*CANDIDATES, OPEN, "create a new PAT")
    env = settings(planter.url, **IDS, ZITADEL_ADMIN_PAT=VISITOR.pat)
    introspect(bare, env).names(*CANDIDATES, OPEN, "administrator's token did not show")
    organization = {"organizationId": ORGANIZATION_ID}
    owner = {"userId": VISITOR.id, "resource": organization, "roles": ["ORG_OWNER"]}  # who may not read events
    planter.api.administrators.CreateAdministrator(**owner).has()
    introspect(bare, env).names("deactivated or locked in between", "create a new PAT", OPEN)
    introspect(bare, env | {"ZDEMO_PAT_ID": ""}).names("deactivated or locked in between", "it was deleted", OPEN)


def test_22_a_role_in_another_project(bare: Shell, planter: Planter) -> None:
    other = planter.project(ROLE)
    planter.grant(ROLE, project_id=other)
    for output in both(bare, settings(planter.url, PAT=VISITOR.pat), "role.granted"):
        output.names("granted in project elsewhere", other, "not in this API's", "role grant visitor")
        output.never("deactivated", "expired")


def test_22_a_token_that_may_not_tell_is_looked_up_by_the_administrator(bare: Shell, planter: Planter) -> None:
    user = planter.tokens(AUDIENCE)
    env = administered(planter.url, PAT=user["access_token"])
    alone = introspect(bare, env | {"ZITADEL_ADMIN_PAT": ""})
    alone.never("zitadel:aud")  # whoever received such a token could change its user's data at ZITADEL
    alone.names(OPEN, "this token may not list", r"role list \S+ --admin-pat", f"role grant \\S+ {ROLE} --admin-pat")
    introspect(bare, env).names("is not granted to its user", "with the administrator.s token").never("--admin-pat")
    output = introspect(bare, env | {"ZITADEL_ADMIN_PAT": ""}, "--admin-pat", ADMIN.pat)
    output.names("is not granted to its user", f"role grant \\S+ {ROLE} --admin-pat")
    planter.grant(ROLE, project_id=planter.project(ROLE), user_id=user["user_id"])
    for output in both(bare, env, "role.granted"):
        output.names("granted in project elsewhere").never(OPEN, "is not granted to its user")
    owner = planter.api.administrators.CreateAdministrator(
        userId=VISITOR.id, resource={"projectId": PROJECT_ID}, roles=["PROJECT_OWNER"]
    )
    owner.has("creationDate")  # who sees that there are assignments, and none of them
    output = introspect(bare, env | {"ZITADEL_ADMIN_PAT": VISITOR.pat})
    output.names(OPEN, "administrator.s token did not show them").never("granted to its user, who")


def test_23_near_misses(bare: Shell, planter: Planter) -> None:
    planter.role("read:message")
    planter.grant("read:message")
    for output in both(bare, settings(planter.url, PAT=VISITOR.pat), "role.granted"):
        output.names(r"read:message\b", "read:messages", f"(fix|next) zdemo role grant visitor {ROLE}")


def test_25_a_wrong_project_is_not_asked_for_again(bare: Shell, planter: Planter) -> None:
    """The token was requested for the project that is configured: the same request would give the same token."""
    wrong = planter.project(ROLE)
    token = planter.tokens(f"urn:zitadel:iam:org:project:id:{wrong}:aud", jwt=True)["access_token"]
    env = administered(planter.url, PAT=token, ZITADEL_PROJECT_ID=wrong)
    for output in both(bare, env, "token.audience"):
        output.names(
            f"ZITADEL_PROJECT_ID is wrong.*{wrong}", f"fix ZITADEL_PROJECT_ID={PROJECT_ID} (fix )?zdemo token then"
        )
        output.never(f"{wrong}:aud")
    output = introspect(bare, env | {"ZITADEL_ADMIN_PAT": ""})
    output.names("ZITADEL_PROJECT_ID", "to another project", "set ZITADEL_PROJECT_ID to")


def test_45_an_api_application_in_another_project(bare: Shell, planter: Planter) -> None:
    other = planter.project("something")
    app = planter.app(other)
    env = settings(planter.url, CLIENT_ID=app.client_id, CLIENT_SECRET=app.client_secret)
    for more in ({}, {"ZITADEL_PROJECT_ID": PROJECT_ID}):
        for output in both(bare, env | more, "role.granted"):
            output.names(other, PROJECT_ID, "API application (of|in) ").never("not granted to its user", "expired")
    output = introspect(bare, settings(planter.url, ZITADEL_PROJECT_ID="353545601679499999", PAT=VISITOR.pat))
    output.names(f"fix ZITADEL_PROJECT_ID={PROJECT_ID} if .* or, if the project is the right one").never("role grant")


def test_48_a_user_whose_id_has_a_colon_never_has_a_live_pat(bare: Shell, planter: Planter) -> None:
    user = {"userId": "a:b", "username": "colon", "machine": {"name": "colon"}}
    planter.api.users.CreateUser(organizationId=ORGANIZATION_ID, **user).has("id")
    pat = planter.user("AddPersonalAccessToken", "a:b", expirationDate=FOREVER)["token"]
    introspect(bare, settings(planter.url, PAT=pat)).names('with a ":" in that ID', OPEN)
    for output in both(bare, administered(planter.url, PAT=pat, ZDEMO_PAT_USER_ID="a:b"), "token.active"):
        output.names('a:b, with a ":"', "never active", "zdemo setup creates new users .*or use a PAT of another user")
        output.never(OPEN, "removed", "copy the whole token")


def test_32_47_48_50_what_is_not_an_access_token_for_this_zitadel(bare: Shell, planter: Planter) -> None:
    env = settings(planter.url, PAT=planter.tokens(AUDIENCE)["id_token"])
    for output in both(bare, env, "token.active", warned=("token.form",)):
        output.names("an ID token", "fix send the access_token").never("copy the whole", OPEN)
    token = planter.tokens(AUDIENCE, jwt=True, host="localhost:59999")["access_token"]
    for output in both(bare, settings(planter.url, PAT=token), "token.active"):
        output.names("http://localhost:59999", planter.url, "request the token from").never("expired", OPEN)


def test_a_call_that_is_refused_for_its_role_asks_zitadel_little(bare: Shell, planter: Planter, api: str) -> None:
    for token in (VISITOR.pat, ADMIN.pat, str(planter.tokens(AUDIENCE, jwt=True)["access_token"])):
        planter.emulator.requests.clear()
        call(bare, administered(planter.url, ZDEMO_API_URL=api) | {"PAT": token}, "scoped")
        by_the_api = 1
        assert len(planter.emulator.requests) - by_the_api <= MOST_REQUESTS_OF_A_REFUSED_CALL


def test_a_pat_is_named_by_all_commands_and_call_sends_an_issued_token(bare: Shell, planter: Planter) -> None:
    resource = {"ZITADEL_PROJECT_ID": PROJECT_ID, "ZDEMO_RESOURCE": "https://api.example.com"}
    env = settings(planter.url, **resource)
    for output in both(bare, env, "token.active"):
        output.names("is a PAT", "protected resource", "zdemo token").never("most likely")
    introspect(bare, env | {"ZITADEL_PROJECT_ID": "3" * 18}).names("ZITADEL_PROJECT_ID is another").never("is a PAT")
    with serving(create_app(Settings.from_env(env))) as port:
        env["ZDEMO_API_URL"] = f"http://127.0.0.1:{port}"
        account = {"ZDEMO_USER_CLIENT_ID": READER.username, "ZDEMO_USER_CLIENT_SECRET": READER.secret}
        sent = bare("call", "scoped", **env, **account)
        assert (sent.code, "from the service account" in sent.out) == (0, True), sent.all
        for more in ({}, {"ZDEMO_RESOURCE": ""}):  # also if only the API is known to be one
            output = call(bare, env | more, "scoped").names("401", "is a PAT", "zdemo token")
            assert ("most likely" in output.blamed) is bool(more)
            examined = bare("doctor", "--api", f"{env['ZDEMO_API_URL']}/api/private", "--json", **env | more)
            assert [check["finding"] for check in examined.document["checks"] if check["finding"]] == ["token.is_pat"]
        url, wrong = f"{env['ZDEMO_API_URL']}/api/private", {"ZDEMO_USER_CLIENT_SECRET": "x"}
        assert [bare("doctor", "--api", url, **env, **account | more).code for more in ({}, wrong)] == [0, 1]
        visitor = {"ZDEMO_VISITOR_PAT": VISITOR.pat}
        call(bare, env | account | visitor, "scoped", "--as", "visitor").names("ZDEMO_VISITOR_PAT", "is a PAT")


# Not faults


def test_a_line_end_in_or_behind_a_pat_is_no_fault(bare: Shell, zitadel: Emulator) -> None:
    assert doctor(bare, settings(zitadel.url, PAT=READER.pat + "\n")).blamed == ""
    output = introspect(bare, settings(zitadel.url, PAT=f"{READER.pat[:30]}\n{READER.pat[30:]}"))
    output.names("active yes", "line end inside", "no client can send it", "applies to the token alone")
    command(bare, settings(zitadel.url, PAT="A" * 71), "introspect").never("line end")
