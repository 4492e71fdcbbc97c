"""Cases about safety: requests that must not be let in, and tokens and secrets that must not be seen."""

import time
from collections.abc import Sequence
from functools import partial
from operator import methodcaller

from zdemo.diagnosis.ask.facts import random_token
from zdemo.verify import judgments
from zdemo.verify.api_client import ApiReply
from zdemo.verify.case import ACCEPTS, GUARDED, ROLES, UNKNOWN, Case, Needs, Stage, api_case, role_case
from zdemo.verify.run import OTHER_ROLE, VerifyRun
from zdemo.zitadel.introspection_answer import roles_claim_of

FOREIGN = {"Origin": "https://attacker.example"}
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization", **FOREIGN}
METHODS = ("HEAD", "POST", "PUT", "DELETE")
INSIDERS = {  # what proxies say of those inside, and anybody can say too
    "X-Forwarded-For": "127.0.0.1",
    "X-Real-IP": "127.0.0.1",
    "X-Forwarded-User": "admin",
    "User-Agent": "kube-probe/1.30",
}
NOT_TRUE = {"active false": False, "active null": None, "no active": ...}
READ_ROLES = "read roles from the keys of the claim urn:zitadel:iam:org:project:PROJECT_ID:roles"
GONE = (  # name, what is asked, and the change of the user
    ("deleted_pat", "that was deleted", "delete"),
    ("deactivated_user", "whose user was deactivated", "deactivate"),
    ("locked_user", "whose user was locked", "lock"),
)
LATE_SECONDS = 10  # a few seconds of leeway are for clocks that differ


def _unsigned_jwt(run: VerifyRun) -> ApiReply:
    import jwt  # here, because it loads cryptography, which is slow to import

    claims = {"iss": run.issuer_url, "sub": run.known.user_id, "aud": [run.project_id], "exp": 9_999_999_999}
    claims |= {roles_claim_of(run.project_id): {run.role: {"1": "example.com"}}, "active": True}
    return run.api.bearer(jwt.encode(claims, "", algorithm="none"))


def _without_token(run: VerifyRun) -> list[ApiReply]:
    """Ask with other methods until one is let in: nothing needs to be removed to show that DELETE is open."""
    asked: list[ApiReply] = []
    for method in METHODS:
        asked.append(run.api.send(method=method))
        if asked[-1].let_in:
            break
    return asked


def _fail_open(run: VerifyRun) -> list[ApiReply]:
    asked = []
    for kind in ("internal-error", "rate-limited", "database-away", "not-json", "truncated", "reset"):
        run.outage(kind)
        with run.api.in_outage(), run.zitadel.fault(kind):
            asked.append(run.api.bearer(random_token()).about(f"ZITADEL: {kind}"))
    return [*asked, *(reply.about(f"a valid token, ZITADEL: {kind}") for kind, reply in run.outages.items())]


def _paths(run: VerifyRun) -> list[ApiReply]:
    """Ask for a path that does not exist, then for other spellings of the path, some of which a server may accept."""
    path, _, query = run.api.path.partition("?")
    rest = f"?{query}" if query else ""
    first = next((at for at, character in enumerate(path) if character.isalnum()), -1)
    encoded = [f"{path[:first]}%{ord(path[first]):02X}{path[first + 1 :]}"] if first >= 0 else []
    spellings = (f"/{path}", f"{path}/", f"/.{path}", f"{path}%20", path.upper(), *encoded)
    nowhere = (path.rstrip("/") or "/") + "-zdemo-verify"
    return [run.api.send(path=each) for each in (nowhere, *(f"{spelling}{rest}" for spelling in spellings))]


def _redirect(run: VerifyRun) -> tuple[Sequence[str], str, str]:
    run.outage("redirect")
    leaks = judgments.leaks_in(b"".join(run.zitadel.collected).decode("latin-1"), run.api.hidden, run.secrets)
    return leaks, "the request to the other origin", "what went there"


def _output(run: VerifyRun) -> tuple[Sequence[str], str, str]:
    printed = run.printed()
    leaks = judgments.leaks_in(printed.decode("utf-8", "replace"), run.api.hidden - run.api.visible, run.secrets)
    return leaks, "the API's output", f"{len(printed):,} bytes of the API's output"


def _answers(run: VerifyRun) -> tuple[Sequence[str], str, str]:
    texts = [reply.whole for reply in run.api.replies]
    leaks = judgments.leaks_in("\n".join(texts), run.api.hidden - run.api.visible, run.secrets)
    return leaks, "an answer", f"{len(texts)} answers"


