"""Sessions of people and the requests of applications: how long they live, and how many are kept."""

import pytest

from tests.support.introspector_doubles import Clock
from zdemo.emulator.entities import AuthRequest, LoginSession, User
from zdemo.emulator.login.auth_requests import (
    CODE_SECONDS,
    add_request,
    callback_with_code,
    request_of_code,
)
from zdemo.emulator.login.sessions import (
    add_session,
    check_password,
    end_session,
    live_session,
    person_of,
)
from zdemo.emulator.oidc.issuing import new_token
from zdemo.emulator.seed import PERSON, PERSON_PASSWORD, known_world
from zdemo.emulator.world import MOST_KEPT, World


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    world = known_world()
    world.now = clock
    return world


@pytest.fixture
def ada(world: World) -> User:
    found = person_of(world, "ADA")
    assert found is not None
    return found


def a_request(world: World) -> AuthRequest:
    made = AuthRequest(id=f"V2_{world.new_id()}", created=world.now(), client_id="c", redirect_uri="/", scopes=[])
    add_request(world, made)
    return made


def test_a_session_says_what_was_checked_and_when(world: World, clock: Clock, ada: User) -> None:
    assert (PERSON, check_password(ada, PERSON_PASSWORD), check_password(ada, "x")) == ("ada", True, False)
    empty, by_user, by_password = add_session(world), add_session(world, ada), add_session(world, ada, password=True)
    assert [session.amr for session in (empty, by_user, by_password)] == [[], [], ["pwd"]]
    clock.now += 5
    by_user.password_checked = world.now()
    assert (by_user.auth_time, by_password.auth_time) == (clock.now, clock.now - 5)


def test_a_session_ends_by_time_with_its_user_and_by_order(world: World, clock: Clock, ada: User) -> None:
    brief, ended, last = add_session(world, ada, expires=world.now() + 10), add_session(world, ada), add_session(world)
    end_session(world, ended, "the person logged out")

    def live() -> list[bool]:
        return [live_session(world, session.id) is session for session in (brief, ended, last)]

    assert live() == [True, False, True]
    clock.now += 10
    assert live() == [False, False, True]
    alive = add_session(world, ada)
    world.set_user_state(ada, "LOCKED", "user.locked")
    assert live_session(world, alive.id) is None


def token_of(world: World, ada: User, session: LoginSession) -> str:
    token = new_token(world, ada, "c", ["openid"], ["c"], amr=[], auth_time=None, session_id=session.id)
    world.add_access_token(token)
    return token.id


def test_the_oldest_session_goes_with_its_tokens(world: World, ada: User) -> None:
    oldest, kept = add_session(world, ada), add_session(world, ada)
    tokens = [token_of(world, ada, session) for session in (oldest, kept)]
    for _ in range(MOST_KEPT - 2):
        world.login_sessions[str(len(world.login_sessions))] = kept
    add_session(world, ada)
    assert len(world.login_sessions) == MOST_KEPT
    assert [token in world.session_tokens for token in tokens] == [False, True]


def test_the_world_keeps_no_more_tokens_than_that(world: World, ada: User) -> None:
    first = token_of(world, ada, add_session(world, ada))
    text = world.session_tokens[first].token
    for number in range(MOST_KEPT):
        world.session_tokens[f"V2_{number}"] = world.session_tokens[first]
    token_of(world, ada, add_session(world, ada))
    assert (len(world.session_tokens), text in world.token_ids) == (MOST_KEPT, False)


def test_a_code_lives_ten_minutes(world: World, clock: Clock, ada: User) -> None:
    request = a_request(world)
    callback_with_code(world, request, add_session(world, ada))
    clock.now += CODE_SECONDS - 1
    assert (request_of_code(world, request.code), len(request.code)) == (request, 233)
    clock.now += 1
    assert (request_of_code(world, request.code), CODE_SECONDS) == (None, 600)


def test_the_oldest_requests_and_codes_go(world: World, ada: User) -> None:
    oldest = a_request(world)
    for number in range(MOST_KEPT):
        world.auth_requests[str(number)] = world.codes[str(number)] = oldest
    latest = a_request(world)
    callback_with_code(world, latest, add_session(world, ada))
    for kept in (world.auth_requests, world.codes):
        assert (len(kept), list(kept.values())[-1]) == (MOST_KEPT, latest)
