"""zitadel.user.v2.UserService: users, and switching them on and off."""

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

from zdemo.emulator.api.call import Answer, Call, Service
from zdemo.emulator.api.field_types import ID, OPTIONAL, Data, Enum, Flag, Repeated, Text
from zdemo.emulator.api.json_values import moment, without_defaults
from zdemo.emulator.api.messages import Message, OneOf, Sub
from zdemo.emulator.entities import Entity, User
from zdemo.emulator.errors import FailedPrecondition, InvalidArgument, NotFound, Unimplemented
from zdemo.emulator.world import World

SERVICE = Service("zitadel.user.v2.UserService", "user")
TOKEN_TYPE = Enum(("ACCESS_TOKEN_TYPE_BEARER", "ACCESS_TOKEN_TYPE_JWT"))
GENDER = Enum(tuple(f"GENDER_{g}" for g in ("UNSPECIFIED", "FEMALE", "MALE", "DIVERSE")))
PASSWORD_RULES = (  # the default password complexity policy
    (r".{8,}", "Password is too short", "COMMA-HuJf6"),
    (r"[a-z]", "Password must contain lower letter", "COMMA-co3Xw"),
    (r"[A-Z]", "Password must contain upper letter", "COMMA-VoaRj"),
    (r"[0-9]", "Password must contain number", "COMMA-ZBv4H"),
    (r"[^0-9a-zA-Z]", "Password must contain symbol", "COMMA-ZDLwA"),
)


# --- how users are shown ---


def details(entity: Entity, organization_id: str, *, created: bool = False) -> Answer:
    """Return the ``details`` object of the older messages."""
    shown = {"sequence": str(entity.sequence), "changeDate": moment(entity.changed), "resourceOwner": organization_id}
    return shown | ({"creationDate": moment(entity.created)} if created else {})


def display_name(user: User) -> str:
    """Return a human's display name; service users have none."""
    return "" if user.machine else str(user.human.get("profile", {}).get("displayName") or user.name)


def show_user(_: World, user: User, *, id_field: str = "userId", name_field: str = "username") -> Answer:
    """Return a user as lists show it; the v1 API has other names for two fields."""
    return {
        id_field: user.id,
        "details": details(user, user.organization_id, created=True),
        "state": f"USER_STATE_{user.state}",
        name_field: user.username,
        "loginNames": [user.username],
        "preferredLoginName": user.username,
        **({"machine": _show_machine(user)} if user.machine else {"human": _show_human(user)}),
    }


def _show_machine(user: User) -> Answer:
    return without_defaults(
        {
            "name": user.name,
            "description": user.description,
            "hasSecret": user.secret is not None,
            "accessTokenType": TOKEN_TYPE.words[1] if user.jwt_access_tokens else "",
        }
    )


def _show_human(user: User) -> Answer:
    """Show a human, with the empty values that ZITADEL shows too."""
    profile, email = user.human.get("profile", {}), user.human.get("email", {})
    return {
        "profile": {
            "givenName": profile.get("givenName", ""),
            "familyName": profile.get("familyName", ""),
            "nickName": profile.get("nickName", ""),
            "displayName": display_name(user),
            "preferredLanguage": profile.get("preferredLanguage", "und"),
            "gender": profile.get("gender", GENDER.words[0]),
        },
        "email": without_defaults({name: email.get(name) for name in ("email", "isVerified")}),
        "phone": user.human.get("phone", {}),
    }


def permitted_user(call: Call, permission: str, *, self_service: bool = False) -> User | None:
    """Return the user of ``userId`` if it exists, once the caller has the permission or, if allowed, is that user."""
    user = call.world.users.get(call.body["userId"])
    if self_service:
        call.need_or_self(permission, user)
    else:
        call.need(permission, user.organization_id if user else None)
    return user


# --- create and change ---

_MACHINE = Message(
    "CreateUserRequest_Machine", name=ID, description=Text(1, 500, optional=True), accessTokenType=TOKEN_TYPE
)
_LANGUAGE_AND_GENDER = {"preferredLanguage": Text(1, 10, optional=True), "gender": GENDER}
_PROFILE = Message(
    "SetHumanProfile", givenName=ID, familyName=ID, nickName=OPTIONAL, displayName=OPTIONAL, **_LANGUAGE_AND_GENDER
)
_EMAIL = Message("SetHumanEmail", email=ID, isVerified=Flag())
_HUMAN = Message(
    "CreateUserRequest_Human",
    profile=Sub(_PROFILE, required=True),
    email=Sub(_EMAIL, required=True),
    phone=Sub(Message("SetHumanPhone", phone=Text(most=200), isVerified=Flag())),
    password=Sub(Message("Password", password=ID, changeRequired=Flag())),
)


