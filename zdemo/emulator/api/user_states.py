"""zitadel.user.v2.UserService, the part that switches users on and off: deactivate, lock, delete."""

from zdemo.emulator.api.call import Answer, Call
from zdemo.emulator.api.projects import ID
from zdemo.emulator.api.schema import Message
from zdemo.emulator.api.users import SERVICE, details, reached_user
from zdemo.emulator.entities import User
from zdemo.emulator.errors import FailedPrecondition, NotFound

_ONE = {"userId": ID}


def _changed(user: User) -> Answer:
    return {"details": details(user, user.organization_id)}


@SERVICE.method(Message("DeactivateUserRequest", **_ONE))
def deactivate_user(call: Call) -> Answer:
    """Ends his tokens for good. A locked user may be deactivated."""
    user = reached_user(call, "user.write")
    if user is None:
        raise NotFound("User could not be found", "COMMAND-5gp2p62iin")
    if user.state == "INACTIVE":
        raise FailedPrecondition("User already inactive", "COMMAND-5gunjw0cd7")
    call.world.set_user_state(user, "INACTIVE", "user.deactivated", call.caller.id)
    return _changed(user)


@SERVICE.method(Message("ReactivateUserRequest", **_ONE))
def reactivate_user(call: Call) -> Answer:
    """His former tokens stay dead."""
    user = reached_user(call, "user.write")
    if user is None:
        raise NotFound("User could not be found", "COMMAND-9hy5kzbuk6")
    if user.state != "INACTIVE":
        raise FailedPrecondition("User is not inactive", "COMMAND-s5qqcz97hf")
    call.world.set_user_state(user, "ACTIVE", "user.reactivated", call.caller.id)
    return _changed(user)


@SERVICE.method(Message("LockUserRequest", **_ONE))
def lock_user(call: Call) -> Answer:
    """Ends his tokens for good."""
    user = reached_user(call, "user.write")
    if user is None:
        raise NotFound("User could not be found", "COMMAND-450yxuqrh1")
    if user.state != "ACTIVE":
        raise FailedPrecondition("User is not active or initial", "COMMAND-lgws8wtsqf")
    call.world.set_user_state(user, "LOCKED", "user.locked", call.caller.id)
    return _changed(user)


@SERVICE.method(Message("UnlockUserRequest", **_ONE))
def unlock_user(call: Call) -> Answer:
    """His former tokens stay dead."""
    user = reached_user(call, "user.write")
    if user is None:
        raise NotFound("User could not be found", "COMMAND-x377t913pw")
    if user.state != "LOCKED":
        raise FailedPrecondition("User is not locked", "COMMAND-olb9vb0oca")
    call.world.set_user_state(user, "ACTIVE", "user.unlocked", call.caller.id)
    return _changed(user)


@SERVICE.method(Message("DeleteUserRequest", **_ONE))
def delete_user(call: Call) -> Answer:
    """With his tokens, keys and authorizations."""
    user = reached_user(call, "user.delete")
    if user is None:
        raise NotFound("User could not be found", "COMMAND-bd4ir1mblj")
    call.world.remove_user(user, call.caller.id)
    return _changed(user)
