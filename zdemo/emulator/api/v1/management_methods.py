"""zitadel.management.v1.ManagementService: projects, applications, users and user grants, most of it done by v2."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from zdemo.emulator.api import lists
from zdemo.emulator.api.authorizations import INTERNAL
from zdemo.emulator.api.fields import message_of
from zdemo.emulator.api.service import Answer, Call, Refusal, Service
from zdemo.emulator.api.users import details
from zdemo.emulator.api.v1.kinds import (
    APPLICATION,
    APPLICATION_KEY,
    MACHINE,
    PERSONAL_ACCESS_TOKEN,
    PROJECT,
    PROJECT_GRANT,
    ROLE,
    USER,
    USER_GRANT,
    USER_KEY,
    Kind,
    in_v1,
)
from zdemo.emulator.api_errors import FailedPrecondition, InvalidArgument
from zdemo.emulator.entities import Application, ProjectGrant, Resource, Role

SERVICE = Service("zitadel.management.v1.ManagementService")
NO_PROJECT = "Project not found"
NO_APPLICATION = "Application doesn't exist"
NO_USER = "User could not be found"
NO_USER_GRANT = "User grant not found"
NO_PROJECT_GRANT = ("Project Grant not found", "PROJECT-D8JxR")
NO_KEY = ("Errors.AuthNKey.NotFound", "QUERY-Dgr3g")


@dataclass(frozen=True)
class Change:
    """A method that changes an object as the method ``by`` of v2 does.

    The refusals are those that v2 has not. ``body`` returns fields that only v2 has, from those of the request and the
    object. ``result`` names attributes of the object that the answer has, and ``date`` the time of the change.
    """

    kind: Kind
    by: str
    unknown: Refusal | None = None
    elsewhere: Refusal | None = None
    unchanged: Refusal | None = None
    body: Callable[[Answer, Any], Answer] = lambda *_: {}
    result: Mapping[str, str] = field(default_factory=dict)
    date: str = "changeDate"

    def answer(self, name: str, call: Call) -> Answer:
        """Answer a method with this name."""
        fields = self.kind.fields(call)
        entity = self.kind.existing(call, fields, self.unknown, self.elsewhere)
        before = entity and entity.sequence
        body = fields | self.body(fields, entity)
        done = self.kind.service.methods[self.by].answer(replace(call, body=body))
        fields |= done | ({self.kind.owner: done["id"]} if "id" in done else {})
        present = self.kind.existing(call, fields, None)
        if entity and not present:
            call.world.touch(entity)
        entity = entity or present or call.world.projects.get(fields["projectId"])  # without such a role
        if self.unchanged and entity and entity.sequence == before:
            raise FailedPrecondition(*self.unchanged)
        done |= done.get("apiConfiguration", {}) | done.get("oidcConfiguration", {})
        done |= {name: getattr(entity, attribute) for name, attribute in self.result.items()}
        organization = {"resourceOwner": call.organization_id}
        done["details"] = details(entity, call.organization_id, date=self.date) if entity else organization
        return message_of(SERVICE.methods[name].row.answer).show(in_v1(done))


def _settings(fields: Answer) -> Answer:
    known = message_of("zitadel.application.v2.CreateOIDCApplicationRequest").fields
    return {name: value for name, value in fields.items() if name in known}


def _granted_organization(_: Answer, grant: ProjectGrant) -> Answer:
    return {"grantedOrganizationId": grant.granted_organization_id}


_ID = {"id": "id"}
_create = partial(Change, date="creationDate")
_change_project_grant = partial(Change, PROJECT_GRANT, unknown=NO_PROJECT_GRANT, body=_granted_organization)

for name, change in {
    "AddProject": _create(PROJECT, "CreateProject", result=_ID),
    "UpdateProject": Change(PROJECT, "UpdateProject"),
    "RemoveProject": Change(PROJECT, "DeleteProject", (NO_PROJECT, "COMMAND-3M9sd")),
    "AddProjectRole": _create(ROLE, "AddProjectRole"),
    "UpdateProjectRole": Change(ROLE, "UpdateProjectRole", ("Role doesn't exist", "COMMAND-vv8M9")),
    "RemoveProjectRole": Change(ROLE, "RemoveProjectRole"),
    "AddProjectGrant": _create(PROJECT_GRANT, "CreateProjectGrant", result={"grantId": "id"}),
    "UpdateProjectGrant": _change_project_grant("UpdateProjectGrant"),
    "RemoveProjectGrant": _change_project_grant("DeleteProjectGrant"),
    "AddAPIApp": _create(
        APPLICATION, "CreateApplication", body=lambda fields, _: {"apiConfiguration": fields}, result={"appId": "id"}
    ),
    "AddOIDCApp": _create(
        APPLICATION,
        "CreateApplication",
        body=lambda fields, _: {"oidcConfiguration": _settings(fields)},
        result={"appId": "id"},
    ),
    "UpdateApp": Change(APPLICATION, "UpdateApplication"),
    "RemoveApp": Change(APPLICATION, "DeleteApplication"),
    "RegenerateAPIClientSecret": Change(APPLICATION, "GenerateClientSecret"),
    "RegenerateOIDCClientSecret": Change(APPLICATION, "GenerateClientSecret"),
    "AddAppKey": _create(APPLICATION_KEY, "CreateApplicationKey", result=_ID),
    "RemoveAppKey": Change(APPLICATION_KEY, "DeleteApplicationKey"),
    "AddMachineUser": Change(USER, "CreateUser", body=lambda fields, _: {"machine": fields}, result={"userId": "id"}),
    "UpdateMachine": Change(
        MACHINE,
        "UpdateUser",
        (NO_USER, "COMMAND-5M0od"),
        unchanged=("Errors.User.NotChanged", "COMMAND-2n8vs"),
        body=lambda fields, _: {"machine": {"description": "", "accessTokenType": ""} | fields},
    ),
    "UpdateUserName": Change(
        USER,
        "UpdateUser",
        (NO_USER, "COMMAND-5N9ds"),
        unchanged=("Username not changed", "COMMAND-6m9gs"),
        body=lambda _, user: {"machine" if user.machine else "human": {}},
    ),
    "RemoveUser": Change(USER, "DeleteUser", (NO_USER, "COMMAND-m9od")),
    "GenerateMachineSecret": _create(
        USER, "AddSecret", (NO_USER, "QUERY-Dfbg2"), (NO_USER, "MANAG-fpo4B"), result={"clientId": "username"}
    ),
    "RemoveMachineSecret": Change(USER, "RemoveSecret"),
    "AddMachineKey": _create(USER_KEY, "AddKey"),
    "RemoveMachineKey": Change(USER_KEY, "RemoveKey"),
    "AddPersonalAccessToken": _create(PERSONAL_ACCESS_TOKEN, "AddPersonalAccessToken"),
    "RemovePersonalAccessToken": Change(PERSONAL_ACCESS_TOKEN, "RemovePersonalAccessToken"),
    "AddUserGrant": _create(USER_GRANT, "CreateAuthorization", result={"userGrantId": "id"}),
    "UpdateUserGrant": Change(
        USER_GRANT, "UpdateAuthorization", unchanged=("User grant has not been changed", "COMMAND-Rs8fy")
    ),
    "RemoveUserGrant": Change(USER_GRANT, "DeleteAuthorization", (NO_USER_GRANT, "COMMAND-1My0t")),
}.items():
    SERVICE.method(name)(partial(change.answer, name))


@SERVICE.method("AddOrgMember")
def _add_org_member(call: Call) -> Answer:
    organization, create = {"organizationId": call.organization_id}, INTERNAL.methods["CreateAdministrator"]
    create.answer(replace(call, body=call.body | {"resource": organization}))
    resource = Resource("organization", call.organization_id)
    administrator = call.world.administrators[resource.held_by(call.body["userId"])]
    return {"details": details(administrator, call.organization_id, date="creationDate")}


def _update_configuration(kind: str, wrong_kind: Refusal, call: Call) -> Answer:
    """Replace the settings of an application; lists that are absent stay, and no change is refused (ZITADEL)."""
    fields = APPLICATION.fields(call)
    application = APPLICATION.existing(call, fields, (NO_APPLICATION, "COMMAND-2n8uU"))
    if application.kind != kind:
        raise InvalidArgument(*wrong_kind)
    before = APPLICATION.show(call.world, application)
    if kind == "oidc":
        lists_before = {name: value for name, value in application.oidc.items() if isinstance(value, list)}
        application.oidc = lists_before | _settings(fields)
    application.auth_method = fields.get("authMethodType", f"{kind.upper()}_AUTH_METHOD_TYPE_BASIC")
    if APPLICATION.show(call.world, application) == before:
        raise FailedPrecondition("No changes", "COMMAND-1m88i")
    call.world.touch(application)
    return {"details": details(application, call.organization_id)}


for kind, error_id in (("API", "COMMAND-Gnwt3"), ("OIDC", "COMMAND-GBr34")):
    wrong_kind = f"Application is not type {kind}", error_id
    SERVICE.method(f"Update{kind}AppConfig")(partial(_update_configuration, kind.lower(), wrong_kind))


# --- reading ---


def _get(result: str, kind: Kind, refusals: Sequence[Refusal], call: Call) -> Answer:
    return {result: kind.show(call.world, kind.existing(call, kind.fields(call), *refusals))}


for name, result, of, *refusals in (  # for an object that is unknown, and for one of another organization
    ("GetProjectByID", "project", PROJECT, (NO_PROJECT, "QUERY-fk2fs"), (NO_PROJECT, "MANAG-SFf2a")),
    ("GetProjectGrantByID", "projectGrant", PROJECT_GRANT, ("Errors.ProjectGrant.NotFound", "QUERY-n98GGs")),
    (
        "GetAppByID",
        "app",
        APPLICATION,
        ("Errors.App.NotExisting", "QUERY-pCP8P"),
        ("Application not found", "MANAG-SFf2a"),
    ),
    ("GetAppKey", "key", APPLICATION_KEY, NO_KEY),
    ("GetUserByID", "user", USER, (NO_USER, "QUERY-Dfbg2"), (NO_USER, "MANAG-fpo4B")),
    ("GetMachineKeyByIDs", "key", USER_KEY, NO_KEY),
    (
        "GetPersonalAccessTokenByIDs",
        "token",
        PERSONAL_ACCESS_TOKEN,
        ("Errors.PersonalAccessToken.NotFound", "QUERY-fRunu"),
    ),
    ("GetUserGrantByID", "userGrant", USER_GRANT, (NO_USER_GRANT, "QUERY-wIPkA")),
):
    SERVICE.method(name)(partial(_get, result, of, refusals))


# --- lists ---


def _list(
    name: str,
    kind: Kind,
    rows: Callable[[Call], Iterable[Any]],
    filters: Mapping[str, lists.Test],
    project_id: str = "project_id",
) -> None:
    """Declare a list of what is in the call's organization, in projects for which the caller has the permission."""

    def visible(call: Call, row: Any) -> bool:
        owner = lists.value_of(call.world, row, kind.organization_id)
        permission, project = SERVICE.methods[name].row.permission, lists.value_of(call.world, row, project_id)
        return bool(owner == call.organization_id and call.may(permission, owner, project))

    form = partial(lists.Listing[Any], older=True, timestamp="viewTimestamp")
    form(rows=rows, visible=visible, show=kind.show, filters=filters).serve(SERVICE, name)


