"""The objects of the v2 API: made, read, listed, changed, switched off and on, and removed."""

from typing import Any

from tests.support.emulator_target import NOBODY
from tests.support.workshop import Fresh, Project, Workshop, decoded, later
from tests.support.zitadel_api import DETAILS, NO_MEMBERSHIP, Api, only
from zdemo.emulator.entities import new_ids


def test_a_project_leaves_out_its_flags_that_are_off_and_is_renamed(admin: Api, fresh: Fresh) -> None:
    id, members = {"projectId": fresh.project.id}, ("projectId", "organizationId", "creationDate", "changeDate")
    admin.projects.GetProject(**id).has(project=only(*members, "name", state="PROJECT_STATE_ACTIVE"))
    for _ in range(2):
        admin.projects.UpdateProject(**id, name=fresh.name, projectRoleAssertion=True).only("changeDate")
    admin.projects.GetProject(**id).has(project={"name": fresh.name, "projectRoleAssertion": True})


def test_a_project_name_is_taken_in_its_organization_alone_and_as_it_is_written(admin: Api, fresh: Fresh) -> None:
    name = fresh.project.name
    other = admin.projects.CreateProject(organizationId=fresh.home.id, name=f"{name} ").only(
        "projectId", "creationDate"
    )
    admin.projects.DeleteProject(projectId=other["projectId"]).only("deletionDate")
    admin.projects.CreateProject(organizationId=fresh.organization.id, name=name).has("projectId")


def test_deleting_a_project_again_gives_the_old_date(admin: Api, fresh: Fresh) -> None:
    id = {"projectId": fresh.project.id}
    deleted = admin.projects.DeleteProject(**id).only("deletionDate")
    admin.projects.DeleteProject(**id).has(deletionDate=deleted["deletionDate"])
    admin.projects.GetProject(**id).refused(404, id="QUERY-fk2fs")


def test_an_organization_is_renamed_and_deleted(admin: Api, workshop: Workshop, fresh: Fresh, owner: Api) -> None:
    id, this = {"organizationId": fresh.organization.id}, [{"idQuery": {"id": fresh.organization.id}}]
    admin.organizations.UpdateOrganization(**id, name=fresh.name).only("changeDate")
    renamed = {"name": fresh.name, "primaryDomain": ...}
    row = admin.organizations.ListOrganizations(queries=this).has(result=[renamed])["result"][0]
    assert row["primaryDomain"].startswith(f"{fresh.name}.")
    admin.organizations.UpdateOrganization(**id, name=fresh.name).refused(400, id="ORG-4VSdf")
    admin.organizations.UpdateOrganization(**id, name=fresh.home.name).refused(409, id="V3-DKcYh")
    admin.organizations.UpdateOrganization(organizationId=NOBODY, name="x").refused(404, id="ORG-1MRds")
    owner.organizations.UpdateOrganization(**id, name="x").refused(*NO_MEMBERSHIP)
    owner.organizations.DeleteOrganization(**id).refused(*NO_MEMBERSHIP)
    admin.organizations.DeleteOrganization(**id).only("deletionDate")
    admin.organizations.DeleteOrganization(**id).only(deletionDate="0001-01-01T00:00:00Z")
    admin.organizations.ListOrganizations(queries=this).has(result=None)
    admin.within(workshop.organization().id).rest("DELETE", "/management/v1/orgs/me").only("details")


