"""The emulator's own login page: whom it lists, whom it knows again, and that no other page can use its forms."""

from datetime import timedelta

from tests.support.emulator_target import bearer
from tests.support.introspector_doubles import Clock
from tests.support.logins import CALLBACK, Client, add_client, claims, listed, told
from zdemo.emulator import ORGANIZATION_ID, PROJECT_ID, User, World
from zdemo.emulator.seed import PERSON_ID
from zdemo.emulator.sessions import add_person, add_session, set_auto_login

NAVIGATION = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
LOGIN_REQUIRED = {"error": "login_required", "error_description": "The user is not logged in.", "state": "a state"}


def add(world: World, username: str, organization_id: str = ORGANIZATION_ID) -> User:
    return add_person(world, organization_id, username)


def page_of(client: Client, **change: str) -> str:
    answer = client.send("GET", client.login_page(**change))
    assert answer.status_code == 200, answer.text
    return answer.text


def test_it_lists_people_with_their_roles_and_says_what_it_is(public: Client) -> None:
    world = public.emulator.world
    add(world, "eve<script>")
    world.set_user_state(add(world, "gone"), "INACTIVE", "user.deactivated")
    page = public.send("GET", public.login_page())
    assert listed(page.text) == ["ada", "eve&lt;script&gt;"]
    texts = ("This is an emulator of ZITADEL", world.name, "Ada Lovelace", "read:messages", public.application.name)
    assert [text for text in texts if text not in page.text] == []
    assert ("<script" in page.text, page.headers["Cache-Control"]) == (False, "no-store")
    policy = page.headers["Content-Security-Policy"]
    assert ("default-src 'none'" in policy, "frame-ancestors 'none'" in policy) == (True, True)
    assert not any(header.lower().startswith("access-control-") for header in page.headers)


def test_a_hint_comes_first(public: Client) -> None:
    add(public.emulator.world, "eve")
    assert listed(page_of(public, login_hint="EVE")) == ["eve", "ada"]
    assert 'value="nobody"' in page_of(public, login_hint="nobody")


def test_a_new_name_makes_a_person(public: Client) -> None:
    tokens = public.log_in("grace.hopper@navy.example", scope="openid profile email")
    userinfo = public.send("GET", "/oidc/v1/userinfo", headers=bearer(tokens["access_token"])).json()
    assert (userinfo["name"], userinfo["email"]) == ("Grace Hopper", "grace.hopper@navy.example")
    assert "autofocus" in page_of(add_client(public.emulator), prompt="create").partition("Somebody else")[2]


def test_others_cannot_log_in(public: Client) -> None:
    people = len(public.emulator.world.users)
    for name in ("reader", " ", "a\nb", "x" * 201):
        refused = public.choose(public.login_page(), name)
        assert (refused.status_code, len(public.emulator.world.users)) == (400, people)


def test_the_scope_of_an_organization_restricts_who_logs_in(public: Client) -> None:
    world = public.emulator.world
    other = world.add_organization("Other")
    add(world, "eve", other.id)
    scope = f"openid urn:zitadel:iam:org:id:{other.id}"
    assert listed(page_of(public, scope=scope)) == ["eve"]
    assert public.choose(public.login_page(scope=scope), "ada").status_code == 400
    sub = claims(public.log_in("new", scope=scope)["id_token"])["sub"]
    assert world.users[sub].organization_id == other.id


def test_a_project_can_admit_only_people_with_an_assignment(public: Client) -> None:
    add(public.emulator.world, "eve")
    public.emulator.world.projects[PROJECT_ID].authorization_required = True
    set_auto_login(public.emulator.world, "eve")
    assert listed(page_of(public)) == ["ada"]
    assert public.choose(public.login_page(), "eve").status_code == 400


def test_a_request_is_answered_once_also_by_cancel(public: Client) -> None:
    page, other = public.login_page(), public.login_page()
    answer = told(public.choose(page, cancel="1"))
    assert (answer["error"], answer["state"]) == ("access_denied", "a state")
    form = {"authRequest": page.partition("=")[2], "person": "ada"}
    for again in (public.send("POST", page, data=form), public.send("GET", page), public.send("GET", page[:-1])):
        assert (again.status_code, "This login is over" in again.text) == (400, True)
    public.emulator.world.remove_project(public.emulator.world.projects[PROJECT_ID])
    assert public.send("GET", other).status_code == 400, "the application is gone"


