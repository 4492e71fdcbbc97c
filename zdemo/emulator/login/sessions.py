"""People who log in, and their sessions. Whoever calls these functions holds ``world.lock``."""

import hmac

from zdemo.emulator.entities import NEVER, LoginSession, User
from zdemo.emulator.token_texts import PAT_KEY_NAME, canonical, new_token_text
from zdemo.emulator.world import World, drop_oldest


def add_person(  # noqa: PLR0913 - what a person is made of
    world: World,
    organization_id: str,
    username: str,
    given_name: str,
    family_name: str,
    *,
    email: str,
    password: str | None = None,
    id: str | None = None,
) -> User:
    """Add a human with a verified address."""
    user = world.add_user(organization_id, username, f"{given_name} {family_name}", machine=False, id=id)
    user.human = {
        "profile": {"givenName": given_name, "familyName": family_name},
        "email": {"email": email, "isVerified": True},
    }
    user.password = password
    return user


def person_of(world: World, login_name: str) -> User | None:
    """Return the active human with this login name, without regard to case."""
    login_name = login_name.casefold()
    return next((user for user in people(world) if user.username.casefold() == login_name), None)


def people(world: World) -> list[User]:
    """Return the humans who can log in."""
    return [user for user in world.users.values() if not user.machine and user.state == "ACTIVE"]


def set_auto_login(world: World, login_name: str) -> None:
    """Log this person in at each request without asking, or nobody. Raises KeyError for an unknown person."""
    with world.lock:
        user = person_of(world, login_name)
        if login_name and user is None:
            raise KeyError(login_name)
        world.auto_login = user.username if user else ""


def check_password(user: User, password: str) -> bool:
    """Return whether this is the user's password."""
    return bool(user.password) and hmac.compare_digest(str(user.password).encode(), password.encode())


# --- sessions ---


def add_session(
    world: World,
    user: User | None = None,
    *,
    password: bool = False,
    expires: float = NEVER,
    browser: str = "",
    id: str | None = None,
) -> LoginSession:
    """Add a session, in which the user, and with ``password`` the password too, was checked now."""
    now = world.now()
    session = LoginSession(id=id or world.new_id(), created=now, expires=expires, browser=browser)
    if user:
        session.user_id, session.user_checked = user.id, now
        session.password_checked = now if password else None
    return keep_session(world, session)


def keep_session(world: World, session: LoginSession) -> LoginSession:
    """Add a new session to the world, with a token."""
    new_session_token(world, session)
    world.login_sessions[session.id] = session
    for old in drop_oldest(world.login_sessions):
        _end_tokens(world, old, "the emulator keeps no more logins")
    return session


def new_session_token(world: World, session: LoginSession) -> str:
    """Give a session a new token, and return it; the old one ends."""
    session.token = new_token_text(f"sess_{world.new_id()}", session.id, PAT_KEY_NAME)
    return session.token


def has_token(session: LoginSession, text: str) -> bool:
    """Return whether this is the session's token."""
    return hmac.compare_digest(canonical(session.token), canonical(text))


def live_session(world: World, session_id: str) -> LoginSession | None:
    """Return a session that has not ended; a user whom it has is there and active."""
    session = world.login_sessions.get(session_id)
    if session is None or session.ended or session.expires <= world.now():
        return None
    user = world.users.get(session.user_id)
    return session if not session.user_id or (user and user.state == "ACTIVE") else None


def end_session(world: World, session: LoginSession, why: str) -> None:
    """End a session, its access tokens and its refresh tokens."""
    if session.ended:
        return
    session.ended = True
    world.touch(session)
    _end_tokens(world, session, why)


def _end_tokens(world: World, session: LoginSession, why: str) -> None:
    world.end_tokens(lambda token: token.session_id == session.id, why)
