"""What login pages of one's own call: the Session API, and the requests of applications and devices."""

from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from tests.support.emulator_target import Api, Server, error_id
from tests.support.logins import CALLBACK, Client, add_client, session_of_ada
from tests.support.stories import stories
from zdemo.emulator import ADMIN, Emulator
from zdemo.emulator.seed import PERSON_ID, PERSON_PASSWORD, VISITOR

FIELDS = {
    "CHECKS": "invalid Checks.User: <EMBEDDED>: invalid CheckUser.UserId: <LENGTH>",
    "human": "checks.user.userId=<human.id>",
    "by_name": "checks.user.loginName=<human.username.upper>",
    "password": "checks.password.password=Zdemo-Passw0rd.1",
    "this": "sessionId=<session.sessionId>",
    "with_token": "sessionId=<session.sessionId> sessionToken=<session.sessionToken>",
    "listed": "queries.0.idsQuery.ids.0=<session.sessionId>",
    "of_human": "queries.0.userIdQuery.id=<human.id>",
}
test_a_story_of_login_pages = stories("""
# a session has what was checked in it, even nothing
S/CreateSession -> :details,sessionId,sessionToken details:sequence,changeDate,resourceOwner
S/GetSession sessionId=<made.sessionId> -> session:id,creationDate,changeDate,sequence
S/CreateSession @human -> sessionToken
S/GetSession sessionId=<made.sessionId> -> session.factors:user session.factors.user.loginName=<human.username>
S/CreateSession @by_name @password lifetime=3600s metadata.k=dg== userAgent.ip=1.2.3.4 -> sessionToken
S/GetSession sessionId=<made.sessionId> -> session.factors:user,password session.factors.password:verifiedAt
S/GetSession sessionId=<made.sessionId> -> session.metadata.k=dg== session.userAgent.ip=1.2.3.4 session.expirationDate
S/GetSession sessionId=<made.sessionId> -> session.factors.user:verifiedAt,id,loginName,displayName,organizationId
POST /v2/sessions checks.user.userId=<visitor.id> -> sessionId
S/GetSession sessionId=<made.sessionId> -> session.factors.user:verifiedAt,id,loginName,organizationId

# a session is not begun for somebody unknown, with a wrong password, or without the permission
S/CreateSession checks.user.userId=<NO> -> 404 User could not be found (QUERY-Dfbg2)
S/CreateSession @human checks.password.password=x -> 400 Password is invalid (COMMAND-3M0fs)
S/CreateSession @password -> 400 User ID missing (COMMAND-Sfw3f)
S/CreateSession checks.user.userId=<visitor.id> @password -> 400 User has not set a password (COMMAND-3nJ4t)
S/CreateSession lifetime=0s -> 400 invalid CreateSessionRequest.Lifetime: value must be greater than 0s
S/CreateSession checks.user.userId= -> 400 invalid CreateSessionRequest.Checks: <EMBEDDED>: <CHECKS>
visitor: S/CreateSession @human -> 404 membership not found (AUTHZ-cdgFk)
ORG_OWNER: S/CreateSession @human -> 404 AUTHZ-cdgFk
S/ListSessions @of_human -> details:timestamp
U/LockUser userId=<human.id> -> details
S/CreateSession @human -> 400 Errors.User.NotActive (SESSION-Gj4ko)

# a change gives a new token, and the old one ends; without a change there is none
S/SetSession @with_token metadata.k=dg== -> :details,sessionToken
S/GetSession @with_token -> 403 Errors.PermissionDenied (QUERY-dsfr3)
S/GetSession @this sessionToken=<made.sessionToken> -> session.metadata.k=dg==
S/SetSession @this metadata.k=dg== -> :details
S/SetSession @this metadata.k= lifetime=60.5s -> :details,sessionToken
GET /v2/sessions/<session.sessionId>?sessionToken=<made.sessionToken> -> session.metadata=null session.expirationDate
PATCH /v2/sessions/<session.sessionId> @password -> :details,sessionToken
S/SetSession @this checks.password.password=x -> 400 COMMAND-3M0fs
S/SetSession @this checks.user.userId=<visitor.id> -> 400 user change not possible ()
visitor: S/SetSession @this metadata.k=dg== -> 404 AUTHZ-cdgFk
U/LockUser userId=<human.id> -> details
S/SetSession @this @password -> 400 User is locked (COMMAND-JLK35)
S/SetSession sessionId=<name> metadata.k=dg== -> :details,sessionToken
S/GetSession sessionId=<name> -> session.metadata.k=dg==

# a session is read by its user, its creator, by those who have its token or the permission
visitor: S/GetSession @with_token -> session.id=<session.sessionId>
visitor: S/GetSession @this -> 404 AUTHZ-cdgFk
ORG_USER_MANAGER: S/GetSession @this -> session
S/CreateSession checks.user.userId=<visitor.id> -> sessionId
visitor: S/GetSession sessionId=<made.sessionId> -> session
S/GetSession sessionId=<NO> -> 404 Session does not exist (QUERY-SFeaa)

# sessions are found, and counted for those who may not see them
S/ListSessions @listed -> details:totalResult,timestamp sessions.0.id=<session.sessionId>
S/ListSessions @listed queries.1.userIdQuery.id=<visitor.id> -> :details details:timestamp
POST /v2/sessions/search @of_human -> details.totalResult="1" sessions.0.factors.user
visitor: S/ListSessions @listed -> :details details.totalResult="1"

# a session is deleted by its token, by its user or with the permission, and again; an unknown one too
visitor: S/DeleteSession @this -> 404 AUTHZ-cdgFk
visitor: S/DeleteSession @this sessionToken=x -> 403 Session Token is invalid (COMMAND-sGr42)
visitor: S/DeleteSession @with_token -> details:sequence,changeDate,resourceOwner
S/DeleteSession @this -> details:sequence,changeDate,resourceOwner
S/DeleteSession sessionId=<NO> -> details:resourceOwner
S/GetSession @this -> 404 QUERY-SFeaa
S/ListSessions @listed -> details:timestamp
S/SetSession @this metadata.k=dg== -> 400 Session already terminated (COMMAND-Hewfq)
DELETE /v2/sessions/<session.sessionId> -> details

# the token of a session opens nothing else
session: U/ListUsers -> 403 authentication required (AUTHZ-Kl3p0)
introspect app=app token=<session.sessionToken> -> :active
userinfo token=<session.sessionToken> -> 401 access token invalid
""")


