"""Why the API answered a request so, in the words of the diagnosis, for the page, which can send one itself."""

import os
import time
from contextlib import closing, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from zdemo.config.address import admin_option
from zdemo.config.environment import Environment
from zdemo.config.new_dotenv import with_env_file
from zdemo.config.settings import APP_CLIENT_ID, ClientSettings, LoginSettings
from zdemo.config.variables import BY_NAME
from zdemo.diagnosis.ask.explain import explain
from zdemo.diagnosis.evidence import Evidence, TokenCase
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.active_token import REFUSED
from zdemo.diagnosis.rules.api_response import BY_ANSWER, ApiCase, code_of
from zdemo.diagnosis.rules.inactive_token import INACTIVE
from zdemo.diagnosis.rules.rule import decide
from zdemo.diagnosis.rules.unusable_response import finding_for_error
from zdemo.diagnosis.settings_first import settings_problems, with_settings_first
from zdemo.diagnosis.token_form import paste_problem, token_form
from zdemo.diagnosis.view import brief, document, heading, step_document, why
from zdemo.errors import (
    ROLE_SCOPE,
    ConnectionFailed,
    InsufficientScope,
    IntrospectionError,
    InvalidRequest,
    InvalidToken,
    Refused,
    ZdemoError,
)
from zdemo.errors.response import GATEWAY_STATUSES, Response
from zdemo.errors.steps import Command
from zdemo.http.api_call import Call, Method, OtherRoute, call_api, other_route, parse_challenge
from zdemo.http.example_api import Route
from zdemo.page.access import PAGE_HEADER, mark_of
from zdemo.page.feed import EXPLAINED
from zdemo.page.page_context import PERSON, VARIABLES, PageContext, PageOptions, PageRefusal, SendOrder, Why, error_text
from zdemo.page.page_state import PageCaller, caller_in, is_stopped
from zdemo.server.observe import Trace
from zdemo.zitadel.login import Login, LoginRefused
from zdemo.zitadel.resources import REDIRECT_URI

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
LONGEST_PATH = 2000  # characters
MORE_SECONDS = 2.0  # for the API, which needs its own time to find out that ZITADEL does not answer
PRESS = {
    "token.deleted": "press Restore PAT",
    "token.user_was_off": "press Restore PAT",
    "token.user_deactivated": "press Reactivate, then Restore PAT: deactivating ended the PAT",
}


def finding_for_own_refusal(call: Call) -> Finding | None:
    """Return why the API itself refuses a request whatever its token; ``None`` for any other answer."""
    description = call.answer.json_object().get("error_description")
    if call.answer.status not in OWN_REFUSALS or code_of(call.answer) or not isinstance(description, str):
        return None
    known = decide(BY_ANSWER, ApiCase(call=call))
    return known if known and not known.candidates else Finding(id="call.refused", cause=description)


def with_fix_if_stopped(finding: Finding, options: PageOptions) -> Finding:
    """Return why ZITADEL did not answer, with how to start an emulator that was stopped on purpose."""
    with suppress(ZdemoError):
        if options.emulator and is_stopped(options):
            fix = "press Start ZITADEL: it was stopped on purpose"
            return replace(finding, id=STOPPED, fix=(fix,), otherwise=(), because=())
    return finding


