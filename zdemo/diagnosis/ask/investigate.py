"""Find out why an API refuses a token: ZITADEL is asked about it, and rules judge, in one order for all commands."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.facts import Facts
from zdemo.diagnosis.evidence import NOT_ASKED, UNREAD, Probe, TokenCase
from zdemo.diagnosis.finding import Finding, without_secrets
from zdemo.diagnosis.rules.active_token import REFUSED, NoteKind, notes
from zdemo.diagnosis.rules.inactive_token import INACTIVE
from zdemo.diagnosis.rules.rule import decide
from zdemo.diagnosis.rules.unusable_response import NO_INTROSPECTION
from zdemo.diagnosis.settings_first import with_settings_first
from zdemo.diagnosis.token_form import paste_problem
from zdemo.errors import ConnectionFailed, IntrospectionError, MissingTokenError, ZdemoError
from zdemo.errors.response import Response
from zdemo.http.example_api import ROLE
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.introspection_response import introspection_error, read_answer


@dataclass(frozen=True, kw_only=True)
class Investigation:
    """What ZITADEL says about a token, and why the API would refuse it."""

    answer: Response | None = field(default=None, repr=False)  # to the introspection
    introspection: Introspection | None = field(default=None, repr=False)
    error: ZdemoError | None = None  # why there is no introspection
    finding: Finding | None = None  # ``None`` for a token that the API would accept
    notes: Mapping[NoteKind, str] = field(default_factory=dict)


def investigate_with(
    environment: Environment, settings: Settings, token: str | None, *, role: str | None = ROLE, now: float
) -> Investigation:
    """Investigate with an administrator's PAT, and the PAT's IDs, that the environment may hold."""
    with closing(Facts(environment, settings, token)) as facts:
        return investigate(facts, role=role, now=now)


def investigate(facts: Facts, *, role: str | None = ROLE, now: float) -> Investigation:
    """Return why the API would refuse a token.

    Without a token, ZITADEL is asked about a random text, which shows whether it works and accepts the credentials.
    The token is judged by ``now`` (epoch seconds).

    Raises SettingsError if the CA bundle that the environment names cannot be used.
    """
    undecodable = facts.token.encode(errors="replace").decode() != facts.token  # bytes of the environment
    if undecodable or not facts.token.strip():
        unsendable = MissingTokenError("the token cannot be sent", hint="give the token alone, as ZITADEL shows it")
        return Investigation(error=unsendable, finding=paste_problem(facts.token))
    evidence = facts.ask(Probe.TOKEN, meanwhile=(Probe.HEALTH, Probe.READY), now=now)
    reply = evidence.replies.get(Probe.TOKEN)
    error: IntrospectionError | None = None
    if reply is None:  # no time was left
        return Investigation()
    try:
        if isinstance(reply, ConnectionFailed):
            raise introspection_error(reply)
        facts.introspection = read_answer(reply, with_key=facts.settings.key is not None)
    except IntrospectionError as reason:
        error = reason
    case = TokenCase(
        settings=facts.settings,
        token="" if facts.made_up else facts.token,
        form=UNREAD if facts.made_up else facts.form,
        role=role or "",
        introspection=facts.introspection or NOT_ASKED,
        error=error,
        evidence=evidence,
        now=now,
    )
    is_active = case.introspection.active
    finding = decide(NO_INTROSPECTION if error else REFUSED if is_active else INACTIVE, case, facts)
    remarks = notes(replace(case, evidence=facts.known)) if is_active else {}
    return Investigation(
        answer=reply if isinstance(reply, Response) else None,
        introspection=facts.introspection,
        error=error,
        finding=with_settings_first(finding, facts.problems).without(facts.secrets) if finding else None,
        notes={kind: without_secrets(text, facts.secrets) for kind, text in remarks.items()},
    )
