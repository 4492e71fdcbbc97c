"""zitadel.user.v2.UserService: users, switching them on and off, and searching them."""

from collections.abc import Sequence
from functools import partial

from zdemo.emulator.api import humans, lists
from zdemo.emulator.api.fields import attributes, details
from zdemo.emulator.api.service import Answer, Call, Service, no_organization
from zdemo.emulator.api_errors import FailedPrecondition, NotFound, Unimplemented, ZitadelError, existing
from zdemo.emulator.entities import Metadata, User
from zdemo.emulator.world import World

SERVICE = Service("zitadel.user.v2.UserService")
JWT = "ACCESS_TOKEN_TYPE_JWT"
unknown_user = partial(NotFound, "User could not be found", "QUERY-Dfbg2")


def show_user(_: World, user: User) -> Answer:
    """Return a user as lists show it, with both names where v1 has its own: a message has one of them."""
    row, secret = attributes(user), user.secret is not None
    machine = row | {"hasSecret": secret, "accessTokenType": JWT if user.jwt_access_tokens else ""}
    return {
        **row,
        "userId": user.id,
        "details": details(user, user.organization_id, created=True),
        "userName": user.username,
        "loginNames": [user.username],
        "preferredLoginName": user.username,
        "machine": machine if user.machine else None,
        "human": None if user.machine else humans.show_human(user),
    }


def permitted_user(call: Call, permission: str, unknown: ZitadelError, *, self_service: bool = False) -> User:
    """Return the user of ``userId``, for whom the caller needs the permission or, if allowed, who is the caller."""
    user = existing(call.world.users.get(call.body.get("userId", "")), unknown)
    if not self_service or user.id != call.caller.id:
        call.need(permission, user.organization_id)
    return user


# --- create and change ---


@SERVICE.method("CreateUser")
def _create_user(call: Call) -> Answer:
    body = call.body
    if body["organizationId"] not in call.world.organizations:
        raise FailedPrecondition("Organisation not found", "COMMAND-QXPGs")
    if "human" in body:
        user, codes = _add_human(call, body["organizationId"], body.get("username"), body["human"])
    else:
        call.need("user.write", body["organizationId"])
        home, name, codes = body["organizationId"], body["machine"]["name"], {}
        user = call.world.add_user(home, body.get("username"), name, id=body.get("userId"), by=call.caller.id)
        _set_machine(user, body["machine"])
        _set_metadata(call, user)
    return {"id": user.id, "creationDate": user.created, **codes}


def _set_machine(user: User, machine: Answer) -> None:
    user.name, user.description = machine.get("name", user.name), machine.get("description", user.description)
    user.jwt_access_tokens = machine.get("accessTokenType", JWT if user.jwt_access_tokens else "") == JWT


@SERVICE.method("AddHumanUser")
def _add_human_user(call: Call) -> Answer:
    """Create a human, whose username is the e-mail address unless the request has one."""
    body = call.body
    organization_id = body.get("organization", {}).get("orgId") or call.organization_id
    if organization_id not in call.world.organizations:
        raise no_organization()
    user, codes = _add_human(call, organization_id, body.get("username", body["email"]["email"]), body)
    return {"userId": user.id, "details": details(user, user.organization_id), **codes}


def _add_human(call: Call, organization_id: str, username: str | None, parts: Answer) -> tuple[User, Answer]:
    call.need("user.write", organization_id)
    if (id := call.body.get("userId")) in call.world.users:
        raise FailedPrecondition("Errors.User.AlreadyExisting", "COMMAND-7yiox1isql")
    if "password" in parts:
        humans.check_rules(parts["password"]["password"])
    name = "{givenName} {familyName}".format(**parts["profile"])
    user = call.world.add_user(organization_id, username, name, machine=False, id=id, by=call.caller.id)
    if "password" in parts:
        humans.set_password(call, user, parts["password"])
    codes = humans.set_parts(user, parts)
    _set_metadata(call, user)
    return user, codes


@SERVICE.method("UpdateUser")
def _update_user(call: Call) -> Answer:
    """Change what the request has, which must name the kind of user even for a new username alone."""
    body = call.body
    if "machine" not in body and "human" not in body:
        raise Unimplemented("user type is not implemented", "")
    user, codes = _update(call, body.get("machine"), body.get("human", {}))
    return {"changeDate": user.changed, **codes}


@SERVICE.method("UpdateHumanUser")
def _update_human_user(call: Call) -> Answer:
    user, codes = _update(call, None, call.body)
    return {"details": details(user, user.organization_id), **codes}


def _update(call: Call, machine: Answer | None, human: Answer) -> tuple[User, Answer]:
    unknown = NotFound("User could not be found", "COMMAND-ugjs0upun6")
    user = permitted_user(call, "user.write", unknown, self_service=True)
    if user.machine == (machine is None):
        raise unknown
    before, codes = (show_user(call.world, user), user.password), {}
    username = call.body.get("username", user.username)
    call.world.check_username(username, user)
    if "password" in human:
        humans.change_password(call, user, human["password"])
    if username != user.username:
        user.username = username
        call.world.log(user, "user.username.changed", call.caller.id, userName=username)
    if machine is None:
        codes = humans.set_parts(user, human)
    else:
        _set_machine(user, machine)
    _set_metadata(call, user)
    if (show_user(call.world, user), user.password) != before:
        call.world.touch(user)
    return user, codes


