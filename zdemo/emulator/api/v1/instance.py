"""Other methods of v1: the caller's user and roles, and the instance with its organizations and events."""

from functools import partial

from zdemo.emulator.api.fields import attributes, details
from zdemo.emulator.api.lists import Listing, filters_of
from zdemo.emulator.api.organizations import FILTERS
from zdemo.emulator.api.service import Answer, Call, Service, no_organization, switch
from zdemo.emulator.api.users import show_user, unknown_user
from zdemo.emulator.api.v1.kinds import ORGANIZATION
from zdemo.emulator.api.v1.management_methods import SERVICE as MANAGEMENT
from zdemo.emulator.api_errors import NotFound, existing
from zdemo.emulator.entities import Administrator, Event, Organization, moment
from zdemo.emulator.rights import permissions
from zdemo.emulator.world import World

MAX_EVENTS = 1000
AUTH, ADMIN = Service("zitadel.auth.v1.AuthService"), Service("zitadel.admin.v1.AdminService")


@MANAGEMENT.method("GetUserByLoginNameGlobal")
def _get_user_by_login_name(call: Call) -> Answer:
    """Show a user of any organization, found without regard to case."""
    user = existing(call.world.user_named(call.body["loginName"]), unknown_user())
    return {"user": show_user(call.world, user)}


@AUTH.method("GetMyUser")
def _get_my_user(call: Call) -> Answer:
    return {"user": show_user(call.world, call.caller)}


def _show_membership(world: World, administrator: Administrator) -> Answer:
    kind, id = administrator.resource
    administered = world.projects.get(id) or world.organizations.get(id)
    return {
        **attributes(administrator),
        "details": details(administrator, world.organization_of(administrator.resource) or world.id, created=True),
        "displayName": administered.name if administered else "ZITADEL",
        **({"iam": True} if kind == "instance" else {f"{kind.removesuffix('anization')}Id": id}),
    }


Listing[Administrator](
    rows=lambda call: [a for a in call.world.administrators.values() if a.user_id == call.caller.id],
    show=_show_membership,
).serve(AUTH, "ListMyMemberships")


@AUTH.method("ListMyZitadelPermissions")
def _list_my_permissions(call: Call) -> Answer:
    return {"result": permissions(call.world, call.caller, call.organization_id)}


@MANAGEMENT.method("GetIAM")
def _get_iam(call: Call) -> Answer:
    id = default.id if (default := call.world.default_organization) else ""
    return {"globalOrgId": id, "defaultOrgId": id, "iamProjectId": call.world.zitadel_project_id}


def _organization(call: Call) -> Organization:
    return existing(call.world.organizations.get(call.organization_id), no_organization())


for name, active, refusal in (  # while an organization is off, its applications cannot introspect
    ("Deactivate", False, ("Organisation is already deactivated", "EVENT-Dbs2g")),
    ("Reactivate", True, ("Organisation is already active", "EVENT-bfnrh")),
):
    MANAGEMENT.method(f"{name}Org")(partial(switch, _organization, active, refusal))


@ADMIN.method("GetDefaultOrg")
@ADMIN.method("GetOrgByID")
def _get_org(call: Call) -> Answer:
    default, unknown = call.world.default_organization, NotFound("Organisation not found", "QUERY-leq5Q")
    organization = existing(call.world.organizations.get(call.body["id"]) if "id" in call.body else default, unknown)
    return {"org": ORGANIZATION.show(call.world, organization)}


Listing[Organization](
    rows=lambda call: call.world.organizations.values(),
    show=ORGANIZATION.show,
    filters=FILTERS | filters_of(stateQuery=lambda _, row: f"ORG_STATE_{row.state}"),
).serve(ADMIN, "ListOrgs")


@ADMIN.method("ListEvents")
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
    return {"events": [_show_event(call, event) for event in events[:limit]]}


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
        "sequence": event.sequence,
        "creationDate": event.created,
        "payload": payload or None,
        "type": {"type": event.type},
    }
