"""What login pages of one's own call: the Session API, and the requests of applications and devices."""

from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from tests.support.emulator_target import NOBODY, Server
from tests.support.logins import CALLBACK, Client, add_client, session_of_ada
from tests.support.oauth import OAuth
from tests.support.workshop import HUMAN_PASSWORD, App, Fresh, User, Workshop
from tests.support.zitadel_api import DETAILS, NO_MEMBERSHIP, Api, only
from zdemo.emulator import ADMIN, PROJECT_ID, Emulator
from zdemo.emulator.seed import PERSON_ID, PERSON_PASSWORD, VISITOR

EMBEDDED = "embedded message failed validation | caused by: invalid"
PASSWORD = {"password": {"password": HUMAN_PASSWORD}}
WRONG_PASSWORD = {"password": {"password": "x"}}
METADATA = {"k": "dg=="}


def checks_of(user: User) -> dict[str, dict[str, str]]:
    return {"user": {"userId": user.id}}


def test_a_session_has_what_was_checked_in_it_even_nothing(admin: Api, fresh: Fresh, visitor: User) -> None:
    human = fresh.human
    empty = admin.sessions.CreateSession().only("sessionId", "sessionToken", details=DETAILS)["sessionId"]
    admin.sessions.GetSession(sessionId=empty).has(session=only("id", "creationDate", "changeDate", "sequence"))
    known = admin.sessions.CreateSession(checks=checks_of(human)).has("sessionToken")["sessionId"]
    factors = only(user={"loginName": human.username})
    admin.sessions.GetSession(sessionId=known).has(session={"factors": factors})
    more = {"lifetime": "3600s", "metadata": METADATA, "userAgent": {"ip": "1.2.3.4"}}
    checks = {"user": {"loginName": human.username.upper()}} | PASSWORD
    full = admin.sessions.CreateSession(checks=checks, **more).has("sessionToken")["sessionId"]
    names = ("verifiedAt", "id", "loginName", "organizationId")
    factors = only(user=only("displayName", *names), password=only("verifiedAt"))
    session = {"factors": factors, "metadata": METADATA, "userAgent": {"ip": "1.2.3.4"}, "expirationDate": ...}
    admin.sessions.GetSession(sessionId=full).has(session=session)
    machine = admin.rest("POST", "/v2/sessions", {"checks": checks_of(visitor)})["sessionId"]
    admin.sessions.GetSession(sessionId=machine).has(session={"factors": {"user": only(*names)}})


def test_a_session_is_not_begun(admin: Api, owner: Api, stranger: Api, fresh: Fresh, visitor: User) -> None:
    checks, create = checks_of(fresh.human), admin.sessions.CreateSession
    create(checks={"user": {"userId": NOBODY}}).refused(404, "User could not be found", id="QUERY-Dfbg2")
    create(checks=checks | WRONG_PASSWORD).refused(400, "Password is invalid", id="COMMAND-3M0fs")
    create(checks=PASSWORD).refused(400, "User ID missing", id="COMMAND-Sfw3f")
    create(checks=checks_of(visitor) | PASSWORD).refused(400, "User has not set a password", id="COMMAND-3nJ4t")
    create(lifetime="0s").refused(400, "invalid CreateSessionRequest.Lifetime: value must be greater than 0s")
    length = "value length must be between 1 and 200 runes, inclusive"
    path = f"{EMBEDDED} Checks.User: {EMBEDDED} CheckUser.UserId: {length}"
    create(checks={"user": {"userId": ""}}).refused(400, f"invalid CreateSessionRequest.Checks: {path}")
    for api in (stranger, owner):
        api.sessions.CreateSession(checks=checks).refused(*NO_MEMBERSHIP)
    of_human = [{"userIdQuery": {"id": fresh.human.id}}]
    admin.sessions.ListSessions(queries=of_human).has(details=only("timestamp"))
    admin.users.LockUser(userId=fresh.human.id).has("details")
    create(checks=checks).refused(400, "Errors.User.NotActive", id="SESSION-Gj4ko")


