"""zitadel.user.v2.UserService: users, what they are and whether they may."""

from typing import Any

from zdemo.emulator.api.call import Answer, Call, Service
from zdemo.emulator.api.kinds import Data, Enum, Flag, Repeated, Text
from zdemo.emulator.api.passwords import check_password
from zdemo.emulator.api.projects import ID, OPTIONAL
from zdemo.emulator.api.schema import Message, OneOf, Sub
from zdemo.emulator.api.values import moment, without_defaults
from zdemo.emulator.entities import Entity, User
from zdemo.emulator.errors import FailedPrecondition, NotFound, Unimplemented
from zdemo.emulator.world import World

SERVICE = Service("zitadel.user.v2.UserService", "user")
TOKEN_TYPES = ("ACCESS_TOKEN_TYPE_BEARER", "ACCESS_TOKEN_TYPE_JWT")
_GENDERS = tuple(f"GENDER_{g}" for g in ("UNSPECIFIED", "FEMALE", "MALE", "DIVERSE"))


def details(entity: Entity, organization_id: str, *, created: bool = False, changed: bool = True) -> Answer:
    """The ``details`` object of the older messages."""
    shown: Answer = {"sequence": str(entity.sequence)}
    if changed:
        shown["changeDate"] = moment(entity.changed)
    shown["resourceOwner"] = organization_id
    if created:
        shown["creationDate"] = moment(entity.created)
    return shown


def display_name(user: User) -> str:
    """A human's; service users have none of their own."""
    profile: Any = user.human.get("profile", {})
    return "" if user.machine else str(profile.get("displayName") or user.name)


def show_machine(user: User) -> Answer:
    """What a service user has of its own."""
    return without_defaults(
        {
            "name": user.name,
            "description": user.description,
            "hasSecret": user.secret is not None,
            "accessTokenType": TOKEN_TYPES[1] if user.jwt_access_tokens else "",
        }
    )


def show_human(user: User) -> Answer:
    """What a human has of his own; some empty values do appear."""
    profile: Any = user.human.get("profile", {})
    email: Any = user.human.get("email", {})
    return {
        "profile": {
            "givenName": profile.get("givenName", ""),
            "familyName": profile.get("familyName", ""),
            "nickName": profile.get("nickName", ""),
            "displayName": display_name(user),
            "preferredLanguage": profile.get("preferredLanguage", "und"),
            "gender": profile.get("gender", _GENDERS[0]),
        },
        "email": without_defaults({name: email.get(name) for name in ("email", "isVerified")}),
        "phone": user.human.get("phone", {}),
    }


def show_user(_: World, user: User) -> Answer:
    """A user as lists show him."""
    return {
        "userId": user.id,
        "details": details(user, user.organization_id, created=True),
        "state": f"USER_STATE_{user.state}",
        "username": user.username,
        "loginNames": [user.username],
        "preferredLoginName": user.username,
        **({"machine": show_machine(user)} if user.machine else {"human": show_human(user)}),
    }


def reached_user(call: Call, permission: str, *, self_service: bool = False) -> User | None:
    """The user of ``userId``, once the caller may do this to him."""
    user = call.world.users.get(call.body["userId"])
    if self_service:
        call.need_or_self(permission, user)
    else:
        call.need(permission, user.organization_id if user else None)
    return user


# --- create and change ---

_MACHINE = Message(
    "CreateUserRequest_Machine",
    name=ID,
    description=Text(1, 500, optional=True),
    accessTokenType=Enum(TOKEN_TYPES),
)
_PROFILE = Message(
    "SetHumanProfile",
    givenName=ID,
    familyName=ID,
    nickName=OPTIONAL,
    displayName=OPTIONAL,
    preferredLanguage=Text(1, 10, optional=True),
    gender=Enum(_GENDERS),
)
_EMAIL = Message("SetHumanEmail", email=ID, isVerified=Flag())
_PASSWORD = Message("Password", password=Text(1, 200), changeRequired=Flag())
_HUMAN = Message(
    "CreateUserRequest_Human",
    profile=Sub(_PROFILE, required=True),
    email=Sub(_EMAIL, required=True),
    phone=Sub(Message("SetHumanPhone", phone=Text(most=200), isVerified=Flag())),
    password=Sub(_PASSWORD),
)


