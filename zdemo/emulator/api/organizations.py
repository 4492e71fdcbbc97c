"""zitadel.org.v2.OrganizationService: listing and adding organizations."""

from zdemo.emulator.api.call import Answer, Call, Service
from zdemo.emulator.api.lists import DetailsListing, Filter, columns, text_query
from zdemo.emulator.api.messages import ID, OPTIONAL, Anything, Message, Repeated, Sub, enum
from zdemo.emulator.api.users import details
from zdemo.emulator.entities import Organization
from zdemo.emulator.errors import FailedPrecondition
from zdemo.emulator.world import World

SERVICE = Service("zitadel.org.v2.OrganizationService", "org")
STATE = "ORGANIZATION_STATE"


def show_organization(_: World, organization: Organization, states: str = STATE) -> Answer:
    """Return an organization as lists show it; ``states`` begins the words for its state."""
    return {
        "id": organization.id,
        "details": details(organization, organization.id, created=True),
        "state": f"{states}_{organization.state}",
        "name": organization.name,
        "primaryDomain": organization.primary_domain,
    }


_STATES = enum(STATE, "UNSPECIFIED", "ACTIVE", "INACTIVE", "REMOVED")
DetailsListing[Organization](
    rows=lambda call: call.world.organizations.values(),
    visible=lambda call, organization: call.may("org.read", organization.id),
    show=show_organization,
    filters={
        "nameQuery": text_query("OrganizationNameQuery", "name", lambda o: o.name),
        "domainQuery": text_query("OrganizationDomainQuery", "domain", lambda o: o.primary_domain),
        "stateQuery": Filter(
            Sub(Message("OrganizationStateQuery", state=_STATES)),
            lambda _, o, f: f.get("state") == f"{STATE}_{o.state}",
        ),
        "idQuery": Filter(Sub(Message("OrganizationIDQuery", id=ID)), lambda _, o, f: o.id == f.get("id")),
        "defaultQuery": Filter(Anything(), lambda world, o, _: o is world.default_organization),
    },
    columns=columns("ORGANIZATION_FIELD_NAME", NAME="name", CREATION_DATE="created"),
    counts_all=True,
).serve(SERVICE, "ListOrganizations")

_ADMIN = Message("AddOrganizationRequest_Admin", userId=OPTIONAL, roles=Repeated(ID))


@SERVICE.guarded(
    "AddOrganization", "org.create", name=ID, organizationId=OPTIONAL, orgId=OPTIONAL, admins=Repeated(Sub(_ADMIN))
)
def add_organization(call: Call) -> Answer:
    """Add an organization, with existing users as its administrators if the request names some."""
    body = call.body
    admins = [admin for admin in body.get("admins", ()) if "userId" in admin]
    if any(admin["userId"] not in call.world.users for admin in admins):
        raise FailedPrecondition("User could not be found", "ORG-GoXOn")
    made = call.world.add_organization(body["name"], id=body.get("organizationId", body.get("orgId")))
    for admin in admins:
        roles = admin.get("roles") or ["ORG_OWNER"]
        call.world.add_administrator(admin["userId"], ("organization", made.id), roles)
    return {"details": details(made, made.id), "organizationId": made.id}
