"""Explain an API's refusal: by its answer alone where that is enough, else compared with what ZITADEL says."""

from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial

from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.facts import Facts
from zdemo.diagnosis.ask.investigate import Investigation, investigate
from zdemo.diagnosis.evidence import NOT_ASKED, NOTHING, PatIds, Probe, active_token
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.api_response import BY_ANSWER, ApiCase
from zdemo.diagnosis.rules.refused_call import (
    ASKS,
    COMPARED,
    DOCTOR,
    INTROSPECT,
    by_its_code,
    other_api,
    same_settings,
)
from zdemo.diagnosis.rules.rule import decide
from zdemo.diagnosis.settings_first import settings_problems, with_settings_first
from zdemo.errors import IntrospectionError, SettingsError
from zdemo.http.api_call import Call, ask_difference
from zdemo.text.masking import without_secret_query
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.introspection_client import IntrospectionClient

PATIENCE_SECONDS = 1.0  # for the user's name, which the answer can do without


def explain(  # noqa: PLR0913  # each given by name
    call: Call,
    token: str | None,
    settings: Settings | None,
    environment: Environment,
    *,
    now: float,
    unasked: str = "",
    again: str = "",
    ids: PatIds | None = None,
    known: Investigation | None = None,
) -> tuple[Finding, str]:
    """Return why the API did not accept a request, and the name of the token's user, empty when it is unknown.

    ZITADEL is asked only when a token was refused or could not be judged, and only with ``settings``; ``unasked``
    says what is missing from them. ``again`` gives the same token to another command: ``--pat`` when it came from
    that option. ``known`` is what ZITADEL said about the token already.
    """
    api_url = call.url.removesuffix(without_secret_query(call.route.path))
    case = ApiCase(call=call, token=token, issuer=settings.issuer if settings else "", environment=environment)
    if by_answer := decide(BY_ANSWER, case):
        by_answer = with_settings_first(by_answer, settings_problems(environment))
        if not (case.status == 500 and case.is_other and case.is_at_emulator and settings and token):
            return by_answer, ""
    if settings is None or token is None:
        finding = by_its_code(case)
        if unasked:
            finding = replace(finding.and_seen([("not asked", f"ZITADEL: {unasked}")]), fix=(DOCTOR,))
        return finding, ""
    with ExitStack() as stack:
        facts = None
        if known is None:
            facts = stack.enter_context(closing(Facts(environment, settings, token, ids)))
            known = investigate(facts, role=call.role, now=now)
            here, project = known.finding, active_token(known.introspection or NOT_ASKED, settings).project
            may_differ = here is not None and here.id == "role.other_project_configured"  # from the API's settings
            if here and may_differ and ask_difference(api_url, settings.issuer, settings.client_id, project) == "":
                facts.settings = settings = replace(settings, project_id=project)
                known = investigate(facts, role=call.role, now=now)
                fix = (*here.fix[:1], *(known.finding.fix if known.finding else ()))  # zdemo role needs both
                known = replace(known, finding=known.finding and replace(known.finding, fix=fix))
            facts.requests[Probe.APIS_QUESTION] = partial(facts.apis_questions, call)
        evidence = facts.known if facts else NOTHING
        compared = replace(case, here=known.finding, introspection=known.introspection or NOT_ASKED, evidence=evidence)
        finding = decide(ASKS if by_answer else COMPARED, compared, facts) or by_answer or by_its_code(case)
    if finding.id in ("call.disagrees", "call.api_cannot_ask"):
        if other := ask_difference(api_url, settings.issuer, settings.client_id, settings.project_id):
            finding = other_api(other, call.setting).and_seen(finding.seen)
        elif other == "" and case.status != 502:  # with the same CLIENT_ID, the secret may differ
            finding = same_settings(finding)
    if finding.candidates:
        next_step = DOCTOR if case.failed else replace(INTROSPECT, option=again)
        finding = replace(finding, otherwise=(*finding.otherwise, next_step))
    return finding, _who(known.introspection) if known.introspection else ""


def _who(introspection: Introspection) -> str:
    names = [quoted(introspection.text("username"), 60)]
    if introspection.actors:
        names.append(f"impersonated by {quoted(', '.join(introspection.actors), 60)}")
    return ", ".join(filter(None, names))


def username_of(settings: Settings, token: str) -> str:
    """Return the name of a token's user, or nothing if ZITADEL does not give it at once."""
    seconds = min(settings.timeout_seconds, PATIENCE_SECONDS)
    try:
        with closing(IntrospectionClient(settings, timeout_seconds=seconds)) as client:
            return _who(client.introspect(token))
    except (IntrospectionError, SettingsError):
        return ""
