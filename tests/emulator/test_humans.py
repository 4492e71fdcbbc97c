"""Humans: made and changed by each of the methods for it, their passwords, and the v1 calls that SDKs know."""

from tests.support.emulator_target import NOBODY, Api
from tests.support.stories import stories
from tests.support.workshop import Workshop

FIELDS = {
    "SECRET": "/management/v1/users",
    "BY_NAME": "/management/v1/global/users/_by_login_name?loginName=",
    "home": "organization.orgId=<organization.id>",
    "ada": "profile.givenName=Ada profile.familyName=Human email.email=<name>@example.com",
    "eve": "profile.givenName=Eve profile.familyName=Human",
    "human": "userId=<human.id>",
    "NO_AT": "invalid SetHumanEmail.Email: value must be a valid email address | caused by: mail: missing '@' or "
    "angle-addr",
}
test_a_story_of_humans = stories("""
# a human has the e-mail address for a username, and no verified address, unless the request says otherwise
U/AddHumanUser @home @ada -> :userId,details details:sequence,changeDate,resourceOwner
U/GetUserByID userId=<made.userId> -> user.username=<name>@example.com user.human:profile,email,phone
U/GetUserByID userId=<made.userId> -> user.human.email:email user.human.profile.displayName="Ada Human"
POST /v2/users/human @ada username=<name> -> details.resourceOwner=<organization.id>
GET <BY_NAME><name> -> user.human.profile:firstName,lastName,displayName,preferredLanguage user.human.phone:
GET <BY_NAME><name> -> user.human:profile,email,phone user.human.email:email user.userName=<name>

# a verification code is given back when the request asks for it
U/AddHumanUser @ada email.returnCode={} phone.phone=+41791234567 phone.returnCode={} -> emailCode phoneCode
U/UpdateHumanUser userId=<made.userId> email.email=<name>@example.org email.returnCode={} -> :details,emailCode
U/UpdateHumanUser userId=<human.id> email.email=<name>@example.org email.isVerified=true -> :details
U/UpdateHumanUser userId=<human.id> email.email=<name>@example.org email.returnCode={} -> :details
U/GetUserByID @human -> user.human.email:email,isVerified

# a changed address is no longer verified, and the display name stays
U/UpdateHumanUser @human email.email=<name>@example.org @eve -> details:sequence,changeDate,resourceOwner
U/GetUserByID @human -> user.human.email:email user.human.profile.displayName="Ada Test"
U/GetUserByID @human -> user.human.profile.givenName=Eve
U/UpdateUser @human human.profile.displayName=Eva human.email.email=<name>@example.org -> :changeDate
PUT /v2/users/human/<human.id> username=<name> -> :details
U/GetUserByID @human -> user.human.profile.displayName=Eva user.human.email:email user.username=<name>

# what cannot be a human is refused
U/AddHumanUser @home email.email=a@b.c -> 400 invalid AddHumanUserRequest.Profile: value is required
U/AddHumanUser @ada email.email=ada -> 400 invalid AddHumanUserRequest.Email: <EMBEDDED>: <NO_AT>
U/AddHumanUser @ada username=<visitor.username> -> 409 User already exists (V3-DKcYh)
U/AddHumanUser @ada @human -> 400 COMMAND-7yiox1isql
U/AddHumanUser @ada organization.orgId=<NO> -> 403 Organisation doesn't exist (AUTH-Bs7Ds)
U/AddHumanUser @ada password.password=short -> 400 Password is too short (COMMA-HuJf6)
U/UpdateHumanUser userId=<NO> username=q -> 404 User could not be found (COMMAND-ugjs0upun6)
U/UpdateHumanUser userId=<visitor.id> @eve -> 404 COMMAND-ugjs0upun6
U/UpdateHumanUser @human username=<visitor.username> -> 409 V3-DKcYh
U/UpdateHumanUser @human -> :details
visitor: U/AddHumanUser @home @ada -> 404 membership not found (AUTHZ-cdgFk)
visitor: U/UpdateHumanUser @human @eve -> 404 AUTHZ-cdgFk

# a password is replaced with the current one or with the permission, if it keeps the rules
U/UpdateHumanUser @human password.password.password=short -> 400 COMMA-HuJf6
U/UpdateHumanUser @human password.password.password=Ab-45678 password.currentPassword=x -> 400 COMMAND-3M0fs
U/UpdateHumanUser @human password.password.password=Ab-45678 password.currentPassword=Zdemo-Passw0rd.1 -> :details
U/UpdateUser @human human.password.password='{"password":"Ab-456789","changeRequired":true}' -> :changeDate
U/GetUserByID @human -> user.human.passwordChangeRequired=true user.human.passwordChanged

# v1 finds users by their login names without regard to case, and gives secrets
GET <BY_NAME><visitor.username.upper> -> user.id=<visitor.id> user.userName=<visitor.username> user.machine:name
GET <BY_NAME><NO> -> 404 User could not be found (QUERY-Dfbg2)
PUT <SECRET>/<user.id>/secret -> :clientId,clientSecret,details details:sequence,creationDate,resourceOwner
token login=<made.clientId> secret=<made.clientSecret> -> access_token
PUT <SECRET>/<NO>/secret -> 404 User could not be found (QUERY-Dfbg2)
PUT <SECRET>/<guest.id>/secret -> 404 QUERY-Dfbg2
PUT <SECRET>/<human.id>/secret -> 400 COMMAND-x8910n
visitor: PUT <SECRET>/<visitor.id>/secret -> 404 AUTHZ-cdgFk
visitor: GET <BY_NAME><NO> -> 404 AUTHZ-cdgFk
""")


def test_errors_of_v1_are_not_stored(admin: Api) -> None:
    paths = (f"{FIELDS['BY_NAME']}nobody", f"/v2/users/{NOBODY}")
    answers = [admin.rest("GET", path) for path in paths]
    assert [(a.status_code, a.headers.get("Cache-Control")) for a in answers] == [(404, "no-store"), (404, None)]


def test_wrong_passwords_are_counted_in_both_protocols(admin: Api, workshop: Workshop) -> None:
    human = workshop.human().id
    wrong = {"password": {"password": "Ab-45678"}, "currentPassword": "x"}
    connect = admin.ask("UserService/UpdateHumanUser", userId=human, password=wrong).json()["details"][0]
    rest = admin.rest("PUT", f"/v2/users/human/{human}", {"password": wrong}).json()["details"][0]
    right = wrong | {"currentPassword": "Zdemo-Passw0rd.1"}
    admin.do("UserService/UpdateHumanUser", userId=human, password=right)
    again = admin.ask("UserService/UpdateHumanUser", userId=human, password=wrong).json()["details"][0]
    assert connect["type"] == "zitadel.v1.CredentialsCheckError"
    assert [d["failedAttempts"] for d in (connect["debug"], rest, again["debug"])] == [1, 2, 1]
    assert rest["@type"] == "type.googleapis.com/zitadel.v1.CredentialsCheckError"
