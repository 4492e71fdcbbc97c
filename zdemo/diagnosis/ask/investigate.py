"""Find out why an API refuses a token, with no more questions to ZITADEL than the answers so far call for."""

from contextlib import closing
from dataclasses import dataclass, field, replace

from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.facts import Facts
from zdemo.diagnosis.evidence import Evidence, PatIds, Probe
from zdemo.diagnosis.finding import Finding, quoted, without_secrets
from zdemo.diagnosis.rules import api_response
from zdemo.diagnosis.rules.active_token import finding_for_active, may_list_own_assignments, notes, refusal_of
from zdemo.diagnosis.rules.inactive_token import finding_by_records, finding_for_inactive, zitadel_is_sick
from zdemo.diagnosis.token_form import ID_DIGITS, TokenKind, paste_problem, token_form
from zdemo.diagnosis.rules.unusable_response import finding_for_error
from zdemo.errors import (
    ConnectionFailed,
    CredentialsRefused,
    InsufficientScope,
    IntrospectionError,
    MissingTokenError,
    SettingsError,
    ZdemoError,
)
from zdemo.errors.response import GATEWAY_STATUSES, Response
from zdemo.http.api_call import ROLE, Call, ask_difference
from zdemo.text.masking import without_secret_query
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.refused_credentials import introspection_error, read_answer
from zdemo.zitadel.resources import manager_roles

IGNORED = "ZITADEL ignores it, but no client can send it in a header field: all of this applies to the token alone"
MAY_BE_SESSIONS = (TokenKind.SESSION_API, TokenKind.CUT)  # the second: IDs of another length


@dataclass(frozen=True, kw_only=True)
class Investigation:
    """What ZITADEL says about a token, and why the API would refuse it."""

    answer: Response | None = field(default=None, repr=False)  # to the introspection
    introspection: Introspection | None = field(default=None, repr=False)
    error: ZdemoError | None = None  # why there is no introspection
    finding: Finding | None = None  # ``None`` for a token that the API would accept
    notes: tuple[str, ...] = ()


def investigate_with(
    environment: Environment, settings: Settings, token: str | None, *, role: str | None = ROLE, now: float
) -> Investigation:
    """Investigate with an administrator's PAT, and the PAT's IDs, that the environment may hold."""
    with closing(Facts(environment, settings, token)) as facts:
        return investigate(facts, role=role, now=now)


def investigate(facts: Facts, *, role: str | None = ROLE, now: float, refused_for_role: bool = False) -> Investigation:
    """Return why the API would refuse a token.

    Without a token, ZITADEL is asked about a random text, which shows whether it works and accepts the credentials.
    The token is judged by ``now`` (epoch seconds). ``refused_for_role``: the API said that the role is missing, so
    whether the token is an administrator's is not asked.

    Raises SettingsError if the CA bundle that the environment names cannot be used.
    """
    undecodable = facts.token.encode(errors="replace").decode() != facts.token  # bytes of the environment
    if undecodable or not facts.token.strip():
        error = MissingTokenError("the token cannot be sent", hint="give the token alone, as ZITADEL shows it")
        return Investigation(error=error, finding=paste_problem(facts.token))
    facts.now = now
    facts.ask(Probe.TOKEN, meanwhile=(Probe.HEALTH, Probe.READY))
    found = _judged(facts, role, with_rights=not refused_for_role)
    hidden = facts.secrets
    return replace(
        found,
        finding=found.finding.without(hidden) if found.finding else None,
        notes=tuple(without_secrets(note, hidden) for note in found.notes),
    )


