"""Find the live token behind a text, or the reason why there is none."""

from zdemo.emulator import host
from zdemo.emulator.credentials import IV_BYTES, decoded, ids_in_token, without_line_ends
from zdemo.emulator.entities import PersonalAccessToken, SessionToken, User
from zdemo.emulator.records import ago, note
from zdemo.emulator.signing import BadSignature, MalformedJWT, unverified_claims, verify
from zdemo.emulator.world import World

Token = PersonalAccessToken | SessionToken

UNKNOWN = "unknown token"
JWT_DOTS = 2
SESSION_ID_PREFIX = "V2_"  # how IDs of the token endpoint's tokens begin

_INVALID = "token is not valid or has expired"
_NO_SUCH_TOKEN = f"ID=OIDC-Dsfb2 Message={_INVALID} Parent=(ID=EVENT-4T90g Message=Errors.Token.NotFound)"
_EXPIRED_PAT = f"ID=OIDC-Dsfb2 Message={_INVALID} Parent=(ID=EVENT-5Bm9s Message=Errors.Token.NotFound)"
_EXPIRED_SESSION = "ID=QUERY-SAF3rf Message=Errors.OIDCSession.Token.Expired"


class TokenRefused(Exception):
    """A text that is not a live token; the message is what ZITADEL logs about it, ``reason`` the exact cause."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def find_token(world: World, text: str) -> Token | None:
    """Return the live token behind a text, or None; needs a current request."""
    try:
        return live_token(world, text)
    except TokenRefused:
        return None


def live_token(world: World, text: str) -> Token:
    """Return the live token behind a text. Line ends are ignored, and a JWT must name the request's issuer.

    Raises TokenRefused if the token is malformed, unknown or expired, or its user is not active.
    """
    text = without_line_ends(text)
    ids = ids_in_token(text)
    token = (_stored(world, ids) if ids else None) or _pat_with_text(world, text)
    if token is None and ids is None:
        ids = _ids_in_jwt(world, text)
        token = _stored(world, ids)
    if token is None:
        raise TokenRefused(_why_missing(world, ids), _how_ended(world, ids, text))
    if user := world.users.get(token.user_id):
        note(user=user.username)
    _check_life(world, token)
    return token


def owner(world: World, token: Token) -> User:
    """Return the user of a live token."""
    return world.users[token.user_id]


def _stored(world: World, ids: tuple[str, str]) -> Token | None:
    token_id, user_id = ids
    if token_id.startswith(SESSION_ID_PREFIX):
        session = world.session_tokens.get(token_id)
        return session if session and session.user_id == user_id else None
    user = world.users.get(user_id)
    return user.pats.get(token_id) if user else None


def _pat_with_text(world: World, text: str) -> PersonalAccessToken | None:
    """Find a PAT by its text, which has no IDs inside when it was chosen by hand."""
    content = decoded(text)
    if content is None:
        return None
    beginning = text[:-1]  # several last characters mean the same
    users = (user for user in world.users.values() if ":" not in user.id)  # PATs of others never work (ZITADEL)
    pats = (pat for user in users for pat in user.pats.values() if pat.token.startswith(beginning))
    return next((pat for pat in pats if decoded(pat.token) == content), None)


def _ids_in_jwt(world: World, text: str) -> tuple[str, str]:
    if len(decoded(text) or b"") >= IV_BYTES:
        raise TokenRefused("ID=OIDC-rei1O Message=invalid token format", _how_ended(world, None, text))
    issuer = host.current().issuer
    try:
        claims = unverified_claims(text)
        if claims.get("iss") != issuer:
            got = str(claims.get("iss")).encode("unicode_escape").decode()  # a line end would forge a log line
            raise MalformedJWT(f"issuer does not match: Expected: {issuer}, got: {got}")
        verify(world, text)
        expires = claims.get("exp")
        if not isinstance(expires, int | float):
            raise MalformedJWT("token has no time at which it expires")
        if expires <= world.now():
            if user := world.users.get(str(claims.get("sub"))):
                note(user=user.username)
            reason = f"expired {ago(world.now() - expires)}"
            raise TokenRefused(f"ID=OIDC-Eib8e Message={_INVALID} Parent=(token has expired)", reason)
    except (MalformedJWT, BadSignature) as error:
        reason = str(error) if text.count(".") == JWT_DOTS else _how_ended(world, None, text)
        raise TokenRefused(f"ID=OIDC-Eib8e Message={_INVALID} Parent=({error})", reason) from error
    return str(claims.get("jti", "")), str(claims.get("sub", ""))


def _why_missing(world: World, ids: tuple[str, str] | None) -> str:
    token_id, user_id = ids or ("", "")
    if not token_id.startswith(SESSION_ID_PREFIX):
        return _NO_SUCH_TOKEN
    user = world.users.get(user_id)
    error_id = "QUERY-M2u9w" if user and user.state == "ACTIVE" else "QUERY-IJL3H"
    return f"ID={error_id} Message=Errors.OIDCSession.Token.Invalid"


def _how_ended(world: World, ids: tuple[str, str] | None, text: str) -> str:
    """Return how a token ended that is not there any more; noting whose it was."""
    ended = world.history.tokens.get(ids[0]) if ids else None
    if ended is None:
        content = decoded(text)
        ended = next((e for e in world.history.tokens.values() if content and decoded(e.token.token) == content), None)
    if ended is None:
        return UNKNOWN
    note(user=ended.username)
    return ended.why


def _check_life(world: World, token: Token) -> None:
    user = world.users.get(token.user_id)
    dead = isinstance(token, PersonalAccessToken) and token.dead
    if user is None or user.state != "ACTIVE" or dead:
        raise TokenRefused(_NO_SUCH_TOKEN, _why_dead(world, token, user))
    if token.expires <= world.now():
        message = _EXPIRED_PAT if isinstance(token, PersonalAccessToken) else _EXPIRED_SESSION
        raise TokenRefused(message, f"expired {ago(world.now() - token.expires)}")


def _why_dead(world: World, token: Token, user: User | None) -> str:
    if ended := world.history.tokens.get(token.id):
        return ended.why
    if user and user.state != "ACTIVE":
        return f"the user is {'locked' if user.state == 'LOCKED' else 'deactivated'}"
    return "ZITADEL cannot read a PAT of a user whose ID has a colon"