def test_a_browser_that_logged_in_is_known_again(public: Client, clock: Clock) -> None:
    first = public.log_in()
    clock.now += 100
    again = public.exchange(told(public.send("GET", public.login_page(prompt="none")))["code"]).json()
    before, after = claims(first["id_token"]), claims(again["id_token"])
    assert (before["sid"], before["auth_time"]) == (after["sid"], after["auth_time"])
    for change in ({"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "100"}, {"login_hint": "eve"}):
        assert "Log in to" in page_of(public, **change), change
    assert told(public.send("GET", public.login_page(max_age="101")))["code"]
    assert "Logged in with this browser" in page_of(public, prompt="select_account")
    assert told(public.send("GET", public.login_page(prompt="none", max_age="100"))) == LOGIN_REQUIRED


def test_the_prompt_login_makes_a_new_login(public: Client, clock: Clock) -> None:
    first = public.log_in()
    clock.now += 100
    second = public.log_in(prompt="login")
    chosen = public.log_in(prompt="select_account")
    earliest, middle, latest = (claims(tokens["id_token"]) for tokens in (first, second, chosen))
    assert (middle["auth_time"] - earliest["auth_time"], middle["sid"] != earliest["sid"]) == (100, True)
    assert latest["sid"] == middle["sid"], "the latest login of this person"


def test_one_browser_knows_several_people(public: Client) -> None:
    add_client(public.emulator).log_in("elsewhere")
    add_session(public.emulator.world, add(public.emulator.world, "automatic"))  # without a browser
    ada, eve = (claims(public.log_in(name, prompt="select_account")["id_token"])["sub"] for name in ("ada", "eve"))
    here, _, others = page_of(public, prompt="select_account").partition("Everybody else")
    assert (listed(here), listed(others)) == (["ada", "eve"], ["elsewhere", "automatic"])
    assert claims(public.log_in(login_hint="ada")["id_token"])["sub"] == ada
    assert claims(public.log_in()["id_token"])["sub"] == eve


def test_prompt_none_is_answered_by_the_login_page(public: Client) -> None:
    page = public.login_page(prompt="none")
    assert page.startswith("/ui/v2/login/login?"), "authorize does not decide"
    assert told(public.send("GET", page)) == LOGIN_REQUIRED
    old = add_client(public.emulator, loginVersion={"loginV1": {}})
    answer = told(old.send("GET", old.login_page(prompt="none")))
    assert answer["error"] == "interaction_required"


def test_only_the_page_itself_and_programs_send_its_forms(shared: Client) -> None:
    own = f"http://localhost:{shared.emulator.port}"
    for headers, allowed in (
        ({}, True),
        ({"Origin": own}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": own}, True),
        ({"Origin": "http://localhost:3000"}, False),
        ({"Origin": "http://evil.example", "Host": "evil.example", "X-Forwarded-Host": "localhost"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
    ):
        client = add_client(shared.emulator)
        page = client.login_page()
        id = page.partition("=")[2]
        answer = client.send("POST", page, data={"authRequest": id, "person": "ada"}, headers=headers)
        assert answer.status_code == (302 if allowed else 403), headers
        assert shared.emulator.world.auth_requests[id].answered == allowed


def test_authorize_answers_at_once_for_the_chosen_person_or_that_of_the_hint(public: Client) -> None:
    world = public.emulator.world
    set_auto_login(world, "ADA")
    eve, other = add(world, "eve"), world.add_organization("Other")
    changes: tuple[dict[str, str], ...] = ({}, {"prompt": "none"}, {"prompt": "login"}, {"max_age": "0"})
    for change in (*changes, {"login_hint": "Eve"}):
        tokens = public.exchange(told(public.authorize(headers=NAVIGATION, **change))["code"]).json()
        sub = eve.id if "login_hint" in change else PERSON_ID
        assert (claims(tokens["id_token"])["sub"], claims(tokens["id_token"])["amr"]) == (sub, ["pwd"])
    world.set_user_state(eve, "INACTIVE", "user.deactivated")
    hints = ({"login_hint": name} for name in ("nobody", "eve", "reader"))
    for change in (*hints, {"scope": f"openid urn:zitadel:iam:org:id:{other.id}"}):
        assert public.login_page(**change).startswith("/ui/v2/login/login?"), change
    assert public.authorize(redirect_uri=f"{CALLBACK}/").status_code == 400, "not a registered address"


def test_a_web_page_script_gets_no_code(public: Client) -> None:
    set_auto_login(public.emulator.world, "ada")
    for headers in (
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {"Origin": "http://evil.example"},
        {"Host": "evil.example:8484", "X-Forwarded-Host": "localhost:8484"},  # DNS rebinding
    ):
        answer = public.authorize(headers=headers)
        assert answer.headers["Location"].startswith("/ui/v2/login/login?"), headers
    assert public.emulator.world.codes == {}


def test_time_that_passes_makes_logins_older(public: Client) -> None:
    tokens = public.log_in(scope="openid offline_access")
    code = public.code()
    public.emulator.advance(timedelta(minutes=11))
    assert public.exchange(code).status_code == 400
    assert "Log in to" in public.send("GET", public.login_page(max_age="600")).text
    before, after = claims(tokens["id_token"]), claims(public.refresh(tokens).json()["id_token"])
    assert before["auth_time"] - after["auth_time"] == 660
