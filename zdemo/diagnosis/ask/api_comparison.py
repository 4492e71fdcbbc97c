"""Why the API answered as it did: its answer compared with what ZITADEL says about the same token."""

from contextlib import closing
from dataclasses import dataclass, replace

from zdemo.client import Call
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.facts import Facts, PatIds
from zdemo.diagnosis.ask.investigate import Investigation, investigate, username_in
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.api_response import (
    DOCTOR,
    code_of,
    finding_for_answer,
    findings_by_both,
    findings_by_the_api_alone,
)
from zdemo.response import GATEWAY_STATUSES


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The most likely cause; ``unasked`` says why ZITADEL was not asked, or is empty.

    ``username`` is the name of the token's user, where ZITADEL gives it.
    """

    finding: Finding
    unasked: str = ""
    username: str = ""


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
    says what is missing from them. ``environment`` has the settings' sources, and what else helps. ``again`` gives
    the same token to another command: `` --pat`` when it came from that option. ``ids`` say whose PAT the token is.
    ``known`` is what ZITADEL said about the token already.
    """
    if call.accepted:
        return None
    issuer = settings.issuer if settings else ""
    if alone := finding_for_answer(call, token, issuer, environment):
        return Explanation(finding=alone)
    if settings is None or token is None:
        return Explanation(finding=next(findings_by_the_api_alone(call, token)), unasked=unasked)
    if known is None:
        with closing(Facts.of(environment, settings, token, ids)) as facts:
            for_role = code_of(call.answer) == "insufficient_scope"
            known = investigate(facts, role=call.role, now=now, refused_for_role=for_role)
    finding = next(findings_by_both(call, token, known.finding, issuer, judged=known.introspection is not None))
    more = f"zdemo introspect{again}  (what ZITADEL says about this token)"
    next_step = DOCTOR if call.answer.status in GATEWAY_STATUSES else more
    finding = replace(finding, otherwise=(*finding.otherwise, next_step))
    return Explanation(finding=finding, username=username_in(known.introspection))