_refused = partial(Case, must="not let in: 401", judge=judgments.refused)
_secretless = partial(Case, must="no token and no secret", judge=judgments.nothing_leaked, stage=Stage.LAST)
odd_case = partial(Case, must="not let in: 4xx or 5xx", judge=judgments.none_let_in)
without_role = partial(role_case, must="not let in: 403 or 401 insufficient_scope", judge=judgments.none_let_in)

CASES: tuple[Case, ...] = (
    api_case(
        id="safe.no_token",
        asked="a request without a token",
        must="refused: 401 or 403",
        source="RFC 6750 section 3",
        fix="guard the path, or give --path one that requires a token",
        ask=lambda run: run.bare,
        judge=judgments.guarded,
        stage=Stage.FIRST,
        basis=(),
    ),
    _refused(
        id="safe.unknown",
        needs=Needs.NOTHING,
        asked="a token of the right form that nobody issued",
        source="RFC 6750 section 3.1; RFC 7662 section 2.2",
        fix="ask ZITADEL about each token, and refuse unless active is true",
        ask=lambda run: run.refused_garbage,
        stage=Stage.FIRST,
    ),
    _refused(
        id="safe.unsigned_jwt",
        asked="a JWT with all claims, but alg none and no signature",
        source="RFC 8725 section 3.1",
        fix="introspect the token, or verify its signature with ZITADEL's keys and a fixed list of algorithms",
        ask=_unsigned_jwt,
        basis=(GUARDED, UNKNOWN),
    ),
    api_case(
        id="safe.head",
        asked="HEAD, POST, PUT and DELETE without a token",
        must="not let in: 4xx, for example 401 or 405",
        source="RFC 6750 section 3; RFC 9110 section 9.3.2",
        fix="guard every method of the path, not GET alone",
        ask=_without_token,
        judge=judgments.none_let_in,
    ),
    api_case(
        id="safe.paths",
        asked="other spellings of the path (//path, path/, /./path, /%70ath) without a token",
        must="not answered with 2xx",
        source="RFC 3986 section 6.2.2; RFC 9110 section 4.2.3",
        fix="guard the view, not a path that is compared as text; do not merge slashes",
        ask=_paths,
        judge=judgments.no_way_around,
    ),
    api_case(
        id="safe.forwarded",
        asked="requests without a token that claim to come from inside (X-Forwarded-For: 127.0.0.1 and others)",
        must="not let in: 401",
        source="RFC 7239 section 8.1: anybody can send such headers",
        fix="guard the path whatever other headers say; give health checks a path of their own",
        ask=lambda run: [run.api.send(headers={name: text}).about(name) for name, text in INSIDERS.items()],
        judge=judgments.none_let_in,
    ),
    Case(
        id="safe.fail_open",
        asked="tokens while ZITADEL answers 429, 500, 404, HTML or half an answer, or hangs up",
        must="not let in",
        source="RFC 7662 section 2.2: only active true is valid",
        fix="refuse whenever no valid introspection answer came",
        ask=_fail_open,
        judge=judgments.none_let_in,
        stage=Stage.OUTAGE,
    ),
    odd_case(
        id="safe.active",
        asked="introspection answers in which active is false, null or missing, and all else as for a valid token",
        source="RFC 7662 section 2.2",
        fix="treat a token as active only if active is the JSON value true",
        ask=lambda run: run.with_claims(("active",), NOT_TRUE),
    ),
    without_role(
        id="safe.role_missing",
        asked="a valid token whose user has another role of the project, and whose scope lists none",
        source="RFC 6750 section 3.1",
        fix="require the role; give --no-role if the path requires none",
        ask=lambda run: [run.api.bearer(run.zitadel.issue(OTHER_ROLE, claims={"scope": "openid"}).token)],
        basis=(GUARDED, UNKNOWN, ACCEPTS),
    ),
    without_role(
        id="safe.scope_is_no_role",
        asked="a token whose scope lists the role, but whose user does not have it",
        source="ZITADEL: the scope of a personal access token lists all roles of the project",
        fix=READ_ROLES + ", never from scope",
        ask=lambda run: [run.refused_visitor],
        basis=(GUARDED, UNKNOWN, ACCEPTS, *ROLES[:1]),
    ),
    _refused(
        id="safe.query",
        asked="a valid token in the query alone",
        source="RFC 9700 section 4.3.2; RFC 6750 section 5.3",
        fix="take tokens from the Authorization header alone",
        ask=lambda run: run.api.send(query=run.zitadel.issue(run.role).token),
    ),
    _refused(
        id="safe.form",
        asked="GET with a valid token in a form",
        source="RFC 6750 section 2.2",
        fix="take tokens from the Authorization header alone",
        ask=lambda run: run.api.send(form={"access_token": run.zitadel.issue(run.role).token}),
    ),
    _refused(
        id="safe.expired",
        asked="a token that has expired",
        source="ZITADEL: introspection answers active false; RFC 6750 section 3.1",
        fix="refuse unless active is true",
        ask=lambda run: run.api.bearer(run.zitadel.issue(run.role, seconds=-3600).token),
    ),
    _refused(
        id="hardening.expired_answer",
        asked="an answer with active true whose exp was 10 s ago",
        source="RFC 7662 section 2.2",
        fix="refuse unless exp, if there is one, is in the future; a tolerance of 5 s is enough",
        ask=lambda run: run.with_claims(("exp",), {"exp 10 s ago": int(time.time()) - LATE_SECONDS})[0],
    ),
    _refused(
        id="hardening.not_yet_valid",
        asked="a token whose nbf is an hour in the future",
        source="RFC 7662 section 2.2; RFC 7519 section 4.1.5",
        fix="compare nbf with the clock, with a tolerance of a few seconds",
        ask=lambda run: run.with_claims(("nbf",), {"an hour ahead": int(time.time()) + 3600})[0],
    ),
    *(
        _refused(
            id=f"safe.{name}",
            asked=f"a token {that}",
            source="ZITADEL: introspection answers active false; RFC 7662 section 2.2",
            fix="ask ZITADEL about the token, and refuse unless active is true; a signature alone does not show it",
            ask=methodcaller("after", change),
        )
        for name, that, change in GONE
    ),
    _refused(
        id="safe.audience",
        asked="a live token made for another project, whose user has the role there",
        source="RFC 7662 section 4; ZITADEL: introspection answers active false, userinfo answers 200",
        fix="ask introspection with the API's own client credentials; userinfo knows no audience",
        ask=lambda run: run.api.bearer(run.zitadel.issue(run.role, elsewhere=True, pat=False).token),
    ),
    odd_case(
        id="hardening.audience_claim",
        asked="a token whose aud names neither the project nor the client ID, or is missing",
        source="RFC 7662 section 2.2; RFC 9700 section 2.3; ZITADEL: aud names each project that a token is for",
        fix="compare aud with your project ID and client ID, and refuse a token without aud",
        ask=lambda run: run.with_claims(("aud",), {"another aud": ["999", "998"], "no aud": ...}),
    ),
    # --- what must not be seen
    Case(
        id="hardening.redirected_secrets",
        asked="an introspection that is redirected to another origin",
        must="neither token nor client credentials arrive there",
        source="RFC 6750 section 5.3; RFC 9110 section 15.4",
        fix="do not follow redirects when asking ZITADEL",
        ask=_redirect,
        judge=judgments.nothing_leaked,
        stage=Stage.OUTAGE,
    ),
    Case(
        id="safe.shared_cache",
        asked="the Cache-Control of an answer that needs a token",
        must="shared caches may not keep it",
        source="RFC 9111 section 3.5",
        fix="send Cache-Control: no-store on every route that requires a token",
        ask=lambda run: run.answer,
        judge=judgments.kept_private,
    ),
    api_case(
        id="safe.cors",
        asked="requests of a foreign web page (Origin)",
        must="no Access-Control-Allow-Origin together with Allow-Credentials",
        source="Fetch standard, CORS protocol and credentials",
        fix="list the allowed origins, and allow no credentials",
        ask=lambda run: [run.api.send(headers=FOREIGN), run.api.send(method="OPTIONS", headers=PREFLIGHT)],
        judge=judgments.no_borrowed_rights,
    ),
    _secretless(
        id="safe.output",
        asked="what the API printed during the run",
        source="RFC 6750 section 5.3; CWE-532",
        fix="log neither the Authorization header nor the requests to ZITADEL",
        ask=_output,
    ),
    _secretless(
        id="safe.answers",
        needs=Needs.NOTHING,
        asked="all answers of the API",
        source="RFC 6750 section 5.3",
        fix="repeat no token in answers and error messages",
        ask=_answers,
    ),
)
