"""Why a JWT is inactive: its claims, which nothing here has verified, against ZITADEL's issuer and keys."""

from zdemo.diagnosis.cases import InactiveCase
from zdemo.diagnosis.evidence import Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.phrases import audience_scope, shown_list, span
from zdemo.diagnosis.rules.token_form import TokenKind
from zdemo.zitadel.introspection_answer import within_all_clocks

CLAIMS = ("iss", "aud", "exp")


def finding_for_jwt(case: InactiveCase) -> Finding | None:
    """Return why a JWT is inactive that userinfo does not accept either; ``None`` for any other token."""
    if case.form.kind is not TokenKind.JWT:
        return None
    finding = _other_issuer(case) or _id_token(case) or _damaged(case) or _incomplete(case)
    return finding or _expired(case) or _other_audience(case) or _unknown_key(case) or _ended(case)


def _knows_its_key(case: InactiveCase) -> bool | None:
    """Return whether a key of this ZITADEL signed the JWT; ``None`` when its keys are unknown."""
    keys = case.evidence.body(Probe.KEYS).get("keys")
    if not isinstance(keys, list):
        return None
    return any(isinstance(key, dict) and key.get("kid") == case.form.header.get("kid") for key in keys)


def _other_issuer(case: InactiveCase) -> Finding | None:
    discovered = quoted(case.evidence.body(Probe.DISCOVERY).get("issuer"))
    issuer, own = case.form.claims.get("iss"), discovered or case.settings.issuer
    if issuer == own or not isinstance(issuer, str):
        return None
    shown, known = quoted(issuer), _knows_its_key(case)
    seen = (("issuers", f"token: {shown}, ZITADEL: {own}"),)
    request = f"use one issuer for all: request the token from {own}"
    meant = f"or, if {shown} is the ZITADEL that is meant: ZITADEL_DOMAIN={shown}"
    why = {
        True: "; it is the same ZITADEL under another host name, port or scheme (it knows the key)",
        False: "; that is another issuer, another ZITADEL or another product (this one does not know the key)",
        None: "; that is another ZITADEL, or this one under another host name, port or scheme",
    }[known]
    return Finding(
        id="token.other_issuer",
        cause=f"the token's issuer is {shown}, but this ZITADEL is {own}{why}",
        likely=not discovered,
        seen=seen,
        fix=(request,),
        otherwise=(meant,) if issuer.startswith(("http://", "https://")) else (),
    )


def _id_token(case: InactiveCase) -> Finding | None:
    if not case.form.is_id_token:
        return None
    return Finding(
        id="token.is_id_token",
        cause="this is an ID token: it tells the client who logged in, and no API accepts it",
        seen=(("claims", "at_hash or azp, and no jti: an ID token (OpenID Connect Core §2)"),),
        fix=("send the access_token from the same answer of the token endpoint",),
    )


def _damaged(case: InactiveCase) -> Finding | None:
    if case.evidence.signature_fits is not False:
        return None
    return Finding(
        id="token.damaged",
        cause="the JWT's signature does not match its content: it was changed, or a part of it is missing",
        seen=(("signature", "wrong by the key of this ZITADEL that the JWT names"),),
        fix=("copy the whole token again, or request a new one",),
    )


def _incomplete(case: InactiveCase) -> Finding | None:
    """Find a JWT without a claim that each of ZITADEL's access tokens has: who issued it is open."""
    missing = [name for name in CLAIMS if name not in case.form.claims]
    if not missing:
        return None
    return Finding(
        id="token.incomplete",
        cause=f"the JWT lacks {', '.join(missing)}, which all access tokens of ZITADEL have",
        candidates=(f"it is not a token of this ZITADEL ({case.settings.issuer})", "it was changed, or made up"),
        fix=(f"request a token from {case.settings.issuer}, e.g. with zdemo token",),
    )


def _expired(case: InactiveCase) -> Finding | None:
    """Judge by ZITADEL's clock where it is known; by this machine's, which may be wrong, the result is only likely."""
    expires = case.form.claims.get("exp")
    zitadels_now = case.now - (case.evidence.clock_ahead_seconds or 0)
    if type(expires) is not int or expires > zitadels_now:
        return None
    return Finding(
        id="token.expired",
        cause=f"the token has expired, {span(zitadels_now - within_all_clocks(expires))} ago",
        likely=expires > case.now,
        fix=("request a new one",),
    )


def _other_audience(case: InactiveCase) -> Finding | None:
    """Compare the audience only where the project is known: it may be the one that the audience names."""
    named = case.form.claims.get("aud")
    audience, project = named if isinstance(named, list) else [named], case.settings.project_id
    if not project or project in audience or case.settings.client_id in audience:
        return None
    return Finding(
        id="token.other_audience",
        cause="the token is not meant for this API: its audience names neither this API application nor its project. "
        "It is also no longer alive",
        seen=(("audience", shown_list(case.form.claims.get("aud"))),),
        fix=(f"request a new one with the scope {audience_scope(project)}",),
    )


def _unknown_key(case: InactiveCase) -> Finding | None:
    if _knows_its_key(case) is not False:
        return None
    kid = quoted(case.form.header.get("kid"), 40)
    return Finding(
        id="token.unknown_key",
        cause=f"the token was signed with a key that {case.settings.issuer} does not have now",
        candidates=(
            "it belongs to another ZITADEL with the same address, or to this one before it was recreated",
            "the key was replaced since the token was issued",
        ),
        seen=(("key", f"kid {kid} is not among the keys at /oauth/v2/keys"),),
        fix=("request a new one",),
    )


def _ended(case: InactiveCase) -> Finding:
    candidates = [
        "its session was ended, or it was revoked",
        "its user was deactivated, locked or removed since it was issued",
    ]
    if not case.evidence.token_is_dead:
        candidates.insert(0, "it is alive, but not meant for this API (userinfo did not show it)")
    expires = case.form.claims.get("exp")
    if type(expires) is int and expires <= case.now:
        candidates.append("it has expired, if this machine's clock is right and a proxy wrote the Date of the answer")
    if case.evidence.signature_fits is None:
        candidates.append("it was changed or cut off (its signature could not be checked)")
    return Finding(
        id="token.ended",
        cause=f"the claims of the JWT are in order (issuer {case.settings.issuer}, not expired), but ZITADEL calls it "
        "inactive",
        candidates=tuple(candidates),
        seen=(("audience", shown_list(case.form.claims.get("aud"))),),
        fix=("request a new one; if the token endpoint refuses that, its error says what is wrong with the user",),
    )
