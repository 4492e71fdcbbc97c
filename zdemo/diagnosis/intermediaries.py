"""Answers that something in front of ZITADEL writes or causes: a proxy, a filter, or the network."""

from zdemo.diagnosis.cases import ResponseCase
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.phrases import described, url, wait
from zdemo.http.response import GATEWAY_STATUSES

NETWORK_LOGIN = 511  # RFC 6585 §6: never a server's own answer
BLOCKED = "Your ZITADEL instance is blocked"  # ZITADEL's own words, in plain text


def own_proxy(case: ResponseCase) -> Finding | None:
    """Find an answer that the environment's proxy may have written itself."""
    answer, host = case.answer, case.host
    limited = answer.status == 429 or 300 <= answer.status < 400
    if not answer.proxy or case.evidence.is_ready or limited or answer.json_object():
        return None
    candidates = (
        f"the proxy does not let requests through to {host}",
        f"{host} is not a ZITADEL, or a filter in front of it answers",
    )
    if answer.status in GATEWAY_STATUSES:
        candidates = (
            f"the proxy cannot connect to {host}: host or port in {answer.setting} is wrong, or nothing runs there",
            f"another proxy answers at {host}, and ZITADEL behind it does not",
        )
    return Finding(
        id="net.proxy_answers",
        cause=f"the answer that came through the proxy {answer.proxy} is not ZITADEL's ({described(answer)})",
        candidates=candidates,
        fix=(f"check host and port in {answer.setting} ({host}), and that ZITADEL runs there",),
        otherwise=(
            f"if this machine reaches it without the proxy, add {url(answer).hostname} to NO_PROXY",
            "otherwise let the proxy pass requests to it: its log says more",
        ),
    )


def network_login(case: ResponseCase) -> Finding | None:
    """Find a captive portal: the network answers, whatever host was asked."""
    if case.answer.status != NETWORK_LOGIN:
        return None
    return Finding(
        id="net.login",
        cause=f"the network requires a login first, and answers in place of {case.host} ({NETWORK_LOGIN})",
        fix=("log in to the network (open any page in a browser), then try again",),
    )


def rate_limited(case: ResponseCase) -> Finding | None:
    """Find a rate limit: ZITADEL's is plain text, a filter's is a page or has the filter's name."""
    answer = case.answer
    if answer.status != 429:
        return None
    cause, likely = "requests to ZITADEL are rate limited (429)", False
    if BLOCKED in answer.text:
        cause = "ZITADEL has blocked this instance: a limit was exceeded or set (429)"
    elif _is_from_a_proxy(case):
        cause = f"a proxy or filter in front of ZITADEL limits or blocks requests from here ({described(answer)})"
        likely = True
    return Finding(
        id="zitadel.rate_limited",
        cause=cause,
        likely=likely,
        fix=(wait(answer), "ask the operator of ZITADEL for the limit, and send ZITADEL fewer requests"),
    )


def _is_from_a_proxy(case: ResponseCase) -> bool:
    """Return whether a page or a server's name came: ZITADEL sends neither."""
    return case.answer.media_type == "text/html" or "server" in case.answer.headers


def lost_on_the_way(case: ResponseCase) -> Finding | None:
    """Find a part of the request that did not reach ZITADEL."""
    body = case.answer.json_object()
    description = str(body.get("error_description", ""))
    what = {
        "token missing": "the form of the request",
        "client_id or client_assertion must be provided": f"the {case.client}'s authentication (the Authorization "
        "header; with a key file, the form)",
        "grant_type missing": "the form of the request",
        "assertion missing": "the form of the request",
    }.get(description)
    if case.answer.status != 400 or body.get("error") != "invalid_request" or what is None:
        return None
    return Finding(
        id="zitadel.request_changed",
        cause=f"{what} was sent but did not reach ZITADEL: something in between removes it",
        likely=True,
        seen=(("ZITADEL", quoted(description)),),
        fix=("check the proxies in front of ZITADEL: POST, its form and the Authorization header must pass unchanged",),
    )


def gateway(case: ResponseCase) -> Finding | None:
    """Find a proxy that does not reach ZITADEL, or that does not pass this path to a ZITADEL that is ready."""
    if case.answer.status not in GATEWAY_STATUSES or not _is_from_a_proxy(case):
        return None
    if case.evidence.is_ready:
        return Finding(
            id="zitadel.in_between",
            cause=f"ZITADEL is at {case.host} and ready, but a proxy in front of it answers {case.path} in its place "
            f"({case.answer.status})",
            candidates=(
                "the proxy sends this path elsewhere, or it is switched off there (maintenance)",
                "ZITADEL was starting a moment ago, and works now",
            ),
            fix=("try again", f"let the proxy in front of ZITADEL pass {case.request}; its log says more"),
        )
    return Finding(
        id="zitadel.behind_proxy_down",
        cause=f"a proxy answers at {case.host}, but ZITADEL behind it does not ({case.answer.status})",
        likely=True,
        fix=("start ZITADEL, or correct ZITADEL's address in the proxy's configuration; its log says more",),
    )


def in_between(case: ResponseCase) -> Finding:
    """Return the finding when ZITADEL answers its readiness check, but something else answers this path."""
    return Finding(
        id="zitadel.in_between",
        cause=f"ZITADEL is at {case.host}, but something in front of it answers {case.subject} in its place",
        fix=(f"let the proxy or filter in front of ZITADEL pass {case.request}",),
    )
