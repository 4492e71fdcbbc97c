"""zitadel.application.v2.ApplicationService: API and OIDC applications and their secrets."""

from zdemo.emulator.api.call import Answer, Call, Service
from zdemo.emulator.api.kinds import Anything, Enum, Flag, Kind, Repeated, Text
from zdemo.emulator.api.listing import Filter, Listing, id_filter, text_filter
from zdemo.emulator.api.projects import ID, OPTIONAL, owner, reached
from zdemo.emulator.api.schema import Message, OneOf, Sub
from zdemo.emulator.api.values import moment, without_defaults
from zdemo.emulator.credentials import new_secret
from zdemo.emulator.entities import Application
from zdemo.emulator.errors import FailedPrecondition, NotFound
from zdemo.emulator.world import World

SERVICE = Service("zitadel.application.v2.ApplicationService", "application")
STATES = ("APPLICATION_STATE_UNSPECIFIED", "APPLICATION_STATE_ACTIVE", "APPLICATION_STATE_INACTIVE")
TYPES = ("APPLICATION_TYPE_UNSPECIFIED", "APPLICATION_TYPE_OIDC", "APPLICATION_TYPE_API", "APPLICATION_TYPE_SAML")
API_METHODS = ("API_AUTH_METHOD_TYPE_BASIC", "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT")
OIDC_METHODS = tuple(f"OIDC_AUTH_METHOD_TYPE_{m}" for m in ("BASIC", "POST", "NONE", "PRIVATE_KEY_JWT"))
WITH_SECRET = (API_METHODS[0], OIDC_METHODS[0], OIDC_METHODS[1])
_OIDC_ENUMS: dict[str, Enum] = {
    "applicationType": Enum(("OIDC_APP_TYPE_WEB", "OIDC_APP_TYPE_USER_AGENT", "OIDC_APP_TYPE_NATIVE")),
    "authMethodType": Enum(OIDC_METHODS),
    "version": Enum(("OIDC_VERSION_1_0",)),
    "accessTokenType": Enum(("OIDC_TOKEN_TYPE_BEARER", "OIDC_TOKEN_TYPE_JWT")),
}
_RESPONSES = Enum(tuple(f"OIDC_RESPONSE_TYPE_{t}" for t in ("UNSPECIFIED", "CODE", "ID_TOKEN", "ID_TOKEN_TOKEN")))
_GRANTS = Enum(
    tuple(
        f"OIDC_GRANT_TYPE_{t}"
        for t in ("AUTHORIZATION_CODE", "IMPLICIT", "REFRESH_TOKEN", "DEVICE_CODE", "TOKEN_EXCHANGE")
    )
)
OIDC_FIELDS: dict[str, Kind] = {
    "redirectUris": Repeated(Text()),
    "responseTypes": Repeated(_RESPONSES),
    "grantTypes": Repeated(_GRANTS),
    "applicationType": _OIDC_ENUMS["applicationType"],
    "authMethodType": _OIDC_ENUMS["authMethodType"],
    "postLogoutRedirectUris": Repeated(Text()),
    "version": _OIDC_ENUMS["version"],
    "developmentMode": Flag(),
    "accessTokenType": _OIDC_ENUMS["accessTokenType"],
    "accessTokenRoleAssertion": Flag(),
    "idTokenRoleAssertion": Flag(),
    "idTokenUserinfoAssertion": Flag(),
    "clockSkew": Text(),
    "additionalOrigins": Repeated(Text()),
    "skipNativeAppSuccessPage": Flag(),
    "backChannelLogoutUri": Text(),
    "loginVersion": Anything(),
}
KIND_OF = {"apiConfiguration": "api", "oidcConfiguration": "oidc"}


