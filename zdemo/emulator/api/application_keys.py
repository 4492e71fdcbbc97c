"""The keys of applications (private_key_jwt): the part of ``ApplicationService`` about them."""

import base64

from zdemo.emulator.api.applications import SERVICE, application_owner, permitted_application
from zdemo.emulator.api.call import Answer, Call
from zdemo.emulator.api.json_values import moment
from zdemo.emulator.api.lists import Listing, columns, id_filter
from zdemo.emulator.api.messages import ID, Text, Time
from zdemo.emulator.entities import Application, PublicKey
from zdemo.emulator.errors import FailedPrecondition, InvalidArgument, NotFound, existing
from zdemo.emulator.key_files import application_key_file
from zdemo.emulator.world import World


def check_expiry(call: Call) -> float:
    """Return the ``expirationDate`` of a request; an absent one counts as past."""
    expires: float = call.body.get("expirationDate", 0.0)
    if expires <= call.world.now():
        raise InvalidArgument("Errors.AuthNKey.ExpireBeforeNow", "DOMAIN-dv3t5")
    return expires


def in_base64(key_file: str) -> str:
    """Return a key file as the API shows it, once."""
    return base64.b64encode(key_file.encode()).decode()


def _application_of(world: World, key: PublicKey) -> Application:
    return world.applications[key.owner_id]


def _project_id(world: World, key: PublicKey) -> str:
    return _application_of(world, key).project_id


def _key_owner(world: World, key: PublicKey) -> str:
    return application_owner(world, _application_of(world, key))


@SERVICE.method("CreateApplicationKey", projectId=ID, applicationId=ID, expirationDate=Time())
def create_application_key(call: Call) -> Answer:
    """Create a key, only for an application that authenticates with keys."""
    unknown = FailedPrecondition("Application not found", "COMMAND-sak25")
    application = permitted_application(call, "project.app.write", unknown)
    if not application.auth_method.endswith("PRIVATE_KEY_JWT"):
        raise FailedPrecondition("Chosen Auth Method does not require a key", "COMMAND-Dff54")
    expires = check_expiry(call)
    private, public = call.new_key_pair()
    key = call.world.add_key(application, public, expires)
    content = application_key_file(application, key, private)
    return {"keyId": key.id, "creationDate": moment(key.created), "keyDetails": in_base64(content)}


@SERVICE.method("GetApplicationKey", keyId=ID)
def get_application_key(call: Call) -> Answer:
    """Show the dates of a key."""
    key_id = call.body["keyId"]
    key = next((a.keys[key_id] for a in call.world.applications.values() if key_id in a.keys), None)
    key = existing(key, NotFound("Errors.AuthNKey.NotFound", "QUERY-Dgr3g"))
    call.need("project.app.read", _key_owner(call.world, key), _project_id(call.world, key))
    return {"keyId": key.id, "creationDate": moment(key.created), "expirationDate": moment(key.expires)}


@SERVICE.method("DeleteApplicationKey", projectId=ID, applicationId=ID, keyId=ID)
def delete_application_key(call: Call) -> Answer:
    """Delete a key; assertions that it signed are refused from now on."""
    unknown = NotFound("Application key not found", "COMMAND-4m77G")
    application = permitted_application(call, "project.app.write", unknown)
    existing(application.keys.get(call.body["keyId"]), unknown)
    del application.keys[call.body["keyId"]]
    return {"deletionDate": moment(call.world.now())}


def _show(world: World, key: PublicKey) -> Answer:
    application = _application_of(world, key)
    return {
        "keyId": key.id,
        "applicationId": application.id,
        "projectId": application.project_id,
        "creationDate": moment(key.created),
        "organizationId": application_owner(world, application),
        "expirationDate": moment(key.expires),
    }


Listing[PublicKey](
    rows=lambda call: [k for a in call.world.applications.values() for k in a.keys.values()],
    visible=lambda call, k: call.may("project.app.read", _key_owner(call.world, k), _project_id(call.world, k)),
    show=_show,
    result="keys",
    filter_name="ApplicationKeySearchFilter",
    filters={
        "applicationIdFilter": id_filter("ApplicationKeyApplicationIDFilter", lambda _, k: k.owner_id, "applicationId"),
        "projectIdFilter": id_filter("ApplicationKeyProjectIDFilter", _project_id, "projectId"),
        "organizationIdFilter": id_filter("ApplicationKeyOrganizationIDFilter", _key_owner, "organizationId"),
    },
    columns=columns(
        "APPLICATION_KEYS_SORT_BY",
        ID="id",
        PROJECT_ID=_project_id,
        APPLICATION_ID="owner_id",
        CREATION_DATE="created",
        ORGANIZATION_ID=_key_owner,
        EXPIRATION="expires",
        TYPE=lambda *_: "",  # all are JSON
    ),
    zero_is_a_column=True,
    page_last=True,
).serve(SERVICE, "ListApplicationKeys", projectId=Text(most=200))
