"""Why a JWT is inactive: what it says of itself, unverified, against what this ZITADEL says of itself."""

from __future__ import annotations

from typing import Any

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.phrases import audience_scope, shown_list
from zdemo.diagnosis.rejected_token import CLOCK_TOLERANCE_SECONDS, clock_words
from zdemo.diagnosis.token_form import TokenForm
from zdemo.introspection.model import within_all_clocks

Lines = tuple[tuple[str, str], ...]


def finding_for_jwt(form: TokenForm, settings: Settings, evidence: Evidence, seen: Lines, *, now: float) -> Finding:
    """The finding for a JWT that is inactive here and that userinfo does not take either."""
    ahead = evidence.clock_ahead_seconds or 0
    if abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        seen = (*seen, ("clock", f"{clock_words(ahead)}, by the Date of its answer"))
    return (
        _other_issuer(form, settings, evidence, seen)
        or _id_token(form, seen)
        or _damaged(evidence, seen)
        or _expired(form, seen, now, now - ahead)
        or _other_audience(form, settings, seen)
        or _unknown_key(form, settings, evidence, seen)
        or _ended(form, settings, evidence, seen, now)
    )


def _own_issuer(evidence: Evidence) -> str:
    """What this ZITADEL calls itself; empty when it did not tell."""
    discovery = evidence.answer(Probe.DISCOVERY)
    return quoted(discovery.json_object().get("issuer")) if discovery else ""


def _knows_its_key(form: TokenForm, evidence: Evidence) -> bool | None:
    """Whether the key that signed the JWT is one of this ZITADEL's; ``None`` when its keys are not known."""
    answer = evidence.answer(Probe.KEYS)
    keys = answer.json_object().get("keys") if answer else None
    if not isinstance(keys, list):
        return None
    return any(isinstance(key, dict) and key.get("kid") == form.header.get("kid") for key in keys)


def _other_issuer(form: TokenForm, settings: Settings, evidence: Evidence, seen: Lines) -> Finding | None:
    told = _own_issuer(evidence)
    theirs, ours = form.claims.get("iss"), told or settings.issuer
    if theirs == ours or not isinstance(theirs, str):
        return None
    known = _knows_its_key(form, evidence)
    fix = [f"use one issuer for all: request the token from {ours}"]
    if known is not True and not _may_be_zitadels(theirs):
        return Finding(
            id="token.other_issuer",
            cause=f"the token is of the issuer {quoted(theirs)}, which is not this ZITADEL ({ours}), nor any other: "
            "ZITADEL's name is scheme, host and port alone",
            seen=(*seen, ("issuers", f"token: {quoted(theirs)}, ZITADEL: {ours}")),
            fix=tuple(fix),
        )
    if theirs.startswith(("http://", "https://")):
        fix.append(f"or, if {quoted(theirs)} is the ZITADEL that is meant: ZITADEL_DOMAIN={quoted(theirs)}")
    why = {
        True: "; it is the same ZITADEL under another host name, port or scheme (it knows the key)",
        False: "; that is another issuer, another ZITADEL or another product (this one does not know the key)",
        None: "; that is another ZITADEL, or this one under another host name, port or scheme",
    }[known]
    return Finding(
        id="token.other_issuer",
        cause=f"the token is of the issuer {quoted(theirs)}, and this ZITADEL is {ours}{why}",
        certainty=Certainty.CERTAIN if told else Certainty.LIKELY,
        seen=(*seen, ("issuers", f"token: {quoted(theirs)}, ZITADEL: {ours}")),
        fix=tuple(fix),
    )


def _may_be_zitadels(issuer: str) -> bool:
    """ZITADEL's name is put together from scheme and host: one with a path, or a slash at the end, is no ZITADEL's."""
    scheme, _, rest = issuer.partition("://")
    return scheme in ("http", "https") and bool(rest) and "/" not in rest


