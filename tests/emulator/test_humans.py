"""Humans: made and changed by each of the methods for it, their passwords, and the v1 calls that SDKs know."""

from typing import Any

from tests.support.emulator_target import NOBODY
from tests.support.oauth import OAuth
from tests.support.workshop import HUMAN_PASSWORD, Fresh, User, Workshop
from tests.support.zitadel_api import DETAILS, NO_MEMBERSHIP, Api, only

BY_NAME = "/management/v1/global/users/_by_login_name?loginName="
EVE = {"profile": {"givenName": "Eve", "familyName": "Human"}}


def ada(name: str, **email: Any) -> dict[str, Any]:
    """The fields of a new human, whose address is made of a name that nobody has."""
    profile = {"givenName": "Ada", "familyName": "Human"}
    return {"profile": profile, "email": {"email": f"{name}@example.com"} | email}


def test_a_human_has_the_address_for_a_username_unless_the_request_has_one(admin: Api, fresh: Fresh) -> None:
    name = fresh.name
    user = admin.users.AddHumanUser(organization={"orgId": fresh.home.id}, **ada(name))
    id = user.only("userId", details=DETAILS)["userId"]
    human = only("phone", profile={"displayName": "Ada Human"}, email=only("email"))
    admin.users.GetUserByID(userId=id).has(user={"username": f"{name}@example.com", "human": human})
    user = admin.rest("POST", "/v2/users/human", ada(name) | {"username": name})
    user.has(details={"resourceOwner": fresh.home.id})
    profile = only("firstName", "lastName", "displayName", "preferredLanguage")
    human = only(profile=profile, email=only("email"), phone=only())
    admin.rest("GET", BY_NAME + name).has(user={"userName": name, "human": human})


def test_a_verification_code_is_given_back_when_the_request_asks_for_it(admin: Api, fresh: Fresh) -> None:
    phone = {"phone": "+41791234567", "returnCode": {}}
    user = admin.users.AddHumanUser(**ada(fresh.name, returnCode={}), phone=phone).has("emailCode", "phoneCode")
    code = {"email": f"{fresh.name}@example.org", "returnCode": {}}
    admin.users.UpdateHumanUser(userId=user["userId"], email=code).only("details", "emailCode")
    verified = {"email": f"{fresh.name}@example.org", "isVerified": True}
    admin.users.UpdateHumanUser(userId=fresh.human.id, email=verified).only("details")
    admin.users.UpdateHumanUser(userId=fresh.human.id, email=code).only("details")
    admin.users.GetUserByID(userId=fresh.human.id).has(user={"human": {"email": only("email", "isVerified")}})


def test_a_changed_address_is_no_longer_verified_and_the_display_name_stays(admin: Api, fresh: Fresh) -> None:
    id, email = {"userId": fresh.human.id}, {"email": f"{fresh.name}@example.org"}
    admin.users.UpdateHumanUser(**id, email=email, **EVE).has(details=DETAILS)
    human = {"email": only("email"), "profile": {"displayName": "Ada Test", "givenName": "Eve"}}
    admin.users.GetUserByID(**id).has(user={"human": human})
    admin.users.UpdateUser(**id, human={"profile": {"displayName": "Eva"}, "email": email}).only("changeDate")
    admin.rest("PUT", f"/v2/users/human/{fresh.human.id}", {"username": fresh.name}).only("details")
    human = {"email": only("email"), "profile": {"displayName": "Eva"}}
    admin.users.GetUserByID(**id).has(user={"username": fresh.name, "human": human})


