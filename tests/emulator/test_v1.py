"""v1 as Terraform's provider and zitadel-go call it: errors, lists, answers, organizations and rights."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator_target import NOBODY, Server
from tests.support.workshop import App, Fresh, Project, Workshop
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
def standing(workshop: Workshop, admin: Api) -> Iterator[Fresh]:
    """Objects that no refused request changes."""
    objects = Fresh(workshop)
    yield objects
    admin.v1("GetAppByID", projectId=objects.project.id, appId=objects.app.id).has()
    unchanged = admin.v1("GetUserGrantByID", userId=objects.user.id, grantId=objects.assignment)
    unchanged.has(userGrant={"roleKeys": ["r"]})


def refusals(section: str) -> list[list[str]]:
    """Return method, request, status, ID and text of the errors in a section of ``v1_refusals.txt``."""
    text = Path(__file__).with_name("v1_refusals.txt").read_text(encoding="utf-8")
    lines = text.split(f"# {section}\n")[1].split("# ")[0].splitlines()
    return [[*re.findall(r"(\S+) (.*) -> (\d+) (\S+) ?(.*)", line)[0]] for line in lines]


@pytest.mark.parametrize(("method", "request_", "status", "ids", "text"), refusals("missing"))
def test_each_method_has_its_own_error_for_objects_that_are_missing_or_of_another_organization(
    admin: Api, standing: Fresh, method: str, request_: str, status: str, ids: str, text: str
) -> None:
    """The last field of the request names the missing object."""
    fields, (missing, *elsewhere) = fill(json.loads(request_), standing), ids.split("/")
    admin.v1(method, **fields | {[*fields][-1]: NOBODY}).refused(int(status), text, id=missing)
    away = admin.within(standing.organization.id).v1(method, **fields)
    away.refused(int(status), "" if elsewhere else text, id=(elsewhere or [missing])[0])


@pytest.mark.parametrize(("method", "request_", "status", "id", "text"), refusals("unfit"))
def test_each_method_has_its_own_error_for_values_that_are_taken_unfit_or_unchanged(
    admin: Api, standing: Fresh, method: str, request_: str, status: str, id: str, text: str
) -> None:
    admin.v1(method, **fill(json.loads(request_), standing)).refused(int(status), text, id=id)


def test_a_new_object_belongs_to_the_organization_of_the_header(admin: Api, fresh: Fresh) -> None:
    away, owner = admin.within(fresh.organization.id), {"resourceOwner": fresh.organization.id}
    id = away.v1("AddProject", name=fresh.name).only("id", details=CREATED | owner)["id"]
    away.v1("GetProjectByID", id=id).has(project={"details": FULL | owner})
    user = away.v1("AddMachineUser", userName=fresh.name, name="M").only("userId", details=DETAILS | owner)["userId"]
    away.v1("GetUserByID", id=user).has(user={"details": FULL | owner})
    for api, rows in ((away, [{"id": id}]), (admin, None)):
        api.v1("ListProjects", queries=[{"nameQuery": {"name": fresh.name}}]).has(result=rows)
    away.v1("RemoveUser", id=user).only(details=DETAILS | owner)
    away.v1("RemoveOrg").only(details=DETAILS | owner)


def test_an_update_without_a_change_is_accepted_for_projects_roles_and_project_grants(admin: Api, fresh: Fresh) -> None:
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
    admin.v1("RemoveProjectRole", **role | {"roleKey": "none"}).only(details=DETAILS)
    admin.v1("RemoveProjectRole", projectId=NOBODY, roleKey="r").only(details=only("resourceOwner"))
    changes = [("UpdateProject", {"name": fresh.name}), ("UpdateProject", {"name": "x"}), ("RemoveProject", {})]
    numbers = [int(admin.v1(method, **project, **fields)["details"]["sequence"]) for method, fields in changes]
    assert numbers == sorted({*numbers})


def test_a_list_counts_all_matches_and_names_its_time(admin: Api, fresh: Fresh) -> None:
    project, none = {"projectId": fresh.project.id}, only("viewTimestamp")
    two, wrong_case = only("viewTimestamp", totalResult="2"), {"keyQuery": {"key": "R"}}
    row = only("key", "displayName", details=FULL)
    admin.v1("ListProjectRoles", **project, query={"limit": 1, "asc": True}).only(details=two, result=[row])
    admin.v1("ListProjectRoles", **project, query={"limit": 1001}).only(details=two, result=[row, row])
    for fields in ({"query": {"offset": "2"}}, {"projectId": NOBODY}, {"queries": [wrong_case]}):
        admin.v1("ListProjectRoles", **project | fields).only(details=none)
    rule = "embedded message failed validation | caused by: invalid RoleQuery.Query: value is required"
    broken = f"invalid ListProjectRolesRequest.Queries[0]: {rule}"
    admin.v1("ListProjectRoles", **project, queries=[{}]).refused(400, broken)


def test_each_filter_of_a_list_selects_rows(admin: Api, fresh: Fresh) -> None:
    project, app, organization, user = fresh.project, fresh.app, fresh.organization, fresh.user
    roles, any_case = ("ListProjectRoles", {"projectId": project.id}), "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"
    assert fresh.assignment
    for (method, fields), query, content in (
        (roles, "key", {"key": "r"}),
        (roles, "displayName", {"displayName": "role R", "method": any_case}),
        (("ListApps", {"projectId": project.id}), "name", {"name": app.name}),
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


def test_an_update_of_an_oidc_application_keeps_absent_lists_and_resets_the_rest(admin: Api, fresh: Fresh) -> None:
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


def test_humans_have_the_fields_of_v1_and_lose_their_roles_with_a_project_grant(admin: Api, fresh: Fresh) -> None:
    human, away = fresh.human, admin.within(fresh.organization.id)
    phone = {"phone": {"phone": "+41791234567", "isVerified": True}}
    admin.users.UpdateUser(userId=human.id, human=phone).has()
    v1_phone = only(phone="+41791234567", isPhoneVerified=True)
    admin.v1("GetUserByID", id=human.id).has(user={"human": {"phone": v1_phone}})
    ids = {"projectId": fresh.project.id, "grantedOrgId": fresh.organization.id}
    through = admin.v1("AddProjectGrant", **ids, roleKeys=["r"])["grantId"]
    grant = {"userId": human.id, "projectId": fresh.project.id, "projectGrantId": through, "roleKeys": ["r"]}
    id = {"userId": human.id, "grantId": away.v1("AddUserGrant", **grant).has(details=CREATED)["userGrantId"]}
    names = {"firstName": "Ada", "lastName": "Test", "displayName": "Ada Test", "email": "ada@example.com"}
    names |= {"userType": "TYPE_HUMAN", "orgId": fresh.organization.id, "grantedOrgName": fresh.organization.name}
    away.v1("GetUserGrantByID", **id).has(userGrant=grant | names)
    admin.v1("RemoveProjectGrant", projectId=fresh.project.id, grantId=through).only(details=DETAILS)
    away.v1("GetUserGrantByID", **id).refused(404, id="QUERY-wIPkA")


def test_a_project_owner_has_rights_in_this_project_alone(
    server: Server, workshop: Workshop, project: Project, other_app: App
) -> None:
    own = Api(server, workshop.administrator("PROJECT_OWNER", of=project).pat)
    own.v1("GetProjectByID", id=project.id).has(project={"name": project.name})
    own.v1("ListProjects").has(result=[{"id": project.id}], details={"totalResult": "1"})
    own.v1("ListProjectRoles", projectId=project.id).has(result=[..., ...])
    own.v1("GetProjectByID", id=other_app.project.id).refused(403, "No matching permissions found", id="AUTH-3jknH")
    own.v1("ListApps", projectId=other_app.project.id).refused(403, "No matching permissions found", id="AUTH-3jknH")
    own.v1("Admin/GetDefaultOrg").refused(403, "No matching permissions found", id="AUTH-5mWD2")


def test_a_member_of_an_organization_may_act_for_it(admin: Api, server: Server, fresh: Fresh) -> None:
    own = Api(server, fresh.user.pat)
    own.v1("GetMyOrg").refused(*NO_MEMBERSHIP)
    admin.v1("AddOrgMember", userId=fresh.user.id, roles=["ORG_OWNER"]).only(details=CREATED)
    own.v1("GetMyOrg").has(org={"id": fresh.home.id})
    own.v1("AddMachineUser", userName=fresh.name, name="M").has("userId")
    own.within(fresh.organization.id).v1("GetMyOrg").refused(*NO_MEMBERSHIP)


def test_a_role_may_have_slashes_in_its_key(admin: Api, fresh: Fresh) -> None:
    roles, by_name = f"/management/v1/projects/{fresh.project.id}/roles", {"displayNameQuery": {"displayName": "R2"}}
    admin.rest("POST", roles, {"roleKey": "read/all:x y", "displayName": "R", "group": "g"}).only(details=CREATED)
    admin.rest("PUT", f"{roles}/read/all:x y", {"displayName": "R2"}).only(details=DETAILS)
    answer = admin.v1("ListProjectRoles", projectId=fresh.project.id, queries=[by_name])
    answer.has(result=[only("details", key="read/all:x y", displayName="R2")])