def _set_metadata(call: Call, user: User) -> None:
    """Add the metadata of the request, replace the values of keys that exist, and remove the keys without a value."""
    for entry in (*call.body.get("metadata", ()), *call.body.get("human", {}).get("metadata", ())):
        key, value = entry["key"], entry.get("value", b"")
        metadata = user.metadata.get(key)
        if not value:
            user.metadata.pop(key, None)
        elif metadata is None:
            user.metadata[key] = Metadata(id=key, created=call.world.now(), value=value)
        elif metadata.value != value:
            metadata.value = value
            call.world.touch(metadata)


def _user_with_metadata(call: Call, entries: str) -> User:
    if not call.body.get(entries):
        raise FailedPrecondition("Metadata list is empty", "META-9mm2d")
    unknown = FailedPrecondition("User could not be found", "COMMAND-uXHNj")
    return permitted_user(call, "user.write", unknown, self_service=True)


@SERVICE.method("SetUserMetadata")
def _set_user_metadata(call: Call) -> Answer:
    _set_metadata(call, _user_with_metadata(call, "metadata"))
    return {"setDate": call.world.now()}


@SERVICE.method("DeleteUserMetadata")
def _delete_user_metadata(call: Call) -> Answer:
    """Remove keys, all of which must be there."""
    user = _user_with_metadata(call, "keys")
    if not set(call.body["keys"]) <= set(user.metadata):
        raise NotFound("One or more keys do not exist", "META-2nnds")
    for key in call.body["keys"]:
        user.metadata.pop(key, None)
    return {"deletionDate": call.world.now()}


def sees(call: Call, user: User) -> bool:
    """Return whether the caller may see a user."""
    return user.id == call.caller.id or call.may("user.read", user.organization_id)


lists.Listing[Metadata](
    rows=lambda call: getattr(call.world.users.get(call.body["userId"]), "metadata", {}).values(),
    visible=lambda call, _: sees(call, call.world.users[call.body["userId"]]),
    show=lists.row_of(key="id"),
    filters=lists.filters_of(keyFilter="id"),
).serve(SERVICE, "ListUserMetadata")


def _set_state(transition: Sequence[str], call: Call) -> Answer:
    before, after, event, unknown, refusal, refusal_id = transition
    user = permitted_user(call, "user.write", NotFound("User could not be found", f"COMMAND-{unknown}"))
    if user.state not in before.split():
        raise FailedPrecondition(refusal, f"COMMAND-{refusal_id}")
    call.world.set_user_state(user, after, f"user.{event}", call.caller.id)
    return {"details": details(user, user.organization_id)}


for verb, *transition in (  # states before, state after, event, and the errors for an unknown user and another state
    ("Deactivate", "ACTIVE LOCKED", "INACTIVE", "deactivated", "5gp2p62iin", "User already inactive", "5gunjw0cd7"),
    ("Reactivate", "INACTIVE", "ACTIVE", "reactivated", "9hy5kzbuk6", "User is not inactive", "s5qqcz97hf"),
    ("Lock", "ACTIVE", "LOCKED", "locked", "450yxuqrh1", "User is not active or initial", "lgws8wtsqf"),
    ("Unlock", "LOCKED", "ACTIVE", "unlocked", "x377t913pw", "User is not locked", "olb9vb0oca"),
):
    SERVICE.method(f"{verb}User")(partial(_set_state, transition))


@SERVICE.method("DeleteUser")
def _delete_user(call: Call) -> Answer:
    user = permitted_user(call, "user.delete", NotFound("User could not be found", "COMMAND-bd4ir1mblj"))
    call.world.remove_user(user, call.caller.id)
    return {"details": details(user, user.organization_id)}


# --- reading and searching ---


def _human(part: str, name: str) -> lists.Getter:
    return lambda _, user: str(user.human.get(part, {}).get(name, ""))


USERS: lists.Listing[User] = lists.Listing(
    rows=lambda call: call.world.users.values(),
    visible=sees,
    show=show_user,
    filters=lists.filters_of(
        "organizationIdQuery",
        userNameQuery="username",
        loginNameQuery="username",
        displayNameQuery="name",
        emailQuery=_human("email", "email"),
        typeQuery=lambda _, user: "TYPE_MACHINE" if user.machine else "TYPE_HUMAN",
        stateQuery=lambda _, row: f"USER_STATE_{row.state}",
        inUserIdsQuery="id",
    )
    | {
        "andQuery": lambda world, user, f: all(USERS.passes(world, user, query) for query in f.get("queries", ())),
        "orQuery": lambda world, user, f: any(USERS.passes(world, user, query) for query in f.get("queries", ())),
        "notQuery": lambda world, user, f: not USERS.passes(world, user, f.get("query", {})),
    },
    columns={
        "USER_NAME": "username",
        "FIRST_NAME": _human("profile", "givenName"),
        "LAST_NAME": _human("profile", "familyName"),
        "NICK_NAME": _human("profile", "nickName"),
        "DISPLAY_NAME": "name",
        "EMAIL": _human("email", "email"),
        "TYPE": "machine",
    },
)
USERS.serve(SERVICE, "ListUsers")


@SERVICE.method("GetUserByID")
def _get_user_by_id(call: Call) -> Answer:
    user = permitted_user(call, "user.read", unknown_user(), self_service=True)
    return {"details": details(user, user.organization_id, created=True), "user": show_user(call.world, user)}