def test_what_cannot_be_a_human_is_refused(admin: Api, fresh: Fresh, stranger: Api, visitor: User) -> None:
    home, human = {"organization": {"orgId": fresh.home.id}}, ada(fresh.name)
    add, update, id = admin.users.AddHumanUser, admin.users.UpdateHumanUser, {"userId": fresh.human.id}
    add(**home, email={"email": "a@b.c"}).refused(400, "invalid AddHumanUserRequest.Profile: value is required")
    path = "invalid AddHumanUserRequest.Email: embedded message failed validation | caused by: "
    rule = "invalid SetHumanEmail.Email: value must be a valid email address | caused by: mail: missing '@' or "
    add(**ada("", email="ada")).refused(400, f"{path}{rule}angle-addr")
    add(**human, username=visitor.username).refused(409, "User already exists", id="V3-DKcYh")
    add(**human, **id).refused(400, id="COMMAND-7yiox1isql")
    add(**human, organization={"orgId": NOBODY}).refused(403, "Organisation doesn't exist", id="AUTH-Bs7Ds")
    add(**human, password={"password": "short"}).refused(400, "Password is too short", id="COMMA-HuJf6")
    update(userId=NOBODY, username="q").refused(404, "User could not be found", id="COMMAND-ugjs0upun6")
    update(userId=visitor.id, **EVE).refused(404, id="COMMAND-ugjs0upun6")
    update(**id, username=visitor.username).refused(409, id="V3-DKcYh")
    update(**id).only("details")
    stranger.users.AddHumanUser(**home, **human).refused(*NO_MEMBERSHIP)
    stranger.users.UpdateHumanUser(**id, **EVE).refused(*NO_MEMBERSHIP)


def test_a_password_is_replaced_with_the_current_one_or_the_permission(admin: Api, fresh: Fresh) -> None:
    id, new = {"userId": fresh.human.id}, {"password": {"password": "Ab-45678"}}
    update = admin.users.UpdateHumanUser
    update(**id, password={"password": {"password": "short"}}).refused(400, id="DOMAIN-HuJf6")
    update(**id, password=new | {"currentPassword": "x"}).refused(400, id="COMMAND-3M0fs")
    update(**id, password=new | {"currentPassword": HUMAN_PASSWORD}).only("details")
    password = {"password": {"password": "Ab-456789", "changeRequired": True}}
    admin.users.UpdateUser(**id, human={"password": password}).only("changeDate")
    admin.users.GetUserByID(**id).has(user={"human": {"passwordChangeRequired": True, "passwordChanged": ...}})


def test_v1_finds_users_by_login_names_in_any_case_and_gives_secrets(
    admin: Api, oauth: OAuth, fresh: Fresh, stranger: Api, visitor: User
) -> None:
    def secret_of(user_id: str) -> str:
        return f"/management/v1/users/{user_id}/secret"

    user = {"id": visitor.id, "userName": visitor.username, "machine": only("name")}
    admin.rest("GET", BY_NAME + visitor.username.upper()).has(user=user)
    admin.rest("GET", BY_NAME + NOBODY).refused(404, "User could not be found", id="QUERY-Dfbg2")
    secret = admin.rest("PUT", secret_of(fresh.user.id))
    secret.only("clientId", "clientSecret", details=only("sequence", "creationDate", "resourceOwner"))
    oauth.ask_for_token(secret["clientId"], secret["clientSecret"]).has("access_token")
    stranger.rest("PUT", secret_of(visitor.id)).refused(*NO_MEMBERSHIP)
    stranger.rest("GET", BY_NAME + NOBODY).refused(*NO_MEMBERSHIP)


def test_errors_of_v1_are_not_stored(admin: Api) -> None:
    responses = [admin.rest("GET", path).response for path in (f"{BY_NAME}nobody", f"/v2/users/{NOBODY}")]
    headers = [(response.status_code, response.headers.get("Cache-Control")) for response in responses]
    assert headers == [(404, "no-store"), (404, None)]


def test_wrong_passwords_are_counted_in_both_protocols(admin: Api, workshop: Workshop) -> None:
    id = workshop.human().id
    wrong = {"password": {"password": "Ab-45678"}, "currentPassword": "x"}

    def detail() -> Any:
        return admin.users.UpdateHumanUser(userId=id, password=wrong).response.json()["details"][0]

    connect = detail()
    rest = admin.rest("PUT", f"/v2/users/human/{id}", {"password": wrong}).response.json()["details"][0]
    admin.users.UpdateHumanUser(userId=id, password=wrong | {"currentPassword": HUMAN_PASSWORD}).has()
    again = detail()
    assert connect["type"] == "zitadel.v1.CredentialsCheckError"
    assert [detail["failedAttempts"] for detail in (connect["debug"], rest, again["debug"])] == [1, 2, 1]
    assert rest["@type"] == "type.googleapis.com/zitadel.v1.CredentialsCheckError"
