"""Cases about failures: what an API answers while ZITADEL does not, when it comes back, and under load."""

from functools import partial
from operator import methodcaller

from zdemo.verify import judgments
from zdemo.verify.case import GUARDED, UNKNOWN, Case, Stage, api_case, final_case
from zdemo.verify.judgments import MOST_FLIGHTS, PUBLIC_SECONDS
from zdemo.verify.run import ANSWER_SECONDS, COLD_CALLS

TOO_LONG = 16 * 1024 + 1  # characters
ODD = ("Bearer \x80\xff\xfe", "Bearer a\tb", "Bearer %00%0d%0a", "Bearer " + "=" * 40, "Bearer ../../etc/passwd")
GATEWAY = "502, 503 or 504"
SOURCE = "RFC 9110 section 15.6; a 401 would make the client throw away a good token"
UNAVAILABLE = "answer 503 with Retry-After when ZITADEL cannot say whether a token is active"
KINDS = (  # of failure: the emulator's fault, what ZITADEL does, and the fix
    ("internal-error", "answers 500", UNAVAILABLE),
    ("rate-limited", "answers 429", UNAVAILABLE),
    ("database-away", "has no database (500 with QUERY-d3fas; 404 before v4.14)", "accept only 200 as an answer"),
    ("not-json", "answers 200 with a web page", "read the answer as JSON, and refuse if it is not JSON"),
    ("truncated", "breaks off in the middle of its answer", UNAVAILABLE),
    ("redirect", "redirects to another origin", "do not follow redirects when asking ZITADEL"),
    ("reset", "resets the connection", "handle connection errors: " + UNAVAILABLE),
    ("drip", "sends its answer byte by byte", "limit the time of the whole request to ZITADEL: " + UNAVAILABLE),
)
UNUSUAL = ("redirect", "drip")  # ZITADEL never does these


_ENOUGH_THREADS = "limit how many requests wait for ZITADEL at the same time, so that threads are left for others"
_prompt = partial(Case, fix=_ENOUGH_THREADS, judge=judgments.prompt, stage=Stage.OUTAGE)

CASES: tuple[Case, ...] = (
    *(
        Case(
            id=f"{'hardening' if kind in UNUSUAL else 'robust'}.{kind.replace('-', '_')}",
            asked=f"a valid token while ZITADEL {does}",
            must=GATEWAY,
            source=SOURCE,
            fix=fix,
            ask=methodcaller("outage", kind),
            judge=judgments.outage,
            stage=Stage.OUTAGE,
        )
        for kind, does, fix in KINDS
    ),
    Case(
        id="robust.hang",
        asked="valid tokens while ZITADEL does not answer at all",
        must=f"{GATEWAY}, within {ANSWER_SECONDS:.0f} s",
        source=SOURCE,
        fix="give the request to ZITADEL a timeout of a few seconds: " + UNAVAILABLE,
        ask=lambda run: max(run.hang.waiting, key=lambda reply: (reply.let_in, not reply.status, reply.status < 502)),
        judge=judgments.outage,
        stage=Stage.OUTAGE,
    ),
    _prompt(
        id="robust.public_while_hanging",
        asked="the public path (--public) while 16 requests wait for ZITADEL",
        must=f"answered within {PUBLIC_SECONDS:.0f} s",
        source="a path that needs no token must not depend on ZITADEL",
        ask=lambda run: run.hang.public,
    ),
    _prompt(
        id="robust.refusal_while_hanging",
        asked="a request without a token while 16 requests wait for ZITADEL",
        must=f"refused within {PUBLIC_SECONDS:.0f} s",
        source="a request that needs no introspection must not depend on ZITADEL",
        ask=lambda run: run.hang.without_token,
    ),
    Case(
        id="robust.recovery",
        asked="the same valid token after each outage",
        must="let in again within 10 s",
        source="RFC 9110 section 15.6.4: 503 is temporary",
        fix="keep no failures in the cache, and ask ZITADEL again soon",
        ask=lambda run: run.outage("internal-error") and run.recoveries,  # of one outage at least
        judge=judgments.recovered,
        stage=Stage.AFTER_OUTAGES,
    ),
    Case(
        id="hardening.single_flight",
        asked=f"{COLD_CALLS} simultaneous requests with one token that the API has not seen",
        must=f"let in, or 503 for the moment, with at most {MOST_FLIGHTS} introspections",
        source="RFC 7662 section 4: caching is allowed; ZITADEL limits requests (429)",
        fix="keep answers for some seconds, and let requests with the same token wait for one introspection",
        ask=lambda run: run.flights,
        judge=judgments.single_flight,
        stage=Stage.TIME,
    ),
    api_case(
        id="robust.too_long",
        asked="a token of 16 KiB",
        must="400, 401, 413 or 431, or the connection is closed",
        source="RFC 9110 section 5.4; RFC 6585 section 5",
        fix="refuse it with 400 or 431, without an introspection",
        ask=lambda run: run.api.send("Bearer " + "A" * TOO_LONG),
        judge=judgments.too_long,
        basis=(GUARDED, UNKNOWN),
    ),
    final_case(
        id="robust.errors",
        asked="all answers that were given while ZITADEL answered",
        must="none is 500",
        source="RFC 9110 section 15.6.1",
        fix="expect every token; the API's log says what it did not expect",
        ask=lambda run: run.api.replies_in_service,
        judge=judgments.every(lambda reply: reply.status != 500, "{} answers, none is 500"),
        basis=(GUARDED,),
    ),
    api_case(
        id="robust.odd_tokens",
        asked="tokens with bytes that are not ASCII, tabs, percent signs and equals signs",
        must="refused: 4xx",
        source="RFC 6750 section 2.1: b64token",
        fix="check the form of a token before it is used",
        ask=lambda run: [run.api.send(value) for value in ODD],
        judge=judgments.no_failure,
        basis=(GUARDED, UNKNOWN),
    ),
)
