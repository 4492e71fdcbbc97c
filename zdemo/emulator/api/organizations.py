"""zitadel.org.v2.OrganizationService: listing and adding organizations."""

from zdemo.emulator.api.call import Answer, Call, Service
from zdemo.emulator.api.kinds import Anything, Enum, Repeated, Text
from zdemo.emulator.api.listing import Filter
from zdemo.emulator.api.projects import ID, OPTIONAL
from zdemo.emulator.api.schema import Message, Sub
from zdemo.emulator.api.user_queries import DetailsListing, text_query
from zdemo.emulator.api.users import details
from zdemo.emulator.entities import Organization
from zdemo.emulator.errors import FailedPrecondition
from zdemo.emulator.world import World

SERVICE = Service("zitadel.org.v2.OrganizationService", "org")
_STATES = tuple(f"ORGANIZATION_STATE_{s}" for s in ("UNSPECIFIED", "ACTIVE", "INACTIVE", "REMOVED"))


def _state(organization: Organization) -> str:
    return _STATES[1] if organization.active else _STATES[2]


def _show(_: World, organization: Organization) -> Answer:
    return {
        "id": organization.id,
        "details": details(organization, organization.id, created=True),
        "state": _state(organization),
        "name": organization.name,
        "primaryDomain": organization.primary_domain,
    }


ORGANIZATIONS = DetailsListing[Organization](
    rows=lambda call: list(call.world.organizations.values()),
    visible=lambda call, organization: call.access.may("org.read", organization.id),
    show=_show,
    filters={
        "nameQuery": text_query("OrganizationNameQuery", "name", lambda o: o.name),
        "domainQuery": text_query("OrganizationDomainQuery", "domain", lambda o: o.primary_domain),
        "stateQuery": Filter(
            Sub(Message("OrganizationStateQuery", state=Enum(_STATES))), lambda _, o, f: _state(o) == f.get("state")
        ),
        "idQuery": Filter(Sub(Message("OrganizationIDQuery", id=ID)), lambda _, o, f: o.id == f.get("id")),
        "defaultQuery": Filter(Anything(), lambda world, o, _: o is world.default_organization),
    },
    columns={
        "ORGANIZATION_FIELD_NAME_NAME": lambda _, o: o.name,
        "ORGANIZATION_FIELD_NAME_CREATION_DATE": lambda _, o: o.created,
    },
    counts_all=True,
)
SERVICE.method(ORGANIZATIONS.request("ListOrganizationsRequest"))(ORGANIZATIONS.answer)

_ADMIN = Message("AddOrganizationRequest_Admin", userId=OPTIONAL, roles=Repeated(Text(1, 200)))


@SERVICE.method(
    Message(
        "AddOrganizationRequest",
        name=ID,
        organizationId=OPTIONAL,
        orgId=OPTIONAL,
        admins=Repeated(Sub(_ADMIN)),
    ),
    permission="org.create",
)
def add_organization(call: Call) -> Answer:
    """With users that exist already as its administrators, if named."""
    body = call.body
    admins = [admin for admin in body.get("admins", ()) if "userId" in admin]
    if any(admin["userId"] not in call.world.users for admin in admins):
        raise FailedPrecondition("User could not be found", "ORG-GoXOn")
    made = call.world.add_organization(body["name"], id=body.get("organizationId", body.get("orgId")))
    for admin in admins:
        roles = admin.get("roles") or ["ORG_OWNER"]
        call.world.add_administrator(admin["userId"], ("organization", made.id), roles)
    return {"details": details(made, made.id), "organizationId": made.id}
