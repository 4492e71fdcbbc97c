"""Cases about a proxy that guards a backend: what of a client's request gets there, and as whose.

They judge what arrives. A request that the proxy refuses, or repairs on its way, is not a failure.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import methodcaller
from typing import Any

from zdemo.diagnosis.finding import quoted
from zdemo.verify.backend import IDENTITY, Passage
from zdemo.verify.case import ACCEPTS, GUARDED, UNKNOWN, Case, Mark, Verdict, unless
from zdemo.verify.cases.safe import PREFLIGHT
from zdemo.verify.run import OTHER_ROLE, VerifyRun

Parts = dict[str, Any]  # of a request
BASIS = (GUARDED, UNKNOWN, ACCEPTS, "proxy.arrives")
STRANGER = "zdemo-verify-stranger"  # the user that a client claims to be
AS_STRANGER = dict.fromkeys(IDENTITY, STRANGER)
NAMES_PATH = ("X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Path", "Forwarded")
NAMES_METHOD = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Forwarded-Method")
OPEN_PATH = "/auth/-"  # for which zdemo serve --forward-auth requires no role
ROLES = ({"X-Required-Role": OTHER_ROLE}, {"X-Role": OTHER_ROLE}, {"X-Auth-Roles": OTHER_ROLE})
QUERIES = (
    f"role={OTHER_ROLE}",
    f"roles={OTHER_ROLE}",
    *(f"{each}={OPEN_PATH}" for each in ("uri", "url", "path", "rd")),
)
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "YQ=="}
MEBIBYTE = 1 << 20
LARGE: Parts = {"method": "POST", "form": {"a": "b" * (MEBIBYTE - len("a="))}}
BEFORE_IT = "guard everything and list what is open, or normalize the path before it is matched"


def _aliases(mark: str) -> list[tuple[str, str]]:
    """Return the fields about the user with ``mark`` for the first ``-``, the second, or both."""
    starts = (f"X{mark}Auth-", f"X-Auth{mark}", f"X{mark}Auth{mark}")
    return [(name.replace("X-Auth-", start), STRANGER) for name in IDENTITY for start in starts]


CLAIMS = {  # what is sent about the user
    "identity": ("X-Auth-Subject, X-Auth-Username and X-Auth-Roles", list(AS_STRANGER.items())),
    "underscores": ("X_Auth_Roles and others with _ for -", _aliases("_")),
    "dots": ("X.Auth.Roles and others with . for -", _aliases(".")),
    "repeated": ("X-Auth-Roles and others, each twice", [(name, STRANGER) for name in IDENTITY * 2]),
    "empty": ("X-Auth-Roles and others, empty", [(name, "") for name in IDENTITY]),
    "connection": ("Connection that names X-Auth-Roles and others", [("Connection", ", ".join(("close", *IDENTITY)))]),
}


def _nameless(run: VerifyRun) -> tuple[Passage, Passage]:
    token = run.zitadel.issue(run.role or OTHER_ROLE, claims={"username": ...}).token
    return run.through(token), run.through(token, headers={"X-Auth-Username": STRANGER})


def _as_whose(seen: tuple[Passage, Passage]) -> Verdict:
    """Judge whether the backend gets the same user as without the client's fields, if it gets anything."""
    (_, plain), (reply, arrivals) = seen
    if not arrivals:
        return Verdict(Mark.PASS, f"{reply.in_words()}, nothing arrived")
    told, arrived = plain[-1].identity if plain else {}, arrivals[-1].identity
    if not any(told.values()):
        return Verdict(Mark.SKIP, "not judged: the proxy sets no X-Auth-… for the backend")
    texts = {name: quoted(", ".join(dict.fromkeys(values)) or "nothing", 60) for name, values in arrived.items()}
    wrong = [f"{name} arrived: {texts[name]}" for name in told if arrived[name] != told[name]]
    return unless("; ".join(wrong), f"the same user as without them: {reply.in_words()}")


def _spelled(*templates: str) -> Callable[[VerifyRun], list[Parts]]:
    """Return what asks for other spellings of the path, some of them behind one that may be open."""

    def parts(run: VerifyRun) -> list[Parts]:
        path, mark, query = run.api.path.partition("?")
        open_path = run.public.partition("?")[0].rstrip("/") or "/zdemo-verify"
        return [{"path": each.format(open=open_path, path=path) + mark + query} for each in templates]

    return parts


def _originals(run: VerifyRun) -> Iterable[Parts]:
    paths = [{name: path} for name in NAMES_PATH for path in (run.public or "/", OPEN_PATH)]
    target = run.api.path + ("&" if "?" in run.api.path else "?")
    return [{"headers": each} for each in (*paths, *ROLES)] + [{"path": target + query} for query in QUERIES]


def _unreached(passages: Sequence[Passage]) -> Verdict:
    """Judge requests that must not arrive; OPTIONS may, but not in a stranger's name."""
    wrong = [
        f"{reply.in_words()}, and {arrival.method} {arrival.target} reached the backend"
        for reply, arrivals in passages
        for arrival in arrivals
        if arrival.method != "OPTIONS" or [STRANGER] in arrival.identity.values()
    ]
    return unless("; ".join(dict.fromkeys(wrong)), f"{len(passages)} requests, none reached the backend")


