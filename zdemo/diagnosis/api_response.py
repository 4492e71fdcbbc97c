"""What answers in place of an API, or before it reads the request: AirPlay, a TLS port, a redirect, a limit, a gateway.

``setting`` is the variable or option that holds the API's address. No finding mentions the token.
"""

from __future__ import annotations

from zdemo.config.names import assignment
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.phrases import AIRPLAY, described, expects_https, is_airplay, redirected_to, url, wait
from zdemo.http.response import GATEWAY_STATUSES, Response

ERROR_OF_ZDEMO = {"error", "request_id"}  # in each refusal of a zdemo API


def is_from_zdemo(answer: Response) -> bool:
    """Return whether a refusal is a zdemo API's own: JSON with an error and the ID of the request."""
    return answer.json_object().keys() >= ERROR_OF_ZDEMO


def finding_before_the_api(answer: Response, setting: str) -> Finding | None:
    """Return why a request did not get as far as a route of the API; ``None`` when it may have."""
    host = url(answer).netloc
    if is_airplay(answer):
        return Finding(
            id="call.airplay",
            cause=f"the server at {host} is {AIRPLAY} ({answer.status}), which uses port 5000, not the API",
            fix=("zdemo serve --port 5001", assignment(setting, "http://127.0.0.1:5001")),
        )
    if cause := expects_https(answer):
        return Finding(id="call.expects_tls", cause=cause, fix=(assignment(setting, f"https://{host}"),))
    if 300 <= answer.status < 400:
        target, moved = redirected_to(answer, setting)
        elsewhere = f"set {setting} to the address at which the API itself answers"
        path = f"use the path {target}, if the route is there"
        return Finding(
            id="call.redirects",
            cause=f"{host} redirects requests to {target} ({answer.status}); the redirect was not followed"
            + ("" if target.startswith("/") else ", because it would take the token elsewhere"),
            fix=moved or (path if target.startswith("/") else elsewhere,),
            otherwise=() if moved else ("or exempt the API from the login",),
        )
    if answer.status == 429:
        return Finding(
            id="call.rate_limited",
            cause="requests to the API are rate limited (429), by the API or by a proxy in front of it",
            fix=(wait(answer), "ask the operator of the API for the limit"),
        )
    return None


def finding_for_gateway(answer: Response, setting: str) -> Finding | None:
    """Return the finding for a 502, 503 or 504 that a zdemo API did not write; ``None`` for anything else."""
    if answer.status not in GATEWAY_STATUSES or is_from_zdemo(answer):
        return None
    return Finding(
        id="call.gateway",
        cause=f"the answer does not come from a zdemo API ({described(answer)})",
        candidates=(
            "a proxy or gateway answers in place of the API, which is down, starting, or elsewhere",
            "another API answers, and it fails or cannot have the token checked",
        ),
        fix=(
            "start the API (zdemo serve), or correct its address in the proxy's configuration: the proxy's log says "
            "more",
            f"correct {setting}, if another server is meant",
            "check the API's log",
        ),
    )
