"""What answers in the place of an API, or before it reads the request: a TLS port, a redirect, a limit, a gateway.

``setting`` is what holds the API's address, as messages name it. None of it says anything of the token.
"""

from __future__ import annotations

from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.phrases import described, url, wait
from zdemo.diagnosis.wrong_address import redirected_to, says_that_it_expects_tls
from zdemo.http.response import Response

GATEWAY = (502, 503, 504)
ERROR_OF_ZDEMO = {"error", "request_id"}  # what each refusal of a zdemo API has


def speaks_as_zdemo(answer: Response) -> bool:
    """Whether a refusal is a zdemo API's own: JSON with an error and the ID of the request."""
    return answer.json_object().keys() >= ERROR_OF_ZDEMO


def finding_before_the_api(answer: Response, setting: str) -> Finding | None:
    """Why a request did not get as far as a route; ``None`` when it may have."""
    host = url(answer).netloc
    if says_that_it_expects_tls(answer):
        return Finding(
            id="call.expects_tls",
            cause=f"{host} expects TLS (https), and plain http was spoken to it",
            fix=(f"{setting}=https://{host}",),
        )
    if 300 <= answer.status < 400:
        shown, moved = redirected_to(answer, setting)
        return Finding(
            id="call.redirects",
            cause=f"{host} redirects requests to {shown} ({answer.status}); a redirect is not followed: it would take "
            "the token elsewhere",
            fix=moved or (f"set {setting} to the address at which the API answers itself", "or exempt it from a login"),
        )
    if answer.status == 429:
        return Finding(
            id="call.rate_limited",
            cause="requests to the API are limited (429), by itself or by a proxy before it",
            fix=(wait(answer), "ask whoever runs it for the limit"),
        )
    return None


def finding_for_gateway(answer: Response, setting: str) -> Finding | None:
    """A 502, 503 or 504 that is not in the words of a zdemo API; ``None`` for anything else."""
    if answer.status not in GATEWAY or speaks_as_zdemo(answer):
        return None
    return Finding(
        id="call.gateway",
        cause=f"the answer is not in the words of a zdemo API ({described(answer)})",
        certainty=Certainty.OPEN,
        candidates=(
            "a proxy or gateway answers in the place of the API, which is down, starting, or elsewhere",
            "an API of another make answers so, which is failing or cannot have the token checked",
        ),
        fix=(
            "start the API (zdemo serve), or correct where the proxy looks for it: its log says more",
            f"correct {setting}, if another server is meant",
            "look at the API's log",
        ),
    )
