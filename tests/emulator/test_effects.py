"""What a write changes for tokens that were issued before: grants, users, applications, projects."""

from __future__ import annotations

import pytest

from tests.support.emulator_target import USERINFO, Api, Server, answer, bearer, error_id, oauth_refusal
from tests.support.oauth import INACTIVE, OAuth, audience
from tests.support.waiting import eventually
from tests.support.workshop import App, Project, User, Workshop

UNAUTHORIZED = oauth_refusal("unauthorized_client")
NOT_ACTIVE = oauth_refusal("invalid_request", "Errors.User.NotActive")
ENDINGS = ["DeactivateUser", "LockUser", "DeleteUser"]


@pytest.fixture
def granted(workshop: Workshop, oauth: OAuth, project: Project, app: App) -> tuple[User, str]:
    """A user of one test, and the ID of his authorization for both roles of ``project``."""
    user = workshop.user()
    authorization = workshop.grant(user, project, "read:messages", "admin")
    oauth.wait_for_roles(app, user.pat, {"read:messages", "admin"})
    return user, authorization


def test_a_new_grant_shows_on_a_token_issued_before(
    workshop: Workshop, oauth: OAuth, app: App, project: Project
) -> None:
    user = workshop.user()
    assert oauth.roles(app, user.pat) is None
    workshop.grant(user, project, "admin")
    oauth.wait_for_roles(app, user.pat, {"admin"})


def test_a_role_taken_out_of_the_grant_goes(admin: Api, oauth: OAuth, app: App, granted: tuple[User, str]) -> None:
    user, authorization = granted
    admin.do("AuthorizationService/UpdateAuthorization", id=authorization, roleKeys=["admin"])
    oauth.wait_for_roles(app, user.pat, {"admin"})


def test_an_emptied_grant_leaves_no_claim(admin: Api, oauth: OAuth, app: App, granted: tuple[User, str]) -> None:
    user, authorization = granted
    admin.do("AuthorizationService/UpdateAuthorization", id=authorization, roleKeys=[])
    oauth.wait_for_roles(app, user.pat, None)


def test_a_deleted_grant_leaves_no_claim(admin: Api, oauth: OAuth, app: App, granted: tuple[User, str]) -> None:
    user, authorization = granted
    admin.do("AuthorizationService/DeleteAuthorization", id=authorization)
    oauth.wait_for_roles(app, user.pat, None)


def test_a_deactivated_grant_rests_until_it_is_activated(
    admin: Api, oauth: OAuth, app: App, granted: tuple[User, str]
) -> None:
    user, authorization = granted
    admin.do("AuthorizationService/DeactivateAuthorization", id=authorization)
    oauth.wait_for_roles(app, user.pat, None)
    admin.do("AuthorizationService/ActivateAuthorization", id=authorization)
    oauth.wait_for_roles(app, user.pat, {"read:messages", "admin"})


def test_a_removed_role_leaves_the_grants_and_does_not_come_back_with_its_name(
    admin: Api, workshop: Workshop, oauth: OAuth, visitor: User
) -> None:
    project = workshop.project("stays", "goes")
    app, user = workshop.app(project), workshop.user()
    workshop.grant(user, project, "stays", "goes")
    oauth.wait_until_served(app, visitor.pat)
    oauth.wait_for_roles(app, user.pat, {"stays", "goes"})
    admin.do("ProjectService/RemoveProjectRole", projectId=project.id, roleKey="goes")
    oauth.wait_for_roles(app, user.pat, {"stays"})
    admin.do("ProjectService/AddProjectRole", projectId=project.id, roleKey="goes", displayName="Again")
    eventually("the scope of a PAT names the role again", lambda: "role:goes" in oauth.claims(app, user.pat)["scope"])
    assert oauth.roles(app, user.pat) == {"stays"}


def test_a_new_role_of_the_project_enters_the_scope_of_every_pat(
    admin: Api, workshop: Workshop, oauth: OAuth, visitor: User
) -> None:
    project = workshop.project()
    app = workshop.app(project)
    oauth.wait_until_served(app, visitor.pat)
    admin.do("ProjectService/AddProjectRole", projectId=project.id, roleKey="new", displayName="New")
    eventually("the scope names the role", lambda: "role:new" in oauth.claims(app, visitor.pat)["scope"])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_user_who_ends_takes_his_pats_along_at_once(
    admin: Api, workshop: Workshop, oauth: OAuth, app: App, ending: str
) -> None:
    user = workshop.user()
    assert oauth.active(app, user.pat)
    admin.do(f"UserService/{ending}", userId=user.id)
    assert answer(oauth.introspection(app, user.pat)) == INACTIVE


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_user_who_ends_takes_his_access_tokens_along_at_once(
    admin: Api, workshop: Workshop, oauth: OAuth, app: App, project: Project, ending: str
) -> None:
    user = workshop.user(pat=False)
    token = oauth.access_token(user, workshop.secret(user), audience(project))
    eventually("the token is active", lambda: oauth.active(app, token))
    admin.do(f"UserService/{ending}", userId=user.id)
    assert answer(oauth.introspection(app, token)) == INACTIVE


