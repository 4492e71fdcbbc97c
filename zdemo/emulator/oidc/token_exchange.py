"""Token exchange (RFC 8693): another token of the same user, or of somebody else whom an actor impersonates."""

import json
from collections.abc import Callable
from typing import Any

from zdemo.emulator.entities import Application, Token
from zdemo.emulator.incoming.origin import current_origin
from zdemo.emulator.incoming.request_records import note
from zdemo.emulator.oidc import issuing
from zdemo.emulator.oidc import user_claims as claims
from zdemo.emulator.oidc.client_authentication import Form, check_assertion
from zdemo.emulator.oidc.introspection import audience_and_scopes
from zdemo.emulator.oidc.responses import OAuthError
from zdemo.emulator.rights import memberships, permissions
from zdemo.emulator.signing_keys import signed
from zdemo.emulator.tokens import TokenRefused, live_token, own_claims, unverified_claims
from zdemo.emulator.world import World

ACCESS, REFRESH, ID, JWT = (
    f"urn:ietf:params:oauth:token-type:{kind}" for kind in ("access_token", "refresh_token", "id_token", "jwt")
)
USER_ID = "urn:zitadel:params:oauth:token-type:user_id"
TYPES = (ACCESS, REFRESH, ID, JWT, USER_ID)
# Of these scopes, and of those for organizations, projects and roles, an impersonated user gets only what the actor has
RESTRICTED = ("offline_access", claims.ROLES_SCOPE, claims.PROJECT_ROLES)


def _contents(world: World, user_id: str, scopes: list[str], audience: list[str], **more: Any) -> Token:
    """Return what a given token says about its user and itself. Raises KeyError for an unknown user."""
    return issuing.new_token(world, world.users[user_id], "", scopes, audience, **more)


def token_exchange(world: World, form: Form, client: Application) -> dict[str, Any]:
    """Exchange a token for another one. Raises OAuthError."""
    for name in ("subject_token_type", "requested_token_type", "actor_token_type"):
        if form.last(name) not in ("", *TYPES):
            raise OAuthError("invalid_request", f"{name} is not supported")
    if form.last("resource"):
        raise OAuthError("invalid_target", "resource parameter not supported")
    subject = _given(world, form, client, "subject", TYPES)
    actor = subject
    if form.last("subject_token_type") in (USER_ID, JWT) or form.last("actor_token"):
        if not world.security.get("enableImpersonation"):
            raise OAuthError("invalid_request", "Errors.TokenExchange.Impersonation.PolicyDisabled", status=403)
        actor = _given(world, form, client, "actor", (ACCESS, ID))
    audience, scopes = _audience(form, subject, actor), _scopes(form, subject, actor)
    acts = actor.actor
    if actor is not subject:
        impersonator, organization_id = world.users[actor.user_id], world.users[subject.user_id].organization_id
        note(user=impersonator.username)
        if not memberships(world, impersonator, organization_id):
            raise OAuthError("invalid_request", "membership not found", status=404, reason="the actor has no role here")
        if "impersonation" not in permissions(world, impersonator, organization_id):
            what = "No matching permissions found"
            raise OAuthError("invalid_request", what, status=403, reason="the actor may not impersonate")
        acts = {"iss": current_origin().issuer, "sub": actor.user_id} | ({"act": acts} if acts else {})
    user, id = issuing.active(world.users[subject.user_id]), client.client_id
    token = issuing.new_token(world, user, id, scopes, audience, amr=actor.amr, auth_time=actor.auth_time, actor=acts)
    kind = form.last("requested_token_type") or ACCESS
    if kind in (REFRESH, USER_ID):
        raise OAuthError("invalid_request", "Errors.TokenExchange.Token.TypeNotSupported")
    head: dict[str, Any] = {"issued_token_type": kind, "scope": " ".join(scopes)}
    if kind == ID:
        content = issuing.id_token_claims(world, token, client)
        del content["at_hash"]
        head |= {"token_type": "N_A", "expires_in": issuing.LIFETIME_SECONDS - 1}
        return {"access_token": signed(world, content), **head}
    return issuing.token_answer(world, token, client, as_jwt=kind == JWT) | head


def _given(world: World, form: Form, client: Application, role: str, allowed: tuple[str, ...]) -> Token:
    """Return what the subject token or the actor token says. Raises OAuthError for one that is of no use."""
    text, kind = form.last(f"{role}_token"), form.last(f"{role}_token_type")
    try:
        if not text or kind not in allowed:
            raise TokenRefused("the token or its type is missing, or the type is not allowed")
        return _READERS[kind](world, client, text)
    except (KeyError, TokenRefused) as error:
        raise OAuthError("invalid_request", f"{role}_token invalid", reason=f"{role}: {error}") from error


def _of_access_token(world: World, client: Application, text: str) -> Token:
    token = live_token(world, text)
    audience, scopes = audience_and_scopes(world, token, client)
    return _contents(world, token.user_id, scopes, audience, amr=token.amr, actor=token.actor)


def _of_id_token(world: World, _: Application, text: str) -> Token:
    """Read an ID token, which counts only with the claims of the scope for the user's organization (ZITADEL)."""
    content = own_claims(world, text)
    if content["exp"] <= world.now():
        raise TokenRefused("an expired ID token")
    if not content.get(f"{claims.RESOURCE_OWNER}:id"):
        raise TokenRefused(f"an ID token without the scope {claims.RESOURCE_OWNER}")
    more = {"amr": content.get("amr", []), "auth_time": content.get("auth_time"), "actor": content.get("act")}
    return _contents(world, content["sub"], [], content["aud"], **more)


def _of_assertion(world: World, client: Application, text: str) -> Token:
    """Read a JWT that the application signed with its own key, about any user."""
    content = unverified_claims(text)
    check_assertion(world, text, content | {"iss": content.get("sub")}, client.keys)
    return _contents(world, str(content.get("sub")), str(content.get("scope", "")).split(), [])


_READERS: dict[str, Callable[[World, Application, str], Token]] = {
    ACCESS: _of_access_token,
    ID: _of_id_token,
    JWT: _of_assertion,
    USER_ID: lambda world, _, text: _contents(world, text, [], []),
}


def _audience(form: Form, subject: Token, actor: Token) -> list[str]:
    wanted = form.all("audience")
    for name in wanted:
        if name not in (*subject.audience, *actor.audience):
            raise OAuthError("invalid_target", f"audience {json.dumps(name)} not found in subject or actor token")
    return wanted or subject.audience or actor.audience


def _scopes(form: Form, subject: Token, actor: Token) -> list[str]:
    """Return the scopes of the new token: those of the given ones, and of an impersonated user what is harmless."""
    wanted = form.last("scope").split() or subject.scopes or actor.scopes
    given, anything_harmless = {*subject.scopes, *actor.scopes}, actor is not subject and not subject.scopes
    for scope in wanted:
        harmless = scope not in RESTRICTED and not scope.startswith(issuing.KNOWN_PREFIXES)
        if scope not in given and not (anything_harmless and harmless):
            raise OAuthError("invalid_scope", f"scope {json.dumps(scope)} not found in subject or actor token")
    return issuing.known_scopes(" ".join(wanted) or None)
