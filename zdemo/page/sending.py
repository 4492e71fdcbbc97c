"""Send a request from the page to the API, at its own address only, and explain the answer as ``zdemo call`` does."""

import time
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from typing import Any

from zdemo.config.settings import APP_CLIENT_ID, ClientSettings, LoginSettings
from zdemo.config.variables import BY_NAME
from zdemo.diagnosis.ask.explain import explain
from zdemo.diagnosis.evidence import PatIds
from zdemo.diagnosis.rules.api_response import code_of
from zdemo.errors import ConnectionFailed, IntrospectionError
from zdemo.errors.response import GATEWAY_STATUSES
from zdemo.http.api_call import Call, call_api, other_route
from zdemo.http.example_api import Route
from zdemo.page.access import PAGE_HEADER, mark_of
from zdemo.page.explanations import finding_for_own_refusal, why_document, with_fix_if_stopped
from zdemo.page.feed import EXPLAINED
from zdemo.page.page_context import PERSON, VARIABLES, PageContext, PageRefusal, SendOrder, Why, error_text
from zdemo.page.page_state import PageCaller, caller_in
from zdemo.zitadel.login import Login, LoginRefused
from zdemo.zitadel.resources import REDIRECT_URI

LONGEST_PATH = 2000  # characters
MORE_SECONDS = 2.0  # for the API, which needs its own time to find out that ZITADEL does not answer
EXPLAIN_SECONDS = 5.0
MOST_EXPLANATIONS = 100
PRESS = {
    "token.deleted": "press Restore PAT",
    "token.user_was_off": "press Restore PAT",
    "token.user_deactivated": "press Reactivate, then Restore PAT: deactivating ended the PAT",
}


def send(context: PageContext, order: SendOrder) -> dict[str, Any]:
    """Send one request to the API, and return its status and why it was refused."""
    options, path = context.options, order.path  # and no more: the API's address comes from the server
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
    """Return why a request was refused; unless ``is_new``, as ZITADEL was asked about one like it before."""
    if call.accepted:
        return None
    token = sha256((caller.token or "").encode()).digest()
    key = call.method, str(call.route), token, call.answer.status, code_of(call.answer)
    if is_new or key not in context.explanations:
        if len(context.explanations) >= MOST_EXPLANATIONS:
            context.explanations.clear()
        context.explanations[key] = _found_out(context, call, caller)
    return context.explanations[key]


def _found_out(context: PageContext, call: Call, caller: PageCaller) -> Why:
    if own := finding_for_own_refusal(call):
        return why_document(own, call, context.options)
    settings, environment, again = context.options.settings, context.options.environment, ""
    settings = replace(settings, timeout_seconds=min(settings.timeout_seconds, EXPLAIN_SECONDS))
    if environment.get("PAT", "").strip() != caller.token:
        environment, again = environment.without("PAT"), "--pat"
    ids, user_id = None, context.user_ids.get(caller.id)  # whose PAT it is, and which, as far as the page saw it
    if caller.id in VARIABLES and user_id:
        pat_id = context.pat_ids.get(caller.id, "")
        ids = PatIds(user=user_id, pat_id=pat_id, variable=VARIABLES[caller.id], named_by=())
    explanation = explain(call, caller.token, settings, environment, again=again, now=time.time(), ids=ids)
    if explanation is None:
        return None
    finding = explanation.finding.without([caller.token or ""])
    if call.answer.status in GATEWAY_STATUSES:
        finding = with_fix_if_stopped(finding, context.options)
    elif context.options.emulator and caller.id in VARIABLES and finding.id in PRESS:
        finding = replace(finding, fix=(PRESS[finding.id],), otherwise=())
    return why_document(finding, call, context.options)