@SERVICE.method(
    "CreateUser",
    OneOf("UserType", ("human", "machine"), required=True),
    organizationId=ID,
    userId=OPTIONAL,
    username=OPTIONAL,
    human=Sub(_HUMAN),
    machine=Sub(_MACHINE),
)
def create_user(call: Call) -> Answer:
    """Create a service user or a human."""
    body = call.body
    call.need("user.write", body["organizationId"])
    human: Answer | None = body.get("human")
    machine: Answer = body.get("machine", {})
    if human and "password" in human:
        _check_password(human["password"]["password"])
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
        user.jwt_access_tokens = machine.get("accessTokenType") == TOKEN_TYPE.words[1]
    return {"id": user.id, "creationDate": moment(user.created)}


def _check_password(password: str) -> None:
    for pattern, text, error_id in PASSWORD_RULES:
        if not re.search(pattern, password):
            raise InvalidArgument(text, error_id)


_UPDATE_MACHINE = Message(
    "UpdateUserRequest_Machine", name=OPTIONAL, description=Text(1, 500, optional=True), accessTokenType=TOKEN_TYPE
)
_UPDATE_PROFILE = Message(
    "UpdateUserRequest_Human_Profile",
    **dict.fromkeys(("givenName", "familyName", "nickName", "displayName"), OPTIONAL),
    **_LANGUAGE_AND_GENDER,
)


@SERVICE.method(
    "UpdateUser",
    OneOf("UserType", ("human", "machine")),
    userId=ID,
    username=OPTIONAL,
    human=Sub(Message("UpdateUserRequest_Human", profile=Sub(_UPDATE_PROFILE), email=Sub(_EMAIL))),
    machine=Sub(_UPDATE_MACHINE),
)
def update_user(call: Call) -> Answer:
    """Change what the request has, which must name the kind of user even for a new username alone."""
    user = permitted_user(call, "user.write", self_service=True)
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
        user.jwt_access_tokens = change["accessTokenType"] == TOKEN_TYPE.words[1]


def _update_human(user: User, change: Answer) -> None:
    for part, content in change.items():
        user.human[part] = {**user.human.get(part, {}), **content}
    user.name = _full_name(user.human.get("profile", {}))


def _full_name(profile: dict[str, Any]) -> str:
    return f"{profile.get('givenName', '')} {profile.get('familyName', '')}".strip()


_METADATA = Message("Metadata", key=ID, value=Data(1, 500000))


@SERVICE.method("SetUserMetadata", userId=ID, metadata=Repeated(Sub(_METADATA), least=1))
def set_user_metadata(call: Call) -> Answer:
    """Add metadata, and replace the values of keys that exist."""
    user = permitted_user(call, "user.write", self_service=True)
    if user is None:
        raise FailedPrecondition("User could not be found", "COMMAND-uXHNj")
    for entry in call.body["metadata"]:
        user.metadata[entry["key"]] = entry["value"]
    return {"setDate": moment(call.world.now())}


# --- states ---


@dataclass(frozen=True)
class _Transition:
    """A change of a user's state, with ZITADEL's errors for an unknown user and for a user in another state."""

    before: tuple[str, ...]
    after: str
    event: str
    unknown: str
    refusal: tuple[str, str]


_TRANSITIONS = {
    "DeactivateUser": _Transition(
        ("ACTIVE", "LOCKED"),
        "INACTIVE",
        "user.deactivated",
        "COMMAND-5gp2p62iin",
        ("User already inactive", "COMMAND-5gunjw0cd7"),
    ),
    "ReactivateUser": _Transition(
        ("INACTIVE",),
        "ACTIVE",
        "user.reactivated",
        "COMMAND-9hy5kzbuk6",
        ("User is not inactive", "COMMAND-s5qqcz97hf"),
    ),
    "LockUser": _Transition(
        ("ACTIVE",),
        "LOCKED",
        "user.locked",
        "COMMAND-450yxuqrh1",
        ("User is not active or initial", "COMMAND-lgws8wtsqf"),
    ),
    "UnlockUser": _Transition(
        ("LOCKED",), "ACTIVE", "user.unlocked", "COMMAND-x377t913pw", ("User is not locked", "COMMAND-olb9vb0oca")
    ),
}


def _set_state(call: Call, *, transition: _Transition) -> Answer:
    """Change a user's state. Every state but ``ACTIVE`` ends the user's tokens for good."""
    user = permitted_user(call, "user.write")
    if user is None:
        raise NotFound("User could not be found", transition.unknown)
    if user.state not in transition.before:
        raise FailedPrecondition(*transition.refusal)
    call.world.set_user_state(user, transition.after, transition.event, call.caller.id)
    return {"details": details(user, user.organization_id)}


for method, transition in _TRANSITIONS.items():
    SERVICE.method(method, userId=ID)(partial(_set_state, transition=transition))


@SERVICE.method("DeleteUser", userId=ID)
def delete_user(call: Call) -> Answer:
    """Delete a user with its tokens, keys and authorizations."""
    user = permitted_user(call, "user.delete")
    if user is None:
        raise NotFound("User could not be found", "COMMAND-bd4ir1mblj")
    call.world.remove_user(user, call.caller.id)
    return {"details": details(user, user.organization_id)}
