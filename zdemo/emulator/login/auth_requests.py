"""The requests of applications to log somebody in, and the answers to them, which are URLs of the application.

Whoever calls these functions holds ``world.lock``.
"""

from urllib.parse import urlencode

from zdemo.emulator.entities import AuthRequest, LoginSession
from zdemo.emulator.token_texts import canonical, sealed
from zdemo.emulator.world import World, drop_oldest

CODE_SECONDS = 600


def add_request(world: World, request: AuthRequest) -> None:
    """Keep a request until it is answered, or until many others came after it."""
    world.auth_requests[request.id] = request
    for old in drop_oldest(world.auth_requests):
        world.codes.pop(canonical(old.code), None)


def callback_with_code(world: World, request: AuthRequest, session: LoginSession) -> str:
    """Answer a request, which is not answered yet, with a code for the person of a session."""
    request.answered, request.session_id, request.code = True, session.id, sealed(request.id)
    world.touch(request)
    world.codes[canonical(request.code)] = request
    return _callback(request, {"code": request.code})


def callback_with_error(world: World, request: AuthRequest, error: str, description: str = "") -> str:
    """Answer a request, which is not answered yet, with an error (RFC 6749 §4.1.2.1)."""
    request.answered = True
    world.touch(request)
    return _callback(request, {"error": error, "error_description": description})


def _callback(request: AuthRequest, answer: dict[str, str]) -> str:
    filled = {name: value for name, value in (answer | {"state": request.state}).items() if value}
    before, hash, fragment = request.redirect_uri.partition("#")
    separator = "&" if "?" in before else "?"
    return f"{before}{separator}{urlencode(filled)}{hash}{fragment}"


def request_of_code(world: World, code: str) -> AuthRequest | None:
    """Return the request that a code answers, also when the code was used, or None once it is too old."""
    request = world.codes.get(canonical(code))
    return request if request and request.changed + CODE_SECONDS > world.now() else None
