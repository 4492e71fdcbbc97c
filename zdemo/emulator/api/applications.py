"""zitadel.application.v2.ApplicationService: API and OIDC applications, their secrets and their keys."""

import re
from functools import partial

from zdemo.emulator.api.fields import attributes
from zdemo.emulator.api.lists import Listing, filters_of, readable, row_of
from zdemo.emulator.api.projects import no_project, permitted_project
from zdemo.emulator.api.service import Answer, Call, Service, switch
from zdemo.emulator.api_errors import FailedPrecondition, InvalidArgument, NotFound, ZitadelError, existing, unsupported
from zdemo.emulator.entities import Application, PublicKey
from zdemo.emulator.token_texts import key_file, new_key_pair, new_secret
from zdemo.emulator.world import World
from zdemo.serving.loopback import names_loopback

SERVICE = Service("zitadel.application.v2.ApplicationService")
API_METHOD, OIDC_METHOD = "API_AUTH_METHOD_TYPE", "OIDC_AUTH_METHOD_TYPE"
WITH_SECRET = (f"{API_METHOD}_BASIC", f"{OIDC_METHOD}_BASIC", f"{OIDC_METHOD}_POST")
PROBLEMS = {
    "NotCompliant": "Your configuration is not compliant and differs from OIDC 1.0 standard.",
    "NoRedirectUris": "At least one redirect uri must be registered.",
    "GrantType.Refresh.NoAuthCode": "Refresh Token only allowed in combination with Authorization Code.",
    "Code.RedirectUris.HttpOnlyForWeb": 'Grant type "code" only allows http redirect uris for apptype "web".',
    "Native.RedirectUris.MustBeHttpLocalhost": "Redirect URIs must begin with your own protocol, http://127.0.0.1, "
    "http://[::1] or http://localhost.",
    "Code.RedirectUris.CustomOnlyForNative": 'Grant type "code" only allows custom redirect uris for apptype '
    '"native"  (e.g appname:// )',
    "Native.AuthMethodType.NotNone": "Native applications should have authmethodtype none.",
    "UserAgent.AuthMethodType.NotNone": "User agent app should have authmethodtype none.",
}


def permitted_application(call: Call, permission: str, unknown: ZitadelError) -> Application:
    """Return the application of the request, for which the caller needs the permission, like ``permitted_project``."""
    application = existing(call.world.applications.get(call.body["applicationId"]), unknown)
    if application.project_id != call.body.get("projectId", application.project_id):
        raise unknown
    _need(call, permission, application)
    return application


def _need(call: Call, permission: str, application: Application) -> None:
    call.need(permission, call.world.projects[application.project_id].organization_id, application.project_id)


def _existing(call: Call, permission: str, error_id: str) -> Application:
    return permitted_application(call, permission, NotFound("Application doesn't exist", error_id))


@SERVICE.method("CreateApplication")
def _create_application(call: Call) -> Answer:
    """Create an application, and show its secret for the only time if its authentication method uses one."""
    project = permitted_project(call, "project.app.write", no_project())
    if "samlConfiguration" in call.body:
        raise unsupported("SAML applications")
    kind = "api" if "apiConfiguration" in call.body else "oidc"
    settings = call.body[f"{kind}Configuration"]
    method = settings.get("authMethodType", f"{API_METHOD if kind == 'api' else OIDC_METHOD}_BASIC")
    application = call.world.add_application(
        project, call.body["name"], kind, method, id=call.body.get("applicationId")
    )
    client: Answer = {"clientId": application.client_id}
    if kind == "oidc":
        application.oidc = settings
        client |= _compliance(application)
    if method in WITH_SECRET:
        application.secret = client["clientSecret"] = new_secret()
    return {"applicationId": application.id, "creationDate": application.created, f"{kind}Configuration": client}