def _id_token(form: TokenForm, seen: Lines) -> Finding | None:
    if not form.is_id_token:
        return None
    return Finding(
        id="token.is_id_token",
        cause="this is an ID token: it tells the client who logged in, and no API takes it",
        seen=(*seen, ("claims", "at_hash or azp, and no jti: an ID token (OpenID Connect Core §2)")),
        fix=("send the access_token of the same answer of the token endpoint",),
    )


def _damaged(evidence: Evidence, seen: Lines) -> Finding | None:
    if evidence.signature_fits is not False:
        return None
    return Finding(
        id="token.damaged",
        cause="the JWT's signature does not fit its content: it was changed, or a part of it is missing",
        seen=(*seen, ("signature", "checked with the key of this ZITADEL that it names: wrong")),
        fix=("copy the whole token once more, or request a new one",),
    )


def _expired(form: TokenForm, seen: Lines, now: float, zitadels_now: float) -> Finding | None:
    """By ZITADEL's clock, where it told the time: by ours, which may be wrong, the token need not have ended."""
    expires = form.claims.get("exp")
    if type(expires) is not int or expires > zitadels_now:
        return None
    return Finding(
        id="token.expired",
        cause=f"the token has expired, {span(zitadels_now - within_all_clocks(expires))} ago",
        certainty=Certainty.CERTAIN if expires <= now else Certainty.LIKELY,
        seen=seen,
        fix=("request a new one",),
    )


def span(seconds: float) -> str:
    """A span of time in the unit that fits."""
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}" + ("s" if count > 1 else "")
    return f"{int(seconds)} s"


def _audience(form: TokenForm) -> list[Any]:
    audience = form.claims.get("aud")
    return audience if isinstance(audience, list) else [audience]


def _other_audience(form: TokenForm, settings: Settings, seen: Lines) -> Finding | None:
    """Without the project's ID nothing can be said: it may be the one that the audience names."""
    audience = _audience(form)
    if not settings.project_id or settings.project_id in audience or settings.client_id in audience:
        return None
    return Finding(
        id="token.other_audience",
        cause="the token is not meant for this API: its audience names neither this API application nor its project, "
        "and it is dead besides",
        seen=(*seen, ("audience", shown_list(audience))),
        fix=(f"request a new one with the scope {audience_scope(settings.project_id)}",),
    )


def _unknown_key(form: TokenForm, settings: Settings, evidence: Evidence, seen: Lines) -> Finding | None:
    if _knows_its_key(form, evidence) is not False:
        return None
    return Finding(
        id="token.unknown_key",
        cause=f"the token was signed with a key that {settings.issuer} does not have now",
        certainty=Certainty.OPEN,
        candidates=(
            "it is of another ZITADEL with the same address, or of this one before it was recreated",
            "the key was replaced since it was issued",
        ),
        seen=(*seen, ("key", f"kid {quoted(form.header.get('kid'), 40)} is not among the keys at /oauth/v2/keys")),
        fix=("request a new one",),
    )


def _ended(form: TokenForm, settings: Settings, evidence: Evidence, seen: Lines, now: float) -> Finding:
    candidates = [
        "its session was ended, or it was revoked",
        "its user was deactivated, locked or removed since it was issued",
    ]
    if not evidence.token_is_dead:
        candidates.insert(0, "it is alive, and not meant for this API (userinfo did not tell)")
    expires = form.claims.get("exp")
    if type(expires) is int and expires <= now:
        candidates.append("it has expired, if this machine's clock is right, and the Date of the answer a proxy's")
    if evidence.signature_fits is None:
        candidates.append("it was changed or cut (its signature could not be checked)")
    return Finding(
        id="token.ended",
        cause=f"the JWT is in order as far as it says ({settings.issuer}, not expired), and ZITADEL calls it inactive",
        certainty=Certainty.OPEN,
        candidates=tuple(candidates),
        seen=(*seen, ("audience", shown_list(_audience(form)))),
        fix=("request a new one; if the token endpoint refuses that, its error says what is wrong with the user",),
    )
