"""Cases about safety: what must not be let in, and what must not be seen."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence

from zdemo.introspection.model import ROLES_CLAIM, roles_claim_of
from zdemo.verify.asked import Asked
from zdemo.verify.bench import Bench, made_up
from zdemo.verify.case import Case, Needs, Stage
from zdemo.verify.judgments import guarded, no_way_around, none_let_in, refused

GUARDED, ACCEPTS = ("safe.no_token",), ("safe.no_token", "correct.accepts")
NOT_TRUE = {"a text": "false", "the text true": "true", "a number": 1, "null": None, "missing": ...}
READ_ROLES = (
    "read roles from the keys of the claim urn:zitadel:iam:org:project:PROJECT_ID:roles, which must be an object"
)
NOTHING_FOUND = "read no roles from a claim, or of a role, that is missing, empty or not an object, and refuse"
OUTAGES = ("internal-error", "rate-limited", "database-away", "not-json", "truncated", "redirect", "reset")
FOREIGN_ORIGIN = "https://attacker.example"
METHODS = ("HEAD", "POST", "PUT", "DELETE")
INSIDERS = {  # what proxies say of those inside, and anybody can say too
    "X-Forwarded-For": "127.0.0.1",
    "X-Real-IP": "127.0.0.1",
    "X-Forwarded-User": "admin",
    "User-Agent": "kube-probe/1.30",
}
GRANTED = {"1": "example.com"}  # a role's value: an organization and its domain
LATE_SECONDS = 10  # a few seconds of leeway are for clocks that differ


def _unsigned_jwt(bench: Bench) -> Asked:
    """Ask with a JWT that nobody signed."""
    claims = {"iss": bench.issuer_url, "sub": bench.known.user_id, "aud": [bench.project_id], "exp": 9_999_999_999}
    claims[roles_claim_of(bench.project_id)] = {bench.role: {"1": "example.com"}}
    claims["active"] = True
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    text = ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return bench.api.bearer(f"{text}.")


def _without_token(bench: Bench) -> list[Asked]:
    """Ask with other methods until one is let in: nothing needs to be removed to show that DELETE is open."""
    asked: list[Asked] = []
    for method in METHODS:
        asked.append(bench.api.send(method=method))
        if asked[-1].let_in:
            break
    return asked


def _odd(bench: Bench, names: Sequence[str], values: Mapping[str, object]) -> list[Asked]:
    """Ask with odd claims, which only the emulator makes."""
    return bench.with_claims(names, values) if bench.faults else []


def _expired(bench: Bench) -> list[Asked]:
    late = {"active true, but exp 10 s ago": int(time.time()) - LATE_SECONDS}
    return [bench.api.bearer(bench.issuer.expired(bench.role).token), *_odd(bench, ("exp",), late)]


def _near_misses(bench: Bench) -> list[Asked]:
    """Ask with roles that ZITADEL grants, and with keys that it may refuse to a project."""
    near = (bench.role[:-1] or "x", f"{bench.role}:all", f"x{bench.role}")
    others = {"another case": bench.role.swapcase(), "a blank behind": f"{bench.role} "}
    values = {name: {key: GRANTED} for name, key in others.items() if key != bench.role}
    asked = [bench.api.bearer(bench.issuer.person(role).token) for role in near]
    return [*asked, *_odd(bench, (roles_claim_of(bench.project_id), ROLES_CLAIM), values)]


def _other_project(bench: Bench) -> list[Asked]:
    """Ask for a user with the role elsewhere, and with an answer that shows the roles there, as JWTs can."""
    asked = [bench.api.bearer(bench.issuer.stranger(bench.role).token)]
    if bench.faults:
        claims = {roles_claim_of("999"): {bench.role: GRANTED}}
        absent = dict.fromkeys((roles_claim_of(bench.project_id), ROLES_CLAIM), ...)
        token = bench.zitadel.with_claims({**claims, **absent}, bench.role).token
        asked.append(bench.api.bearer(token).about("the claim of another project alone"))
    return asked


def _claims(bench: Bench) -> list[Asked]:
    """Ask with other values of both role claims."""
    values: dict[str, object] = {"empty": {}, "null": None, "a list": [bench.role], "a text": bench.role}
    values |= {"a role of no organization": {bench.role: {}}, "a role with null": {bench.role: None}}
    return bench.with_claims((roles_claim_of(bench.project_id), ROLES_CLAIM), values)


def _fail_open(bench: Bench) -> list[Asked]:
    """Ask with a token that nobody issued, while ZITADEL fails in each way."""
    asked = []
    for kind in OUTAGES:
        bench.outage(kind)
        with bench.api.in_outage(), bench.zitadel.fault(kind):
            asked.append(bench.api.bearer(made_up()))
    return [*asked, *bench.outages.values()]


def _paths(bench: Bench) -> list[Asked]:
    """Ask for other spellings of the path, and first for a path that does not exist."""
    nowhere = (bench.api.path.partition("?")[0].rstrip("/") or "/") + "-zdemo-verify"
    return [bench.api.send(path=path) for path in (nowhere, *_spellings(bench.api.path))]


CASES: tuple[Case, ...] = (
    Case(
        id="safe.no_token",
        asked="a request without a token",
        must="refused: 401 or 403",
        wrong="did not refuse a request without a token",
        source="RFC 6750 section 3",
        fix="guard the path, or give --path one that requires a token",
        ask=lambda bench: bench.bare,
        judge=guarded,
        needs=Needs.NOTHING,
        stage=Stage.FIRST,
    ),
    Case(
        id="safe.head",
        asked="HEAD, POST, PUT and DELETE without a token",
        must="not let in: 4xx, for example 401 or 405",
        wrong="let in another method than GET without a token",
        source="RFC 6750 section 3; RFC 9110 section 9.3.2",
        fix="guard every method of the path, not GET alone",
        ask=_without_token,
        judge=none_let_in,
        needs=Needs.NOTHING,
        basis=GUARDED,
    ),
    Case(
        id="safe.paths",
        asked="other spellings of the path (//path, path/, /./path, /%70ath) without a token",
        must="not answered with 2xx",
        wrong="let in another spelling of the path without a token",
        source="RFC 3986 section 6.2.2; RFC 9110 section 4.2.3",
        fix="guard the view, not a path that is compared as text; do not merge slashes",
        ask=_paths,
        judge=no_way_around,
        needs=Needs.NOTHING,
        basis=GUARDED,
    ),
    Case(
        id="safe.forwarded",
        asked="requests without a token that claim to come from inside (X-Forwarded-For: 127.0.0.1 and others)",
        must="not let in: 401",
        wrong="let in without a token who claims to come from inside",
        source="RFC 7239 section 8.1: anybody can send such headers",
        fix="guard the path whatever other headers say; give health checks a path of their own",
        ask=lambda bench: [bench.api.send(headers={name: text}).about(name) for name, text in INSIDERS.items()],
        judge=none_let_in,
        needs=Needs.NOTHING,
        basis=GUARDED,
    ),
    Case(
        id="safe.unknown",
        asked="a token of the right form that nobody issued",
        must="not let in: 401",
        wrong="accepted a token that nobody issued",
        source="RFC 6750 section 3.1; RFC 7662 section 2.2",
        fix="have each token checked by introspection, and refuse unless active is true",
        ask=lambda bench: bench.refused_garbage,
        judge=refused,
        needs=Needs.NOTHING,
        basis=GUARDED,
    ),
    Case(
        id="safe.unsigned_jwt",
        asked="a JWT with all claims, but alg none and no signature",
        must="not let in: 401",
        wrong="accepted a JWT that nobody signed",
        source="RFC 8725 section 3.1",
        fix="have the token introspected, or verify its signature with ZITADEL's keys and a fixed list of algorithms",
        ask=_unsigned_jwt,
        judge=refused,
        needs=Needs.TOKEN,
        basis=GUARDED,
    ),
    Case(
        id="safe.query",
        asked="a valid token in the query alone",
        must="not let in: 401",
        wrong="accepted a token in the query, which logs and histories keep",
        source="RFC 9700 section 4.3.2; RFC 6750 section 5.3",
        fix="take tokens from the Authorization header alone",
        ask=lambda bench: bench.api.send(query=bench.reader().token),
        judge=refused,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.form",
        asked="GET with a valid token in a form",
        must="not let in: 401",
        wrong="accepted a token in the form of a GET request",
        source="RFC 6750 section 2.2",
        fix="take tokens from the Authorization header alone",
        ask=lambda bench: bench.api.send(form={"access_token": bench.reader().token}),
        judge=refused,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.expired",
        asked="a token that has expired, and an answer with active true whose exp was 10 s ago",
        must="not let in: 401",
        wrong="accepted an expired token",
        source="RFC 6750 section 3.1; RFC 7662 section 2.2",
        fix="refuse unless active is true and exp, if there is one, lies ahead; 5 s of leeway are enough",
        ask=_expired,
        judge=none_let_in,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.not_yet_valid",
        asked="a token whose nbf lies an hour ahead",
        must="not let in: 401",
        wrong="accepted a token before its time",
        source="RFC 7662 section 2.2; RFC 7519 section 4.1.5",
        fix="compare nbf with the clock, with a few seconds of leeway",
        ask=lambda bench: bench.with_claims(("nbf",), {"an hour ahead": int(time.time()) + 3600})[0],
        judge=refused,
        needs=Needs.EMULATOR,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.deleted_pat",
        asked="a personal access token that was deleted",
        must="not let in: 401",
        wrong="accepted a deleted token",
        source="ZITADEL: introspection answers active false; RFC 7662 section 2.2",
        fix="refuse unless active is true",
        ask=lambda bench: bench.after("delete"),
        judge=refused,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.deactivated_user",
        asked="a token whose user was deactivated",
        must="not let in: 401",
        wrong="accepted the token of a deactivated user",
        source="ZITADEL: introspection answers active false",
        fix="ask ZITADEL about the token; a signature alone does not show that a user was deactivated",
        ask=lambda bench: bench.after("deactivate"),
        judge=refused,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.locked_user",
        asked="a token whose user was locked",
        must="not let in: 401",
        wrong="accepted the token of a locked user",
        source="ZITADEL: introspection answers active false",
        fix="ask ZITADEL about the token; a signature alone does not show that a user was locked",
        ask=lambda bench: bench.after("lock"),
        judge=refused,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.audience",
        asked="a live token made for another project, whose user has the role there",
        must="not let in: 401 invalid_token",
        wrong="accepted a token of another project",
        source="RFC 7662 section 4; ZITADEL: introspection answers active false, userinfo answers 200",
        fix="ask introspection with the API's own client credentials; userinfo knows no audience",
        ask=lambda bench: bench.api.bearer(bench.issuer.elsewhere(bench.role)),
        judge=refused,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.audience_claim",
        asked="a token whose aud names neither the project nor the client ID, or is missing",
        must="not let in: 401 invalid_token; RFC 7662 leaves aud optional, but ZITADEL always sends it",
        wrong="accepted a token whose aud does not name the project or the client ID",
        source="RFC 7662 section 2.2; RFC 9700 section 2.3; ZITADEL: aud names each project that a token is for",
        fix="compare aud with your project ID and client ID, and refuse a token without aud",
        ask=lambda bench: bench.with_claims(("aud",), {"another aud": ["999", "998"], "no aud": ...}),
        judge=none_let_in,
        needs=Needs.EMULATOR,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.role_missing",
        asked="a valid token whose user has another role of the project",
        must="not let in: 403 or 401 insufficient_scope",
        wrong="accepted a token with another role",
        source="RFC 6750 section 3.1",
        fix=READ_ROLES,
        ask=lambda bench: bench.api.bearer(bench.issuer.person("zdemo-verify-other").token),
        judge=refused,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.scope_is_no_role",
        asked="a token whose scope lists the role, but whose user does not have it",
        must="not let in: 403 or 401 insufficient_scope",
        wrong="took a scope for a role",
        source="ZITADEL: the scope of a personal access token lists all roles of the project",
        fix="never read roles from scope; " + READ_ROLES,
        ask=lambda bench: bench.refused_visitor,
        judge=refused,
        needs=Needs.VISITOR,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.near_miss",
        asked="roles whose names only resemble the required one",
        must="not let in: 403 or 401 insufficient_scope",
        wrong="accepted a role whose name only resembles the required one",
        source="ZITADEL: role keys are compared as a whole",
        fix="compare role keys for equality: not as parts of a text, without changing case or removing blanks",
        ask=_near_misses,
        judge=none_let_in,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.other_project",
        asked="a user who has the role in another project only",
        must="not let in: 403 or 401 insufficient_scope",
        wrong="accepted a role in another project",
        source="ZITADEL: roles belong to a project",
        fix=READ_ROLES,
        ask=_other_project,
        judge=none_let_in,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.roles_claim",
        asked="introspection answers whose roles claim is empty, null, a list or a text, or grants by no organization",
        must="not let in: 4xx",
        wrong="let in when the roles claim grants nothing or is not an object",
        source="RFC 6750 section 3.1; ZITADEL: the claim is an object: role key, then organization ID, then domain",
        fix=NOTHING_FOUND,
        ask=_claims,
        judge=none_let_in,
        needs=Needs.EMULATOR,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.active",
        asked="introspection answers in which active is a text, a number, null or missing",
        must="not let in: 4xx or 5xx",
        wrong="let in although active is not true",
        source="RFC 7662 section 2.2: active is a boolean",
        fix="treat a token as active only if active is the JSON value true",
        ask=lambda bench: bench.with_claims(("active",), NOT_TRUE),
        judge=none_let_in,
        needs=Needs.EMULATOR,
        basis=ACCEPTS,
    ),
    Case(
        id="safe.fail_open",
        asked="tokens while ZITADEL answers 429, 500, 404, HTML, half an answer or a redirect, or hangs up",
        must="not let in",
        wrong="let somebody in while ZITADEL could not answer",
        source="RFC 7662 section 2.2: only active true is valid",
        fix="refuse whenever no valid introspection answer came",
        ask=_fail_open,
        judge=none_let_in,
        needs=Needs.EMULATOR,
        stage=Stage.OUTAGE,
        basis=ACCEPTS,
    ),
)


def _spellings(path: str) -> list[str]:
    """Return other texts for the same path, some of which a server may take for it."""
    path, _, query = path.partition("?")
    rest = f"?{query}" if query else ""
    first = next((at for at, character in enumerate(path) if character.isalnum()), -1)
    encoded = [f"{path[:first]}%{ord(path[first]):02X}{path[first + 1 :]}"] if first >= 0 else []
    return [f"{one}{rest}" for one in (f"/{path}", f"{path}/", f"/.{path}", f"{path}%20", path.upper(), *encoded)]