def test_a_change_of_a_session_replaces_its_token(admin: Api, fresh: Fresh, stranger: Api, visitor: User) -> None:
    id = {"sessionId": fresh.session["sessionId"]}
    changed = admin.sessions.SetSession(**fresh.session, metadata=METADATA).only("details", "sessionToken")
    admin.sessions.GetSession(**fresh.session).refused(403, "Errors.PermissionDenied", id="QUERY-dsfr3")
    admin.sessions.GetSession(**id, sessionToken=changed["sessionToken"]).has(session={"metadata": METADATA})
    admin.sessions.SetSession(**id, metadata=METADATA).only("details")
    changed = admin.sessions.SetSession(**id, metadata={"k": ""}, lifetime="60.5s").only("details", "sessionToken")
    path = f"/v2/sessions/{fresh.session['sessionId']}"
    read = admin.rest("GET", f"{path}?sessionToken={changed['sessionToken']}")
    read.has(session={"metadata": None, "expirationDate": ...})
    admin.rest("PATCH", path, {"checks": PASSWORD}).only("details", "sessionToken")
    admin.sessions.SetSession(**id, checks=WRONG_PASSWORD).refused(400, id="COMMAND-3M0fs")
    admin.sessions.SetSession(**id, checks=checks_of(visitor)).refused(400, "user change not possible", id="")
    stranger.sessions.SetSession(**id, metadata=METADATA).refused(*NO_MEMBERSHIP)
    admin.users.LockUser(userId=fresh.human.id).has("details")
    admin.sessions.SetSession(**id, checks=PASSWORD).refused(400, "User is locked", id="COMMAND-JLK35")


def test_a_change_of_an_unknown_session_makes_it(admin: Api, fresh: Fresh) -> None:
    admin.sessions.SetSession(sessionId=fresh.name, metadata=METADATA).only("details", "sessionToken")
    admin.sessions.GetSession(sessionId=fresh.name).has(session={"metadata": METADATA})


def test_a_session_is_read_by_its_user_with_its_token_or_the_permission(
    admin: Api, server: Server, workshop: Workshop, stranger: Api, fresh: Fresh, visitor: User
) -> None:
    id = {"sessionId": fresh.session["sessionId"]}
    manager = Api(server, workshop.administrator("ORG_USER_MANAGER").pat)
    stranger.sessions.GetSession(**fresh.session).has(session={"id": id["sessionId"]})
    stranger.sessions.GetSession(**id).refused(*NO_MEMBERSHIP)
    manager.sessions.GetSession(**id).has("session")
    own = admin.sessions.CreateSession(checks=checks_of(visitor))["sessionId"]
    stranger.sessions.GetSession(sessionId=own).has("session")
    admin.sessions.GetSession(sessionId=NOBODY).refused(404, "Session does not exist", id="QUERY-SFeaa")


def test_sessions_are_found_and_counted_for_strangers(admin: Api, fresh: Fresh, stranger: Api, visitor: User) -> None:
    id = fresh.session["sessionId"]
    this, of_visitor = {"idsQuery": {"ids": [id]}}, {"userIdQuery": {"id": visitor.id}}
    admin.sessions.ListSessions(queries=[this]).has(sessions=[{"id": id}], details=only("totalResult", "timestamp"))
    admin.sessions.ListSessions(queries=[this, of_visitor]).only(details=only("timestamp"))
    searched = admin.rest("POST", "/v2/sessions/search", {"queries": [{"userIdQuery": {"id": fresh.human.id}}]})
    searched.has(sessions=[{"factors": {"user": ...}}], details={"totalResult": "1"})
    counted = stranger.sessions.ListSessions(queries=[this])
    counted.only(details=only("timestamp", totalResult="1"))


def test_a_session_is_deleted_by_its_token_or_the_permission_and_again(admin: Api, fresh: Fresh, stranger: Api) -> None:
    id = {"sessionId": fresh.session["sessionId"]}
    stranger.sessions.DeleteSession(**id).refused(*NO_MEMBERSHIP)
    stranger.sessions.DeleteSession(**id, sessionToken="x").refused(403, "Session Token is invalid", id="COMMAND-sGr42")
    stranger.sessions.DeleteSession(**fresh.session).has(details=DETAILS)
    admin.sessions.DeleteSession(**id).has(details=DETAILS)
    admin.sessions.DeleteSession(sessionId=NOBODY).has(details=only("resourceOwner"))
    admin.sessions.GetSession(**id).refused(404, id="QUERY-SFeaa")
    admin.sessions.ListSessions(queries=[{"idsQuery": {"ids": [id["sessionId"]]}}]).has(details=only("timestamp"))
    admin.sessions.SetSession(**id, metadata=METADATA).refused(400, "Session already terminated", id="COMMAND-Hewfq")
    admin.rest("DELETE", f"/v2/sessions/{id['sessionId']}").has("details")


def test_the_token_of_a_session_opens_nothing_else(oauth: OAuth, server: Server, fresh: Fresh, app: App) -> None:
    token = fresh.session["sessionToken"]
    Api(server, token).users.ListUsers().refused(403, "authentication required", id="AUTHZ-Kl3p0")
    oauth.introspect(app, token).only("active")
    oauth.userinfo(token).refused(401, "access token invalid")


@pytest.fixture
def client(own: Emulator) -> Client:
    return add_client(own, loginVersion={"loginV2": {"baseUri": "http://login.example/"}})


def asked(client: Client, **change: str) -> str:
    """The ID of a new request, which the login page hears of."""
    address, _, id = client.login_page(**change).partition("?authRequest=")
    assert address == "http://login.example/login"
    return id


