"""Why a JWT is inactive: its claims, which nothing here has verified, against ZITADEL's issuer and keys."""

from collections.abc import Iterator

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.token_form import TokenForm
from zdemo.diagnosis.wording import audience_scope, shown_list, span
from zdemo.zitadel.introspection_answer import within_all_clocks

CLAIMS = ("iss", "aud", "exp")


def findings_for_jwt(form: TokenForm, settings: Settings, evidence: Evidence, now: float) -> Iterator[Finding]:
    """Yield why a JWT is inactive that userinfo does not accept either, the surest first."""
    claims, issuer = form.claims, settings.issuer
    keys = evidence.body(Probe.KEYS).get("keys")
    knows_its_key = None  # unknown
    if isinstance(keys, list):
        knows_its_key = any(isinstance(key, dict) and key.get("kid") == form.header.get("kid") for key in keys)
    discovered, named = quoted(evidence.body(Probe.DISCOVERY).get("issuer")), claims.get("iss")
    if isinstance(named, str) and named != (discovered or issuer):
        own, shown = discovered or issuer, quoted(named)
        why = {
            True: "; it is the same ZITADEL under another host name, port or scheme (it knows the key)",
            False: "; that is another ZITADEL or another product (this one does not know the key)",
            None: "; that is another ZITADEL, or this one under another host name, port or scheme",
        }[knows_its_key]
        yield Finding(
            id="token.other_issuer",
            cause=f"the token's issuer is {shown}, but this ZITADEL is {own}{why}",
            likely=not discovered,
            fix=(f"use one issuer for all: request the token from {own}",),
            otherwise=(f"or, if {shown} is the ZITADEL that is meant: ZITADEL_DOMAIN={shown}",),
        )
    if form.is_id_token:
        yield Finding(
            id="token.is_id_token",
            cause="this is an ID token: it tells the client who logged in, and no API accepts it",
            seen=(("claims", "at_hash or azp, and no jti: an ID token (OpenID Connect Core §2)"),),
            fix=("send the access_token from the same answer of the token endpoint",),
        )
    if evidence.signature_fits is False:
        yield Finding(
            id="token.damaged",
            cause="the JWT's signature does not match its content: it was changed, or a part of it is missing",
            seen=(("signature", "wrong by the key of this ZITADEL that the JWT names"),),
            fix=("copy the whole token again, or request a new one",),
        )
    if (algorithm := quoted(form.header.get("alg"), 20)).upper().startswith(("NONE", "HS")):
        yield Finding(
            id="token.damaged",
            cause=f"the JWT's algorithm is {algorithm}, which ZITADEL never uses: another product made it",
            fix=(f"request a token from {issuer}, e.g. with zdemo token",),
        )
    if missing := [name for name in CLAIMS if name not in claims]:  # who issued it is open
        yield Finding(
            id="token.incomplete",
            cause=f"the JWT lacks {', '.join(missing)}, which all access tokens of ZITADEL have",
            candidates=(f"it is not a token of this ZITADEL ({issuer})", "it was changed, or made up"),
            fix=(f"request a token from {issuer}, e.g. with zdemo token",),
        )
    expires = claims["exp"] if type(claims.get("exp")) is int else None
    zitadels_now = now - (evidence.clock_ahead_seconds or 0)  # this machine's clock may be wrong
    if expires is not None and expires <= zitadels_now:
        yield Finding(
            id="token.expired",
            cause=f"the token has expired, {span(zitadels_now - within_all_clocks(expires))} ago",
            likely=expires > now,
            fix=("request a new one",),
        )
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    project = settings.project_id  # unknown, it may be the one that the audience names
    if project and project not in audience and settings.client_id not in audience:
        yield Finding(
            id="token.other_audience",
            cause="the token is not meant for this API (by its audience), and is no longer alive",
            seen=(("audience", shown_list(audience)),),
            fix=(f"request a new one with the scope {audience_scope(project)}",),
        )
    if knows_its_key is False:
        yield Finding(
            id="token.unknown_key",
            cause=f"the token was signed with a key that {issuer} does not have now",
            candidates=(
                "it belongs to another ZITADEL with the same address, or to this one before it was recreated",
                "the key was replaced since the token was issued",
            ),
            seen=(("key", f"kid {quoted(form.header.get('kid'), 40)} is not among the keys at /oauth/v2/keys"),),
            fix=("request a new one",),
        )
    not_shown = "it is alive, but not meant for this API (userinfo did not show it)"
    damaged = "it was changed or cut off (its signature could not be checked)"
    yield Finding(
        id="token.ended",
        cause=f"the claims of the JWT are in order (issuer {issuer}, not expired), but ZITADEL calls it inactive",
        candidates=(
            *(() if evidence.token_is_dead else (not_shown,)),
            "its session was ended, or it was revoked",
            "its user was deactivated, locked or removed since it was issued",
            *((damaged,) if evidence.signature_fits is None else ()),
        ),
        seen=(("audience", shown_list(audience)),),
        fix=("request a new one; if the token endpoint refuses that, its error says what is wrong with the user",),
    )
