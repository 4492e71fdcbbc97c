"""Cases about what helps clients, caches and browsers."""

from functools import partial

from zdemo.diagnosis.ask.facts import random_token
from zdemo.verify import judgments
from zdemo.verify.case import Case, Needs, Stage, api_case, final_case, role_case
from zdemo.verify.cases.safe import PREFLIGHT

MADE_UP = random_token()
_private = partial(
    Case,
    must="Cache-Control: no-store, private or no-cache, or Vary: Authorization",
    source="RFC 9111 sections 5.2.2 and 4.1",
    fix="send Cache-Control: no-store on every route that requires a token",
    judge=judgments.say_private,
)

CASES: tuple[Case, ...] = (
    final_case(
        id="polite.realm",
        asked="the bearer challenges of the whole run",
        must="at least one parameter, such as realm",
        source="RFC 6750 section 3",
        fix='send WWW-Authenticate: Bearer realm="…"',
        judge=judgments.named_realm,
    ),
    role_case(
        id="polite.scope",
        asked="the challenge for a missing role",
        must="scope says what is missing",
        source="RFC 6750 section 3.1",
        fix='send scope="urn:zitadel:iam:org:project:role:ROLE" with insufficient_scope',
        ask=lambda run: run.refused_visitor,
        judge=judgments.names_scope,
    ),
    api_case(
        id="polite.two_ways",
        asked="the same made-up token in the header and in the query",
        must="400 invalid_request",
        source="RFC 6750 sections 2 and 3.1",
        fix="answer 400 invalid_request when a token is sent in two ways",
        ask=lambda run: run.api.send(f"Bearer {MADE_UP}", query=MADE_UP),
        judge=judgments.refused_as("invalid_request", 400),
    ),
    final_case(
        id="polite.body",
        asked="the bodies of refusals",
        must="no web page, and valid JSON where Content-Type says so",
        source="RFC 9110 section 8.3",
        fix="answer refusals in the form of the API's other answers, usually JSON",
        judge=judgments.readable,
    ),
    final_case(
        id="polite.trace",
        asked="all answers of the API",
        must="no stack trace",
        source="CWE-209",
        fix="switch the debug mode off, and write errors to the log",
        judge=judgments.no_trace,
    ),
    _private(id="polite.cache", asked="the answer to a valid token", ask=lambda run: [run.answer]),
    _private(
        id="polite.cached_refusal",
        needs=Needs.NOTHING,
        asked="the answer to a token that nobody issued",
        ask=lambda run: [run.refused_garbage],
    ),
    Case(
        id="polite.retry_after",
        asked="the 503 answers of the whole run",
        must="each has Retry-After",
        source="RFC 9110 section 10.2.3",
        fix="send Retry-After: 1 with 503",
        ask=lambda run: run.api.replies,
        judge=judgments.retry_after,
        stage=Stage.LAST,
    ),
    Case(
        id="polite.head",
        asked="HEAD with a valid token",
        must="the status of GET and no body, or 405",
        source="RFC 9110 section 9.3.2",
        fix="answer HEAD like GET without the body",
        ask=lambda run: [run.answer, run.api.send(f"Bearer {run.known.token}", method="HEAD")],
        judge=judgments.like_get,
    ),
    api_case(
        id="polite.preflight",
        asked="the preflight request of a browser (OPTIONS without a token)",
        must="not 401, 403 or 5xx",
        source="Fetch standard, CORS-preflight fetch: it has no Authorization header",
        fix="do not guard OPTIONS requests",
        ask=lambda run: run.api.send(method="OPTIONS", headers=PREFLIGHT),
        judge=judgments.one(lambda reply: reply.status not in (0, 401, 403) and reply.status < 500),
    ),
)