_CREATE = Message(
    "CreateApplicationRequest",
    OneOf("ApplicationType", tuple(KIND_OF), required=True),
    projectId=ID,
    applicationId=OPTIONAL,
    name=ID,
    apiConfiguration=Sub(Message("CreateAPIApplicationRequest", authMethodType=Enum(API_METHODS))),
    oidcConfiguration=Sub(Message("CreateOIDCApplicationRequest", **OIDC_FIELDS)),
)
_UPDATE = Message(
    "UpdateApplicationRequest",
    OneOf("ApplicationType", tuple(KIND_OF)),
    projectId=ID,
    applicationId=ID,
    name=OPTIONAL,
    apiConfiguration=Sub(Message("UpdateAPIApplicationConfigurationRequest", authMethodType=Enum(API_METHODS))),
    oidcConfiguration=Sub(Message("UpdateOIDCApplicationConfigurationRequest", **OIDC_FIELDS)),
)
_BOTH = {"projectId": ID, "applicationId": ID}


def show_application(_: World, application: Application) -> Answer:
    """An application as lists show it."""
    return {
        "applicationId": application.id,
        "creationDate": moment(application.created),
        "changeDate": moment(application.changed),
        "state": STATES[1] if application.active else STATES[2],
        "name": application.name,
        **_show_configuration(application),
    }


def _show_configuration(application: Application) -> Answer:
    client = {"clientId": application.client_id}
    if application.kind == "api":
        shown = {"authMethodType": application.auth_method} if application.auth_method != API_METHODS[0] else {}
        return {"apiConfiguration": client | shown}
    settings = application.oidc | {"authMethodType": application.auth_method}
    kept = {
        name: value
        for name, value in without_defaults(settings).items()
        if name not in _OIDC_ENUMS or value != _OIDC_ENUMS[name].words[0]
    }
    return {"oidcConfiguration": {"clockSkew": "0s"} | kept | client}


def application_owner(world: World, application: Application) -> str:
    """Whose permission counts for an application."""
    return world.projects[application.project_id].organization_id


def reached_application(call: Call, permission: str) -> Application | None:
    """The application of ``projectId`` and ``applicationId``, once the caller may do this to it."""
    reached(call, permission)
    application = call.world.applications.get(call.body["applicationId"])
    return application if application and application.project_id == call.body["projectId"] else None


def _changed(call: Call, permission: str, unknown: str) -> Application:
    application = reached_application(call, permission)
    if application is None:
        raise NotFound("Application doesn't exist", unknown)
    return application


@SERVICE.method(_CREATE)
def create_application(call: Call) -> Answer:
    """The secret is shown here only, and only if the authentication method uses one."""
    project = reached(call, "project.app.write")
    if project is None:
        raise FailedPrecondition("Project not found", "COMMAND-EbFMN")
    chosen = next(name for name in KIND_OF if name in call.body)
    settings = call.body[chosen]
    kind = KIND_OF[chosen]
    method = settings.get("authMethodType", API_METHODS[0] if kind == "api" else OIDC_METHODS[0])
    application = call.world.add_application(
        project, call.body["name"], kind, method, id=call.body.get("applicationId")
    )
    if kind == "oidc":
        application.oidc = settings
    client = {"clientId": application.client_id}
    if method in WITH_SECRET:
        application.secret = client["clientSecret"] = new_secret()
    return {
        "applicationId": application.id,
        "creationDate": moment(application.created),
        chosen: client,
    }


@SERVICE.method(_UPDATE)
def update_application(call: Call) -> Answer:
    """What is absent stays, but for a configuration's authentication method; no change is refused."""
    application = _changed(call, "project.app.write", "COMMAND-28di9")
    name = call.body.get("name", application.name)
    method, oidc = application.auth_method, application.oidc
    if application.kind == "api" and "apiConfiguration" in call.body:
        method = call.body["apiConfiguration"].get("authMethodType", API_METHODS[0])
    if application.kind == "oidc" and "oidcConfiguration" in call.body:
        oidc = oidc | call.body["oidcConfiguration"]
        method = str(oidc.get("authMethodType", method))
    if (name, method, oidc) == (application.name, application.auth_method, application.oidc):
        raise FailedPrecondition("No changes", "COMMAND-2m8vx")
    if name.lower() != application.name.lower():
        call.world.check_application_name(application.project_id, name)
    application.name, application.auth_method, application.oidc = name, method, oidc
    return {"changeDate": moment(call.world.touch(application))}