def _whole(seen: tuple[Passage, Sequence[Passage]]) -> Verdict:
    (reply, arrivals), others = seen
    if (verdict := _unreached(others)).mark is Mark.FAIL:
        return verdict
    if not arrivals and reply.status != 401:
        return Verdict(Mark.SKIP, f"not judged: {reply.in_words()} with a valid token")
    size = arrivals[-1].size if arrivals else 0
    return unless("" if size == MEBIBYTE else f"{reply.in_words()}, and {size:,} bytes arrived", reply.in_words())


UNREACHED: dict[str, tuple[str, str, Callable[[VerifyRun], Iterable[Parts]]]] = {  # what is asked, the fix, and how
    "original": (
        "another path or role in fields and queries (X-Original-URL, X-Forwarded-Uri, X-Required-Role, ?role=)",
        "let neither the proxy nor the authorizer decide by them, and put roles into the authorizer's path",
        _originals,
    ),
    "encoded_slash": (
        "the path behind an open one, with %2F or %5C (/open/..%2Fpath)",
        BEFORE_IT,
        _spelled("{open}/..%2F{path}", "{open}%2F..{path}", "{open}/..%5C{path}", "/%2F{path}"),
    ),
    "parameters": (
        "the path with parameters (/open/..;/path, /path;a)",
        BEFORE_IT,
        _spelled("{open}/..;{path}", "{open}/..;a=b{path}", "/;a{path}", "{path};a"),
    ),
    "slashes": ("the path with more slashes (//path)", BEFORE_IT, _spelled("/{path}", "//{path}")),
    "preflight": (
        "GET with the fields of a preflight, and a preflight with fields about the user",
        "let the proxy answer OPTIONS itself, by the method alone, or pass it on without any X-Auth-…",
        lambda _: [{"headers": PREFLIGHT}, {"method": "OPTIONS", "headers": AS_STRANGER | PREFLIGHT}],
    ),
    "method": (
        "GET with fields that name another method (X-HTTP-Method-Override, X-Forwarded-Method)",
        "guard all methods, or read the method from the request line alone",
        lambda _: [{"headers": {name: method}} for name in NAMES_METHOD for method in ("OPTIONS", "HEAD")],
    ),
    "upgrade": (
        "the handshake of a websocket",
        "ask the authorizer about handshakes too, with GET and without Upgrade",
        lambda _: [{"headers": UPGRADE}],
    ),
}


proxy_case = partial(Case, basis=BASIS)
_identity_case = partial(
    proxy_case,
    must="the backend gets the same user as without these fields, or nothing",
    source="CWE-290; Traefik CVE-2026-35051, -39858, -54764; Caddy GHSA-7r4p-vjf4-gxv4; Envoy CVE-2026-26308",
    fix="delete each X-Auth-… of the client, also with _ or . for -, and set each where Connection cannot remove it",
    judge=_as_whose,
)
CASES: tuple[Case, ...] = (
    proxy_case(
        id="proxy.arrives",
        asked="an ordinary request with a valid token",
        must="arrives at --backend",
        source="RFC 9110 section 3.7",
        fix="let the proxy pass requests on to 127.0.0.1 and the port of --backend",
        ask=lambda run: run.passed,
        judge=lambda seen: unless("" if seen.arrivals else f"{seen.reply.in_words()}, nothing arrived", "it arrived"),
        basis=BASIS[:-1],
    ),
    *(
        _identity_case(
            id=f"proxy.{name}",
            asked=f"fields of the client about the user: {asked}",
            ask=lambda run, fields=fields: (run.passed, run.through(run.known.token, repeated=fields)),
        )
        for name, (asked, fields) in CLAIMS.items()
    ),
    _identity_case(
        id="proxy.nameless",
        asked="X-Auth-Username of the client, for a user without a name in ZITADEL's answer",
        ask=_nameless,
        basis=(*BASIS, "proxy.identity"),
    ),
    *(
        proxy_case(
            id=f"proxy.{name}",
            asked=f"{asked}, without a token, and without the role",
            must="does not reach the backend",
            source="CWE-863; oauth2-proxy CVE-2026-40575: who is let in depends on what the client can choose",
            fix=fix,
            ask=methodcaller("uninvited", parts),
            judge=_unreached,
        )
        for name, (asked, fix, parts) in UNREACHED.items()
    ),
    proxy_case(
        id="proxy.body",
        asked="POST with a body of 1 MiB, with a valid token and without",
        must="the first arrives whole, or is refused for its size or method; the second does not arrive",
        source="RFC 9110 section 15.5.14",
        fix="ask the authorizer without the body, and pass it on to the backend alone",
        ask=lambda run: (run.through(run.known.token, **LARGE), run.uninvited(lambda _: [LARGE])),
        judge=_whole,
    ),
)
