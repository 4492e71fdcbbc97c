"""The requests of applications to log somebody in, and the answers to them, which are URLs of the application.

Whoever calls these functions holds ``world.lock``.
"""

from urllib.parse import urlencode

from zdemo.emulator.entities import AuthRequest, DeviceRequest, LoginSession, Organization, User
from zdemo.emulator.login.sessions import live_session, people
from zdemo.emulator.token_texts import canonical, sealed
from zdemo.emulator.world import World, drop_oldest

CODE_SECONDS = 600
Asked = AuthRequest | DeviceRequest


def add_request(world: World, request: AuthRequest) -> None:
    """Keep a request until it is answered, or until many others came after it."""
    world.auth_requests[request.id] = request
    drop_oldest(world.auth_requests)


def callback_with_code(world: World, request: AuthRequest, session: LoginSession) -> str:
    """Answer a request, which is not answered yet, with a code for the person of a session."""
    request.answered, request.session_id, request.code = True, session.id, sealed(request.id)
    world.touch(request)
    world.codes[canonical(request.code)] = request
    drop_oldest(world.codes)
    return _callback(request, {"code": request.code})


def callback_with_error(world: World, request: AuthRequest, error: str, description: str = "") -> str:
    """Answer a request, which is not answered yet, with an error (RFC 6749 §4.1.2.1)."""
    request.answered = True
    world.touch(request)
    return _callback(request, {"error": error, "error_description": description})


def _callback(request: AuthRequest, answer: dict[str, str]) -> str:
    filled = {name: value for name, value in (answer | {"state": request.state}).items() if value}
    mark = "#" if request.response_mode == "fragment" else "&" if "?" in request.redirect_uri else "?"
    return f"{request.redirect_uri}{mark}{urlencode(filled)}"


def request_of_code(world: World, code: str) -> AuthRequest | None:
    """Return the request that a code answers, also when the code was used, or None once it is too old."""
    request = world.codes.get(canonical(code))
    return request if request and request.changed + CODE_SECONDS > world.now() else None


# --- who may answer a request ---

ORGANIZATION_ID = "urn:zitadel:iam:org:id"  # scopes, with the ID or the domain after a colon
ORGANIZATION_DOMAIN = "urn:zitadel:iam:org:domain:primary"


def names_unknown_organization(world: World, request: AuthRequest) -> bool:
    """Return whether a scope names an organization that does not exist."""
    return None in _named(world, request)


def organizations_of(world: World, request: Asked) -> list[Organization]:
    """Return the organizations that the scopes name; with none, people of all can log in."""
    return [organization for organization in _named(world, request) if organization]


def _named(world: World, request: Asked) -> list[Organization | None]:
    found: list[Organization | None] = []
    for prefix, attribute in ((ORGANIZATION_ID, "id"), (ORGANIZATION_DOMAIN, "primary_domain")):
        names = [scope.removeprefix(f"{prefix}:") for scope in request.scopes if scope.startswith(f"{prefix}:")]
        found += [next((o for o in world.organizations.values() if getattr(o, attribute) == n), None) for n in names]
    return found


def people_of(world: World, request: Asked) -> list[User]:
    """Return the people who may log in."""
    ids = [organization.id for organization in organizations_of(world, request)]
    return [user for user in people(world) if not ids or user.organization_id in ids]


def remembered(world: World, request: AuthRequest, browser: str) -> list[LoginSession]:
    """Return the sessions of a browser that may answer, one for each person, the latest first."""
    allowed = {user.id for user in people_of(world, request)}
    oldest = world.now() - request.max_age if request.max_age is not None else 0
    found = {
        session.user_id: session
        for session in world.login_sessions.values()
        if browser and session.browser == browser and session.user_id in allowed and session.auth_time > oldest
    }
    return [session for session in reversed(found.values()) if live_session(world, session.id)]
