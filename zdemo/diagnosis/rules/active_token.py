"""Why the API refuses an active token, and notes: what is unusual about one, whether it is refused or not."""

from enum import StrEnum, auto

from zdemo.diagnosis.evidence import TokenCase
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.missing_role import MISSING_ROLE, other_application, pat_at_resource
from zdemo.diagnosis.rules.rule import table
from zdemo.diagnosis.wording import CLOCK_COMPARED, SYNCHRONISE, clock_words, shown_list, span
from zdemo.errors import InvalidToken

IGNORED = "ZITADEL ignores it, but no client can send it in a header field: all of this applies to the token alone"
SOON_SECONDS = 600
SOON_FOR_A_PAT_SECONDS = 7 * 86_400


def _bare_answer(case: TokenCase) -> Finding | None:
    if not case.refusal or case.introspection.claims.keys() & {"sub", "iss", "aud"}:
        return None
    zitadel = case.settings.zitadel
    cause = f"{zitadel.server} says that the token is active, but names no user, issuer or audience"
    candidates = ("a stub or another server answers there", "something in between changes ZITADEL's answer")
    fix = (f"correct {zitadel.setting}: host and port of your ZITADEL",)
    return Finding(id="zitadel.bare_answer", cause=cause, candidates=candidates, fix=fix)


def _out_of_time(case: TokenCase) -> Finding | None:
    end, begin, refusal = case.introspection.expires_at, case.introspection.not_before, case.refusal
    is_expired = end is not None and case.now >= end
    if not refusal or not (is_expired or (begin is not None and case.now < begin)):
        return None
    if ahead := case.evidence.clock_off_by:
        cause = f"{clock_words(ahead)}; the token is in time by ZITADEL's clock, but not by this machine's"
        return Finding(id="clock.skewed", cause=cause, seen=(CLOCK_COMPARED,), fix=(SYNCHRONISE,))
    if is_expired:
        return Finding(id="token.expired", cause="the token has expired, says its exp", fix=("request a new one",))
    return Finding(id="token.not_yet_valid", cause=refusal.message, fix=refusal.steps)


def _is_pat(case: TokenCase) -> Finding | None:
    is_ours = case.settings.project_id in case.introspection.audience
    return pat_at_resource() if case.settings.resource and case.active.is_pat and is_ours else None


def _in_other_project(case: TokenCase) -> Finding:
    return Finding(  # the audience of an active token names the application's own project
        id="client.in_other_project",
        cause="the token is meant for the project of this API application, but ZITADEL_PROJECT_ID is another project "
        f"({case.settings.project_id})",
        seen=(("audience", shown_list(list(case.introspection.audience))),),
        fix=("set ZITADEL_PROJECT_ID to the project that the API application belongs to",),
        otherwise=(f"or {other_application(case.settings)}",),
    )


REFUSED = (
    *table(_out_of_time, when=lambda case: isinstance(case.refusal, InvalidToken)),
    *table(_bare_answer),
    *table(_is_pat, _in_other_project, when=lambda case: isinstance(case.refusal, InvalidToken)),
    *MISSING_ROLE,
)


class NoteKind(StrEnum):
    """The kinds of what is unusual about an active token."""

    TEXT = auto()
    SCOPE = auto()
    ISSUER = auto()
    EXPIRY = auto()
    CLOCK = auto()


def notes(case: TokenCase) -> dict[NoteKind, str]:
    """Return a sentence for each thing that is unusual about an active token, and that no finding says."""
    introspection, settings = case.introspection, case.settings
    granted = introspection.roles(settings.project_id)
    issuer, of_pat = introspection.text("iss"), case.active.is_pat
    texts: dict[NoteKind, str] = {}
    if case.token and not case.form.sendable and case.form.problem:
        texts[NoteKind.TEXT] = f"the token {case.form.problem.text}. {IGNORED}"
    if only_listed := sorted(quoted(role, 60) for role in case.active.requested if role not in granted):
        why = "It was requested but is not granted"
        if of_pat:  # an API that checks ``scope`` would accept every PAT
            why = "For a PAT, ZITADEL lists every role of the project there, granted or not"
        names = f"role{'' if len(only_listed) == 1 else 's'} {shown_list(only_listed)}"
        texts[NoteKind.SCOPE] = f"scope also lists the {names}. {why}; only the roles above count."
    if issuer and issuer != settings.issuer:
        texts[NoteKind.ISSUER] = (
            f"ZITADEL's issuer is {quoted(issuer)}, but ZITADEL_DOMAIN is {settings.issuer}: JWTs for the other "
            "address are refused; make them the same (ExternalSecure, or X-Forwarded-Proto from the proxy)"
        )
    left = (introspection.expires_at or 0) - case.now
    if 0 < left <= (SOON_FOR_A_PAT_SECONDS if of_pat else SOON_SECONDS):
        texts[NoteKind.EXPIRY] = f"the token expires soon, in {span(left)}"
    if ahead := case.evidence.clock_off_by:
        texts[NoteKind.CLOCK] = f"{clock_words(ahead)}: synchronise the time"
    return texts
