"""Cases about safety: what must not be let in, and what must not be seen."""

import json
import time
from base64 import urlsafe_b64encode

from zdemo.verify.asker import Asked
from zdemo.verify.bench import Bench
from zdemo.verify.case import GUARDED, Case, Needs, Stage
from zdemo.verify.judgments.refusals import guarded, no_way_around, none_let_in, refused
from zdemo.zitadel.introspection_answer import roles_claim_of

FOREIGN_ORIGIN = "https://attacker.example"
METHODS = ("HEAD", "POST", "PUT", "DELETE")
INSIDERS = {  # what proxies say of those inside, and anybody can say too
    "X-Forwarded-For": "127.0.0.1",
    "X-Real-IP": "127.0.0.1",
    "X-Forwarded-User": "admin",
    "User-Agent": "kube-probe/1.30",
}
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


def _expired(bench: Bench) -> list[Asked]:
    late = {"active true, but exp 10 s ago": int(time.time()) - LATE_SECONDS}
    return [bench.api.bearer(bench.zitadel.expired(bench.role).token), *bench.with_claims(("exp",), late)]


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
        basis=(),
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
        basis=(GUARDED,),
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
    ),
    Case(
        id="safe.audience",
        asked="a live token made for another project, whose user has the role there",
        must="not let in: 401 invalid_token",
        wrong="accepted a token of another project",
        source="RFC 7662 section 4; ZITADEL: introspection answers active false, userinfo answers 200",
        fix="ask introspection with the API's own client credentials; userinfo knows no audience",
        ask=lambda bench: bench.api.bearer(bench.zitadel.elsewhere(bench.role)),
        judge=refused,
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
    ),
)


def _spellings(path: str) -> list[str]:
    """Return other texts for the same path, some of which a server may take for it."""
    path, _, query = path.partition("?")
    rest = f"?{query}" if query else ""
    first = next((at for at, character in enumerate(path) if character.isalnum()), -1)
    encoded = [f"{path[:first]}%{ord(path[first]):02X}{path[first + 1 :]}"] if first >= 0 else []
    return [f"{one}{rest}" for one in (f"/{path}", f"{path}/", f"/.{path}", f"{path}%20", path.upper(), *encoded)]
