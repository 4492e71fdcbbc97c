"""Why ZITADEL calls a JWT inactive that userinfo refuses too, by its unverified claims: the surest first."""

from zdemo.diagnosis.evidence import Probe, TokenCase
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.rule import rule, table
from zdemo.diagnosis.wording import audience_scope, shown_list, span
from zdemo.errors.steps import Command, SetVariable, sentence
from zdemo.zitadel.introspection_answer import within_all_clocks

CLAIMS = ("iss", "aud", "exp")  # in every JWT from ZITADEL
REQUEST_AGAIN = "request a new one"


@rule(Probe.KEYS)
def _wrong_signature(case: TokenCase) -> Finding | None:
    if case.evidence.signature_fits is not False:
        return None
    return Finding(
        id="token.damaged",
        cause="the JWT's signature does not match its content: it was changed, or a part of it is missing",
        seen=(("signature", "does not match the key of this ZITADEL that the JWT names"),),
        fix=("copy the whole token again, or request a new one",),
    )


@rule(Probe.DISCOVERY, Probe.KEYS)
def _other_issuer(case: TokenCase) -> Finding | None:
    named = case.form.claims.get("iss")
    own = case.evidence.issuer or case.settings.issuer
    if not isinstance(named, str) or named == own:
        return None
    issuer = quoted(named)
    why = {
        True: "; it is the same ZITADEL under another host name, port or scheme (it knows the key)",
        False: "; that is another ZITADEL or another product (this one does not know the key)",
        None: "; that is another ZITADEL, or this one under another host name, port or scheme",
    }[_key_is_known(case)]
    return Finding(
        id="token.other_issuer",
        cause=f"the token's issuer is {issuer}, but this ZITADEL is {own}{why}",
        likely=not case.evidence.issuer,
        fix=(f"request the token from {own}",),
        otherwise=(SetVariable("ZITADEL_DOMAIN", issuer, does=f"if {issuer} is the ZITADEL that is meant"),),
    )


def _by_its_claims(case: TokenCase) -> Finding | None:
    claims, issuer = case.form.claims, case.settings.issuer
    request = sentence(f"request a token from {issuer}, e.g. with", Command("token"))
    if case.form.is_id_token:
        return Finding(
            id="token.is_id_token",
            cause="this is an ID token: it tells the client who logged in, and no API accepts it",
            seen=(("claims", "at_hash or azp, and no jti: an ID token (OpenID Connect Core §2)"),),
            fix=("send the access_token from the same answer of the token endpoint",),
        )
    algorithm = quoted(case.form.header.get("alg"), 20)
    if algorithm.upper().startswith(("NONE", "HS")):
        cause = f"the JWT's algorithm is {algorithm}, which ZITADEL never uses: another product made it"
        return Finding(id="token.damaged", cause=cause, fix=(request,))
    if missing := [name for name in CLAIMS if name not in claims]:
        return Finding(
            id="token.incomplete",
            cause=f"the JWT lacks {', '.join(missing)}, which all access tokens of ZITADEL have",
            candidates=(f"it is not a token of this ZITADEL ({issuer})", "it was changed, or made up"),
            fix=(request,),
        )
    expires = claims["exp"]
    if type(expires) is int and expires <= case.zitadels_now:
        cause = f"the token has expired, {span(case.zitadels_now - within_all_clocks(expires))} ago"
        return Finding(id="token.expired", cause=cause, likely=expires > case.now, fix=(REQUEST_AGAIN,))
    return None


def _other_audience(case: TokenCase) -> Finding | None:
    project, audience = case.settings.project_id, case.form.audience  # an unknown project may be the named one
    if not project or project in audience or case.settings.client_id in audience:
        return None
    return Finding(
        id="token.other_audience",
        cause="the token is not meant for this API (by its audience), and no longer valid",
        seen=(("audience", shown_list(audience)),),
        fix=(f"request a new one with the scope {audience_scope(project)}",),
    )


@rule(Probe.USERINFO, Probe.KEYS)
def _ended(case: TokenCase) -> Finding:
    issuer, evidence = case.settings.issuer, case.evidence
    if _key_is_known(case) is False:
        kid = quoted(case.form.header.get("kid"), 40)
        return Finding(
            id="token.unknown_key",
            cause=f"the token was signed with a key that {issuer} does not have now",
            candidates=(
                "it belongs to another ZITADEL with the same address, or to this one before it was recreated",
                "the key was replaced since the token was issued",
            ),
            seen=(("key", f"kid {kid} is not among the keys at /oauth/v2/keys"),),
            fix=(REQUEST_AGAIN,),
        )
    not_seen = "it is valid, but not meant for this API (userinfo did not show it)"
    damaged = "it was changed or cut off (its signature could not be checked)"
    return Finding(
        id="token.ended",
        cause=f"the claims of the JWT are correct (issuer {issuer}, not expired), but ZITADEL calls it inactive",
        candidates=(
            *(() if Probe.USERINFO in evidence.refused else (not_seen,)),
            "its session was ended, or it was revoked",
            "its user was deactivated, locked or removed since it was issued",
            *((damaged,) if evidence.signature_fits is None else ()),
        ),
        seen=(("audience", shown_list(case.form.audience)),),
        fix=("request a new one; if the token endpoint refuses that, its error says what is wrong with the user",),
    )


def _key_is_known(case: TokenCase) -> bool | None:
    """Return whether this ZITADEL has the key that the JWT names; ``None`` when that is unknown."""
    keys, kid = case.evidence.answer(Probe.KEYS).json_object().get("keys"), case.form.header.get("kid")
    return any(isinstance(key, dict) and key.get("kid") == kid for key in keys) if isinstance(keys, list) else None


INACTIVE_JWT = table(_wrong_signature, _other_issuer, _by_its_claims, _other_audience, _ended)
