"""New tokens: access tokens, opaque or JWTs, ID tokens and refresh tokens, and the scopes that they can have."""

from typing import Any

from zdemo.emulator.entities import Application, LoginSession, RefreshToken, Token, User
from zdemo.emulator.incoming.origin import current_origin
from zdemo.emulator.oidc import user_claims as claims
from zdemo.emulator.oidc.responses import OAuthError
from zdemo.emulator.sessions import ORGANIZATION_PREFIXES
from zdemo.emulator.signing_keys import half_hash, signed
from zdemo.emulator.token_texts import PAT_KEY_NAME, canonical, new_token_text
from zdemo.emulator.world import World, keep

LIFETIME_SECONDS = 12 * 3600
SCOPE_MISSING = (
    "The scope of your request is missing. Please ensure some scopes are requested. If you have any questions, you "
    "may contact the administrator of the application."
)

_KNOWN_SCOPES = {*claims.OPENID_SCOPES, *claims.CLAIMS_OF, claims.METADATA, claims.RESOURCE_OWNER, claims.ROLES_SCOPE}
KNOWN_PREFIXES = (
    claims.AUDIENCE_PREFIX,
    claims.ROLE_SCOPE_PREFIX,
    claims.ROLE_ORGANIZATION_PREFIX,
    *ORGANIZATION_PREFIXES,
    "urn:zitadel:iam:org:idp:id:",
)


def known_scopes(scope: str | None) -> list[str]:
    """Return the scopes that exist. Raises OAuthError if there is no such parameter."""
    if scope is None:
        raise OAuthError("invalid_request", SCOPE_MISSING, reason="no scope")
    return [s for s in scope.split(" ") if s in _KNOWN_SCOPES or s.startswith(KNOWN_PREFIXES)]


def new_token(world: World, user: User, client_id: str, scopes: list[str], audience: list[str], **login: Any) -> Token:
    """Return a new access token, which ``token_answer`` adds to the world; ``login`` are the token's other fields."""
    id, now = f"V2_{world.new_id()}-at_{world.new_id()}", world.now()
    fields = {"client_id": client_id, "scopes": scopes, "audience": audience, "user_id": user.id, **login}
    text, expires = new_token_text(id, user.id), int(now) + LIFETIME_SECONDS
    return Token(id=id, created=now, token=text, expires=expires, **fields)


def login_token(
    world: World, application: Application, session: LoginSession, scopes: list[str], nonce: str = ""
) -> Token:
    """Return a new access token for the person of a session, like ``new_token``. Raises OAuthError for nobody."""
    user = world.users.get(session.user_id)
    if user is None:
        raise OAuthError("invalid_request", "Errors.User.NotFound")
    amr = ["pwd"] if session.password_checked else []  # how the person logged in (RFC 8176)
    login = {"amr": amr, "auth_time": session.auth_time, "session_id": session.id, "nonce": nonce}
    clients = [a.client_id for a in world.applications.values() if a.project_id == application.project_id]
    audience = dict.fromkeys([*clients, application.project_id, *claims.audience(world, scopes)])
    return new_token(world, active(user), application.client_id, scopes, list(audience), **login)


def active(user: User) -> User:
    """Return the user. Raises OAuthError if the user is not active."""
    if user.state != "ACTIVE":
        state = "locked" if user.state == "LOCKED" else "deactivated"
        raise OAuthError("invalid_request", "Errors.User.NotActive", reason=f"the user is {state}")
    return user


def token_answer(
    world: World,
    token: Token,
    application: Application | None = None,
    *,
    as_jwt: bool | None = None,
    login_scopes: list[str] | None = None,
    issuer: str = "",
) -> dict[str, Any]:
    """Add an access token to the world, and return the token response (RFC 6749 §5.1), which names no scope.

    By default the application, or else the service account, says whether the access token is a JWT. ``login_scopes``
    are those of the login if the token has fewer. With ``offline_access`` among them there is a refresh token. The
    default ``issuer`` is that of the current request.
    """
    user, login_scopes = world.users[token.user_id], login_scopes or token.scopes
    if as_jwt is None:
        of_login = application and application.oidc.get("accessTokenType") == "OIDC_TOKEN_TYPE_JWT"
        as_jwt = bool(of_login) if application else user.jwt_access_tokens
    if as_jwt:
        token.token = signed(world, _access_token_claims(world, token, issuer or current_origin().issuer))
    world.add_access_token(token)
    answer: dict[str, Any] = {"access_token": token.token, "token_type": "Bearer"}
    if application and "offline_access" in login_scopes:
        id, now = f"{token.id.partition('-')[0]}-rt_{world.new_id()}", world.now()
        text, expires = new_token_text(id, user.id, PAT_KEY_NAME), now + 30 * 24 * 3600  # ZITADEL's default
        refresh = RefreshToken(id=id, created=now, text=text, expires=expires, scopes=login_scopes, access=token)
        keep(world.refresh_tokens, canonical(text), refresh)
        answer["refresh_token"] = text
    answer["expires_in"] = LIFETIME_SECONDS - 1  # the whole seconds that remain when the response is written
    if "openid" in token.scopes:
        answer["id_token"] = signed(world, id_token_claims(world, token, application, issuer))
    return answer


def _access_token_claims(world: World, token: Token, issuer: str) -> dict[str, Any]:
    """Return the claims of a JWT access token: no scope, no name, and only the roles that the scopes request."""
    issued = int(token.created)
    return {
        "iss": issuer,
        "sub": token.user_id,
        "aud": token.audience or [token.client_id],
        "exp": int(token.expires),
        "iat": issued,
        "nbf": issued,
        "client_id": token.client_id,
        "jti": token.id,
        **({"act": token.actor} if token.actor else {}),
        **_asserted(world, token, "accessTokenRoleAssertion"),
    }


def id_token_claims(world: World, token: Token, application: Application | None, issuer: str = "") -> dict[str, Any]:
    """Return the claims of an ID token, which for a key assertion expires at once (ZITADEL v4)."""
    issued = int(token.created)
    optional: dict[str, Any] = {"auth_time": token.auth_time and int(token.auth_time), "nonce": token.nonce}
    optional |= {"amr": token.amr, "sid": token.session_id, "act": token.actor}
    full = claims.user_claims(world, world.users[token.user_id], token.scopes)
    return {
        "iss": issuer or current_origin().issuer,
        "sub": token.user_id,
        "aud": token.audience if application else [*token.audience, token.client_id],
        "exp": int(token.expires) if application or token.amr else issued,
        "iat": issued,
        **{name: value for name, value in optional.items() if value},
        "azp": token.client_id,
        "client_id": token.client_id,
        "at_hash": half_hash(world, token.token),
        **(full if application and application.oidc.get("idTokenUserinfoAssertion") else {}),
        **_asserted(world, token, "idTokenRoleAssertion"),
    }


def _asserted(world: World, token: Token, assertion: str) -> dict[str, Any]:
    """Return the ``urn:`` claims, with roles if the application, if there is one, asserts them."""
    user = world.users[token.user_id]
    application = world.application_of(token.client_id)
    custom = claims.custom_claims(world, user, token.scopes)
    if application and not application.oidc.get(assertion):
        return custom
    return custom | claims.requested_roles(world, user, token.scopes, application)