def test_a_login_page_of_ones_own_reads_the_request_and_answers_it_once(client: Client, login: Api) -> None:
    id = asked(client, prompt="login", login_hint="ada", ui_locales="de", max_age="60", scope="openid profile x")
    asked_for = {"scope": ["openid", "profile"], "redirectUri": CALLBACK, "prompt": ["PROMPT_LOGIN"], "maxAge": "0s"}
    request = only("creationDate", **asked_for, id=id, clientId=client.client_id, uiLocales=["de"], loginHint="ada")
    login.oidc.GetAuthRequest(authRequestId=id).has(authRequest=request)
    answer = login.rest("POST", f"/v2/oidc/auth_requests/{id}", session_of_ada(login)).has(details=DETAILS)
    address, _, query = answer["callbackUrl"].partition("?")
    code = dict(parse_qsl(query))
    assert (address, code["state"]) == (CALLBACK, "a state")
    login.oidc.CreateCallback(authRequestId=id, **session_of_ada(login)).refused(400, id="COMMAND-Sx208nt")
    tokens = client.exchange(code["code"]).json()
    assert "id_token" in tokens
    login.oidc.GetAuthRequest(authRequestId=id).refused(404, id="QUERY-Thee9")


def test_a_login_page_of_ones_own_says_no(client: Client, login: Api) -> None:
    id = asked(client)
    refusal = {"error": "ERROR_REASON_TEMPORARY_UNAVAILABLE", "errorDescription": "no thanks"}
    address = login.oidc.CreateCallback(authRequestId=id, error=refusal)["callbackUrl"]
    assert address == f"{CALLBACK}?error=temporarily_unavailable&error_description=no+thanks&state=a+state"
    login.oidc.CreateCallback(authRequestId=id, error=refusal).refused(400, id="COMMAND-Sx202nt")


def test_only_a_login_client_with_a_session_answers(own: Emulator, near: Server, client: Client, login: Api) -> None:
    id, owner, session = asked(client), Api(near, ADMIN.pat), session_of_ada(login)
    owner.oidc.GetAuthRequest(authRequestId=id).has()
    ended = session_of_ada(login)
    login.sessions.DeleteSession(sessionId=ended["session"]["sessionId"]).has()
    brief = session_of_ada(login)
    changed = login.sessions.SetSession(sessionId=brief["session"]["sessionId"], lifetime="0.001s")
    brief["session"]["sessionToken"] = changed["sessionToken"]
    own.advance(timedelta(seconds=1))
    for api, body, status, error in (
        (owner, session, 403, "AUTH-AWfge"),
        (Api(near, VISITOR.pat), session, 404, "AUTHZ-cdgFk"),
        (login, {"authRequestId": "V2_7"} | session, 404, "COMMAND-jae5P"),
        (login, {"session": {"sessionId": "7", "sessionToken": "x"}}, 400, "COMMAND-Flk38"),
        (login, {"session": session["session"] | {"sessionToken": "x"}}, 403, "COMMAND-sGr42"),
        (login, ended, 400, "COMMAND-Hewfq"),
        (login, brief, 400, "COMMAND-Hkl3d"),
    ):
        api.oidc.CreateCallback(**({"authRequestId": id} | body)).refused(status, id=error)
    assert login.oidc.CreateCallback(authRequestId=id).response.status_code == 400


def test_a_project_refuses_whom_it_does_not_know(own: Emulator, client: Client, login: Api) -> None:
    project, answer = own.world.projects[PROJECT_ID], {"authRequestId": asked(client), **session_of_ada(login)}
    own.world.authorizations.clear()
    own.world.users[PERSON_ID].organization_id = other = own.world.add_organization("Other").id
    project.authorization_required = project.project_access_required = True
    login.oidc.CreateCallback(**answer).refused(403, "Errors.User.ProjectRequired", id="OIDC-foSyH49RvL")
    own.world.add_project_grant(project, other, [])
    login.oidc.CreateCallback(**answer).refused(403, "Errors.User.GrantRequired", id="OIDC-foSyH49RvL")
    project.authorization_required = False
    login.oidc.CreateCallback(**answer).has("callbackUrl")


def test_people_change_their_passwords_when_they_know_the_current_one(own: Emulator, near: Server) -> None:
    token = add_client(own).log_in(scope="openid urn:zitadel:iam:org:project:id:zitadel:aud")["access_token"]
    ada, new = Api(near, token), {"password": {"password": "Ab-45678"}}
    ada.users.UpdateHumanUser(userId=PERSON_ID, password=new).refused(*NO_MEMBERSHIP)
    ada.users.UpdateHumanUser(userId=PERSON_ID, password=new | {"currentPassword": PERSON_PASSWORD}).has()
