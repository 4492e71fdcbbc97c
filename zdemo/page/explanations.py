"""Why the API answered a request so, as JSON for the page. The words are those of ``zdemo.diagnosis``."""

import os
from contextlib import suppress
from dataclasses import replace
from typing import Any

from zdemo.config.address import admin_option
from zdemo.config.environment import Environment
from zdemo.diagnosis.ask.explain import explain
from zdemo.diagnosis.evidence import Evidence, TokenCase
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.active_token import REFUSED
from zdemo.diagnosis.rules.api_response import code_of
from zdemo.diagnosis.rules.inactive_token import INACTIVE
from zdemo.diagnosis.rules.rule import decide
from zdemo.diagnosis.rules.unusable_response import finding_for_error
from zdemo.diagnosis.token_form import token_form
from zdemo.diagnosis.view import brief, heading, step_document, why
from zdemo.errors import InsufficientScope, IntrospectionError, InvalidRequest, InvalidToken, Refused, ZdemoError
from zdemo.errors.response import GATEWAY_STATUSES, Response
from zdemo.errors.steps import Command, with_env_file
from zdemo.http.api_call import Call, Method, OtherRoute
from zdemo.http.example_api import ROLE, Route
from zdemo.page.page_context import PageOptions
from zdemo.page.page_state import is_stopped
from zdemo.server.observe import Trace

OWN_REFUSALS = (400, 404, 405, 411, 413, 415)
STOPPED = "zitadel.stopped"
SWITCHES = {  # the changes of the page that fix a cause
    "role.not_granted": ("grant",),
    "role.deactivated": ("grant",),
    "role.missing": ("grant",),
    "token.deleted": ("create_pat",),
    "token.user_was_off": ("create_pat",),
    "token.user_deactivated": ("reactivate", "create_pat"),
    STOPPED: ("start",),
}


def finding_for_own_refusal(call: Call) -> Finding | None:
    """Return why the API itself refuses a request whatever its token; ``None`` for any other answer."""
    description = call.answer.json_object().get("error_description")
    is_own = call.answer.status in OWN_REFUSALS and not code_of(call.answer) and isinstance(description, str)
    return Finding(id="call.refused", cause=str(description)) if is_own else None


def with_fix_if_stopped(finding: Finding, options: PageOptions) -> Finding:
    """Return why ZITADEL did not answer, with how to start an emulator that was stopped on purpose."""
    with suppress(ZdemoError):
        if options.emulator and is_stopped(options):
            fix = "press Start ZITADEL: it was stopped on purpose"
            return replace(finding, id=STOPPED, fix=(fix,), otherwise=())
    return finding


def why_document(finding: Finding, call: Call, options: PageOptions) -> dict[str, Any]:
    """Return a finding as the page shows it, with commands that work: they use ``steps_file``, or write it first."""
    rule = "RFC 6750 §3.1" if code_of(call.answer) else "RFC 6750 §3" if call.answer.status == 401 else ""
    finding = brief(finding)
    file, first, steps = options.steps_file, options.file_step, finding.steps
    steps = tuple(with_env_file(step, file) for step in steps)
    if first and steps != finding.steps and file and not os.path.lexists(file):
        steps = (first, *steps)
    return {
        "sentence": why(finding),
        "rfc": rule,
        "certainty": finding.certainty,
        "heading": heading(finding),
        "candidates": list(finding.candidates),
        "seen": [list(row) for row in finding.seen],
        "fix": [step_document(step) for step in steps],
        "switches": SWITCHES.get(finding.id, ()),
    }


def why_of(trace: Trace, options: PageOptions, token: str | None, *, now: float) -> dict[str, Any] | None:
    """Return why a request was refused or failed, as the page shows it; ``None`` for one that was let in."""
    route = next((route for route in Route if route.path == trace.path), None)
    headers = {name.lower(): value for name, value in trace.response_headers}
    url = f"http://127.0.0.1{trace.path}"
    answer = Response(status=trace.status, headers=headers, body=trace.body, seconds=trace.seconds, url=url)
    method = Method(trace.method) if trace.method in list(Method) else Method.GET
    call = Call(route=route or OtherRoute(path=trace.path, typed=trace.path), url=url, answer=answer, method=method)
    finding = _finding(trace, call, options, token, now)
    if finding and isinstance(trace.error, IntrospectionError):
        finding = with_fix_if_stopped(finding, options)
    return why_document(finding, call, options) if finding else None


def error_of_past(trace: Trace) -> Refused | IntrospectionError | None:
    """Return the error by which a past request was refused, as far as it is known; ``None`` for other answers."""
    reason = trace.reason or ""
    if trace.outcome == InsufficientScope.code:
        return InsufficientScope([ROLE], status=trace.status)
    if trace.outcome == InvalidToken.code:
        return InvalidToken(reason, hint=Command("introspect --pat", does="what ZITADEL says about this token"))
    if trace.status in GATEWAY_STATUSES:
        return IntrospectionError(reason, hint=Command("doctor"))
    return Refused(reason) if reason and trace.status != 401 else None  # else no token was sent


def _finding(trace: Trace, call: Call, options: PageOptions, token: str | None, now: float) -> Finding | None:
    error, introspection, settings = trace.error, trace.introspection, options.settings
    if isinstance(error, IntrospectionError):
        return finding_for_error(error, settings)
    raised = Finding(cause=error.message, fix=error.steps) if error else None
    if isinstance(error, InvalidToken | InsufficientScope) and introspection and (introspection.active or token):
        case = TokenCase(
            introspection=introspection,
            settings=settings,
            token=token or "",
            form=token_form(token or ""),
            role=error.role if isinstance(error, InsufficientScope) else "",
            evidence=Evidence(admin_option="" if options.emulator else admin_option(options.environment)),
            now=now,
        )
        return decide(REFUSED if introspection.active else INACTIVE, case) or raised
    if raised and (trace.is_past or isinstance(error, InvalidRequest)):
        return raised  # more exact than what can be seen from outside
    if own := finding_for_own_refusal(call):
        return own
    explanation = explain(call, token, None, Environment({}), again="--pat", now=now)
    return explanation.finding if explanation else None
