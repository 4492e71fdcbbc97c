"""v1 as Terraform's provider and zitadel-go call it: its errors, its lists, its views, and whose objects it sees."""

from typing import Any

import pytest

from tests.support.emulator_target import NOBODY, Server
from tests.support.workshop import App, Fresh, Project, User, Workshop
from tests.support.zitadel_api import DETAILS, NO_MEMBERSHIP, Api, only

CREATED = only("sequence", "creationDate", "resourceOwner")
FULL = only("sequence", "creationDate", "changeDate", "resourceOwner")


def fill(value: Any, fresh: Fresh) -> Any:
    """Replace the texts ``{.project.id}`` in a request."""
    if isinstance(value, dict):
        return {name: fill(part, fresh) for name, part in value.items()}
    if isinstance(value, list):
        return [fill(part, fresh) for part in value]
    return value.replace("{.", "{0.").format(fresh) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def standing(workshop: Workshop) -> Fresh:
    """Objects that no refused request changes."""
    return Fresh(workshop)


PROJECT, ROLE = {"projectId": "{.project.id}"}, {"projectId": "{.project.id}", "roleKey": "r"}
APP = {"projectId": "{.app.project.id}", "appId": "{.app.id}"}
KEY_APP = {"projectId": "{.key_app.project.id}", "appId": "{.key_app.id}"}
USER, GRANT = {"userId": "{.user.id}"}, {"userId": "{.user.id}", "grantId": "{.assignment}"}
OWN_PAT, KEY = {"userId": "{.user.id}", "tokenId": "{.user.pat_id}"}, {"type": "KEY_TYPE_JSON"}
NO_PROJECT, NO_APPLICATION, NO_USER = "Project not found", "Application doesn't exist", "User could not be found"
NO_GRANT, NO_KEY, NO_PAT = "User grant not found", "Errors.AuthNKey.NotFound", "Personal Access Token not found"
NO_PROJECT_GRANT, NO_RIGHT = "Project Grant not found", "No matching permissions found"


