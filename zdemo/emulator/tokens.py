"""Find the live token behind a text, or the reason why there is none."""

from zdemo.emulator import host
from zdemo.emulator.credentials import canonical, decoded, without_line_ends
from zdemo.emulator.entities import PersonalAccessToken, SessionToken, User
from zdemo.emulator.records import ago, note
from zdemo.emulator.signing import BadSignature, MalformedJWT, unverified_claims, verify
from zdemo.emulator.world import World

Token = PersonalAccessToken | SessionToken

UNKNOWN = "unknown token"
OLD_IV_BYTES = 16  # with which the content of a token from before v4.14 begins
JWT_DOTS = 2
SESSION_ID_PREFIX = "V2_"  # how IDs of the token endpoint's tokens begin

_INVALID = "token is not valid or has expired"
_NO_SUCH_TOKEN = f"ID=OIDC-Dsfb2 Message={_INVALID} Parent=(ID=EVENT-4T90g Message=Errors.Token.NotFound)"
_ENDED_PAT = f"ID=OIDC-Dsfb2 Message={_INVALID} Parent=(ID=EVENT-5Bm9s Message=Errors.Token.NotFound)"
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
    """Return the live token behind a text. A JWT must name the request's issuer.

    Raises TokenRefused if the token is malformed, unknown or expired, or its user is not active.
    """
    ids = world.token_ids.get(canonical(text)) or _ids_in_jwt(world, without_line_ends(text))
    token = _stored(world, ids)
    if token is None:
        raise TokenRefused(_why_missing(world, ids), _how_ended(world, ids))
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


def _ids_in_jwt(world: World, text: str) -> tuple[str, str]:
    if len(decoded(text) or b"") >= OLD_IV_BYTES:
        raise TokenRefused("ID=OIDC-rei1O Message=invalid token format", UNKNOWN)
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
        reason = str(error) if text.count(".") == JWT_DOTS else UNKNOWN
        raise TokenRefused(f"ID=OIDC-Eib8e Message={_INVALID} Parent=({error})", reason) from error
    return str(claims.get("jti", "")), str(claims.get("sub", ""))


def _why_missing(world: World, ids: tuple[str, str]) -> str:
    token_id, user_id = ids
    if not token_id.startswith(SESSION_ID_PREFIX):
        return _ENDED_PAT if token_id else _NO_SUCH_TOKEN
    user = world.users.get(user_id)
    error_id = "QUERY-M2u9w" if user and user.state == "ACTIVE" else "QUERY-IJL3H"
    return f"ID={error_id} Message=Errors.OIDCSession.Token.Invalid"


def _how_ended(world: World, ids: tuple[str, str]) -> str:
    """Return how a token ended that is not there any more; noting whose it was."""
    ended = world.history.tokens.get(ids[0])
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
        message = _ENDED_PAT if isinstance(token, PersonalAccessToken) else _EXPIRED_SESSION
        raise TokenRefused(message, f"expired {ago(world.now() - token.expires)}")


def _why_dead(world: World, token: Token, user: User | None) -> str:
    if ended := world.history.tokens.get(token.id):
        return ended.why
    if user and user.state != "ACTIVE":
        return f"the user is {'locked' if user.state == 'LOCKED' else 'deactivated'}"
    return "ZITADEL cannot read a PAT of a user whose ID has a colon"
