"""Several organizations: whose grants a claim shows, what a project grant allows, what ends with an organization."""

from functools import partial

import pytest

from tests.support.emulator_target import Api, answer, error_id
from tests.support.oauth import INACTIVE, OWNER, ROLES, GetToken, OAuth, audience, roles_of
from tests.support.waiting import eventually
from tests.support.workshop import App, Organization, Project, User, Workshop

ROLES_IN = "urn:zitadel:iam:org:roles:id:"


@pytest.fixture(scope="module")
def second(other_organization: Organization) -> Organization:
    return other_organization


@pytest.fixture(scope="module")
def shared(workshop: Workshop, admin: Api, second: Organization) -> Project:
    """A project whose role ``read:messages`` the second organization can assign itself."""
    project = workshop.project("read:messages", "admin")
    admin.do(
        "ProjectService/CreateProjectGrant",
        projectId=project.id,
        grantedOrganizationId=second.id,
        roleKeys=["read:messages"],
    )
    return project


@pytest.fixture(scope="module")
def shared_app(workshop: Workshop, oauth: OAuth, shared: Project, visitor: User) -> App:
    return oauth.served(workshop.app(shared), visitor.pat)


@pytest.fixture(scope="module")
def guest(workshop: Workshop, oauth: OAuth, shared: Project, shared_app: App, second: Organization) -> User:
    """A user of the second organization with ``read:messages`` from both and ``admin`` from the project's own."""
    user = workshop.user(organization=second)
    workshop.grant(user, shared, "read:messages", organization=second)
    workshop.grant(user, shared, "read:messages", "admin")
    eventually(
        "both grants show",
        lambda: oauth.claims(shared_app, user.pat).get(ROLES, {}),
        lambda roles: len(roles) == 2 and len(roles["read:messages"]) == 2,
    )
    return user


@pytest.fixture(scope="module")
def guest_token(workshop: Workshop, oauth: OAuth, guest: User) -> GetToken:
    return partial(oauth.access_token, guest, workshop.secret(guest))


def test_grants_of_two_organizations_merge_by_role(
    oauth: OAuth, shared: Project, shared_app: App, guest: User, organization: Organization, second: Organization
) -> None:
    claims = oauth.claims(shared_app, guest.pat)
    home, abroad = {organization.id: organization.primary_domain}, {second.id: second.primary_domain}
    assert claims[ROLES] == {"admin": home, "read:messages": home | abroad}
    assert claims[roles_of(shared)] == claims[ROLES]


def test_a_user_of_another_organization_is_active_and_names_that_organization(
    oauth: OAuth, app: App, guest: User, second: Organization
) -> None:
    claims = oauth.claims(app, guest.pat)
    assert claims["active"] is True
    assert claims[f"{OWNER}:id"] == second.id
    assert ROLES not in claims


def test_an_organization_scope_restricts_the_roles_to_its_grants(
    oauth: OAuth, shared: Project, shared_app: App, second: Organization, guest_token: GetToken
) -> None:
    token = guest_token(audience(shared), ROLES_IN + second.id)
    roles = eventually("the token is active", lambda: oauth.claims(shared_app, token).get(ROLES))
    assert roles == {"read:messages": {second.id: second.primary_domain}}


def test_the_scope_of_an_unknown_organization_leaves_no_roles(
    oauth: OAuth, shared: Project, shared_app: App, guest_token: GetToken
) -> None:
    token = guest_token(audience(shared), ROLES_IN + "299999999999999999")
    claims = oauth.claims(shared_app, token)
    assert claims["active"] is True
    assert ROLES not in claims


def test_the_id_of_a_foreign_organization_is_dropped_from_the_scopes(
    oauth: OAuth, shared: Project, shared_app: App, organization: Organization, guest_token: GetToken
) -> None:
    foreign = f"urn:zitadel:iam:org:id:{organization.id}"
    claims = oauth.claims(shared_app, guest_token(audience(shared), foreign))
    assert claims["scope"] == audience(shared)
    assert "urn:zitadel:iam:org:id" not in claims


def test_a_role_outside_the_project_grant_cannot_be_assigned(
    workshop: Workshop, admin: Api, shared: Project, second: Organization
) -> None:
    response = admin.ask(
        "AuthorizationService/CreateAuthorization",
        userId=workshop.user(organization=second).id,
        projectId=shared.id,
        organizationId=second.id,
        roleKeys=["admin"],
    )
    assert error_id(response) == (400, "COMMAND-mm9F4")


def test_only_deleting_a_project_grant_removes_what_was_assigned_through_it(
    workshop: Workshop, admin: Api, oauth: OAuth, second: Organization, visitor: User
) -> None:
    project = workshop.project("r")
    app, user = workshop.app(project), workshop.user(organization=second)
    oauth.served(app, visitor.pat)
    granted = {"projectId": project.id, "grantedOrganizationId": second.id}
    admin.do("ProjectService/CreateProjectGrant", **granted, roleKeys=["r"])
    workshop.grant(user, project, "r", organization=second)
    oauth.wait_for_roles(app, user.pat, {"r"})
    admin.do("ProjectService/DeactivateProjectGrant", **granted)
    assert oauth.roles(app, user.pat) == {"r"}
    admin.do("ProjectService/DeleteProjectGrant", **granted)
    oauth.wait_for_roles(app, user.pat, None)


@pytest.fixture
def own_organization(workshop: Workshop) -> Organization:
    return workshop.organization()


def set_state(admin: Api, organization: Organization, change: str) -> int:
    path = f"/management/v1/orgs/me/_{change}"
    return admin.rest("POST", path, {}, x_zitadel_orgid=organization.id).status_code


def test_the_application_of_a_deactivated_organization_is_refused_until_it_is_reactivated(
    workshop: Workshop, admin: Api, oauth: OAuth, own_organization: Organization, visitor: User
) -> None:
    app = oauth.served(workshop.app(workshop.project(organization=own_organization)), visitor.pat)
    assert set_state(admin, own_organization, "deactivate") == 200
    oauth.wait_until_refused(app, visitor.pat)
    assert set_state(admin, own_organization, "reactivate") == 200
    oauth.served(app, visitor.pat)


def test_users_of_a_deactivated_organization_stay_active_with_their_roles(
    workshop: Workshop, admin: Api, oauth: OAuth, app: App, project: Project, own_organization: Organization
) -> None:
    user = workshop.user(organization=own_organization)
    secret = workshop.secret(user)
    workshop.grant(user, project, "read:messages")
    oauth.wait_for_roles(app, user.pat, {"read:messages"})
    oauth.access_token(user, secret, "openid")
    assert set_state(admin, own_organization, "deactivate") == 200
    eventually("deactivating again is refused", lambda: set_state(admin, own_organization, "deactivate") == 400)
    assert oauth.roles(app, user.pat) == {"read:messages"}
    assert oauth.access_token(user, secret, audience(project))
    assert set_state(admin, own_organization, "reactivate") == 200


def test_removing_an_organization_ends_its_users(
    workshop: Workshop, oauth: OAuth, app: App, own_organization: Organization
) -> None:
    user = workshop.user(organization=own_organization)
    assert oauth.active(app, user.pat)
    workshop.remove_organization(own_organization)
    eventually("the PAT is inactive", lambda: answer(oauth.introspection(app, user.pat)), lambda a: a == INACTIVE)
