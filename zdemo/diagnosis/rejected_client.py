"""Why ZITADEL refuses the API application's credentials: it never says, and little of it can be found out."""

from __future__ import annotations

from dataclasses import replace

from zdemo.config.settings import SECRET_VARIABLES, Settings
from zdemo.diagnosis.client_records import finding_for_client_records
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.phrases import described, seen, url
from zdemo.diagnosis.rejected_key import ask_administrator, clock_skewed, issuer_differs, key_refused
from zdemo.diagnosis.token_form import (
    BASE64URL,
    ID_DIGITS,
    LETTERS_AND_DIGITS,
    OLD_CLIENT_ID,
    PAT_LENGTH,
    SECRET_LENGTH,
    TokenKind,
    paste_leftover,
    token_form,
)
from zdemo.http.response import Response

SERVICE_USER = "Errors.User.Machine.Secret."  # ZITADEL: the login name is right, its secret is wrong or missing
SWAPPED_WITH_TOKEN = "client.swapped_with_token"  # noqa: S105  # an ID, no secret
USER_NOT_ACTIVE = "Errors.User.NotActive"
CAUSE = "ZITADEL refuses the API application's credentials (CLIENT_ID, CLIENT_SECRET)"


def finding_for_credentials(answer: Response, settings: Settings | None, evidence: Evidence) -> Finding:
    """The finding for an answer that refuses the client ID and secret, or the key."""
    if evidence.status(Probe.RANDOM_TOKEN) == 200:
        return _only_for_this_text(answer)
    if answer.status != 400:
        return _not_as_zitadel_refuses(answer, settings.credential_variables if settings else SECRET_VARIABLES)
    if settings and settings.key:
        return (
            issuer_differs(answer, settings, evidence)
            or _everything_refused(answer, evidence)
            or _recorded_or_clock(answer, settings, evidence)
            or key_refused(answer, settings.key, evidence)
        )
    return (
        _service_user(answer, evidence)
        or (_by_their_form(settings, evidence) if settings else None)
        or _everything_refused(answer, evidence)
        or (_recorded(answer, settings, evidence) if settings else None)
        or _open(answer, settings, evidence)
    )


def _only_for_this_text(answer: Response) -> Finding:
    return Finding(
        id="zitadel.filtered",
        cause=f"ZITADEL takes the API application's credentials, but the first request was refused ({answer.status})",
        certainty=Certainty.OPEN,
        candidates=(
            "the application or its secret or key was made, changed or activated a moment ago: ZITADEL takes that in "
            "within milliseconds as a rule, a minute at most",
            "several servers answer in turn at this address, and not all of them are this ZITADEL",
            "something between here and ZITADEL does not let requests about this token pass",
        ),
        seen=(seen(answer), ("credentials", "good: asked about a random text a moment later, ZITADEL answers")),
        fix=("try once more, some times; if it is refused again: look at what stands before ZITADEL, and behind it",),
    )


def _not_as_zitadel_refuses(answer: Response, variables: str) -> Finding:
    return Finding(
        id="client.refused",
        cause=f"what answers at {url(answer).netloc} refuses our credentials with {answer.status}, which ZITADEL v4 "
        "does not do (it answers 400)",
        certainty=Certainty.OPEN,
        candidates=(
            "a proxy or gateway before ZITADEL that wants credentials of its own",
            "ZITADEL_DOMAIN names another authorization server",
            f"another version of ZITADEL, and wrong values in {variables}",
        ),
        seen=(seen(answer),),
        fix=(
            "let the proxy pass /oauth/v2/introspect, and check ZITADEL_DOMAIN",
            f"compare {variables} with the application's page in ZITADEL",
        ),
    )


def _service_user(answer: Response, evidence: Evidence) -> Finding | None:
    """The token endpoint takes a service user's login name and secret, and nobody else's (RFC 6749 §4.4)."""
    reply = evidence.answer(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT)
    if reply is None:
        return None
    description = str(reply.json_object().get("error_description", ""))
    takes_them = reply.status == 200 and "access_token" in reply.json_object()
    if not takes_them and not description.startswith((SERVICE_USER, USER_NOT_ACTIVE)):
        return None
    what = "takes them as a service user's" if takes_them else f"says {quoted(description)}"
    return Finding(
        id="client.is_service_user",
        cause="CLIENT_ID and CLIENT_SECRET are those of a service user; introspection needs an API application's",
        seen=(seen(answer), ("token endpoint", f"{what} ({reply.status})")),
        fix=(
            "set CLIENT_ID and CLIENT_SECRET to those of the API application: its page in the project shows the ID",
            "it has no secret yet, or it is lost: generate a new one there",
        ),
    )


def _by_their_form(settings: Settings, evidence: Evidence) -> Finding | None:
    """What the two values give away by themselves, where that alone is certain."""
    client_id, secret = settings.client_id, settings.client_secret
    if ID_DIGITS.fullmatch(secret) and len(client_id) == SECRET_LENGTH and LETTERS_AND_DIGITS.fullmatch(client_id):
        return Finding(
            id="client.swapped",
            cause="CLIENT_SECRET holds an ID and CLIENT_ID what looks like a secret: they are swapped",
            certainty=Certainty.LIKELY,
            fix=("exchange the values of CLIENT_ID and CLIENT_SECRET",),
        )
    if evidence.token_kind is TokenKind.CLIENT_SECRET and token_form(secret).kind is TokenKind.PAT:
        return Finding(
            id=SWAPPED_WITH_TOKEN,
            cause="CLIENT_SECRET holds what looks like a personal access token, and the token looks like a client "
            "secret: they are swapped",
            certainty=Certainty.LIKELY,
            fix=("exchange the values of CLIENT_SECRET and PAT",),
        )
    return None


