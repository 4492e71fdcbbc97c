"""Why the API answered a request so, without asking ZITADEL. The words come from ``zdemo.diagnosis``."""

from typing import Any

from zdemo.client import Call, Method, OtherRoute, Route
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis import NOT_ASKED, Finding, finding_for_active, finding_for_error, finding_for_inactive
from zdemo.errors import InsufficientScope, IntrospectionError, InvalidRequest, InvalidToken, Refused
from zdemo.http.response import Response
from zdemo.investigation import explain
from zdemo.page.context import PageOptions
from zdemo.page.why import CHALLENGE, ERROR_CODES, finding_for_own_refusal, why_document, with_fix_if_stopped
from zdemo.server import Trace

NO_ENVIRONMENT = Environment({})


def why_of(trace: Trace, options: PageOptions, token: str | None, *, now: float) -> dict[str, Any] | None:
    """Return why a request was refused or failed, as the page shows it; ``None`` for one that was let in."""
    finding = _finding(trace, options.settings, token, now)
    if finding and isinstance(trace.error, IntrospectionError):
        finding = with_fix_if_stopped(finding, options)
    return why_document(finding, rule_of_error(trace), options) if finding else None


def rule_of_error(trace: Trace) -> str:
    """Return the section of the RFC by which the guard refused; empty if it did not."""
    if not isinstance(trace.error, Refused):
        return ""
    return ERROR_CODES if trace.error.code else CHALLENGE


def _finding(trace: Trace, settings: Settings, token: str | None, now: float) -> Finding | None:
    error, introspection = trace.error, trace.introspection
    if isinstance(error, IntrospectionError):
        return finding_for_error(error, settings, NOT_ASKED)
    if isinstance(error, InvalidToken | InsufficientScope) and introspection and token:
        if not introspection.active:
            return finding_for_inactive(token, settings, NOT_ASKED, now=now)
        role = error.role if isinstance(error, InsufficientScope) else None
        return finding_for_active(introspection, settings, NOT_ASKED, role=role, now=now) or _as_said(error)
    if isinstance(error, InvalidRequest):
        return _as_said(error)  # more exact than what can be seen from outside
    call = _call(trace)
    own = finding_for_own_refusal(call)
    explanation = None if own else explain(call, token, None, NO_ENVIRONMENT, unasked="", again=" --pat", now=now)
    return explanation.finding if explanation else own


def _as_said(error: Refused) -> Finding:
    return Finding(id="", cause=error.message, fix=(error.hint,) if error.hint else ())


def _call(trace: Trace) -> Call:
    """Return the request as the one who sent it saw it."""
    route = next((route for route in Route if route.path == trace.path), None)
    headers = {name.lower(): value for name, value in trace.response_headers}
    url = f"http://127.0.0.1{trace.path}"
    answer = Response(status=trace.status, headers=headers, body=trace.body, seconds=trace.seconds, url=url)
    method = Method(trace.method) if trace.method in list(Method) else Method.GET
    return Call(route=route or OtherRoute(path=trace.path, typed=trace.path), url=url, answer=answer, method=method)