def why_document(finding: Finding, call: Call, options: PageOptions) -> dict[str, Any]:
    """Return a finding as the page shows it, with commands that work: they use ``steps_file``, or write it first."""
    rule = "RFC 6750 §3.1" if code_of(call.answer) else "RFC 6750 §3" if call.answer.status == 401 else ""
    finding = brief(finding)
    file, first, steps = options.steps_file, options.file_step, finding.steps
    need_settings = any(step != with_env_file(step, Path("other.env")) for step in steps)
    steps = tuple(with_env_file(step, file) for step in steps)
    if first and need_settings and file and not os.path.lexists(file):
        steps = (first, *steps)
    return {
        **document(finding),
        "sentence": why(finding),
        "rfc": rule,
        "heading": heading(finding),
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
    challenge = parse_challenge(dict(trace.response_headers).get("WWW-Authenticate"))
    if trace.outcome == InsufficientScope.code and challenge and challenge.scope:
        roles, kept = [scope.removeprefix(ROLE_SCOPE) for scope in challenge.scope.split()], trace.introspection
        missing = [role for role in roles if not (kept and kept.has_role(role))]
        return InsufficientScope(missing or roles, status=trace.status, all_of=roles)
    if trace.outcome == InvalidToken.code:
        return InvalidToken(
            reason, hint=Command("introspect", option="--pat", does="what ZITADEL says about this token")
        )
    if trace.status in GATEWAY_STATUSES:
        return IntrospectionError(reason, hint=Command("doctor"))
    return Refused(reason) if reason and trace.status != 401 else None  # else no token was sent


def _finding(trace: Trace, call: Call, options: PageOptions, token: str | None, now: float) -> Finding | None:
    error, introspection, settings = trace.error, trace.introspection, options.settings
    if isinstance(error, IntrospectionError):
        return with_settings_first(finding_for_error(error, settings), settings_problems(options.environment))
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
    sent = (trace.authorization or "").strip()
    if isinstance(error, InvalidRequest) and " " in sent and (pasted := paste_problem(sent.partition(" ")[2])):
        return pasted
    if raised and (trace.is_past or sent or isinstance(error, InvalidRequest)):
        return raised  # more exact than what can be seen from outside
    own = finding_for_own_refusal(call)
    if own or call.accepted:
        return own
    finding, _ = explain(call, token, None, Environment({}), again="--pat", now=now)
    return finding


# --- a request from the page


def send(context: PageContext, order: SendOrder) -> dict[str, Any]:
    """Send one request to the API, and return its status and why it was refused."""
    options, path = context.options, order.path  # only the path is the page's: the server knows the API's address
    if not path.startswith("/") or len(path) > LONGEST_PATH:
        what = f"the path must begin with /, and have at most {LONGEST_PATH} characters"
        raise PageRefusal(400, "invalid_path", what, hint="for example /api/private")
    endpoint = next((route for route in Route if route.path == path), None) or other_route(path, typed=path)
    settings = ClientSettings(api_url=options.api_url, timeout_seconds=options.settings.timeout_seconds + MORE_SECONDS)
    try:
        is_person = options.emulator and order.caller == PERSON
        caller = _person(context) if is_person else caller_in(order, options.environment)
        mark = {PAGE_HEADER: mark_of(options.key, caller.id)}
        call = call_api(settings, endpoint, caller.token, order.method, headers=mark)
    except (ConnectionFailed, IntrospectionError, LoginRefused) as failure:
        return {"id": None, "status": None, "ms": None, "why": None, "error": error_text(failure)}
    if call.answer.status == 401:
        context.logins.pop(caller.id, None)  # the next request logs in again
    identity, why = call.answer.headers.get("x-request-id"), _why(context, call, caller, is_new=order.explain)
    if why and caller.token:  # without a token, the feed knows as much
        context.tell(EXPLAINED, {"request": identity, "why": why})
    milliseconds = round(call.answer.seconds * 1000, 1)
    return {"id": identity, "status": call.answer.status, "ms": milliseconds, "why": why, "error": None}


def _person(context: PageContext) -> PageCaller:
    """Return the person with their token, as one click on the emulator's login page gives it. Raises ZdemoError."""
    if PERSON not in context.logins:
        settings = context.options.settings
        client_id, seconds = BY_NAME[APP_CLIENT_ID].emulator, settings.timeout_seconds
        where = LoginSettings(issuer=settings.issuer, client_id=client_id, timeout_seconds=seconds)
        with closing(Login(where, ["openid", "profile"], REDIRECT_URI)) as login:
            location = login.begin()
            answer = login.answer_in(location)
            if not answer:
                clicked = login.send("POST", f"/{location.lstrip('/')}", person=PERSON)
                answer = login.answer_in(clicked.headers.get("location", ""))
            context.logins[PERSON] = login.redeem(answer).text
    return PageCaller(id=PERSON, token=context.logins[PERSON])


def _why(context: PageContext, call: Call, caller: PageCaller, *, is_new: bool) -> Why:
    """Return why a request was refused. Ask ZITADEL again about a request like an earlier one only if ``is_new``."""
    if call.accepted:
        return None
    token = sha256((caller.token or "").encode()).digest()
    key = call.method, str(call.route), token, call.answer.status, code_of(call.answer)
    if is_new or key not in context.explanations:
        if len(context.explanations) >= 100:
            context.explanations.clear()
        context.explanations[key] = _found_out(context, call, caller)
    return context.explanations[key]


def _found_out(context: PageContext, call: Call, caller: PageCaller) -> Why:
    if own := finding_for_own_refusal(call):
        return why_document(own, call, context.options)
    settings, environment, again = context.options.settings, context.options.environment, ""
    settings = replace(settings, timeout_seconds=min(settings.timeout_seconds, 5.0))
    if environment.get("PAT", "").strip() != caller.token:
        environment, again = environment.without("PAT"), "--pat"
    ids = context.pats.get(caller.id)
    finding, _ = explain(call, caller.token, settings, environment, again=again, now=time.time(), ids=ids)
    finding = finding.without([caller.token or ""])
    if call.answer.status in GATEWAY_STATUSES:
        finding = with_fix_if_stopped(finding, context.options)
    elif context.options.emulator and caller.id in VARIABLES and finding.id in PRESS:
        finding = replace(finding, fix=(PRESS[finding.id],), otherwise=())
    return why_document(finding, call, context.options)