def _judged(facts: Facts, role: str | None, *, with_rights: bool) -> Investigation:
    answer, settings = facts.replies.get(Probe.TOKEN), facts.settings
    if answer is None:
        return Investigation()
    if isinstance(answer, ConnectionFailed):
        failed = introspection_error(answer)
        return Investigation(error=failed, finding=finding_for_error(failed, settings, facts.known))
    try:
        introspection = read_answer(answer, with_key=settings.key is not None)
    except IntrospectionError as error:
        evidence = _about_the_client(facts, answer) if isinstance(error, CredentialsRefused) else facts.ask_state()
        return Investigation(answer=answer, error=error, finding=finding_for_error(error, settings, evidence))
    said: tuple[str, ...] = ()
    if introspection.active:
        finding, said = _active(facts, introspection, role, with_rights=with_rights)
    else:
        finding = _inactive(facts)
    return Investigation(answer=answer, introspection=introspection, finding=finding, notes=said)


def _about_the_client(facts: Facts, answer: Response) -> Evidence:
    """Return what shows why ZITADEL refuses the client: most of all what an administrator sees."""
    settings = facts.settings
    if settings.key:
        facts.ask(Probe.DISCOVERY)
    elif answer.status == 400 and not ID_DIGITS.fullmatch(settings.client_id):
        facts.ask(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT)
    records = facts.look_up(facts.client_records)
    if not facts.administrator_answered:
        probes = [] if facts.made_up or not _would_be_taken(facts.token, settings.issuer) else [Probe.USERINFO]
        if facts.admin_pat and _would_be_taken(facts.admin_pat, settings.issuer):
            probes.append(Probe.ADMINISTRATOR_USERINFO)
        facts.ask(*probes)
    kind = None if facts.made_up else facts.form.kind
    return replace(facts.known, client_records=records, token_kind=kind)


def _would_be_taken(token: str, issuer: str) -> bool:
    """Return whether a token has the form of this ZITADEL's tokens: only then does a refusal mean anything."""
    form = token_form(token)
    return form.is_access_token and (form.kind is not TokenKind.JWT or form.claims.get("iss") == issuer)


def _active(
    facts: Facts, introspection: Introspection, role: str | None, *, with_rights: bool
) -> tuple[Finding | None, tuple[str, ...]]:
    settings, subject, now, evidence = facts.settings, introspection.text("sub"), facts.now, facts.known
    refusal = refusal_of(introspection, settings, role=role, now=now)
    if isinstance(refusal, InsufficientScope) and subject:
        may_list = may_list_own_assignments(introspection)
        own_list = facts.own_assignments(subject) if may_list else None
        same = facts.admin_pat == facts.token.strip()
        own = facts.own_rights() if with_rights and may_list else ()
        evidence = replace(
            facts.known,
            assignments=facts.assignments(subject) if own_list is None else own_list,
            assignments_from="ZITADEL_ADMIN_PAT" if own_list is None else "the token itself",
            own_rights=own,
            is_admin_pat=same,
            admin_pat_rights=facts.look_up(manager_roles) if own and not same else None,
        )
    said = notes(introspection, settings, role, now=now, evidence=evidence)
    if not facts.form.sendable:
        said = (f"the token {facts.form.problem}. {IGNORED}", *said)
    return finding_for_active(introspection, settings, evidence, role=role, now=now), said


def _inactive(facts: Facts) -> Finding | None:
    """Ask whether ZITADEL works, then what an administrator sees, then whether the token is valid for others."""
    form = facts.form
    sendable = form.sendable and not form.problem and not facts.made_up
    if facts.admin_pat and sendable:
        facts.ask(Probe.ADMINISTRATOR)
    if not facts.known.administrator_is_active:
        facts.ask(Probe.MADE_UP_CLIENT, *([Probe.USERINFO] if sendable else []))
        if facts.known.status(Probe.MADE_UP_CLIENT) != 400:
            facts.ask(Probe.READY)
    if facts.made_up:
        return zitadel_is_sick(facts.settings.zitadel.server, facts.known)
    records = facts.look_up(facts.pat_records)
    evidence = replace(facts.known, pat_records=records)
    if sendable and not finding_by_records(form, evidence):
        more = (Probe.DISCOVERY, Probe.KEYS) if form.kind is TokenKind.JWT else ()
        facts.ask(Probe.USERINFO, *more, *([Probe.WHOAMI] if form.kind in MAY_BE_SESSIONS else []))
    evidence = replace(facts.known, pat_records=records, signature_fits=_signature_fits(facts))
    return finding_for_inactive(facts.token, facts.settings, evidence, now=facts.now)