@SERVICE.method("UpdateApplication")
def _update_application(call: Call) -> Answer:
    """Change what the request has, Basic if it names no method; an update that changes nothing is refused."""
    application = _existing(call, "project.app.write", "COMMAND-28di9")
    name = call.body.get("name", application.name)
    method, oidc = application.auth_method, application.oidc
    if application.kind == "api" and "apiConfiguration" in call.body:
        method = call.body["apiConfiguration"].get("authMethodType", WITH_SECRET[0])
    if application.kind == "oidc" and "oidcConfiguration" in call.body:
        oidc = oidc | call.body["oidcConfiguration"]
        method = oidc.get("authMethodType", method)
    if (name, method, oidc) == (application.name, application.auth_method, application.oidc):
        raise FailedPrecondition("No changes", "COMMAND-2m8vx")
    call.world.check_application_name(application.project_id, name, application)
    application.name, application.auth_method, application.oidc = name, method, oidc
    return {"changeDate": call.world.touch(application)}


@SERVICE.method("GenerateClientSecret")
def _generate_client_secret(call: Call) -> Answer:
    """Replace the secret, whatever the authentication method."""
    application = _existing(call, "project.app.write", "COMMAND-Kd92s")
    application.secret = new_secret()
    return {"clientSecret": application.secret, "creationDate": call.world.touch(application)}


for method, active, refusal in (  # while an application is off, its credentials are kept but refused
    ("DeactivateApplication", False, ("Application is not active", "COMMAND-dsh35")),
    ("ReactivateApplication", True, ("Application is not inactive", "COMMAND-1n8cM")),
):
    find = partial(_existing, permission="project.app.write", error_id="COMMAND-ov9d3")
    SERVICE.method(method)(partial(switch, find, active, refusal))


@SERVICE.method("DeleteApplication")
def _delete_application(call: Call) -> Answer:
    """Delete an application, which an ORG_OWNER cannot do (ZITADEL), except with the whole project."""
    call.world.remove_application(_existing(call, "project.app.delete", "COMMAND-0po9s"))
    return {"deletionDate": call.world.now()}


@SERVICE.method("GetApplication")
def _get_application(call: Call) -> Answer:
    """Show one application by its own ID; a client ID is unknown here."""
    application = permitted_application(call, "project.app.read", NotFound("Errors.App.NotExisting", "QUERY-pCP8P"))
    return {"application": show_application(call.world, application)}


def _compliance(application: Application) -> Answer:
    """Return what OpenID Connect 1.0 does not allow, without the rules for the implicit flow (ZITADEL)."""
    uris, grants = (application.oidc.get(name, []) for name in ("redirectUris", "grantTypes"))
    kinds = {grant.removeprefix("OIDC_GRANT_TYPE_") for grant in grants} or {"AUTHORIZATION_CODE"}
    by_code, by_device = "AUTHORIZATION_CODE" in kinds, "DEVICE_CODE" in kinds
    kind = application.oidc.get("applicationType", "OIDC_APP_TYPE_WEB").removeprefix("OIDC_APP_TYPE_")
    http = [re.split("[/?#]", uri)[2] for uri in uris if uri.startswith("http://")]
    custom = any(not uri.startswith(("http://", "https://")) for uri in uris)
    has_secret = application.auth_method != "OIDC_AUTH_METHOD_TYPE_NONE"
    broken = {
        "NoRedirectUris": not uris and (by_code or not by_device),
        "GrantType.Refresh.NoAuthCode": "REFRESH_TOKEN" in kinds and not (by_code or by_device),
        "Code.RedirectUris.HttpOnlyForWeb": by_code and http and kind == "USER_AGENT",
        "Native.RedirectUris.MustBeHttpLocalhost": by_code and kind == "NATIVE" and not all(map(names_loopback, http)),
        "Code.RedirectUris.CustomOnlyForNative": by_code and custom and kind != "NATIVE",
        "Native.AuthMethodType.NotNone": kind == "NATIVE" and has_secret,
        "UserAgent.AuthMethodType.NotNone": kind == "USER_AGENT" and has_secret,
    }
    problems = [problem for problem, is_broken in broken.items() if is_broken]
    if not problems:
        return {}
    problems = ["NotCompliant"] * (1 if kind == "WEB" else 2) + problems  # sic
    rows = [{"key": f"Application.OIDC.V1.{key}", "localizedMessage": PROBLEMS[key]} for key in problems]
    return {"nonCompliant": True, "complianceProblems": rows}