def test_an_application_shows_its_secret_once_if_it_has_one(admin: Api, fresh: Fresh) -> None:
    id = {"projectId": fresh.project.id}
    both, basic = only("clientId", "clientSecret"), admin.apps.CreateApplication(**id, name="a", apiConfiguration={})
    basic.only("applicationId", "creationDate", apiConfiguration=both)
    admin.apps.CreateApplication(**id, name="b", apiConfiguration={"authMethodType": "NOPE"}).has(apiConfiguration=both)
    admin.apps.CreateApplication(**id, name="c", apiConfiguration={"authMethodType": 1.0}).has(
        apiConfiguration=only("clientId")
    )
    oidc = {"redirectUris": ["https://app.example/back"]}
    admin.apps.CreateApplication(**id, name="d", oidcConfiguration=oidc).has(oidcConfiguration=both)
    members = ("applicationId", "creationDate", "changeDate", "name", "projectId")
    active = only(*members, state="APPLICATION_STATE_ACTIVE", apiConfiguration=only("clientId"))
    admin.apps.GetApplication(**fresh.app.ids).has(application=active)
    by_key = {"authMethodType": "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}
    admin.apps.GetApplication(**fresh.key_app.ids).has(application={"apiConfiguration": by_key})
    admin.apps.GenerateClientSecret(**fresh.app.ids).only("clientSecret", "creationDate")


def test_an_oidc_application_says_what_openid_connect_would_have_otherwise(admin: Api, fresh: Fresh) -> None:
    def problems(redirect_uri: str, kind: str = "WEB", method: str = "BASIC", **settings: Any) -> list[str]:
        oidc = {"redirectUris": [redirect_uri], "applicationType": f"OIDC_APP_TYPE_{kind}"} | settings
        oidc |= {"authMethodType": f"OIDC_AUTH_METHOD_TYPE_{method}"}
        names = {"projectId": fresh.project.id, "name": f"{kind} {method} {redirect_uri} {settings}"}
        app = admin.apps.CreateApplication(**names, oidcConfiguration=oidc).response.json()
        read = admin.apps.GetApplication(applicationId=app["applicationId"])["application"]["oidcConfiguration"]
        rows = app["oidcConfiguration"].get("complianceProblems", [])
        assert (read.get("complianceProblems", []), read.get("nonCompliant", False)) == (rows, bool(rows))
        assert all(row["localizedMessage"] for row in rows)
        return [row["key"].removeprefix("Application.OIDC.V1.") for row in rows if "NotCompliant" not in row["key"]]

    assert problems("http://app.example/back") == problems("https://app.example/back", "USER_AGENT", "NONE") == []
    assert problems("http://localhost:7/back", "NATIVE", "NONE") == problems("app:/back", "NATIVE", "NONE") == []
    assert problems("app:/back") == ["Code.RedirectUris.CustomOnlyForNative"]
    web = ["Code.RedirectUris.HttpOnlyForWeb", "UserAgent.AuthMethodType.NotNone"]
    assert problems("http://localhost/back", "USER_AGENT", developmentMode=True) == web
    native = ["Native.RedirectUris.MustBeHttpLocalhost", "Native.AuthMethodType.NotNone"]
    assert problems("http://app.example/back", "NATIVE") == native
    refresh = ["OIDC_GRANT_TYPE_REFRESH_TOKEN"]
    both = ["NoRedirectUris", "GrantType.Refresh.NoAuthCode"]
    assert problems("", redirectUris=[], grantTypes=refresh) == both
    assert problems("", redirectUris=[], grantTypes=["OIDC_GRANT_TYPE_DEVICE_CODE"]) == []


def test_the_name_of_an_application_is_taken_in_its_project_alone(admin: Api, fresh: Fresh, project: Project) -> None:
    name = fresh.app.name
    admin.apps.UpdateApplication(**fresh.app.ids, name=fresh.name).only("changeDate")
    admin.apps.GetApplication(**fresh.app.ids).has(application={"name": fresh.name})
    admin.apps.CreateApplication(projectId=project.id, name=name, apiConfiguration={}).has("applicationId")


def test_applications_are_found_by_filters(admin: Api, fresh: Fresh) -> None:
    of_project = {"projectIdFilter": {"projectId": fresh.app.project.id}}
    admin.apps.ListApplications(filters=[of_project]).has(applications=[{"applicationId": fresh.app.id}])
    for other in (
        {"nameFilter": {"name": "none"}},
        {"typeFilter": "APPLICATION_TYPE_OIDC"},
        {"stateFilter": "APPLICATION_STATE_INACTIVE"},
    ):
        admin.apps.ListApplications(filters=[of_project, other]).has(applications=None)
    admin.apps.ListApplications(filters=[{"clientIdFilter": {"clientId": fresh.app.id}}]).has(applications=None)
    admin.apps.ListApplications(filters=[{"entityIdFilter": {"entityId": fresh.app.client_id}}]).has(applications=None)


def test_the_id_of_an_application_is_free_before_and_after_it_is_deleted_once(admin: Api, fresh: Fresh) -> None:
    app = fresh.app
    admin.apps.CreateApplication(**app.ids, name=fresh.name, apiConfiguration={}).has(applicationId=app.id)
    admin.apps.DeleteApplication(**app.ids).only("deletionDate")
    admin.apps.DeleteApplication(**app.ids).refused(404, "Application doesn't exist", id="COMMAND-0po9s")
    admin.apps.CreateApplication(**app.ids, name=app.name, apiConfiguration={}).has(applicationId=app.id)


def test_keys_of_an_application_are_listed_without_private_halves_until_deleted(admin: Api, fresh: Fresh) -> None:
    app = fresh.key_app
    of_app = [{"applicationIdFilter": {"applicationId": app.id}}]
    key = admin.apps.CreateApplicationKey(**app.ids, expirationDate=later(days=1)).only(
        "keyId", "creationDate", "keyDetails"
    )
    file = decoded(key["keyDetails"])
    assert file.pop("key").startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert file == {"type": "application", "keyId": key["keyId"], "appId": app.id, "clientId": app.client_id}
    owners = {"projectId": app.project.id, "organizationId": fresh.home.id}
    row = only("keyId", "applicationId", "creationDate", "expirationDate", **owners)
    admin.apps.ListApplicationKeys(filters=of_app).has(keys=[row])
    admin.apps.GetApplicationKey(keyId=key["keyId"]).only("keyId", "creationDate", "expirationDate")
    admin.apps.DeleteApplicationKey(**app.ids, keyId=key["keyId"]).only("deletionDate")
    admin.apps.ListApplicationKeys(filters=of_app).has(keys=None)


def test_a_user_leaves_out_what_is_empty(admin: Api, fresh: Fresh) -> None:
    id = {"userId": fresh.user.id}
    names = {"username": fresh.user.username, "loginNames": [...], "preferredLoginName": ...}
    details = only("sequence", "changeDate", "resourceOwner", "creationDate")
    user = only("userId", **names, details=details, state="USER_STATE_ACTIVE", machine=only("name"))
    admin.users.GetUserByID(**id).has(user=user)
    for _ in range(2):
        admin.users.UpdateUser(**id, machine={"name": "New", "description": "text"}).only("changeDate")
    secrets = {admin.users.AddSecret(**id).only("creationDate", "clientSecret")["clientSecret"] for _ in range(2)}
    assert [len(secret) for secret in secrets | {fresh.app.secret}] == [64] * 3
    admin.users.GetUserByID(**id).has(user={"machine": only("description", "hasSecret", name="New")})
    admin.users.RemoveSecret(**id).only("deletionDate")


def test_metadata_is_set_with_the_user_and_apart_found_by_its_key_and_deleted(admin: Api, fresh: Fresh) -> None:
    id = {"userId": fresh.user.id}
    metadata = [{"key": "team", "value": "+/9+"}, {"key": "two", "value": "eA=="}]
    admin.users.UpdateUser(**id, machine={}, metadata=metadata).only("changeDate")
    row = only("creationDate", "changeDate", "key", value="+/9+")
    admin.users.ListUserMetadata(**id).has(metadata=[..., row])
    two = admin.users.ListUserMetadata(**id, filters=[{"keyFilter": {"key": "two"}}])
    two.has(metadata=[{"key": "two"}], pagination={"totalResult": "1"})
    admin.users.DeleteUserMetadata(**id, keys=["two"]).only("deletionDate")
    metadata = [{"key": "team", "value": "eQ=="}, {"key": "floor", "value": "eA=="}]
    admin.users.SetUserMetadata(**id, metadata=metadata).only("setDate")
    rows = [{"key": "floor"}, {"value": "eQ=="}]
    admin.users.ListUserMetadata(**id).has(metadata=rows, pagination={"totalResult": "2"})
    without = [{"key": "team"}, {"key": "floor", "value": ""}, {"key": "never there"}]
    admin.users.SetUserMetadata(**id, metadata=without).only("setDate")
    admin.users.ListUserMetadata(**id).only(pagination=only("appliedLimit"))


def test_what_is_switched_off_or_on_is_so_once(admin: Api, fresh: Fresh) -> None:
    kinds: dict[str, tuple[Any, str, dict[str, str]]] = {
        "project": (admin.projects, "GetProject", {"projectId": fresh.project.id}),
        "application": (admin.apps, "GetApplication", fresh.app.ids),
        "user": (admin.users, "GetUserByID", {"userId": fresh.user.id}),
    }
    for kind, verb, member, state, message, error_id in (
        ("project", "Deactivate", "changeDate", "INACTIVE", "Project is not active", "COMMAND-mki55"),
        ("project", "Activate", "changeDate", "ACTIVE", "Project is not deactivated", "COMMAND-5M9bs"),
        ("application", "Deactivate", "deactivationDate", "INACTIVE", "Application is not active", "COMMAND-dsh35"),
        ("application", "Reactivate", "reactivationDate", "ACTIVE", "Application is not inactive", "COMMAND-1n8cM"),
        ("user", "Deactivate", "details", "INACTIVE", "User already inactive", "COMMAND-5gunjw0cd7"),
        ("user", "Reactivate", "details", "ACTIVE", "User is not inactive", "COMMAND-s5qqcz97hf"),
        ("user", "Lock", "details", "LOCKED", "User is not active or initial", "COMMAND-lgws8wtsqf"),
        ("user", "Unlock", "details", "ACTIVE", "User is not locked", "COMMAND-olb9vb0oca"),
        ("user", "Lock", "details", "LOCKED", "User is not active or initial", "COMMAND-lgws8wtsqf"),
        ("user", "Deactivate", "details", "INACTIVE", "User already inactive", "COMMAND-5gunjw0cd7"),
    ):
        service, look, ids = kinds[kind]
        switch = getattr(service, f"{verb}{kind.title()}")
        switch(**ids).only(member)
        switch(**ids).refused(400, message, id=error_id)
        getattr(service, look)(**ids).has(**{kind: {"state": f"{kind.upper()}_STATE_{state}"}})


def test_a_user_is_deleted_once_and_the_id_and_the_username_are_free(admin: Api, fresh: Fresh) -> None:
    id, username = {"userId": fresh.user.id}, fresh.user.username
    assigned = [{"authorizationIds": {"ids": [fresh.assignment]}}]
    admin.authorizations.ListAuthorizations(filters=assigned).has("authorizations")
    admin.users.DeleteUser(**id).has(details=DETAILS)
    admin.authorizations.ListAuthorizations(filters=assigned).has(authorizations=None)
    admin.users.DeleteUser(**id).refused(404, "User could not be found", id="COMMAND-bd4ir1mblj")
    admin.users.GetUserByID(**id).refused(404, id="QUERY-Dfbg2")
    machine = {"organizationId": fresh.home.id, "machine": {"name": "Bot"}}
    admin.users.CreateUser(**id, **machine, username=username).has(id=fresh.user.id)


def test_keys_of_a_user_are_listed_until_they_are_removed(admin: Api, fresh: Fresh) -> None:
    id, of_user = {"userId": fresh.user.id}, [{"userIdFilter": {"id": fresh.user.id}}]
    added = admin.users.AddKey(**id, expirationDate=later(days=1)).only("creationDate", "keyId", "keyContent")
    key, file = added["keyId"], decoded(added["keyContent"])
    assert file.keys() == {"type", "keyId", "key", "expirationDate", "userId"}
    assert (file["type"], file["keyId"], file["userId"]) == ("serviceaccount", key, fresh.user.id)
    row = only("creationDate", "changeDate", "expirationDate", **id, id=key, organizationId=fresh.home.id)
    admin.users.ListKeys(filters=of_user).has(result=[row])
    admin.users.RemoveKey(**id, keyId=key).only("deletionDate")
    admin.users.ListKeys(filters=of_user).has(result=None)


def test_an_assignment_names_project_organization_and_user(admin: Api, fresh: Fresh) -> None:
    ids = {"userId": fresh.user.id, "projectId": fresh.project.id, "organizationId": fresh.home.id}
    assignment = admin.authorizations.CreateAuthorization(**ids, roleKeys=["r"]).only("id", "creationDate")
    row = {
        "id": assignment["id"],
        "state": "STATE_ACTIVE",
        "creationDate": ...,
        "changeDate": ...,
        "project": only("id", "name", "organizationId"),
        "organization": {"name": fresh.home.name},
        "user": {"id": fresh.user.id, "preferredLoginName": ...},
        "roles": [only("displayName", key="r")],
    }
    admin.authorizations.ListAuthorizations(filters=[{"inUserIds": {"ids": [fresh.user.id]}}]).has(authorizations=[row])


def test_assignments_are_found_by_filters(admin: Api, fresh: Fresh) -> None:
    this, assigned = {"authorizationIds": {"ids": [fresh.assignment]}}, {"inUserIds": {"ids": [fresh.user.id]}}
    with_role = admin.authorizations.ListAuthorizations(filters=[this, {"roleKey": {"key": "r"}}])
    with_role.has(authorizations=[{"user": {"id": fresh.user.id}}])
    for other in (
        {"state": {"state": "STATE_INACTIVE"}},
        {"roleKey": {"key": "s"}},
        {"projectId": {"id": "7"}},
        {"organizationId": {"id": "7"}},
        {"userOrganizationId": {"id": "7"}},
        {"projectName": {"name": "none"}},
        {"userPreferredLoginName": {"loginName": "none"}},
    ):
        admin.authorizations.ListAuthorizations(filters=[assigned, other]).has(authorizations=None)


def test_an_administrator_is_made_once_found_changed_and_removed(admin: Api, fresh: Fresh) -> None:
    ids = {"userId": fresh.user.id, "resource": {"organizationId": fresh.home.id}}
    of_user = {"inUserIdsFilter": {"ids": [fresh.user.id]}}
    admin.administrators.CreateAdministrator(**ids, roles=["ORG_USER_MANAGER", "ORG_OWNER"]).only("creationDate")
    row = {"user": {"id": fresh.user.id}, "instance": None, "organization": only("id", "name")}
    admin.administrators.ListAdministrators(filters=[of_user]).has(administrators=[row])
    owner, viewer = ({"role": {"roleKey": role}} for role in ("ORG_OWNER", "ORG_OWNER_VIEWER"))
    admin.administrators.ListAdministrators(filters=[of_user, owner]).has("administrators")
    admin.administrators.ListAdministrators(filters=[of_user, viewer]).has(administrators=None)
    again = admin.administrators.CreateAdministrator(**ids, roles=["ORG_OWNER"])
    again.refused(409, "Errors.Org.Member.AlreadyExists", id="ORG-poWwe")
    for _ in range(2):
        admin.administrators.UpdateAdministrator(**ids, roles=["ORG_USER_MANAGER"]).only("changeDate")
    admin.administrators.ListAdministrators(filters=[of_user]).has(administrators=[{"roles": ["ORG_USER_MANAGER"]}])
    admin.administrators.DeleteAdministrator(**ids | {"userId": fresh.human.id}).only()
    deleted = admin.administrators.DeleteAdministrator(**ids).only("deletionDate")
    admin.administrators.ListAdministrators(filters=[of_user]).has(administrators=None)
    admin.administrators.DeleteAdministrator(**ids).only(deletionDate=deleted["deletionDate"])


def test_ids_rise_while_the_clock_stands_still_and_two_generators_share_none() -> None:
    first, second = (new_ids(lambda: 1_800_000_000.0) for _ in range(2))
    ids = [int(next(first)) for _ in range(600)]
    assert ids == sorted(set(ids))
    assert set(ids).isdisjoint(int(next(second)) for _ in range(600))
