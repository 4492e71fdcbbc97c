"""Setup from an empty ``.env`` to two tokens that introspection confirms, and back; what it uses, replaces, refuses."""

import secrets
import stat
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.support.desk import CountingClient, Cut, Desk, KeptReport
from tests.support.files import update_dotenv
from tests.support.waiting import eventually
from tests.support.workshop import HUMAN, Workshop
from zdemo.config.settings import LoginSettings
from zdemo.emulator import ADMIN, emulate
from zdemo.errors import UsageError, ZdemoError
from zdemo.setup.apply import apply_plan
from zdemo.setup.current import SetupOptions
from zdemo.setup.plan import CREDENTIALS, Action, ObjectKind
from zdemo.setup.setup_files import SetupFiles
from zdemo.setup.state_file import state_path, write_state
from zdemo.zitadel.login import Login
from zdemo.zitadel.records import Auth

ROLE = "read:messages"
APP: dict[str, Any] = {"login_app_name": "zdemo-login"}


def test_a_first_run_creates_everything_and_a_second_changes_nothing(desk: Desk) -> None:
    text, plan, report = desk.path.read_text(), desk.plan(), KeptReport()
    assert {step.action for step in plan.steps} == {Action.CREATE, Action.CHANGE}  # .env was there
    apply_plan(CountingClient(desk.target), SetupFiles(desk.path), plan, report)
    desk.is_complete()
    assert set(report.hidden) == {desk.env["PAT"], desk.env["ZDEMO_VISITOR_PAT"], desk.env["CLIENT_SECRET"]}
    assert not any(secret in line for secret in report.hidden for line in report.lines)
    client, before = CountingClient(desk.target), (desk.path.read_bytes(), state_path(desk.path).read_bytes())
    assert not desk.run(client).changes
    assert client.changes == []
    assert (desk.path.read_bytes(), state_path(desk.path).read_bytes()) == before
    assert desk.path.read_text().startswith(text)
    assert set(desk.env) - {"A"} == {*CREDENTIALS, "PAT", "ZDEMO_VISITOR_PAT"} - {"ZITADEL_KEY_FILE"}
    for path in (desk.path, state_path(desk.path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert desk.target[1] not in path.read_text(), "the administrator's PAT is written nowhere"
    assert not any(secret in state_path(desk.path).read_text() for secret in (desk.env["PAT"], "CLIENT_SECRET="))


@pytest.mark.thorough
def test_an_application_for_people_comes_and_goes(desk: Desk, workshop: Workshop) -> None:
    desk.run()
    with pytest.raises(Cut):  # after it is created, before its client ID is known here
        desk.run(CountingClient(desk.target, 1, before=False), **APP)
    desk.run(**APP)
    assert not desk.run(**APP).changes
    assert not desk.run().changes
    app = desk.api.apps.GetApplication(applicationId=desk.state.login_app_id)["application"]
    client_id = app["oidcConfiguration"]["clientId"]
    assert (desk.env["ZDEMO_APP_CLIENT_ID"], len(desk.applications(desk.state.project_id))) == (client_id, 2)
    update_dotenv(desk.path, {"ZDEMO_APP_CLIENT_ID": "another"})
    desk.run(**APP)
    settings = LoginSettings.from_env({"ZITADEL_DOMAIN": desk.target[0], "ZDEMO_APP_CLIENT_ID": client_id})
    with closing(Login(settings, ["openid"], "http://127.0.0.1:1/callback")) as login:
        assert "authRequest=" in login.begin()
        assert login.begin_device().user_code
    desk.tear_down()
    desk.is_gone()
    assert desk.env["ZDEMO_APP_CLIENT_ID"] == "another"

    project = workshop.project()
    desk.api.apps.CreateApplication(projectId=project.id, name="zdemo-login", apiConfiguration={}).has()
    elsewhere = desk.with_options(project_name=project.name)
    with pytest.raises(ZdemoError, match="people cannot log in to it"):
        eventually("it is listed", lambda: elsewhere.plan(**APP).current.login_app)
    (other,) = desk.applications(project.id)
    desk.api.apps.DeleteApplication(projectId=project.id, applicationId=other).has()
    elsewhere.run(**APP)
    elsewhere.tear_down()
    assert desk.applications(project.id) == []


@pytest.mark.thorough
def test_a_new_key_stops_no_other_and_needs_no_consent(desk: Desk) -> None:
    desk.run(auth=Auth.KEY)
    file = desk.path.parent / desk.env["ZITADEL_KEY_FILE"]
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == (f"{desk.options.app_name}.key.json", 0o600)
    assert "CLIENT_SECRET" not in desk.env
    first = desk.keys(desk.state.application_id)
    file.unlink()
    plan = desk.run()
    assert not plan.rotation
    assert len(desk.keys(desk.state.application_id)) == 2
    desk.nothing_left_to_do()
    desk.run(rotate_secret=True)
    assert desk.keys(desk.state.application_id) == [desk.state.keys[-1].id] != first
    desk.tear_down()
    assert not file.exists()


def test_the_key_file_of_somebody_else_is_not_overwritten(desk: Desk) -> None:
    file = desk.path.parent / f"{desk.options.app_name}.key.json"
    file.write_text('{"keyId":"1"}')
    assert "setup did not write it" in refusal(desk, auth=Auth.KEY)
    assert file.read_text() == '{"keyId":"1"}'


@pytest.mark.thorough
def test_a_pat_whose_line_is_gone_stays_valid(desk: Desk, workshop: Workshop) -> None:
    desk.run()
    first = desk.state.reader_pats[-1].id
    update_dotenv(desk.path, {"PAT": None})
    desk.run()
    assert sorted(desk.pats(desk.state.reader_id)) == sorted([first, desk.state.reader_pats[-1].id])
    desk.nothing_left_to_do()
    own = workshop.pat(desk.state.reader_id)
    update_dotenv(desk.path, {"PAT": own.token})
    assert not desk.run().changes, "one that setup did not create is used and kept"
    assert own.id in desk.pats(desk.state.reader_id)


def test_the_pat_of_another_user_is_replaced_and_left_alive(desk: Desk, workshop: Workshop) -> None:
    other = workshop.user()
    update_dotenv(desk.path, {"PAT": other.pat})
    plan = desk.run()
    assert any("another user's" in step.note for step in plan.steps)
    assert desk.pats(other.id) != []
    desk.tear_down()
    assert desk.env["PAT"] == other.pat


def test_a_role_that_was_moved_or_deactivated_is_given_back(desk: Desk, workshop: Workshop) -> None:
    desk.run()
    state = desk.state
    desk.api.authorizations.DeleteAuthorization(id=state.assignment_id).has()
    ids = {"projectId": state.project_id, "organizationId": workshop.home.id}
    desk.api.authorizations.CreateAuthorization(userId=state.visitor_id, **ids, roleKeys=[ROLE]).has()
    eventually("the visitor is listed", lambda: desk.holders(state.project_id) == [state.visitor_id])
    assert [s.action for s in desk.run().steps if s.kind is ObjectKind.ASSIGNMENT] == [Action.CREATE, Action.REMOVE]
    desk.is_complete()
    desk.api.authorizations.DeactivateAuthorization(id=desk.state.assignment_id).has()
    eventually("it is listed as inactive", lambda: desk.plan().changes)
    assert [s.action for s in desk.run().steps if s.kind is ObjectKind.ASSIGNMENT] == [Action.CHANGE]
    desk.is_complete()


def test_what_others_created_is_used_and_outlives_teardown(desk: Desk, workshop: Workshop) -> None:
    text, project, reader = desk.path.read_text(), workshop.project("other"), workshop.user(pat=False)
    desk = desk.with_options(project_name=project.name, reader_name=reader.username)
    eventually("both are listed", lambda: desk.plan().current.project and desk.plan().current.reader.user)
    plan = desk.run()
    assert {s.kind for s in plan.steps if s.action is Action.LEAVE} == {ObjectKind.USER, ObjectKind.PROJECT}
    assert desk.holders(project.id) == [reader.id]
    assert f"add --project-name {project.name}, or" in refusal(desk.with_options(project_name="third"))
    assert desk.plan(project_name=SetupOptions.project_name).current.project == plan.current.project
    app, other = workshop.app(project), workshop.user()
    workshop.grant(other, project, "other")
    desk.plan_teardown().check()  # what is somebody else's in their own project is not asked about
    removed = desk.tear_down()
    assert {(r.what, r.stays) for r in removed.items} == {
        ("service account", False),
        ("PAT of", False),
        ("role for", False),
        ("application", False),
        ("role", True),
    }
    assert desk.path.read_text() == text
    eventually("setup's application is gone", lambda: desk.applications(project.id) == [app.id])
    eventually("setup's assignment is gone", lambda: desk.holders(project.id) == [other.id])
    assert desk.projects() == [project.id]
    assert sorted(desk.roles(project.id)) == ["other", ROLE], "a role in another's project stays"
    assert desk.users() == [reader.id]
    assert desk.pats(reader.id) == []


def test_an_application_whose_secret_is_known_is_used(desk: Desk, workshop: Workshop) -> None:
    project = workshop.project(ROLE)
    app = workshop.app(project)
    desk = desk.with_options(project_name=project.name, app_name=app.name)
    eventually("it is listed", lambda: desk.plan().current.application)
    plan = desk.plan()
    assert plan.rotation
    assert "only once" in plan.rotation.message
    assert "choose another --app-name" in plan.rotation.hint
    assert "uses basic, and setup did not create it" in refusal(desk, auth=Auth.KEY)
    update_dotenv(desk.path, {"CLIENT_ID": app.client_id, "CLIENT_SECRET": "x" * 64})
    plan = desk.plan()
    assert plan.rotation
    assert "refuses the CLIENT_SECRET" in plan.rotation.message
    update_dotenv(desk.path, {"CLIENT_SECRET": app.secret})
    assert not desk.run().rotation
    desk.tear_down()
    assert desk.env == {"A": "1", "CLIENT_ID": app.client_id, "CLIENT_SECRET": app.secret}
    assert desk.applications(project.id) == [app.id]


@pytest.mark.thorough
def test_keys_for_the_application_of_somebody_else_are_removed_again(desk: Desk, workshop: Workshop) -> None:
    project = workshop.project(ROLE)
    app = workshop.app(project, apiConfiguration={"authMethodType": "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"})
    desk = desk.with_options(project_name=project.name, app_name=app.name)
    eventually("it is listed", lambda: desk.plan().current.application)
    desk.run()
    assert len(desk.keys(app.id)) == 1
    desk.tear_down()
    eventually("the key is gone", lambda: desk.keys(app.id) == [])
    assert desk.applications(project.id) == [app.id]


def refusal(desk: Desk, **options: Any) -> str:
    """Return the message and the hint of a refusal that comes before any change."""
    before, client = desk.path.read_bytes(), CountingClient(desk.target)
    with pytest.raises(ZdemoError) as refused:
        desk.run(client, **options)
    assert client.changes == []
    assert desk.path.read_bytes() == before
    return f"{refused.value.message}; {refused.value.hint}"


def problem(desk: Desk) -> str:
    """Return why there is no plan; empty when there is one."""
    try:
        desk.plan()
    except ZdemoError as refused:
        return refused.message
    return ""


def test_the_state_of_another_zitadel_is_not_touched(desk: Desk) -> None:
    desk.run()
    state = desk.state
    with emulate() as another:
        elsewhere = replace(desk, target=(another.url, ADMIN.pat))
        hint = f"belongs to the ZITADEL at {desk.target[0]}"
        assert hint in refusal(elsewhere)
        with pytest.raises(ZdemoError, match=hint) as refused:
            elsewhere.plan_teardown()
        assert f"--domain {desk.target[0]}, or use another --env-file" in refused.value.hint
    write_state(desk.path, replace(state, zitadel="https://old.example"))
    desk.tear_down()  # it is the same one at another address
    desk.is_gone()


def test_other_names_than_those_of_setups_objects_are_refused_with_the_options_to_add(desk: Desk) -> None:
    names = ("project_name", "app_name", "reader_name", "visitor_name")
    desk.run()
    message = refusal(desk.with_options(**{name: f"other-{name}" for name in names}))
    for name in names:
        option = f"--{name.replace('_', '-')}"
        assert f"{option} {getattr(desk.options, name)}" in message


def test_setup_without_options_uses_the_names_of_what_it_created(desk: Desk) -> None:
    desk.run()
    plan = replace(desk, options=SetupOptions()).plan()
    names = ("project_name", "app_name", "reader_name", "visitor_name", "role")
    assert [getattr(plan.current.options, name) for name in names] == [getattr(desk.options, name) for name in names]
    assert not plan.changes


SWITCHES: list[tuple[str, str, str, str]] = [
    ("UserService/DeactivateUser", "UserService/ReactivateUser", "reader", "is deactivated"),
    ("UserService/LockUser", "UserService/UnlockUser", "visitor", "is locked"),
    ("ApplicationService/DeactivateApplication", "ApplicationService/ReactivateApplication", "application", "api is"),
    ("ProjectService/DeactivateProject", "ProjectService/ActivateProject", "project", "project is deactivated"),
]


@pytest.mark.thorough
def test_what_is_deactivated_is_refused_and_works_when_it_is_active_again(desk: Desk) -> None:
    desk.run()
    ids = {name: getattr(desk.state, f"{name}_id") for name in ("reader", "visitor", "application", "project")}
    bodies = {name: {"userId": ids[name]} for name in ("reader", "visitor")}
    bodies["project"] = {"projectId": ids["project"]}
    bodies["application"] = {**bodies["project"], "applicationId": ids["application"]}
    for off, on, name, words in SWITCHES:
        desk.api.do(off, **bodies[name])
        assert words in eventually("it is refused", lambda: problem(desk))
        desk.api.do(on, **bodies[name])
    eventually("all are back", lambda: not problem(desk))
    desk.run()
    desk.is_complete()


def test_what_cannot_be_used_is_refused(desk: Desk, workshop: Workshop) -> None:
    human, project = workshop.name("human"), workshop.project("Read:Messages")
    user_id = desk.api.users.CreateUser(organizationId=workshop.home.id, username=human, human=HUMAN)["id"]
    workshop.remove_later(desk.api.users.DeleteUser, userId=user_id)
    app = workshop.app(other := workshop.project(ROLE), oidcConfiguration={"redirectUris": ["http://localhost/back"]})
    refused = {
        "is a human": desk.with_options(reader_name=human),
        "has the role Read:Messages": desk.with_options(project_name=project.name),
        "not of type API": desk.with_options(project_name=other.name, app_name=app.name),
    }
    for words, wrong in refused.items():
        assert words in eventually("it is refused", partial(problem, wrong))


@pytest.mark.parametrize(
    ("option", "role", "words"),
    [("visitor_name", ROLE, "must not have"), ("reader_name", "other", f"without an active {ROLE}")],
)
def test_the_assignment_of_somebody_elses_user_in_their_project_is_not_changed(
    desk: Desk, workshop: Workshop, option: str, role: str, words: str
) -> None:
    project, user = workshop.project(ROLE, "other"), workshop.user(pat=False)
    workshop.grant(user, project, role)
    other = desk.with_options(project_name=project.name, **{option: user.username})
    assert words in eventually("it is refused", lambda: problem(other))


def desk_of(desk: Desk, pat: str) -> Desk:
    return replace(desk, target=(desk.target[0], pat))


def test_whoever_may_not_is_refused_with_what_is_missing(desk: Desk, workshop: Workshop) -> None:
    rows: dict[str, tuple[str, ...]] = {
        secrets.token_urlsafe(53): ("is not valid",),
        workshop.administrator(None).pat: ("not an administrator", "ORG_OWNER"),
        workshop.administrator("ORG_USER_MANAGER").pat: ("not enough", "project.create", "ORG_OWNER"),
    }
    for pat, words in rows.items():
        other = desk_of(desk, pat)
        eventually("it is refused", lambda other=other, word=words[0]: word in problem(other))  # type: ignore[misc]  # mypy infers no lambda with defaults
        assert not [word for word in words if word not in refusal(other)]


def test_what_another_organization_has_is_refused(desk: Desk, workshop: Workshop) -> None:
    taken = workshop.user(organization=workshop.organization(), pat=False)
    other = desk.with_options(reader_name=taken.username)
    assert "is in another organization" in eventually("it is refused", lambda: problem(other))
    project = workshop.project(organization=workshop.organization())
    SetupFiles(desk.path).record(zitadel=desk.target[0], project_id=project.id)  # the files came from a colleague, say
    assert "another organization" in eventually("it is refused", lambda: problem(desk))
    SetupFiles(desk.path).restore()


@pytest.mark.thorough
@pytest.mark.parametrize("is_abroad", [False, True])
def test_an_owner_of_an_organization_can_do_everything_there(desk: Desk, workshop: Workshop, is_abroad: bool) -> None:
    place = workshop.organization() if is_abroad else workshop.home
    owned = desk_of(desk, workshop.administrator("ORG_OWNER", of=place).pat)
    eventually("the role shows", lambda: not problem(owned))
    plan = owned.run()
    assert plan.current.admin.organization_id == place.id
    assert (plan.current.organization is not None) == is_abroad, "the plan names it"
    owned.is_complete()
    assert desk.api.projects.GetProject(projectId=owned.projects()[0])["project"]["organizationId"] == place.id
    owned.tear_down()
    owned.is_gone()


def test_an_organization_is_chosen_by_its_id(desk: Desk, workshop: Workshop) -> None:
    owner, places = workshop.administrator(None), [workshop.organization() for _ in range(2)]
    for place in places:
        ids = {"userId": owner.id, "resource": {"organizationId": place.id}}
        desk.api.administrators.CreateAdministrator(**ids, roles=["ORG_OWNER"]).has()
    owned = desk_of(desk, owner.pat)
    assert "an administrator of several" in eventually("both roles show", lambda: problem(owned))
    client = CountingClient(owned.target)
    client.organization_id = places[1].id
    chosen = eventually("it is listed", lambda: owned.plan(client).current.organization)
    assert (chosen and chosen.name) == places[1].name
    client.organization_id = "299999999999999999"
    with pytest.raises(ZdemoError, match="no organization with the ID of --org"):
        owned.plan(client)


def test_a_name_that_is_taken_meanwhile_is_reported_and_the_next_run_uses_it(desk: Desk, workshop: Workshop) -> None:
    name = desk.options.visitor_name

    def take() -> None:
        ids = {"organizationId": workshop.home.id, "username": name, "machine": {"name": name}}
        workshop.remove_later(desk.api.users.DeleteUser, userId=desk.api.users.CreateUser(**ids)["id"])

    with pytest.raises(ZdemoError) as refused:
        desk.run(CountingClient(desk.target, 1, before=True, act=take))
    words = f"service account {name} did not exist when this setup began; somebody else created"
    assert refused.value.message.startswith(words)
    assert refused.value.hint.startswith("choose another name, or wait")
    desk.run()
    desk.nothing_left_to_do()


WRONG: list[tuple[dict[str, str], str]] = [
    ({"project_name": ""}, "--project-name is empty"),
    ({"project_name": "353545601679493633"}, "--project-name 353545601679493633 is an ID"),
    ({"role": "ORG_OWNER"}, "--role ORG_OWNER is a role of ZITADEL's administrators"),
    ({"reader_name": "x" * 201}, "--reader-name is empty or too long"),
    ({"visitor_name": "a\nb"}, "--visitor-name is empty or too long, has a control character"),
    ({"role": "a,b"}, "--role a,b: ZITADEL accepts this key"),
    ({"reader_name": "Same", "visitor_name": "same"}, "are the same: same"),
]


@pytest.mark.parametrize(("names", "expected"), WRONG)
def test_impossible_options_are_refused(names: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        SetupOptions(**names).check()
    assert (SetupOptions(pat_hours=25).pat_period, SetupOptions().pat_period) == ("25 hours", "30 days")