# --- the requests of applications ---


@pytest.fixture
def client(own: Emulator) -> Client:
    """An application with a login page of its own."""
    return add_client(own, loginVersion={"loginV2": {"baseUri": "http://login.example/"}})


def asked(client: Client, **change: str) -> str:
    """The ID of a new request, which the login page hears of."""
    address, _, id = client.login_page(**change).partition("?authRequest=")
    assert address == "http://login.example/login"
    return id


def test_a_login_page_of_ones_own_reads_the_request_and_answers_it_once(client: Client, login: Api) -> None:
    id = asked(client, prompt="login", login_hint="ada", ui_locales="de", max_age="60", scope="openid profile x")
    shown = login.do("OIDCService/GetAuthRequest", authRequestId=id)["authRequest"]
    assert shown.pop("creationDate")
    assert shown == {
        "id": id,
        "clientId": client.client_id,
        "scope": ["openid", "profile"],
        "redirectUri": CALLBACK,
        "prompt": ["PROMPT_LOGIN"],
        "uiLocales": ["de"],
        "loginHint": "ada",
        "maxAge": "0s",
    }
    answered = login.rest("POST", f"/v2/oidc/auth_requests/{id}", session_of_ada(login)).json()
    assert set(answered["details"]) == {"sequence", "changeDate", "resourceOwner"}
    address, _, query = answered["callbackUrl"].partition("?")
    code = dict(parse_qsl(query))
    assert (address, code["state"]) == (CALLBACK, "a state")
    refused = login.ask("OIDCService/CreateCallback", authRequestId=id, **session_of_ada(login))
    assert error_id(refused) == (400, "COMMAND-Sx208nt")
    tokens = client.exchange(code["code"]).json()
    assert "id_token" in tokens
    assert error_id(login.ask("OIDCService/GetAuthRequest", authRequestId=id)) == (404, "QUERY-Thee9")


def test_a_login_page_of_ones_own_says_no(client: Client, login: Api) -> None:
    id = asked(client)
    refusal = {"error": "ERROR_REASON_TEMPORARY_UNAVAILABLE", "errorDescription": "no thanks"}
    address = login.do("OIDCService/CreateCallback", authRequestId=id, error=refusal)["callbackUrl"]
    assert address == f"{CALLBACK}?error=temporarily_unavailable&error_description=no+thanks&state=a+state"
    refused = login.ask("OIDCService/CreateCallback", authRequestId=id, error=refusal)
    assert error_id(refused) == (400, "COMMAND-Sx202nt")


def test_only_a_login_client_with_a_session_answers(own: Emulator, near: Server, client: Client, login: Api) -> None:
    id, owner, session = asked(client), Api(near, ADMIN.pat), session_of_ada(login)
    assert owner.ask("OIDCService/GetAuthRequest", authRequestId=id).status_code == 200
    ended = session_of_ada(login)
    login.do("SessionService/DeleteSession", sessionId=ended["session"]["sessionId"])
    brief = session_of_ada(login)
    changed = login.do("SessionService/SetSession", sessionId=brief["session"]["sessionId"], lifetime="0.001s")
    brief["session"]["sessionToken"] = changed["sessionToken"]
    own.control.timeline.advance(timedelta(seconds=1))
    for api, body, refusal in (
        (owner, session, (403, "AUTH-AWfge")),
        (Api(near, VISITOR.pat), session, (404, "AUTHZ-cdgFk")),
        (login, {"authRequestId": "V2_7"} | session, (404, "COMMAND-jae5P")),
        (login, {"session": {"sessionId": "7", "sessionToken": "x"}}, (400, "COMMAND-Flk38")),
        (login, {"session": session["session"] | {"sessionToken": "x"}}, (403, "COMMAND-sGr42")),
        (login, ended, (400, "COMMAND-Hewfq")),
        (login, brief, (400, "COMMAND-Hkl3d")),
    ):
        assert error_id(api.ask("OIDCService/CreateCallback", **({"authRequestId": id} | body))) == refusal
    assert login.ask("OIDCService/CreateCallback", authRequestId=id).status_code == 400


def test_people_change_their_passwords_when_they_know_the_current_one(own: Emulator, near: Server) -> None:
    token = add_client(own).log_in(scope="openid urn:zitadel:iam:org:project:id:zitadel:aud")["access_token"]
    ada, new = Api(near, token), {"password": {"password": "Ab-45678"}}
    refused = ada.ask("UserService/UpdateHumanUser", userId=PERSON_ID, password=new)
    assert error_id(refused) == (404, "AUTHZ-cdgFk")
    ada.do("UserService/UpdateHumanUser", userId=PERSON_ID, password=new | {"currentPassword": PERSON_PASSWORD})