@SERVICE.method(
    Message(
        "CreateUserRequest",
        OneOf("UserType", ("human", "machine"), required=True),
        organizationId=ID,
        userId=OPTIONAL,
        username=OPTIONAL,
        human=Sub(_HUMAN),
        machine=Sub(_MACHINE),
    )
)
def create_user(call: Call) -> Answer:
    """A service user or a human; without a username the ID serves."""
    body = call.body
    call.need("user.write", body["organizationId"])
    human: Answer | None = body.get("human")
    machine: Answer = body.get("machine", {})
    if human and "password" in human:
        check_password(human["password"]["password"])
    user = call.world.add_user(
        body["organizationId"],
        body.get("username"),
        _full_name(human["profile"]) if human else machine["name"],
        machine=human is None,
        id=body.get("userId"),
        by=call.caller.id,
    )
    if human:
        user.human = {part: content for part, content in human.items() if part != "password"}
    else:
        user.description = machine.get("description", "")
        user.jwt_access_tokens = machine.get("accessTokenType") == TOKEN_TYPES[1]
    return {"id": user.id, "creationDate": moment(user.created)}


_UPDATE_MACHINE = Message(
    "UpdateUserRequest_Machine",
    name=OPTIONAL,
    description=Text(1, 500, optional=True),
    accessTokenType=Enum(TOKEN_TYPES),
)
_UPDATE_PROFILE = Message(
    "UpdateUserRequest_Human_Profile",
    **dict.fromkeys(("givenName", "familyName", "nickName", "displayName"), OPTIONAL),
    preferredLanguage=Text(1, 10, optional=True),
    gender=Enum(_GENDERS),
)


@SERVICE.method(
    Message(
        "UpdateUserRequest",
        OneOf("UserType", ("human", "machine")),
        userId=ID,
        username=OPTIONAL,
        human=Sub(Message("UpdateUserRequest_Human", profile=Sub(_UPDATE_PROFILE), email=Sub(_EMAIL))),
        machine=Sub(_UPDATE_MACHINE),
    )
)
def update_user(call: Call) -> Answer:
    """What is absent stays; the kind of user must be named even to change the username alone."""
    user = reached_user(call, "user.write", self_service=True)
    body = call.body
    if "machine" not in body and "human" not in body:
        raise Unimplemented("user type is not implemented", "")
    if user is None or user.machine != ("machine" in body):
        raise NotFound("User could not be found", "COMMAND-ugjs0upun6")
    before = show_user(call.world, user)
    username = body.get("username", user.username)
    if username != user.username:
        if username.lower() != user.username.lower():
            call.world.check_username(username)
        user.username = username
        call.world.log(user, "user.username.changed", call.caller.id, userName=username)
    if user.machine:
        _update_machine(user, body["machine"])
    else:
        _update_human(user, body["human"])
    if show_user(call.world, user) != before:
        call.world.touch(user)
    return {"changeDate": moment(user.changed)}


def _update_machine(user: User, change: Answer) -> None:
    user.name = change.get("name", user.name)
    user.description = change.get("description", user.description)
    if "accessTokenType" in change:
        user.jwt_access_tokens = change["accessTokenType"] == TOKEN_TYPES[1]


def _update_human(user: User, change: Answer) -> None:
    for part, content in change.items():
        held: Any = user.human.get(part, {})
        user.human[part] = {**held, **content}
    user.name = _full_name(user.human.get("profile", {}))


def _full_name(profile: Any) -> str:
    return f"{profile.get('givenName', '')} {profile.get('familyName', '')}".strip()


@SERVICE.method(
    Message(
        "SetUserMetadataRequest",
        userId=ID,
        metadata=Repeated(Sub(Message("Metadata", key=Text(1, 200), value=Data(1, 500000))), least=1),
    )
)
def set_user_metadata(call: Call) -> Answer:
    """Keys that are there get the new value."""
    user = reached_user(call, "user.write", self_service=True)
    if user is None:
        raise FailedPrecondition("User could not be found", "COMMAND-uXHNj")
    for entry in call.body["metadata"]:
        user.metadata[entry["key"]] = entry["value"]
    return {"setDate": moment(call.world.now())}