def show_application(_: World, application: Application) -> Answer:
    """Return an application as lists show it."""
    settings: Answer = {"clientId": application.client_id, "authMethodType": application.auth_method}
    if application.kind == "oidc":
        settings |= {"clockSkew": 0.0} | application.oidc | _compliance(application)
    return {
        **attributes(application),
        "applicationId": application.id,
        f"{application.kind}Configuration": settings,
    }


Listing[Application](
    rows=lambda call: call.world.applications.values(),
    visible=readable("project.app.read"),
    show=show_application,
    filters=filters_of(
        *("projectIdFilter", "nameFilter", "clientIdFilter"),
        stateFilter=lambda _, row: f"APPLICATION_STATE_{row.state}",
        entityIdFilter=lambda *_: None,  # of SAML applications alone
        typeFilter=lambda _, application: f"APPLICATION_TYPE_{application.kind.upper()}",
    ),
).serve(SERVICE, "ListApplications")


# --- keys of applications (private_key_jwt) ---


def check_expiry(call: Call) -> float:
    """Return the ``expirationDate`` of a request; an absent one counts as past."""
    expires: float = call.body.get("expirationDate", 0.0)
    if expires <= call.world.now():
        raise InvalidArgument("Errors.AuthNKey.ExpireBeforeNow", "DOMAIN-dv3t5")
    return expires


@SERVICE.method("CreateApplicationKey")
def _create_application_key(call: Call) -> Answer:
    """Create a key, only for an application that authenticates with keys."""
    unknown = FailedPrecondition("Application not found", "COMMAND-sak25")
    application = permitted_application(call, "project.app.write", unknown)
    if not application.auth_method.endswith("PRIVATE_KEY_JWT"):
        raise FailedPrecondition("Chosen Auth Method does not require a key", "COMMAND-Dff54")
    expires = check_expiry(call)
    private, public = new_key_pair()
    key = call.world.add_key(application, public, expires)
    content = key_file(application, key, private).encode()
    return {"keyId": key.id, "creationDate": key.created, "keyDetails": content}


@SERVICE.method("GetApplicationKey")
def _get_application_key(call: Call) -> Answer:
    key_id, unknown = call.body["keyId"], NotFound("Errors.AuthNKey.NotFound", "QUERY-Dgr3g")
    application = existing(next((a for a in call.world.applications.values() if key_id in a.keys), None), unknown)
    _need(call, "project.app.read", application)
    key = application.keys[key_id]
    return {"keyId": key.id, "creationDate": key.created, "expirationDate": key.expires}


@SERVICE.method("DeleteApplicationKey")
def _delete_application_key(call: Call) -> Answer:
    """Delete a key; assertions that it signed are refused from now on."""
    unknown = NotFound("Application key not found", "COMMAND-4m77G")
    existing(permitted_application(call, "project.app.write", unknown).keys.pop(call.body["keyId"], None), unknown)
    return {"deletionDate": call.world.now()}


Listing[PublicKey](
    rows=lambda call: [k for a in call.world.applications.values() for k in a.keys.values()],
    visible=readable("project.app.read"),
    show=row_of(keyId="id", projectId="project_id", organizationId="organization_id", expirationDate="expires"),
    filters=filters_of("applicationIdFilter", "projectIdFilter", "organizationIdFilter"),
    columns={"TYPE": lambda *_: ""},  # all are JSON
).serve(SERVICE, "ListApplicationKeys")