@pytest.mark.parametrize(
    ("method", "fields", "status", "text", "id"),  # the last field names what is not there
    [
        ("GetProjectByID", {"id": "{.project.id}"}, 404, NO_PROJECT, "QUERY-fk2fs MANAG-SFf2a"),
        ("UpdateProject", {"name": "x", "id": "{.project.id}"}, 404, NO_PROJECT, "COMMAND-3M9sd"),
        ("RemoveProject", {"id": "{.project.id}"}, 404, NO_PROJECT, "COMMAND-3M9sd"),
        ("AddProjectRole", {"roleKey": "n", "displayName": "N", **PROJECT}, 400, NO_PROJECT, "COMMAND-EbFMN"),
        ("UpdateProjectRole", {"displayName": "N", **ROLE}, 404, "Role doesn't exist", "COMMAND-vv8M9"),
        ("AddAPIApp", {"name": "x", **PROJECT}, 400, NO_PROJECT, "COMMAND-EbFMN"),
        ("AddOIDCApp", {"name": "x", **PROJECT}, 400, NO_PROJECT, "COMMAND-EbFMN"),
        ("GetAppByID", APP, 404, "", "QUERY-pCP8P MANAG-SFf2a"),
        ("UpdateApp", {"name": "x", **APP}, 404, NO_APPLICATION, "COMMAND-28di9"),
        ("UpdateAPIAppConfig", KEY_APP, 404, NO_APPLICATION, "COMMAND-2n8uU"),
        ("RemoveApp", APP, 404, NO_APPLICATION, "COMMAND-0po9s"),
        ("AddAppKey", KEY | KEY_APP, 400, "Application not found", "COMMAND-sak25"),
        ("GetAppKey", {**KEY_APP, "keyId": "1"}, 404, NO_KEY, "QUERY-Dgr3g"),
        ("RemoveAppKey", {**KEY_APP, "keyId": "1"}, 404, "Application key not found", "COMMAND-4m77G"),
        ("GetUserByID", {"id": "{.user.id}"}, 404, NO_USER, "QUERY-Dfbg2 MANAG-fpo4B"),
        ("UpdateMachine", {"name": "x", **USER}, 404, NO_USER, "COMMAND-5M0od"),
        ("UpdateUserName", {"userName": "x", **USER}, 404, NO_USER, "COMMAND-5N9ds"),
        ("RemoveUser", {"id": "{.user.id}"}, 404, NO_USER, "COMMAND-m9od"),
        ("GenerateMachineSecret", USER, 404, NO_USER, "QUERY-Dfbg2 MANAG-fpo4B"),
        ("RemoveMachineSecret", USER, 400, "Errors.User.NotExisting", "COMMAND-x7s802"),
        ("AddMachineKey", KEY | USER, 400, NO_USER, "COMMAND-bnipwm1"),
        ("GetMachineKeyByIDs", {**USER, "keyId": "1"}, 404, NO_KEY, "QUERY-Dgr3g"),
        ("RemoveMachineKey", {**USER, "keyId": "1"}, 404, "Machine key not found", "COMMAND-4m77G"),
        ("AddPersonalAccessToken", USER, 400, NO_USER, "COMMAND-Dggw2"),
        ("GetPersonalAccessTokenByIDs", OWN_PAT, 404, "Errors.PersonalAccessToken.NotFound", "QUERY-fRunu"),
        ("RemovePersonalAccessToken", OWN_PAT, 404, NO_PAT, "COMMAND-4m77G"),
        ("GetUserGrantByID", GRANT, 404, NO_GRANT, "QUERY-wIPkA"),
        ("UpdateUserGrant", {"roleKeys": ["s"], **GRANT}, 404, NO_GRANT, "COMMAND-3M9sd"),
        ("RemoveUserGrant", GRANT, 404, NO_GRANT, "COMMAND-1My0t"),
        ("AddProjectGrant", {"grantedOrgId": "{.organization.id}", **PROJECT}, 400, NO_PROJECT, "COMMAND-m9gsd"),
        ("GetProjectGrantByID", {**PROJECT, "grantId": "1"}, 404, "Errors.ProjectGrant.NotFound", "QUERY-n98GGs"),
        ("UpdateProjectGrant", {**PROJECT, "grantId": "1"}, 404, NO_PROJECT_GRANT, "PROJECT-D8JxR"),
        ("RemoveProjectGrant", {**PROJECT, "grantId": "1"}, 404, NO_PROJECT_GRANT, "PROJECT-D8JxR"),
    ],
)
def test_each_method_has_its_own_error_for_what_is_missing_or_of_another_organization(
    admin: Api, standing: Fresh, method: str, fields: dict[str, Any], status: int, text: str, id: str
) -> None:
    fields, ids = fill(fields, standing), id.split()
    admin.v1(method, **fields | {[*fields][-1]: NOBODY}).refused(status, text, id=ids[0])
    away = admin.within(standing.organization.id).v1(method, **fields)
    away.refused(status, "" if len(ids) > 1 else text, id=ids[-1])
    admin.v1("GetAppByID", **fill(APP, standing)).has()
    admin.v1("GetUserGrantByID", **fill(GRANT, standing)).has(userGrant={"roleKeys": ["r"]})


@pytest.mark.parametrize(
    ("method", "fields", "status", "text", "id"),
    [
        ("AddProject", {"name": "{.project.name}"}, 409, "Project already exists on organization", "V3-DKcYh"),
        ("AddProjectRole", {**ROLE, "displayName": "R"}, 409, "Role already exists", "V3-DKcYh"),
        ("AddAPIApp", {"projectId": APP["projectId"], "name": "{.app.name}"}, 409, "", "V3-DKcYh"),
        ("UpdateApp", {**APP, "name": "{.app.name}"}, 400, "No changes", "COMMAND-2m8vx"),
        ("UpdateAPIAppConfig", APP, 400, "No changes", "COMMAND-1m88i"),
        ("UpdateOIDCAppConfig", APP, 400, "Application is not type OIDC", "COMMAND-GBr34"),
        ("AddAppKey", KEY | APP, 400, "Chosen Auth Method does not require a key", "COMMAND-Dff54"),
        ("AddMachineUser", {"userName": "{.user.username}", "name": "x"}, 409, "User already exists", "V3-DKcYh"),
        ("UpdateMachine", {**USER, "name": "{.user.name}"}, 400, "Errors.User.NotChanged", "COMMAND-2n8vs"),
        ("UpdateMachine", {"userId": "{.human.id}", "name": "x"}, 404, NO_USER, "COMMAND-5M0od"),
        ("UpdateUserName", {**USER, "userName": "{.user.username}"}, 400, "Username not changed", "COMMAND-6m9gs"),
        ("GenerateMachineSecret", {"userId": "{.human.id}"}, 400, "Errors.User.NotExisting", "COMMAND-x8910n"),
        ("RemoveMachineSecret", USER, 400, "Secret doesn't exist", "COMMAND-coi82n"),
        ("AddPersonalAccessToken", {**USER, "expirationDate": "2001-01-01T00:00:00Z"}, 400, "", "DOMAIN-dv3t5"),
        ("AddUserGrant", {**PROJECT, "userId": NOBODY}, 400, NO_USER, "COMMAND-4f8sg"),
        ("AddUserGrant", {**USER, "projectId": NOBODY}, 400, NO_PROJECT_GRANT, "COMMAND-4m9ff"),
        ("AddUserGrant", {**USER, **PROJECT, "roleKeys": ["x"]}, 400, "Errors.Project.Role.NotFound", "COMMAND-mm9F4"),
        ("UpdateUserGrant", {"roleKeys": ["r"], **GRANT}, 400, "User grant has not been changed", "COMMAND-Rs8fy"),
        ("AddProjectGrant", {**PROJECT, "grantedOrgId": NOBODY}, 400, "Organisation not found", "COMMAND-3m9gg"),
        ("Admin/GetOrgByID", {"id": NOBODY}, 404, "Organisation not found", "QUERY-leq5Q"),
    ],
)
def test_each_method_has_its_own_error_for_what_is_taken_unfit_or_unchanged(
    admin: Api, standing: Fresh, method: str, fields: dict[str, Any], status: int, text: str, id: str
) -> None:
    admin.v1(method, **fill(fields, standing)).refused(status, text, id=id)


