"""Cases about the protocol: statuses, challenges, and what a client may send."""

from functools import partial
from itertools import permutations

from zdemo.diagnosis.ask.facts import random_token
from zdemo.verify import judgments
from zdemo.verify.case import GUARDED, UNKNOWN, Case, Stage, api_case, final_case, role_case

MALFORMED = ("Bearer", "Bearer two words", 'Bearer "quoted"')


_accepted = partial(Case, must="2xx", judge=judgments.accepted)
_no_error = partial(api_case, must="401 with WWW-Authenticate: Bearer and no error code", judge=judgments.unchallenged)

CASES: tuple[Case, ...] = (
    _accepted(
        id="correct.accepts",
        asked="a valid token whose user has the role",
        source="RFC 6750 section 2.1",
        fix="check --path and --role, and that the API reads its settings from its environment (--env), and "
        "introspects tokens",
        ask=lambda run: run.answer,
        stage=Stage.FIRST,
        basis=(GUARDED,),
    ),
    _no_error(
        id="correct.no_token",
        asked="a request without a token",
        source="RFC 6750 sections 3 and 3.1",
        fix='answer 401 with WWW-Authenticate: Bearer realm="…", and no error code where no token was sent',
        ask=lambda run: run.bare,
    ),
    _no_error(
        id="correct.other_scheme",
        asked="Authorization: Basic …",
        source="RFC 6750 section 3.1; RFC 9110 section 11.6.1",
        fix="treat schemes other than Bearer as no token: 401 with a challenge and no error code",
        ask=lambda run: run.api.send("Basic Zm9vOmJhcg=="),
    ),
    api_case(
        id="correct.scheme_case",
        asked="bearer and BEARER instead of Bearer",
        must="as with Bearer",
        source="RFC 9110 section 11.1",
        fix="ignore the case of the scheme",
        ask=lambda run: [
            run.refused_garbage,
            *(run.api.send(f"{scheme} {random_token()}") for scheme in ("bearer", "BEARER")),
        ],
        judge=judgments.same,
    ),
    _accepted(
        id="correct.spaces",
        asked="two blanks between Bearer and a valid token",
        source="RFC 6750 section 2.1; RFC 9110 section 11.4: 1*SP",
        fix="skip all blanks behind the scheme",
        ask=lambda run: run.api.send(f"Bearer  {run.known.token}"),
    ),
    _accepted(
        id="correct.session_token",
        asked="a token of the client credentials grant for this project",
        source="ZITADEL: such a token is active with the scope urn:zitadel:iam:org:project:id:PROJECT_ID:aud",
        fix="introspect every form of token; do not require a claim that only some tokens have",
        ask=lambda run: run.api.bearer(run.zitadel.issue(run.role, pat=False).token),
    ),
    _accepted(
        id="correct.jwt",
        asked="a valid JWT access token for this project",
        source="ZITADEL: introspection takes JWT access tokens too",
        fix="allow dots in tokens, and introspect JWTs like other tokens",
        ask=lambda run: run.api.bearer(run.zitadel.issue(run.role, as_jwt=True).token),
    ),
    Case(
        id="correct.impersonated",
        asked="a valid token with which another user impersonates its user",
        must="let in, or refused with 401 or 403: the API decides",
        source="RFC 8693 section 4.1; ZITADEL: introspection names who impersonates a user in act",
        fix="read act on routes where an actor is not allowed (in zdemo's guards: requires_token(actor=False))",
        ask=lambda run: run.with_claims(("act",), {"act": {"iss": run.issuer_url, "sub": run.known.user_id}})[0],
        judge=judgments.impersonated,
    ),
    api_case(
        id="correct.malformed",
        asked="Bearer without a token, with two words, and with quotes",
        must="invalid_request with 400, or with 401 for a proxy that cannot pass 400 on",
        source="RFC 6750 section 3.1: SHOULD",
        fix="answer 400 invalid_request to a malformed Bearer header",
        ask=lambda run: [run.api.send(value) for value in MALFORMED],
        judge=judgments.every(lambda reply: reply.status in (400, 401) and reply.error == "invalid_request"),
    ),
    Case(
        id="correct.repeated",
        asked="two Authorization headers, one of them with a valid token",
        must="400 or 401",
        source="RFC 9110 sections 5.3 and 11.6.2; RFC 6750 section 3.1",
        fix="refuse a request with more than one Authorization header",
        ask=lambda run: [  # in both orders: an API must not choose one of them
            run.api.send(*pair) for pair in permutations((f"Bearer {run.known.token}", f"Bearer {random_token()}"))
        ],
        judge=judgments.every(lambda reply: reply.status in (400, 401)),
    ),
    api_case(
        id="correct.invalid_token",
        asked="a token of the right form that nobody issued",
        must="401 invalid_token",
        source="RFC 6750 section 3.1",
        fix='answer 401 with error="invalid_token" to a token that is not active',
        ask=lambda run: run.refused_garbage,
        judge=judgments.refused_as("invalid_token", 401),
        basis=(GUARDED, UNKNOWN),
    ),
    role_case(
        id="correct.insufficient_scope",
        asked="a valid token without the role",
        must="403 or 401, insufficient_scope",
        source="RFC 6750 section 3.1",
        fix='answer 403 with error="insufficient_scope" to a valid token without the role',
        ask=lambda run: run.refused_visitor,
        judge=judgments.refused_as("insufficient_scope", 403, 401),
    ),
    final_case(
        id="correct.challenge",
        asked="the 401 answers of the whole run",
        must="each has WWW-Authenticate",
        source="RFC 9110 section 15.5.2; RFC 6750 section 3",
        fix='send WWW-Authenticate: Bearer realm="…" with each 401',
        judge=judgments.challenged,
    ),
    final_case(
        id="correct.challenge_syntax",
        asked="the challenges of the whole run",
        must='scheme, then name="value" with commas between; each name once; no " or \\ in error_description',
        source="RFC 9110 section 11.6.1; RFC 6750 section 3",
        fix='build the header from name="value" pairs, and put no text of others into it',
        judge=judgments.well_formed,
    ),
)