@SERVICE.method(Message("GetApplicationRequest", applicationId=ID))
def get_application(call: Call) -> Answer:
    """By its own ID; a client ID finds nothing."""
    application = call.world.applications.get(call.body["applicationId"])
    project = call.world.projects.get(application.project_id) if application else None
    call.need("project.app.read", owner(project), project.id if project else "")
    if application is None:
        raise NotFound("Errors.App.NotExisting", "QUERY-pCP8P")
    return {"application": show_application(call.world, application)}


@SERVICE.method(Message("GenerateClientSecretRequest", **_BOTH))
def generate_client_secret(call: Call) -> Answer:
    """The former secret dies. Works whatever the authentication method."""
    application = _changed(call, "project.app.write", "COMMAND-Kd92s")
    application.secret = new_secret()
    return {
        "clientSecret": application.secret,
        "creationDate": moment(call.world.touch(application)),
    }


@SERVICE.method(Message("DeactivateApplicationRequest", **_BOTH))
def deactivate_application(call: Call) -> Answer:
    """Its credentials are refused from now on, and kept."""
    application = _changed(call, "project.app.write", "COMMAND-ov9d3")
    if not application.active:
        raise FailedPrecondition("Application is not active", "COMMAND-dsh35")
    application.active = False
    return {"deactivationDate": moment(call.world.touch(application))}


@SERVICE.method(Message("ReactivateApplicationRequest", **_BOTH))
def reactivate_application(call: Call) -> Answer:
    """With the secret that it had."""
    application = _changed(call, "project.app.write", "COMMAND-ov9d3")
    if application.active:
        raise FailedPrecondition("Application is not inactive", "COMMAND-1n8cM")
    application.active = True
    return {"reactivationDate": moment(call.world.touch(application))}


@SERVICE.method(Message("DeleteApplicationRequest", **_BOTH))
def delete_application(call: Call) -> Answer:
    """Not for an ORG_OWNER, who may delete the whole project instead (ZITADEL: ``project.app.delete``)."""
    application = _changed(call, "project.app.delete", "COMMAND-0po9s")
    del call.world.applications[application.id]
    return {"deletionDate": moment(call.world.now())}


def _state(application: Application) -> str:
    return STATES[1] if application.active else STATES[2]


APPLICATIONS = Listing[Application](
    rows=lambda call: call.world.applications.values(),
    visible=lambda call, a: call.access.may("project.app.read", application_owner(call.world, a), a.project_id),
    show=show_application,
    result="applications",
    filter_name="ApplicationSearchFilter",
    filters={
        "projectIdFilter": id_filter("ProjectIDFilter", lambda _, a: a.project_id, "projectId"),
        "nameFilter": text_filter("ApplicationNameFilter", "name", lambda _, a: a.name),
        "stateFilter": Filter(Enum(STATES), lambda _, a, state: _state(a) == state),
        "typeFilter": Filter(
            Enum(TYPES, refused=TYPES[:1]), lambda _, a, kind: kind == f"APPLICATION_TYPE_{a.kind.upper()}"
        ),
    },
    columns={
        "APPLICATION_SORT_BY_ID": lambda _, a: a.id,
        "APPLICATION_SORT_BY_NAME": lambda _, a: a.name,
        "APPLICATION_SORT_BY_STATE": lambda _, a: _state(a),
        "APPLICATION_SORT_BY_CREATION_DATE": lambda _, a: a.created,
        "APPLICATION_SORT_BY_CHANGE_DATE": lambda _, a: a.changed,
    },
    zero_is_a_column=True,
    page_last=True,
)
SERVICE.method(APPLICATIONS.request("ListApplicationsRequest"))(APPLICATIONS.answer)