def _everything_refused(answer: Response, evidence: Evidence) -> Finding | None:
    """Three things that have nothing in common but where they were made."""
    if not evidence.token_is_dead or not evidence.administrator_is_dead:
        return None
    return Finding(
        id="client.other_instance",
        cause="everything is refused at once, the application's credentials, PAT and ZITADEL_ADMIN_PAT: this ZITADEL "
        "was recreated (its data wiped) since they were made, or they are another instance's",
        certainty=Certainty.LIKELY,
        seen=(*_evidence(answer, evidence), ("administrator", "userinfo refuses ZITADEL_ADMIN_PAT as well (401)")),
        fix=(
            "set ZITADEL_ADMIN_PAT to the new administrator's PAT, then zdemo setup makes all the others anew",
            "or correct ZITADEL_DOMAIN, if another ZITADEL is meant",
        ),
    )


def _recorded(answer: Response, settings: Settings, evidence: Evidence) -> Finding | None:
    odd = () if settings.key else _odd_forms(settings)
    seen = (*_evidence(answer, evidence), *(("values", text) for text in odd))
    return finding_for_client_records(evidence.client_records, settings, seen, now=evidence.looked_up_at)


def _recorded_or_clock(answer: Response, settings: Settings, evidence: Evidence) -> Finding | None:
    """What an administrator sees for certain goes before the clock, which only explains; both may need mending."""
    recorded, clock = _recorded(answer, settings, evidence), clock_skewed(answer, evidence)
    if recorded is None or clock is None or recorded.certainty is not Certainty.CERTAIN:
        return clock or recorded
    return replace(recorded, seen=(*recorded.seen, ("clock", clock.cause)), fix=(*recorded.fix, *clock.fix))


def _open(answer: Response, settings: Settings | None, evidence: Evidence) -> Finding:
    elsewhere = "they belong to another ZITADEL, or this one was recreated since"
    nothing_is_known_here = evidence.token_is_dead
    shown = f" {settings.client_id}" if settings and ID_DIGITS.fullmatch(settings.client_id) else ""
    return Finding(
        id="client.refused",
        cause=CAUSE,
        certainty=Certainty.OPEN,
        candidates=(
            *((elsewhere,) if nothing_is_known_here else ()),
            *(_odd_forms(settings) if settings else ()),
            "CLIENT_ID is wrong: mistyped, or the ID of something else than the application's client",
            "CLIENT_SECRET is wrong, or was regenerated (rotated) since",
            "the application, its project or its organization is inactive or deleted",
            "the application is key-only: it uses private_key_jwt and has no secret",
            *(() if nothing_is_known_here else (elsewhere,)),
        ),
        seen=_evidence(answer, evidence),
        fix=(
            f"compare CLIENT_ID{shown} with the application's page in ZITADEL, and see that it is active",
            "generate a new client secret there and set CLIENT_SECRET",
            ask_administrator(evidence),
        ),
    )


def _evidence(answer: Response, evidence: Evidence) -> tuple[tuple[str, str], ...]:
    body = answer.json_object()
    said = " ".join(filter(None, (quoted(body.get("error")), quoted(body.get("error_description")))))
    lines = [("answer", f"{described(answer)}: {said}")]
    if evidence.answer(Probe.RANDOM_TOKEN):
        lines.append(("random text", "the same answer: it is not about what is asked"))
    if evidence.token_is_dead:
        lines.append(("userinfo", "what was asked about is refused as well: everything may be another ZITADEL's"))
    elif evidence.token_is_alive:
        lines.append(("userinfo", "200: this ZITADEL is the one that knows the caller"))
    return tuple(lines)


def _odd_forms(settings: Settings) -> tuple[str, ...]:
    """What is unusual about the two values: a hint, no proof, since ZITADEL can be told to make others."""
    found = []
    client_id, secret = settings.client_id, settings.client_secret
    if client_id == settings.project_id:
        found.append("CLIENT_ID and ZITADEL_PROJECT_ID are the same: one of them is not what it should be")
    if leftover := paste_leftover(client_id):
        found.append(f"CLIENT_ID was not pasted alone: {leftover}")
    elif not ID_DIGITS.fullmatch(client_id) and not OLD_CLIENT_ID.fullmatch(client_id):
        found.append("CLIENT_ID does not look like a client ID (18 digits): a login name or another value")
    if leftover := paste_leftover(secret):
        found.append(f"CLIENT_SECRET was not pasted alone: {leftover}")
    elif len(secret) == PAT_LENGTH and BASE64URL.fullmatch(secret):
        found.append("CLIENT_SECRET has the form of a personal access token")
    elif len(secret) != SECRET_LENGTH or not LETTERS_AND_DIGITS.fullmatch(secret):
        found.append(
            f"CLIENT_SECRET is {len(secret)} long; ZITADEL makes {SECRET_LENGTH} letters and digits: "
            "cut off, or another value"
        )
    return tuple(found)