def test_what_is_created_belongs_to_the_organization_of_the_header(admin: Api, fresh: Fresh) -> None:
    away, owner = admin.within(fresh.organization.id), {"resourceOwner": fresh.organization.id}
    id = away.v1("AddProject", name=fresh.name).only("id", details=CREATED | owner)["id"]
    away.v1("GetProjectByID", id=id).has(project={"details": FULL | owner})
    user = away.v1("AddMachineUser", userName=fresh.name, name="M").only("userId", details=DETAILS | owner)["userId"]
    away.v1("GetUserByID", id=user).has(user={"details": FULL | owner})
    for api, rows in ((away, [{"id": id}]), (admin, None)):
        api.v1("ListProjects", queries=[{"nameQuery": {"name": fresh.name}}]).has(result=rows)
    away.v1("RemoveUser", id=user).only(details=DETAILS | owner)
    away.v1("RemoveOrg").only(details=DETAILS | owner)


def test_a_change_that_changes_nothing_is_fine_for_projects_roles_and_project_grants(admin: Api, fresh: Fresh) -> None:
    project, role = {"id": fresh.project.id}, {"projectId": fresh.project.id, "roleKey": "r"}
    grant = {"projectId": fresh.project.id, "grantedOrgId": fresh.organization.id, "roleKeys": ["r"]}
    id = admin.v1("AddProjectGrant", **grant).only("grantId", details=CREATED)["grantId"]
    admin.v1("AddProjectGrant", **grant).refused(409, "Project Grant already exists", id="V3-DKcYh")
    for method, fields in {
        "UpdateProject": {**project, "name": fresh.project.name},
        "UpdateProjectRole": {**role, "displayName": "Role r"},
        "UpdateProjectGrant": {"projectId": fresh.project.id, "grantId": id, "roleKeys": ["r"]},
    }.items():
        before = admin.v1(method, **fields).only(details=DETAILS)["details"]
        assert admin.v1(method, **fields)["details"] == before
        assert before["sequence"] == "1"
    changed = admin.v1("UpdateProject", **project, name=fresh.name)["details"]
    assert changed["sequence"] == "2"
    admin.v1("RemoveProjectRole", **role | {"roleKey": "none"}).only(details=DETAILS)
    admin.v1("RemoveProjectRole", projectId=NOBODY, roleKey="r").only(details=only("resourceOwner"))


