"""Sessions of people and the requests of applications: how long they live, and how many are kept."""

import pytest

from tests.support.introspector_doubles import Clock
from zdemo.emulator.entities import AuthRequest, LoginSession, User
from zdemo.emulator.login.sessions import add_session, callback_with_code, end_session, live_session, person_of
from zdemo.emulator.oidc.issuing import new_token
from zdemo.emulator.world import MOST_KEPT, World


@pytest.fixture
def ada(world: World) -> User:
    found = person_of(world, "ADA")
    assert found is not None
    return found


def test_a_session_says_what_was_checked_and_when(world: World, clock: Clock, ada: User) -> None:
    early, late = add_session(world, ada), add_session(world, ada)
    early.password_checked = None
    clock.now += 5
    late.user_checked = clock.now
    assert (early.amr, early.auth_time, late.amr, late.auth_time) == ([], clock.now - 5, ["pwd"], clock.now)


def test_a_session_ends_by_time_with_its_user_and_by_order(world: World, clock: Clock, ada: User) -> None:
    brief, ended, last = (add_session(world, ada) for _ in range(3))
    brief.expires = clock.now + 10
    end_session(world, ended, "the person logged out")

    def live() -> list[bool]:
        return [live_session(world, session.id) is session for session in (brief, ended, last)]

    assert live() == [True, False, True]
    clock.now += 10
    assert live() == [False, False, True]
    world.set_user_state(ada, "LOCKED", "user.locked")
    assert live_session(world, last.id) is None


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


def test_no_more_than_so_many_are_kept_of_each_kind(world: World, ada: User) -> None:
    first = token_of(world, ada, add_session(world, ada))
    text = world.session_tokens[first].token
    for number in range(MOST_KEPT):
        world.session_tokens[f"V2_{number}"] = world.session_tokens[first]
    token_of(world, ada, add_session(world, ada))
    assert (len(world.session_tokens), text in world.token_ids) == (MOST_KEPT, False)
    made = [AuthRequest(id=str(number), created=0, client_id="c", scopes=[]) for number in range(2)]
    for number in range(MOST_KEPT):
        world.codes[str(number)] = made[0]
    callback_with_code(world, made[1], add_session(world, ada))
    assert (len(world.codes), list(world.codes.values())[-1]) == (MOST_KEPT, made[1])
