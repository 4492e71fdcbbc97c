"""The calls of the v1 APIs that v2 lacks: token types, the caller's own user and roles, organizations, events."""

from functools import partial

from zdemo.emulator.api.fields import moment
from zdemo.emulator.api.organizations import show_organization
from zdemo.emulator.api.service import Answer, Call, Refusal, Service, no_organization, switch
from zdemo.emulator.api.users import add_machine, details, set_machine, show_user, unknown_user
from zdemo.emulator.api_errors import FailedPrecondition, NotFound, existing
from zdemo.emulator.entities import Administrator, Event, Organization
from zdemo.emulator.rights import permissions
from zdemo.emulator.token_texts import new_secret

MAX_EVENTS = 1000
MANAGEMENT, AUTH, ADMIN = (
    Service(f"zitadel.{name.lower()}.v1.{name}Service") for name in ("Management", "Auth", "Admin")
)


@MANAGEMENT.method("AddMachineUser", permission="user.write")
def _add_machine_user(call: Call) -> Answer:
    """Create a service account in the call's organization, also one whose access tokens are JWTs."""
    user = add_machine(call, call.organization_id, call.body["userName"], call.body)
    return {"userId": user.id, "details": details(user, user.organization_id)}


@MANAGEMENT.method("UpdateMachine", permission="user.write")
def _update_machine(call: Call) -> Answer:
    """Replace all fields; no change is refused."""
    user = call.world.users.get(call.body["userId"])
    if user is None or not user.machine or user.organization_id != call.organization_id:
        raise NotFound("User could not be found", "COMMAND-5M0od")
    before = show_user(call.world, user)
    set_machine(user, call.body)
    if show_user(call.world, user) == before:
        raise FailedPrecondition("Errors.User.NotChanged", "COMMAND-2n8vs")
    call.world.touch(user)
    return {"details": details(user, user.organization_id)}


@MANAGEMENT.method("GenerateMachineSecret", permission="user.write")
def _generate_machine_secret(call: Call) -> Answer:
    user = existing(call.world.users.get(call.body["userId"]), unknown_user())
    if user.organization_id != call.organization_id:
        raise NotFound("User could not be found", "MANAG-fpo4B")
    if not user.machine:
        raise FailedPrecondition("Errors.User.NotExisting", "COMMAND-x8910n")
    user.secret = new_secret()
    details = {"creationDate": moment(call.world.touch(user)), "sequence": str(user.sequence)}
    details["resourceOwner"] = user.organization_id
    return {"clientId": user.username, "clientSecret": user.secret, "details": details}


@MANAGEMENT.method("GetUserByLoginNameGlobal", permission="user.global.read")
def _get_user_by_login_name(call: Call) -> Answer:
    """Show a user of any organization, found without regard to case."""
    user = existing(call.world.user_named(call.body["loginName"]), unknown_user())
    return {"user": show_user(call.world, user, v1=True)}


@AUTH.method("GetMyUser")
def _get_my_user(call: Call) -> Answer:
    return {"user": show_user(call.world, call.caller, v1=True)}


@AUTH.method("ListMyMemberships")
def _list_my_memberships(call: Call) -> Answer:
    mine = [a for a in call.world.administrators.values() if a.user_id == call.caller.id]
    total = {"totalResult": str(len(mine))} if mine else {}
    rows = [_show_membership(call, administrator) for administrator in mine]
    return {"details": {**total, "viewTimestamp": moment(call.world.now())}, **({"result": rows} if rows else {})}


def _show_membership(call: Call, administrator: Administrator) -> Answer:
    world, (kind, id) = call.world, administrator.resource
    administered = world.projects.get(id) or world.organizations.get(id)
    return {
        "userId": administrator.user_id,
        "details": details(administrator, world.organization_of(administrator.resource) or world.id, created=True),
        "roles": list(administrator.roles),
        "displayName": administered.name if administered else "ZITADEL",
        **({"iam": True} if kind == "instance" else {f"{kind.removesuffix('anization')}Id": id}),
    }


@AUTH.method("ListMyZitadelPermissions")
def _list_my_permissions(call: Call) -> Answer:
    held = permissions(call.world, call.caller, call.organization_id)
    return {"result": held} if held else {}


@MANAGEMENT.method("GetIAM")
def _get_iam(call: Call) -> Answer:
    id = default.id if (default := call.world.default_organization) else ""
    return {"globalOrgId": id, "defaultOrgId": id, "iamProjectId": call.world.zitadel_project_id}


def _organization(call: Call) -> Organization:
    return existing(call.world.organizations.get(call.organization_id), no_organization())


@MANAGEMENT.method("GetMyOrg", permission="org.read")
def _get_my_org(call: Call) -> Answer:
    return {"org": show_organization(call.world, _organization(call), states="ORG_STATE")}


def _switch(active: bool, refusal: Refusal, call: Call) -> Answer:
    """Switch the organization on or off; while it is off, its applications cannot introspect."""
    switch(_organization, active, refusal, call)
    return {"details": details(_organization(call), call.organization_id)}


for name, active, refusal in (
    ("Deactivate", False, ("Organisation is already deactivated", "EVENT-Dbs2g")),
    ("Reactivate", True, ("Organisation is already active", "EVENT-bfnrh")),
):
    MANAGEMENT.method(f"{name}Org", permission="org.write")(partial(_switch, active, refusal))


@MANAGEMENT.method("RemoveOrg", permission="org.delete")
def _remove_org(call: Call) -> Answer:
    organization = _organization(call)
    call.world.remove_organization(organization)
    call.world.touch(organization)
    return {"details": details(organization, organization.id)}


@ADMIN.method("ListEvents", permission="events.read")
def _list_events(call: Call) -> Answer:
    """List the events that match, newest first unless the request says ``asc``."""
    body = call.body
    kinds, aggregates = body.get("eventTypes"), body.get("aggregateTypes")
    events = [
        event
        for event in call.world.events
        if body.get("editorUserId", "") in ("", event.editor)
        and body.get("aggregateId", "") in ("", event.aggregate_id)
        and (not kinds or event.type in kinds)
        and (not aggregates or "user" in aggregates)
        and event.created >= body.get("from", 0.0)
    ]
    if not body.get("asc"):
        events.reverse()
    limit = min(body.get("limit", 0) or MAX_EVENTS, MAX_EVENTS)
    return {"events": [_show_event(call, event) for event in events[:limit]]} if events else {}


def _show_event(call: Call, event: Event) -> Answer:
    editor, payload = call.world.users.get(event.editor), dict(event.payload)
    if isinstance(expires := payload.get("expiration"), float):
        payload["expiration"] = moment(expires)
    return {
        "editor": {
            "userId": event.editor or call.world.id,
            "displayName": editor.name if editor else "",
            "service": "zitadel",
        },
        "aggregate": {"id": event.aggregate_id, "type": {"type": "user"}, "resourceOwner": event.organization_id},
        "sequence": str(event.sequence),
        "creationDate": moment(event.created),
        **({"payload": payload} if payload else {}),
        "type": {"type": event.type},
    }
