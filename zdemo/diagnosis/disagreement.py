"""Why the API and ZITADEL disagree about a token, by the API's answers to one and the same request."""

from collections.abc import Sequence
from itertools import pairwise

from zdemo.client import Call, OtherRoute
from zdemo.config.settings import Settings
from zdemo.diagnosis.api_response import code_of, is_from_zdemo
from zdemo.diagnosis.finding import Finding, quoted

DISAGREES = "call.disagrees"
REQUEST_ID = "X-Request-ID"
STARTED_BEFORE = "the API was started before its settings were changed"
RESTART = "restart zdemo serve, if its settings were changed since then"
COMPARE = (
    "compare ZITADEL_DOMAIN, ZITADEL_INTERNAL_URL, CLIENT_ID and ZITADEL_PROJECT_ID of the API with the values here"
)


def can_be_cached(call: Call) -> bool:
    """Return whether the answer can rest on an earlier one of ZITADEL: the API reuses only those for active tokens."""
    return call.accepted or code_of(call.answer) == "insufficient_scope" or not is_from_zdemo(call.answer)


def finding_for_disagreement(call: Call, zitadel: str, settings: Settings, *, waited: bool = False) -> Finding:
    """Return the possible causes, the likeliest first; ``zitadel`` is what it says of the token.

    ``waited``: the API still answered so when the ``ZDEMO_CACHE_TTL`` of here had passed.
    """
    ttl = settings.cache_ttl_seconds
    is_own = isinstance(call.route, OtherRoute)
    in_front = not call.accepted and not is_from_zdemo(call.answer) and not call.challenge
    proxy = "caches or changes answers" if call.accepted else "caches answers, or changes the Authorization header"
    again = (f"{call.command}  (again, after {ttl:g} s)",) if ttl and not waited and can_be_cached(call) else ()
    return Finding(
        id=DISAGREES,
        cause=f"the API and {settings.issuer} disagree about this token",
        candidates=(
            *(("a gateway or filter in front of the API refuses the request",) if in_front else ()),
            STARTED_BEFORE,
            "it asks another ZITADEL, or has another CLIENT_ID or ZITADEL_PROJECT_ID",
            *((_reused(ttl, waited=waited),) if can_be_cached(call) else ()),
            f"something in between {proxy}",
            "several instances of it answer, and one has other settings",
        ),
        seen=(("API", f"{call.answer.status}"), ("ZITADEL", zitadel)),
        fix=(COMPARE,) if is_own else (RESTART,),
        otherwise=(*(() if is_own else (COMPARE,)), *again),
    )


def _reused(ttl: float, *, waited: bool) -> str:
    if waited:
        return f"it reuses an answer for longer than {ttl:g} s (ZDEMO_CACHE_TTL here)"
    if ttl:
        return f"it reuses an answer, for up to {ttl:g} s (ZDEMO_CACHE_TTL here)"
    return "it reuses an answer, if its ZDEMO_CACHE_TTL is not 0 as here"


def finding_for_unsteady(calls: Sequence[Call]) -> Finding | None:
    """Find what answers of a zdemo API to the same request show: that one is replayed, or that several APIs answer."""
    identities = [call.answer.headers.get(REQUEST_ID.lower(), "") for call in calls]
    twice = next((one for one in identities if one and identities.count(one) > 1), "")
    if twice or any("age" in call.answer.headers for call in calls):
        how = f"two requests got the same {REQUEST_ID}" if twice else "an answer has an Age, which the API never sends"
        return Finding(
            id="call.replayed",
            cause=f"something between here and the API caches its answers, also those to requests with a token: {how}",
            seen=((REQUEST_ID, quoted(twice, 40)),) if twice else (),
            fix=("let the proxy in front of the API cache no answers to requests with Authorization",),
        )
    switches = sum(one.decisive != next_one.decisive for one, next_one in pairwise(calls))
    if switches < 2:  # one can be a change just now
        return None
    statuses = " and ".join(dict.fromkeys(str(call.answer.status) for call in calls))
    fails = any(call.answer.status not in (200, 401, 403) for call in calls)  # one instance can do that at times
    several = "several instances or workers of the API answer, and they disagree"
    return Finding(
        id="call.instances_differ",
        cause=f"{'the API is not steady' if fails else several}: the same request got {statuses}",
        candidates=(
            "one instance was started before its settings were changed, or has others",
            "it cannot always ask ZITADEL, or a proxy cannot always ask it"
            if fails
            else "one reuses an earlier answer of ZITADEL, for its ZDEMO_CACHE_TTL",
        ),
        fix=("restart all instances with the same settings", *(["check the API's log"] if fails else [])),
    )