def _roles(call: Call) -> Iterable[Role]:
    project = call.world.projects.get(call.body["projectId"])
    return project.roles.values() if project else ()


def _applications(call: Call) -> Iterable[Application]:
    return [a for a in call.world.applications.values() if a.project_id == call.body["projectId"]]


by_name = {"nameQuery": lists.match_filter("name", "name")}
by_owner = {"projectResourceOwnerQuery": lists.equal_filter("organization_id", "resourceOwner")}
_list("ListProjects", PROJECT, lambda call: call.world.projects.values(), by_name | by_owner, "id")
_list("ListApps", APPLICATION, _applications, by_name)
_list(
    "ListProjectRoles",
    ROLE,
    _roles,
    {
        "keyQuery": lists.match_filter("id", "key"),
        "displayNameQuery": lists.match_filter("display_name", "displayName"),
    },
)
_list(
    "ListUserGrants",
    USER_GRANT,
    lambda call: call.world.authorizations.values(),
    {
        "projectIdQuery": lists.equal_filter("project_id", "projectId"),
        "userIdQuery": lists.equal_filter("user_id", "userId"),
        "roleKeyQuery": lists.match_filter("role_keys", "roleKey"),
        "userNameQuery": lists.match_filter("user.username", "userName"),
        "projectNameQuery": lists.match_filter("project.name", "projectName"),
    },
)