PATIENCE_SECONDS = 1.0  # the name is an addition to an answer that is there


def username_of(settings: Settings, token: str) -> str:
    """Return the name of a token's user, or nothing if ZITADEL does not give it at once."""
    seconds = min(settings.timeout_seconds, PATIENCE_SECONDS)
    try:
        with closing(IntrospectionClient(settings, timeout_seconds=seconds)) as client:
            return quoted(client.introspect(token).text("username"), 60)
    except (IntrospectionError, SettingsError):
        return ""


# algorithms of a JWT that are checked; a public key must never be used as a shared secret (RFC 8725 §3.1)
SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")


def _signature_fits(facts: Facts) -> bool | None:
    """Return whether the key of this ZITADEL that a JWT names has signed it; ``None`` when that is unknown."""
    form, keys = facts.form, facts.known.body(Probe.KEYS).get("keys")
    algorithm = form.header.get("alg")
    if form.kind is not TokenKind.JWT or not isinstance(keys, list) or algorithm not in SIGNATURES:
        return None
    key = next((k for k in keys if isinstance(k, dict) and k.get("kid") == form.header.get("kid")), None)
    if key is None:
        return None
    import jwt  # here, because it loads cryptography, which is slow to import

    try:
        jwt.PyJWS().decode(facts.token.strip(), jwt.PyJWK.from_dict(key), algorithms=[algorithm])
    except jwt.DecodeError:  # also a signature that is not base64url
        return False
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return True


def api_difference(api_url: str, settings: Settings) -> str:
    """Return how an API on this machine says that it differs from the settings; empty if it does not say so."""
    try:
        return ask_difference(api_url, settings.issuer, settings.client_id, settings.project_id)
    except ZdemoError:
        return ""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The most likely cause."""

    finding: Finding
    unasked: str = ""  # why ZITADEL was not asked
    username: str = ""  # empty when it is unknown


def explain(  # noqa: PLR0913  # each given by name
    call: Call,
    token: str | None,
    settings: Settings | None,
    environment: Environment,
    *,
    unasked: str,
    again: str,
    now: float,
    ids: PatIds | None = None,
    known: Investigation | None = None,
) -> Explanation | None:
    """Explain a refusal or a failure of the API; ``None`` for an answer that needs no explanation.

    ZITADEL is asked only when a token was refused or could not be judged, and only with ``settings``; ``unasked``
    says what is missing from them. ``again`` gives the same token to another command: `` --pat`` when it came from
    that option. ``known`` is what ZITADEL said about the token already.
    """
    if call.accepted:
        return None
    issuer = settings.issuer if settings else ""
    if alone := next(api_response.findings_for_answer(call, token, issuer, environment), None):
        return Explanation(finding=alone)
    if settings is None or token is None:
        return Explanation(finding=next(api_response.findings_by_the_api_alone(call, token)), unasked=unasked)
    if known is None:
        with closing(Facts(environment, settings, token, ids)) as facts:
            for_role = api_response.code_of(call.answer) == "insufficient_scope"
            known = investigate(facts, role=call.role, now=now, refused_for_role=for_role)
    finding = next(api_response.findings_by_both(call, token, known.finding, issuer, known.introspection))
    api_url = call.url.removesuffix(without_secret_query(call.route.path))
    if finding.id in ("call.disagrees", "call.api_cannot_ask") and (other := api_difference(api_url, settings)):
        finding = api_response.other_api(other, call.setting).and_seen(finding.seen)
    more = f"zdemo introspect{again}  (what ZITADEL says about this token)"
    next_step = api_response.DOCTOR if call.answer.status in GATEWAY_STATUSES else more
    if finding.candidates:
        finding = replace(finding, otherwise=(*finding.otherwise, next_step))
    username = quoted(known.introspection.text("username"), 60) if known.introspection else ""
    return Explanation(finding=finding, username=username)