def test_a_list_counts_past_its_limit_and_says_when(admin: Api, fresh: Fresh) -> None:
    project, none = {"projectId": fresh.project.id}, only("viewTimestamp")
    two, wrong_case = only("viewTimestamp", totalResult="2"), {"keyQuery": {"key": "R"}}
    row = only("key", "displayName", details=FULL)
    admin.v1("ListProjectRoles", **project, query={"limit": 1, "asc": True}).only(details=two, result=[row])
    admin.v1("ListProjectRoles", **project, query={"limit": 1001}).only(details=two, result=[row, row])
    for fields in ({"query": {"offset": "2"}}, {"projectId": NOBODY}, {"queries": [wrong_case]}):
        admin.v1("ListProjectRoles", **project | fields).only(details=none)
    admin.v1("ListApps", projectId=NOBODY).only(details=none)
    rule = "embedded message failed validation | caused by: invalid RoleQuery.Query: value is required"
    broken = f"invalid ListProjectRolesRequest.Queries[0]: {rule}"
    admin.v1("ListProjectRoles", **project, queries=[{}]).refused(400, broken)


def test_lists_find_by_each_of_their_filters(admin: Api, fresh: Fresh) -> None:
    project, app, organization, user = fresh.project, fresh.app, fresh.organization, fresh.user
    roles, apps = ("ListProjectRoles", {"projectId": project.id}), ("ListApps", {"projectId": app.project.id})
    assert fresh.assignment
    for (method, fields), query, content in (
        (roles, "key", {"key": "r"}),
        (roles, "displayName", {"displayName": "role R", "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"}),
        (apps, "name", {"name": app.name}),
        (("ListProjects", {}), "name", {"name": project.name}),
        (("ListProjects", {}), "projectResourceOwner", {"resourceOwner": fresh.home.id}),
        (("ListUserGrants", {}), "userId", {"userId": user.id}),
        (("ListUserGrants", {}), "projectId", {"projectId": project.id}),
        (("ListUserGrants", {}), "roleKey", {"roleKey": "r"}),
        (("ListUserGrants", {}), "userName", {"userName": user.username}),
        (("ListUserGrants", {}), "projectName", {"projectName": project.name}),
        (("Admin/ListOrgs", {}), "name", {"name": organization.name}),
        (("Admin/ListOrgs", {}), "domain", {"domain": organization.primary_domain}),
        (("Admin/ListOrgs", {}), "id", {"id": organization.id}),
        (("Admin/ListOrgs", {}), "state", {"state": "ORG_STATE_ACTIVE"}),
    ):
        rows = admin.v1(method, **fields, queries=[{f"{query}Query": content}])["result"]
        ids = {row.get("id", row.get("key")) for row in rows}
        assert ids & {"r", app.id, project.id, fresh.assignment, organization.id}
        assert query in ("state", "projectResourceOwner", "roleKey") or len(ids) == 1
        other = {name: value if name == "method" else 2 if name == "state" else "x" for name, value in content.items()}
        admin.v1(method, **fields, queries=[{f"{query}Query": other}]).has(result=None)


def test_an_update_of_an_oidc_application_keeps_absent_lists_and_resets_all_else(admin: Api, fresh: Fresh) -> None:
    lists = {"redirectUris": ["https://a.example/in", "https://b.example"], "additionalOrigins": ["https://c.example"]}
    app = {"projectId": fresh.project.id, "name": "web", "clockSkew": "1s", "devMode": True, "appType": 0, **lists}
    ids = {"projectId": fresh.project.id, "appId": admin.v1("AddOIDCApp", **app).has("clientSecret")["appId"]}
    origins = ["https://a.example", "https://b.example", "https://c.example"]
    config = only(**lists, clientId=..., allowedOrigins=origins, clockSkew="1s", devMode=True)
    admin.v1("GetAppByID", **ids).has(app={"oidcConfig": config})
    admin.v1("UpdateOIDCAppConfig", **ids, clockSkew="1s", devMode=True).refused(400, "No changes", id="COMMAND-1m88i")
    admin.v1("UpdateAPIAppConfig", **ids).refused(400, "Application is not type API", id="COMMAND-Gnwt3")
    changed = {"redirectUris": ["custom://in"], "authMethodType": "OIDC_AUTH_METHOD_TYPE_NONE"}
    admin.v1("UpdateOIDCAppConfig", **ids, **changed).only(details=DETAILS)
    kept = {"clockSkew": "0s", "noneCompliant": True, "additionalOrigins": lists["additionalOrigins"]}
    new = kept | changed | {"devMode": None, "allowedOrigins": ["custom://in", "https://c.example"]}
    admin.v1("GetAppByID", **ids).has(app={"oidcConfig": new})
    admin.apps.GetApplication(projectId=ids["projectId"], applicationId=ids["appId"]).has(
        application={"oidcConfiguration": {"redirectUris": ["custom://in"], "developmentMode": None}}
    )
    admin.v1("RegenerateOIDCClientSecret", **ids).only("clientSecret", details=DETAILS)


