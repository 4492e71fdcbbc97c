"""What stands between here and ZITADEL: this machine's own proxy, a gateway, a filter, a limit, a login to the network.

Each rule takes an answer that is no introspection and returns a finding, or ``None`` when it is about something else.
"""

from __future__ import annotations

from zdemo.diagnosis.evidence import Evidence
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.phrases import described, health, seen, url, wait
from zdemo.http.response import Response
from zdemo.introspection.model import INTROSPECTION_PATH

GATEWAY = (502, 503, 504)
LOGIN_TO_THE_NETWORK = 511  # RFC 6585 §6: never a server's own answer
BLOCKED = "Your ZITADEL instance is blocked"  # ZITADEL's own words, which come in plain text


def own_proxy(answer: Response, evidence: Evidence) -> Finding | None:
    """An answer through a proxy of the environment that is no ZITADEL's: the proxy may have written it itself."""
    limited = answer.status == 429 or 300 <= answer.status < 400
    if not answer.proxy or evidence.is_ready or limited or answer.json_object():
        return None
    host = url(answer).netloc
    candidates = (
        f"the proxy does not let requests through to {host}",
        f"{host} is another server than a ZITADEL, or a filter before it answers",
    )
    if answer.status in GATEWAY:
        candidates = (
            f"the proxy gets no connection to {host}: host or port in ZITADEL_DOMAIN is wrong, or nothing runs there",
            f"another proxy answers at {host}, and ZITADEL behind it does not",
        )
    return Finding(
        id="net.proxy_answers",
        cause=f"what came through the proxy {answer.proxy} is no answer of a ZITADEL ({described(answer)})",
        certainty=Certainty.OPEN,
        candidates=candidates,
        seen=(seen(answer), *health(evidence)),
        fix=(
            f"check host and port in ZITADEL_DOMAIN ({host}), and that ZITADEL runs there",
            f"if this machine reaches it without the proxy, add {url(answer).hostname} to NO_PROXY",
            "else let the proxy pass requests to it: its log says more",
        ),
    )


def network_login(answer: Response, evidence: Evidence) -> Finding | None:
    """A captive portal: what answers is the network, whatever host was asked."""
    if answer.status != LOGIN_TO_THE_NETWORK:
        return None
    return Finding(
        id="net.login",
        cause=f"the network wants a login first, and answers in the place of {url(answer).netloc} ({answer.status})",
        seen=(seen(answer), *health(evidence)),
        fix=("log in to the network (open any page in a browser), then try again",),
    )


def rate_limited(answer: Response, evidence: Evidence) -> Finding | None:
    """Too many requests: ZITADEL says so in plain text, a filter before it in a page or under its own name."""
    if answer.status != 429:
        return None
    from_a_filter = answer.media_type == "text/html" or "server" in answer.headers
    cause, certainty = "requests to ZITADEL are rate limited (429)", Certainty.CERTAIN
    if BLOCKED in answer.text:
        cause = "ZITADEL has blocked this instance: a limit is exceeded or set (429)"
    elif from_a_filter:
        cause = f"a proxy or filter before ZITADEL limits or blocks requests from here ({described(answer)})"
        certainty = Certainty.LIKELY
    return Finding(
        id="zitadel.rate_limited",
        cause=cause,
        certainty=certainty,
        seen=(seen(answer), *health(evidence)),
        fix=(wait(answer), "ask the operator of ZITADEL for the limit, and ask ZITADEL less often"),
    )


def lost_on_the_way(answer: Response, evidence: Evidence) -> Finding | None:
    """ZITADEL did not get what was sent."""
    body = answer.json_object()
    if answer.status != 400 or body.get("error") != "invalid_request":
        return None
    what = {
        "token missing": "the form of the request",
        "client_id or client_assertion must be provided": "our authentication (the Authorization header; with a key "
        "file, the form)",
    }.get(str(body.get("error_description", "")))
    if what is None:
        return None
    return Finding(
        id="zitadel.request_changed",
        cause=f"{what} did not reach ZITADEL, though it was sent: something in between takes it away",
        certainty=Certainty.LIKELY,
        seen=(seen(answer), ("ZITADEL", quoted(body.get("error_description"))), *health(evidence)),
        fix=("look at the proxies before ZITADEL: POST, its form and the Authorization header must pass unchanged",),
    )


def gateway(answer: Response, evidence: Evidence) -> Finding | None:
    """A proxy whose ZITADEL does not answer it; or only this path, when ZITADEL itself says that it is ready."""
    from_a_proxy = answer.media_type == "text/html" or "server" in answer.headers  # ZITADEL never names its server
    if answer.status not in GATEWAY or not from_a_proxy:
        return None
    if evidence.is_ready:
        return Finding(
            id="zitadel.in_between",
            cause=f"ZITADEL is at {url(answer).netloc} and ready, but a proxy before it answers {url(answer).path} in "
            f"its place ({answer.status})",
            certainty=Certainty.OPEN,
            candidates=(
                "the proxy leads this path elsewhere, or has it switched off (maintenance)",
                "ZITADEL was starting a moment ago: then it works now",
            ),
            seen=(seen(answer), *health(evidence)),
            fix=("try again", f"let the proxy before ZITADEL pass {_request(answer)}; its log says more"),
        )
    return Finding(
        id="zitadel.behind_proxy_down",
        cause=f"a proxy answers at {url(answer).netloc}, but ZITADEL behind it does not ({answer.status})",
        certainty=Certainty.LIKELY,
        seen=(seen(answer), *health(evidence)),
        fix=("start ZITADEL, or correct the address at which the proxy looks for it; its log says more",),
    )


def in_between(answer: Response, evidence: Evidence) -> Finding:
    """ZITADEL answers its readiness check, and something else answers this."""
    what = "introspection" if url(answer).path == INTROSPECTION_PATH else url(answer).path
    return Finding(
        id="zitadel.in_between",
        cause=f"ZITADEL is at {url(answer).netloc}, but something before it answers {what} in its place",
        seen=(seen(answer), *health(evidence)),
        fix=(f"let the proxy or filter before ZITADEL pass {_request(answer)}",),
    )


def _request(answer: Response) -> str:
    method = "POST" if url(answer).path == INTROSPECTION_PATH else "GET"
    return f"{method} {url(answer).path}"
