"""What a write changes for tokens that were issued before: grants, users, applications, projects."""

from functools import partial
from typing import Any

import pytest

from tests.support.emulator_target import USERINFO, Api, Server, answer, bearer, error_id, oauth_refusal
from tests.support.oauth import INACTIVE, OAuth, audience
from tests.support.waiting import eventually
from tests.support.workshop import App, Project, User, Workshop

NOT_ACTIVE = oauth_refusal("invalid_request", "Errors.User.NotActive")
ENDINGS = ["DeactivateUser", "LockUser", "DeleteUser"]


@pytest.fixture
def granted(workshop: Workshop, oauth: OAuth, project: Project, app: App) -> tuple[User, str]:
    """A user of one test, and the ID of the user's authorization for both roles of ``project``."""
    user = workshop.user()
    assert oauth.roles(app, user.pat) is None
    authorization = workshop.grant(user, project, "read:messages", "admin")
    oauth.wait_for_roles(app, user.pat, {"read:messages", "admin"})
    return user, authorization


@pytest.mark.parametrize(
    ("method", "fields", "roles"),
    [("Update", {"roleKeys": ["admin"]}, {"admin"}), ("Update", {"roleKeys": []}, None), ("Delete", {}, None)],
    ids=["fewer roles", "no roles", "deleted"],
)
def test_a_change_of_a_grant_shows_on_tokens_that_exist(
    admin: Api, oauth: OAuth, app: App, granted: tuple[User, str], method: str, fields: dict[str, Any], roles: Any
) -> None:
    user, authorization = granted
    admin.do(f"AuthorizationService/{method}Authorization", id=authorization, **fields)
    oauth.wait_for_roles(app, user.pat, roles)


def test_a_deactivated_grant_has_no_effect_until_it_is_activated(
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
    oauth.served(app, visitor.pat)
    oauth.wait_for_roles(app, user.pat, {"stays", "goes"})
    admin.do("ProjectService/RemoveProjectRole", projectId=project.id, roleKey="goes")
    oauth.wait_for_roles(app, user.pat, {"stays"})
    admin.do("ProjectService/AddProjectRole", projectId=project.id, roleKey="goes", displayName="Again")
    eventually("the scope of a PAT names the role again", lambda: "role:goes" in oauth.claims(app, user.pat)["scope"])
    assert oauth.roles(app, user.pat) == {"stays"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_all_tokens_of_a_user_end_with_the_user_at_once(
    admin: Api, workshop: Workshop, oauth: OAuth, app: App, project: Project, ending: str
) -> None:
    user = workshop.user()
    token = oauth.access_token(user, workshop.secret(user), audience(project))
    eventually("the token is active", lambda: oauth.active(app, token))
    assert oauth.active(app, user.pat)
    admin.do(f"UserService/{ending}", userId=user.id)
    assert answer(oauth.introspection(app, user.pat)) == INACTIVE
    assert answer(oauth.introspection(app, token)) == INACTIVE


@pytest.mark.parametrize(("off", "on"), [("DeactivateUser", "ReactivateUser"), ("LockUser", "UnlockUser")])
def test_a_user_who_comes_back_needs_new_pats(workshop: Workshop, oauth: OAuth, app: App, off: str, on: str) -> None:
    user = workshop.user()
    workshop.admin.do(f"UserService/{off}", userId=user.id)
    workshop.admin.do(f"UserService/{on}", userId=user.id)
    new = workshop.pat(user.id)
    eventually("a new PAT is active", lambda: oauth.active(app, new.token))
    assert answer(oauth.introspection(app, user.pat)) == INACTIVE
    filters = [{"userIdFilter": {"id": user.id}}]
    listed = partial(workshop.admin.rows, "UserService/ListPersonalAccessTokens", filters=filters)
    eventually("both are listed, the ended one too", lambda: len(listed()) == 2)


def test_a_user_who_comes_back_keeps_the_secret_but_no_access_tokens(
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
    eventually("it is refused", lambda: answer(oauth.ask_for_token(login_name, secret, "openid")), NOT_ACTIVE.__eq__)


def test_an_ended_pat_opens_neither_userinfo_nor_the_api(admin: Api, workshop: Workshop, server: Server) -> None:
    user = workshop.user()
    admin.do("UserService/DeactivateUser", userId=user.id)
    userinfo = server.send("GET", USERINFO, headers=bearer(user.pat))
    assert answer(userinfo) == (401, {"error": "access_denied", "error_description": "access token invalid"})
    assert error_id(Api(server, user.pat).ask("ProjectService/ListProjects")) == (401, "AUTH-7fs1e")


@pytest.fixture
def own_app(workshop: Workshop, oauth: OAuth, reader: User) -> App:
    """An application of one test, alone in its project, that introspection serves."""
    return oauth.served(workshop.app(workshop.project()), reader.pat)


APPLICATION, PROJECT = "ApplicationService", "ProjectService"


@pytest.mark.parametrize(
    ("off", "on"),
    [
        (f"{APPLICATION}/DeactivateApplication", f"{APPLICATION}/ReactivateApplication"),
        (f"{PROJECT}/DeactivateProject", f"{PROJECT}/ActivateProject"),
        (f"{APPLICATION}/DeleteApplication", None),
        (f"{PROJECT}/DeleteProject", None),
    ],
    ids=["application", "project", "deleted application", "deleted project"],
)
def test_an_application_is_refused_while_it_or_its_project_is_off(
    admin: Api, oauth: OAuth, own_app: App, reader: User, off: str, on: str | None
) -> None:
    def fields(method: str) -> dict[str, str]:
        return own_app.ids if method.startswith(APPLICATION) else {"projectId": own_app.project.id}

    admin.do(off, **fields(off))
    oauth.wait_until_refused(own_app, reader.pat)
    if on:
        admin.do(on, **fields(on))
        oauth.served(own_app, reader.pat)
