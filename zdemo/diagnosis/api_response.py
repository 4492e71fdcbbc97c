"""What answers in place of an API, or before it reads the request: AirPlay, a TLS port, a redirect, a limit, a gateway.

``setting`` is the variable or option that holds the API's address. No finding mentions the token.
"""

from zdemo.authorization import REALM
from zdemo.client import parse_challenge
from zdemo.config.names import assignment
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.phrases import AIRPLAY, described, expects_https, is_airplay, redirected_to, url, wait
from zdemo.http.response import GATEWAY_STATUSES, Response

ERROR_OF_ZDEMO = {"error", "request_id"}  # in each refusal of a zdemo API
CODES = ("invalid_request", "invalid_token", "insufficient_scope")  # RFC 6750 §3.1
CHALLENGE = "WWW-Authenticate"
CHALLENGE_LOST = f"something in between removes {CHALLENGE}, which a zdemo API always sends"


def is_from_zdemo(answer: Response) -> bool:
    """Return whether a refusal is a zdemo API's own: JSON with an error and the ID of the request."""
    return answer.json_object().keys() >= ERROR_OF_ZDEMO


def code_of(answer: Response) -> str:
    """Return the error code of a refusal, from its challenge or from a zdemo API's body; empty without one."""
    if challenge := parse_challenge(answer.headers.get(CHALLENGE.lower())):
        return challenge.error
    code = answer.json_object().get("error") if is_from_zdemo(answer) else ""
    return code if code in CODES else ""


def lost_challenge(answer: Response) -> bool:
    """Return whether a zdemo API refused the request, but its challenge did not arrive."""
    refused = answer.status == 401 or (answer.status == 403 and code_of(answer))
    return bool(refused) and is_from_zdemo(answer) and CHALLENGE.lower() not in answer.headers


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
    challenge = answer.headers.get(CHALLENGE.lower(), "")
    if answer.status == 401 and challenge.lower().startswith("basic") and "bearer" not in challenge.lower():
        return Finding(
            id="call.login",
            cause=f"something at {host} asks for a user name and password (401, {quoted(challenge, 60)}), "
            "not for a bearer token",
            candidates=("a proxy in front of the API requires a login of its own", "another server answers there"),
            fix=("let the proxy pass requests for the API without that login", f"correct {setting}, if it is another"),
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


def finding_for_no_example_api(answer: Response, setting: str) -> Finding | None:
    """Return why the public route does not answer as that of the example API, as far as the answer shows it."""
    if finding := finding_before_the_api(answer, setting) or finding_for_gateway(answer, setting):
        return finding
    if answer.status == 404:
        return finding_for_no_such_route(answer, setting)
    return finding_for_refusal_elsewhere(answer, setting, public=True) if answer.status in (401, 403) else None


def finding_for_changed_refusal(answer: Response) -> Finding | None:
    """Find what changes a refusal of a zdemo API, which its public route has shown to be there."""
    if lost_challenge(answer):
        what, how = f"its private route refuses as it should, but {CHALLENGE_LOST}", CHALLENGE
    elif answer.media_type == "text/html":
        what = f"something in front of it replaces its refusals by a web page ({described(answer)})"
        how = "its answers unchanged (nginx: proxy_intercept_errors off)"
    else:
        return None
    return Finding(id="call.changed", cause=what, fix=(f"let the proxy in front of the API pass {how}",))


def finding_for_page(answer: Response, setting: str) -> Finding:
    """Return the finding for a web page, which no route of the API sends."""
    return Finding(
        id="call.page",
        cause=f"the answer is a web page ({answer.status}, text/html), which the API does not send",
        candidates=("another web server answers there", "a proxy in front of the API answers in its place"),
        fix=(f"correct {setting}", "check the log of the proxy, if there is one"),
    )


def finding_for_no_such_route(answer: Response, setting: str) -> Finding:
    """Return the finding for a 404 where the example API has a route: only its own body shows that it is there."""
    host, path = url(answer).netloc, url(answer).path
    if not is_from_zdemo(answer):
        return Finding(
            id="call.no_such_route",
            cause=f"the server at {host} has no {path} ({described(answer)}), as the API of zdemo serve does",
            candidates=("it is an API of your own", "it is another server", "the API has another path there"),
            fix=(
                f"correct {setting}: where zdemo serve runs",
                "zdemo doctor --api URL  (for an API of your own: a URL that requires a token)",
            ),
        )
    return Finding(
        id="call.path_changed",
        cause=f"a zdemo API answers at {host}, but says that there is no such path as {path}",
        candidates=(
            "a proxy in front of it changes the path, or adds to it",
            "the API's paths begin with a prefix there, which is missing here",
        ),
        fix=(
            "let the proxy in front of the API pass the path unchanged",
            f"or call it with the prefix: zdemo call {url(answer).scheme}://{host}/PREFIX{path}",
        ),
    )


def finding_for_refusal_elsewhere(answer: Response, setting: str, *, public: bool) -> Finding:
    """Return the finding for a 401 or 403 that the example API did not write; ``public``: its route is open."""
    host, path = url(answer).netloc, url(answer).path
    challenge = answer.headers.get(CHALLENGE.lower(), "")
    guarded = parse_challenge(challenge) is not None and f'realm="{REALM}"' in challenge
    what = "an app with zdemo's guard, but not zdemo serve" if guarded else "not zdemo serve"
    gateway = "it is a gateway in front of the API that accepts other tokens, such as JWTs only"
    refuses = f"requires authentication for {path}" if public else "refuses the request"
    return Finding(
        id="call.refused_elsewhere",
        cause=f"what {refuses} at {host} is {what} ({described(answer)})",
        candidates=() if guarded else (gateway, "it is another API"),
        fix=(f"zdemo doctor --api {url(answer).scheme}://{host}{path.replace('/api/public', '/api/private')}",),
        otherwise=(f"or correct {setting}: where zdemo serve runs",),
    )
