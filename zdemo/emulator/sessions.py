"""People who log in, their sessions, and what asks for them. Whoever calls these functions holds ``world.lock``."""

from urllib.parse import urlencode

from flask import Request, Response

from zdemo.emulator.entities import AuthRequest, LoginSession, Organization, User
from zdemo.emulator.incoming.origin import current_origin
from zdemo.emulator.incoming.reasons import Why
from zdemo.emulator.token_texts import PAT_KEY_NAME, canonical, new_token_text, sealed
from zdemo.emulator.world import World, keep

DEVICE_SECONDS = 300
ORGANIZATION_ID = "urn:zitadel:iam:org:id"  # scopes, with the ID or the domain after a colon
ORGANIZATION_DOMAIN = "urn:zitadel:iam:org:domain:primary"
ORGANIZATION_PREFIXES = (f"{ORGANIZATION_ID}:", f"{ORGANIZATION_DOMAIN}:")


def add_person(  # noqa: PLR0913 - what a person is made of
    world: World,
    organization_id: str,
    username: str,
    given_name: str = "",
    family_name: str = "",
    *,
    email: str = "",
    password: str | None = None,
    id: str | None = None,
) -> User:
    """Add a human with a verified email address; missing names and address are made from the username."""
    given, _, family = username.partition("@")[0].replace(".", " ").title().partition(" ")
    given, family = given_name or given, family_name or family or "Example"
    email = email or (username if "@" in username else f"{username}@example.com")
    user = world.add_user(organization_id, username, f"{given} {family}", machine=False, id=id)
    user.human = {"profile": {"givenName": given, "familyName": family}, "email": {"email": email, "isVerified": True}}
    user.password = password
    return user


def person_of(world: World, login_name: str) -> User | None:
    """Return the active human with this login name, without regard to case."""
    user = world.user_named(login_name)
    return user if user in people(world) else None


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


def add_session(world: World, user: User, browser: str = "") -> LoginSession:
    """Add a session, in which the user and the password were checked now."""
    now = world.now()
    session = LoginSession(id=world.new_id(), created=now, browser=browser, user_id=user.id)
    session.user_checked = session.password_checked = now
    return keep_session(world, session)


def keep_session(world: World, session: LoginSession) -> LoginSession:
    """Add a new session to the world, with a token."""
    new_session_token(world, session)
    for old in keep(world.login_sessions, session.id, session):
        end_session(world, old, Why.SESSION_DROPPED)
    return session


def new_session_token(world: World, session: LoginSession) -> str:
    """Give a session a new token, and return it; the old one ends."""
    session.token = new_token_text(f"sess_{world.new_id()}", session.id, PAT_KEY_NAME)
    return session.token


def live_session(world: World, session_id: str) -> LoginSession | None:
    """Return a session that has not ended, and whose user, if it has one, is active."""
    session = world.login_sessions.get(session_id)
    if session is None or session.ended or session.expires <= world.now():
        return None
    user = world.users.get(session.user_id)
    return session if not session.user_id or (user and user.state == "ACTIVE") else None


def end_session(world: World, session: LoginSession, why: Why) -> None:
    """End a session, its access tokens and its refresh tokens."""
    if session.ended:
        return
    session.ended = True
    world.touch(session)
    world.end_tokens(lambda token: token.session_id == session.id, why)


# --- the requests of applications and devices to log somebody in, and the answers to them ---


def callback_with_code(world: World, request: AuthRequest, session: LoginSession) -> str:
    """Answer a request, which is not answered yet, with a code for the person of a session."""
    request.code = sealed(request.id)
    keep(world.codes, canonical(request.code), request)
    decide(world, request, session)
    return _callback(request, {"code": request.code})


def callback_with_error(world: World, request: AuthRequest, error: str, description: str = "") -> str:
    """Answer a request, which is not answered yet, with an error (RFC 6749 §4.1.2.1)."""
    decide(world, request, None)
    return _callback(request, {"error": error, "error_description": description})