def test_humans_have_v1s_names_and_lose_their_roles_with_a_project_grant(admin: Api, fresh: Fresh) -> None:
    human, away = fresh.human, admin.within(fresh.organization.id)
    phone = {"phone": {"phone": "+41791234567", "isVerified": True}}
    admin.users.UpdateUser(userId=human.id, human=phone).has()
    shown_phone = only(phone="+41791234567", isPhoneVerified=True)
    admin.v1("GetUserByID", id=human.id).has(user={"human": {"phone": shown_phone}})
    ids = {"projectId": fresh.project.id, "grantedOrgId": fresh.organization.id}
    through = admin.v1("AddProjectGrant", **ids, roleKeys=["r"])["grantId"]
    grant = {"userId": human.id, "projectId": fresh.project.id, "projectGrantId": through, "roleKeys": ["r"]}
    id = {"userId": human.id, "grantId": away.v1("AddUserGrant", **grant).has(details=CREATED)["userGrantId"]}
    names = {"firstName": "Ada", "lastName": "Test", "displayName": "Ada Test", "email": "ada@example.com"}
    names |= {"userType": "TYPE_HUMAN", "orgId": fresh.organization.id, "grantedOrgName": fresh.organization.name}
    away.v1("GetUserGrantByID", **id).has(userGrant=grant | names)
    admin.v1("RemoveProjectGrant", projectId=fresh.project.id, grantId=through).only(details=DETAILS)
    away.v1("GetUserGrantByID", **id).refused(404, id="QUERY-wIPkA")


def test_an_owner_of_a_project_may_do_what_is_about_this_project(
    server: Server, workshop: Workshop, project: Project, other_app: App
) -> None:
    own = Api(server, workshop.administrator("PROJECT_OWNER", of=project).pat)
    own.v1("GetProjectByID", id=project.id).has(project={"name": project.name})
    own.v1("ListProjects").has(result=[{"id": project.id}], details={"totalResult": "1"})
    own.v1("ListProjectRoles", projectId=project.id).has(result=[..., ...])
    own.v1("GetProjectByID", id=other_app.project.id).refused(403, NO_RIGHT, id="AUTH-3jknH")
    own.v1("ListApps", projectId=other_app.project.id).refused(403, NO_RIGHT, id="AUTH-3jknH")
    own.v1("AddProject", name="x").refused(403, NO_RIGHT, id="AUTH-5mWD2")
    own.v1("Admin/GetDefaultOrg").refused(403, NO_RIGHT, id="AUTH-5mWD2")


def test_without_a_role_even_oneself_is_not_shown(visitor: User, stranger: Api) -> None:
    for method, fields in {
        "GetUserByID": {"id": visitor.id},
        "AddPersonalAccessToken": {"userId": visitor.id},
        "Admin/ListOrgs": {},
    }.items():
        stranger.v1(method, **fields).refused(*NO_MEMBERSHIP)


def test_a_member_of_an_organization_may_act_for_it(admin: Api, server: Server, fresh: Fresh) -> None:
    own = Api(server, fresh.user.pat)
    own.v1("GetMyOrg").refused(*NO_MEMBERSHIP)
    admin.v1("AddOrgMember", userId=fresh.user.id, roles=["ORG_OWNER"]).only(details=CREATED)
    own.v1("GetMyOrg").has(org={"id": fresh.home.id})
    own.v1("AddMachineUser", userName=fresh.name, name="M").has("userId")
    own.within(fresh.organization.id).v1("GetMyOrg").refused(*NO_MEMBERSHIP)


@pytest.mark.usefixtures("emulator_only")
def test_a_role_may_have_slashes_in_its_key(admin: Api, fresh: Fresh) -> None:
    role = {"projectId": fresh.project.id, "roleKey": "read/all:x y"}
    admin.v1("AddProjectRole", **role, displayName="R").only(details=CREATED)
    admin.v1("UpdateProjectRole", **role, displayName="R2", group="g").only(details=DETAILS)
    path = f"/management/v1/projects/{fresh.project.id}/roles/read/all:x y"
    admin.rest("PUT", path, {"displayName": "R3"}).only(details=DETAILS)
    row = only("details", key="read/all:x y", displayName="R3")
    admin.v1("ListProjectRoles", projectId=fresh.project.id, queries=[{"keyQuery": {"key": role["roleKey"]}}]).has(
        result=[row]
    )
