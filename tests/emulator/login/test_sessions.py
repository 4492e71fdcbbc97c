"""Sessions of people and the requests of applications: how long they live, and how many are kept."""

from tests.support.introspector_doubles import Clock
from zdemo.emulator import User, known_start
from zdemo.emulator.entities import AuthRequest, LoginSession
from zdemo.emulator.incoming.reasons import Why
from zdemo.emulator.oidc.issuing import login_token, new_token
from zdemo.emulator.seed import APP_ID, PERSON_ID
from zdemo.emulator.sessions import add_session, callback_with_code, end_session, live_session
from zdemo.emulator.world import MOST_KEPT, World


def test_a_session_says_what_was_checked_and_ends_by_time_by_order_and_with_its_user() -> None:
    world = known_start().world
    ada = world.users[PERSON_ID]
    world.now = clock = Clock()
    early, ended, last = (add_session(world, ada) for _ in range(3))
    early.password_checked, early.expires = None, clock.now + 10
    end_session(world, ended, Why.LOGGED_OUT)
    clock.now += 5
    last.user_checked = clock.now
    tokens = [login_token(world, world.applications[APP_ID], session, []) for session in (early, last)]
    assert [(token.amr, token.auth_time) for token in tokens] == [([], clock.now - 5), (["pwd"], clock.now)]

    def live() -> list[bool]:
        return [live_session(world, session.id) is session for session in (early, ended, last)]

    assert live() == [True, False, True]
    clock.now += 5
    assert live() == [False, False, True]
    world.set_user_state(ada, "LOCKED", "user.locked")
    assert live() == [False, False, False]


def token_of(world: World, ada: User, session: LoginSession) -> str:
    token = new_token(world, ada, "c", ["openid"], ["c"], amr=[], auth_time=None, session_id=session.id)
    world.add_access_token(token)
    return token.id


def test_the_oldest_of_each_kind_go_with_what_belongs_to_them() -> None:
    world = known_start().world
    ada = world.users[PERSON_ID]
    oldest, kept = add_session(world, ada), add_session(world, ada)
    first, second = (token_of(world, ada, session) for session in (oldest, kept))
    world.login_sessions |= dict.fromkeys(map(str, range(MOST_KEPT - 2)), kept)
    add_session(world, ada)
    held = (len(world.login_sessions), first in world.session_tokens, second in world.session_tokens)
    assert held == (MOST_KEPT, False, True)

    token = world.session_tokens[second]
    world.session_tokens |= dict.fromkeys(map(str, range(MOST_KEPT - 1)), token)
    token_of(world, ada, kept)
    assert (len(world.session_tokens), token.token in world.token_ids) == (MOST_KEPT, False)

    old, new = (AuthRequest(id=id, created=0, client_id="c", scopes=[]) for id in ("old", "new"))
    world.codes |= dict.fromkeys(map(str, range(MOST_KEPT)), old)
    callback_with_code(world, new, kept)
    assert (len(world.codes), list(world.codes.values())[-1]) == (MOST_KEPT, new)