def decide(world: World, request: AuthRequest, session: LoginSession | None) -> None:
    """Answer a request with the session of a person, or refuse it."""
    request.answered, request.session_id = True, session.id if session else ""
    world.touch(request)


def _callback(request: AuthRequest, answer: dict[str, str]) -> str:
    filled = {name: value for name, value in (answer | {"state": request.state}).items() if value}
    mark = "#" if request.response_mode == "fragment" else "&" if "?" in request.redirect_uri else "?"
    return f"{request.redirect_uri}{mark}{urlencode(filled)}"


def waiting_device(world: World, user_code: str) -> AuthRequest | None:
    """Return the request of the device that shows this code, if it is not answered and not too old."""
    devices = world.device_requests.values()
    request = next((device for device in devices if device.user_code == user_code and not device.answered), None)
    return request if request and request.created + DEVICE_SECONDS > world.now() else None


def organizations_of(world: World, request: AuthRequest) -> list[Organization | None]:
    """Return the organizations that the scopes name, ``None`` for an unknown one. Without any, everybody can log in."""
    named = {scope: o for o in world.organizations.values() for scope in organization_scopes(o)}
    return [named.get(scope) for scope in request.scopes if scope.startswith(ORGANIZATION_PREFIXES)]


def organization_scopes(organization: Organization) -> tuple[str, str]:
    """Return the two scopes that name an organization."""
    return f"{ORGANIZATION_ID}:{organization.id}", f"{ORGANIZATION_DOMAIN}:{organization.primary_domain}"


def people_of(world: World, request: AuthRequest) -> list[User]:
    """Return the people who may log in."""
    ids = [organization.id for organization in organizations_of(world, request) if organization]
    everybody = [user for user in people(world) if not ids or user.organization_id in ids]
    return [user for user in everybody if not refusal(world, request, user)]


def refusal(world: World, request: AuthRequest, user: User) -> str:
    """Return ZITADEL's text if the project refuses this user, or an empty text; a device accepts every user."""
    application = world.application_of(request.client_id)
    if application is None or request.user_code:
        return ""
    project = world.projects[application.project_id]
    if project.project_access_required and user.organization_id not in (project.organization_id, *project.grants):
        return "Errors.User.ProjectRequired"
    assigned = ((a.user_id, a.project_id) for a in world.authorizations.values() if a.active)
    wanting = project.authorization_required and (user.id, project.id) not in assigned
    return "Errors.User.GrantRequired" if wanting else ""


def remembered(world: World, request: AuthRequest, browser: str) -> list[LoginSession]:
    """Return the sessions of a browser that may answer, one for each person, the latest first."""
    allowed = {user.id for user in people_of(world, request)}
    oldest = world.now() - request.max_age if request.max_age is not None else 0
    sessions = {
        session.user_id: session
        for session in world.login_sessions.values()
        if browser and session.browser == browser and session.user_id in allowed and session.auth_time > oldest
    }
    return [session for session in reversed(sessions.values()) if live_session(world, session.id)]


# --- the cookie that recognizes a browser: a random text, sent for pages of the same site only ---


def _cookie() -> str:
    """Return the cookie's name, with the port, since browsers send cookies to all ports of a host."""
    return f"zdemo-login-{current_origin().requested_host.rpartition(':')[2]}"


def browser_of(request: Request) -> str:
    """Return the text in the browser's cookie, or an empty text."""
    return request.cookies.get(_cookie(), "")


def remember(answer: Response, browser: str) -> None:
    """Set the browser's cookie, which lasts until the browser is closed."""
    answer.set_cookie(_cookie(), browser, httponly=True, samesite="Lax", secure=current_origin().scheme == "https")


def is_foreign(request: Request) -> bool:
    """Return whether a page of another origin sent a form; programs other than browsers name no origin."""
    if "Origin" in request.headers:
        return request.headers["Origin"].partition("://")[2] != current_origin().requested_host
    return request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
