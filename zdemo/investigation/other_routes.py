"""Why a route of any API refused a request: only what is known, since the API may have requirements of its own."""

import re

from zdemo.client import Call, Method, OtherRoute
from zdemo.diagnosis import Finding

API_LOG = "check the API's log: it names the cause"


def finding_for_zitadel(call: Call, issuer: str) -> Finding | None:
    """Return that ZITADEL itself was called, if it was."""
    if not call.url.startswith(f"{issuer}/"):
        return None
    return Finding(
        id="call.is_zitadel",
        cause=f"{issuer} is ZITADEL itself (ZITADEL_DOMAIN), not an API",
        fix=(f"correct {call.setting}: the address of your API",),
    )


def finding_for_route(call: Call) -> Finding | None:
    """Return what the status alone says about path and method: 404 for any API but zdemo's, and 405."""
    if call.answer.status == 405:
        return _other_method(call)
    if call.answer.status != 404 or not isinstance(call.route, OtherRoute):
        return None
    return Finding(
        id="call.not_found",
        cause=f"the API has nothing there for {call.method} (404)",
        candidates=("the path is misspelled, or lacks a prefix such as /api", "the API hides it from this caller"),
        fix=("correct the path", f"correct {call.setting}, if another API is meant"),
    )


def _other_method(call: Call) -> Finding:
    """Return which methods the path takes, as far as ``Allow`` says it (RFC 9110 §15.5.6)."""
    words = re.findall(r"[A-Z]{1,20}", call.answer.headers.get("allow", "")[:200])
    takes = f"; it takes {', '.join(words)}" if words else ""
    safe = next((m for m in Method if m in words and m.is_safe and m is not call.method), None)
    method = f"-X {safe or '…'}" if safe is not Method.GET else ""
    again = f"zdemo call {call.route} {method}".rstrip()
    return Finding(
        id="call.method_not_allowed",
        cause=f"this path does not take {call.method} (405){takes}",
        fix=(again,) if safe else ("use a method that the API's documentation names: -X METHOD",),
    )


def refused_without_reason(call: Call) -> Finding:
    """Return the finding for a 401 without a reason, where ZITADEL cannot be asked."""
    return Finding(
        id="call.refused",
        cause=f"the API refused the request ({call.answer.status}) without a challenge that says why",
        candidates=(
            "the token is not active, or not meant for this API",
            "the API takes other credentials than a bearer token",
        ),
        fix=("zdemo introspect --pat  (what ZITADEL says about this token)", API_LOG),
    )


def finding_for_own_rules(call: Call, issuer: str) -> Finding:
    """Return the finding where ZITADEL has nothing against the token: the API's own rules refuse it."""
    scope = call.challenge.scope if call.challenge else ""
    required = (("required", scope),) if scope else ()
    return Finding(
        id="call.own_rules",
        cause=f"{issuer} says that the token is active, and its audience fits the settings here: the API refuses it "
        "for a reason of its own",
        candidates=(
            "the user lacks a role or a right that the API requires",
            "the API uses another application or project than this command line",
            *(("it takes other credentials than a bearer token",) if call.answer.status == 401 else ()),
            "a gateway or filter in front of the API refuses the request",
        ),
        seen=required,
        fix=(API_LOG,),
    )