@pytest.mark.parametrize(("off", "on"), [("DeactivateUser", "ReactivateUser"), ("LockUser", "UnlockUser")])
def test_a_user_who_comes_back_needs_new_pats(
    admin: Api, workshop: Workshop, oauth: OAuth, app: App, off: str, on: str
) -> None:
    user = workshop.user()
    admin.do(f"UserService/{off}", userId=user.id)
    admin.do(f"UserService/{on}", userId=user.id)
    new = workshop.pat(user.id)
    eventually("a new PAT is active", lambda: oauth.active(app, new.token))
    assert answer(oauth.introspection(app, user.pat)) == INACTIVE


def test_a_pat_that_died_with_its_users_deactivation_stays_listed(
    admin: Api, workshop: Workshop, oauth: OAuth, app: App
) -> None:
    user = workshop.user()
    admin.do("UserService/DeactivateUser", userId=user.id)
    admin.do("UserService/ReactivateUser", userId=user.id)
    eventually(
        "the PAT is listed",
        lambda: admin.do("UserService/ListPersonalAccessTokens", filters=[{"userIdFilter": {"id": user.id}}]).get(
            "result", []
        ),
    )
    assert not oauth.active(app, user.pat)


def test_a_user_who_comes_back_keeps_his_secret_but_not_his_access_tokens(
    admin: Api, workshop: Workshop, oauth: OAuth, app: App, project: Project
) -> None:
    user = workshop.user(pat=False)
    secret = workshop.secret(user)
    old = oauth.access_token(user, secret, audience(project))
    admin.do("UserService/DeactivateUser", userId=user.id)
    admin.do("UserService/ReactivateUser", userId=user.id)
    new = oauth.access_token(user, secret, audience(project))
    eventually("the new access token is active", lambda: oauth.active(app, new))
    assert answer(oauth.introspection(app, old)) == INACTIVE


@pytest.mark.parametrize("ending", ["DeactivateUser", "LockUser"])
def test_a_user_who_is_off_gets_no_token(admin: Api, workshop: Workshop, oauth: OAuth, ending: str) -> None:
    user = workshop.user(pat=False)
    secret, login_name = workshop.secret(user), oauth.login_name(user)
    oauth.access_token(user, secret, "openid")
    admin.do(f"UserService/{ending}", userId=user.id)
    eventually(
        "the token endpoint refuses him",
        lambda: answer(oauth.ask_for_token(login_name, secret, "openid")),
        lambda refusal: refusal == NOT_ACTIVE,
    )


def test_a_dead_pat_opens_neither_userinfo_nor_the_api(admin: Api, workshop: Workshop, server: Server) -> None:
    user = workshop.user()
    admin.do("UserService/DeactivateUser", userId=user.id)
    userinfo = server.send("GET", USERINFO, headers=bearer(user.pat))
    assert answer(userinfo) == (401, {"error": "access_denied", "error_description": "access token invalid"})
    assert error_id(Api(server, user.pat).ask("ProjectService/ListProjects")) == (401, "AUTH-7fs1e")


@pytest.fixture
def own_app(workshop: Workshop, oauth: OAuth, reader: User) -> App:
    """An application of one test, alone in its project, that introspection serves."""
    app = workshop.app(workshop.project())
    oauth.wait_until_served(app, reader.pat)
    return app


def wait_until_refused(oauth: OAuth, app: App, token: str) -> None:
    eventually(
        "the application is refused",
        lambda: answer(oauth.introspection(app, token)),
        lambda refusal: refusal == UNAUTHORIZED,
    )


def test_a_deactivated_application_is_refused_until_it_is_reactivated_with_its_secret(
    admin: Api, oauth: OAuth, own_app: App, reader: User
) -> None:
    admin.do("ApplicationService/DeactivateApplication", **own_app.ids)
    wait_until_refused(oauth, own_app, reader.pat)
    admin.do("ApplicationService/ReactivateApplication", **own_app.ids)
    oauth.wait_until_served(own_app, reader.pat)


def test_an_application_rests_with_its_project(admin: Api, oauth: OAuth, own_app: App, reader: User) -> None:
    admin.do("ProjectService/DeactivateProject", projectId=own_app.project.id)
    wait_until_refused(oauth, own_app, reader.pat)
    admin.do("ProjectService/ActivateProject", projectId=own_app.project.id)
    oauth.wait_until_served(own_app, reader.pat)


def test_a_deleted_application_is_refused(admin: Api, oauth: OAuth, own_app: App, reader: User) -> None:
    admin.do("ApplicationService/DeleteApplication", **own_app.ids)
    wait_until_refused(oauth, own_app, reader.pat)


def test_the_application_of_a_deleted_project_is_refused(admin: Api, oauth: OAuth, own_app: App, reader: User) -> None:
    admin.do("ProjectService/DeleteProject", projectId=own_app.project.id)
    wait_until_refused(oauth, own_app, reader.pat)
