"""Servers that misbehave, and the way to them: each is named, in time, and the token is not blamed for it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.planting import ROLE, Planter, find, look
from tests.support.upstream import Received, answer, depending, hang, json_body, refusing_port, upstream
from zdemo.config.settings import Settings
from zdemo.diagnosis import Certainty
from zdemo.emulator import emulate
from zdemo.emulator.seed import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER
from zdemo.introspection.client import basic_credentials
from zdemo.investigation.investigate import Investigation

GRACE_SECONDS = 0.7  # for a busy machine, beside the time that an investigation may take


@pytest.fixture
def planter() -> Iterator[Planter]:
    with emulate() as emulator:
        yield Planter(emulator)


# the way there and the server: faults 2, 7, 8, 34, 35, 38, 55, 67


def test_a_wrong_host_is_named_with_the_right_one(planter: Planter) -> None:
    elsewhere = planter.url.replace("localhost", "127.0.0.1")
    finding = find(dataclasses.replace(planter.settings, issuer=elsewhere), READER.pat)
    assert finding.id == "zitadel.host_unknown"
    assert f"ZITADEL_DOMAIN={planter.url}" in finding.fix
    said = str(finding).lower()
    assert "token" not in said
    assert "credentials" not in said


def test_a_closed_port_is_refused() -> None:
    with refusing_port() as port:
        settings = Settings(issuer=f"http://127.0.0.1:{port}", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        found = look(settings, READER.pat)
        assert found.finding is not None
        assert found.finding.id == "net.refused"
        assert str(port) in found.finding.cause


Path = dict[str, Any]
PLAIN = {"Content-Type": "text/plain"}
HTML = {"Content-Type": "text/html", "Server": "nginx/1.27"}
READY, HEALTHY = answer(b'"ok"\n'), answer(b"ok", headers=PLAIN)
DEAD, REFUSED = answer(json_body({"active": False})), answer(json_body({"error": "unauthorized_client"}), 400)
AWAY = answer(b"ID=API-F24h2 Message=DB CONNECTION ERROR Parent=(failed to connect)", 412, headers=PLAIN)
OWN = basic_credentials(CLIENT_ID, CLIENT_SECRET)
NO_DATABASE = answer(
    b"unable to set instance using origin &{127.0.0.1  http} (ExternalDomain is localhost): ID=QUERY-d3fas "
    b"Message=An internal error occurred Parent=(failed to connect to `user=zitadel`)",
    404,
    headers=PLAIN,
)


def server(paths: Path, other: Any = REFUSED) -> Any:
    """Answers by path; ``other`` is for the paths that are not given."""
    return depending(lambda request: paths.get(request.target, other))


def ask(paths: Path, other: Any = REFUSED, seconds: float = 5, token: str = READER.pat) -> Investigation:
    with upstream(server(paths, other)) as up:
        settings = Settings(issuer=up.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, timeout_seconds=seconds)
        start = time.monotonic()
        found = look(settings, token)
        assert time.monotonic() - start < seconds + GRACE_SECONDS
        return found


def introspection_by(choose: Callable[[Received], Any]) -> Path:
    return {"/oauth/v2/introspect": depending(choose)}


@pytest.mark.parametrize(
    ("paths", "other", "name", "named"),
    [
        (
            {},
            answer(b"Your ZITADEL instance is blocked.", 429, headers=PLAIN),
            "zitadel.rate_limited",
            ["429", "blocked"],
        ),
        ({}, answer(b"", 429, headers={"Retry-After": "9"}), "zitadel.rate_limited", ["429", "wait 9 s"]),
        ({}, answer(b"<h1>Not Found</h1>", 404, headers=HTML), "zitadel.other_server", ["not a ZITADEL", "nginx"]),
        ({}, answer(b"<h1>Hello</h1>", headers=HTML), "zitadel.other_server", ["nginx"]),
        ({}, answer(b"<h1>Bad Gateway</h1>", 502, headers=HTML), "zitadel.behind_proxy_down", ["502"]),
        (
            {},
            answer(b"", 302, headers={"Location": "https://sso.example.com/login?canary=1"}),
            "zitadel.redirects",
            ["sso.example.com", "exempt /oauth"],
        ),
        ({}, answer(b"Client sent an HTTP request to an HTTPS server.\n", 400, headers=PLAIN), "net.expects_tls", []),
        ({"/debug/ready": AWAY}, NO_DATABASE, "zitadel.database_away", ["database"]),
        ({}, NO_DATABASE, "zitadel.database_away", ["database"]),
        ({"/debug/ready": AWAY, "/oidc/v1/userinfo": REFUSED}, DEAD, "zitadel.database_away", ["database"]),
        ({"/debug/ready": READY}, DEAD, "zitadel.database_sick", ["database"]),
        ({"/debug/ready": READY}, answer(b"<h1>Forbidden</h1>", 403, headers=HTML), "zitadel.in_between", []),
    ],
)
def test_a_server_that_does_not_answer_as_it_should(paths: Path, other: Any, name: str, named: list[str]) -> None:
    finding = ask(paths, other).finding
    assert finding is not None
    assert finding.id == name
    said = json.dumps(dataclasses.asdict(finding))
    for word in named:
        assert word in said
    for wrong in ("token", "credentials", "canary", "user=zitadel"):
        assert wrong not in said


def test_a_hanging_database_is_told_from_a_silent_server() -> None:
    found = ask({"/debug/healthz": HEALTHY}, hang, seconds=0.8)
    assert found.finding is not None
    assert (found.finding.id, found.finding.certainty) == ("zitadel.database_hangs", Certainty.CERTAIN)
    assert "unreachable" not in found.finding.cause
    silent = ask({}, hang, seconds=0.8)
    assert silent.finding is not None
    assert silent.finding.id == "net.timeout"


def test_everything_that_hangs_after_the_first_answer_is_not_waited_for() -> None:
    first = iter([DEAD])
    found = ask(introspection_by(lambda _: next(first, hang)), hang, seconds=0.8)
    assert found.finding is not None
    assert found.finding.id == "token.dead"
    assert "no answer in time: made-up client, userinfo" in str(found.finding.seen)
    assert "database" in " ".join(found.finding.candidates)


def test_role_assignments_that_hang_leave_the_role_open() -> None:
    claims = {"active": True, "sub": "1", "aud": [CLIENT_ID, PROJECT_ID], "scope": f"x:{ROLE}", "client_id": "svc"}
    found = ask({"/oauth/v2/introspect": answer(json_body(claims))}, hang, seconds=0.8)
    assert found.finding is not None
    assert (found.finding.id, found.finding.certainty) == ("role.missing", Certainty.OPEN)


@pytest.mark.parametrize("rows", [None, 5, [None], [5], [{"user": "x"}], [{"roles": 5}], {"a": 1}])
def test_assignments_that_are_none_leave_the_role_open(rows: Any) -> None:
    claims = {"active": True, "sub": "1", "client_id": "svc"}
    found = ask({"/oauth/v2/introspect": answer(json_body(claims))}, answer(json_body({"authorizations": rows})))
    assert found.finding is not None
    assert found.finding.id in ("role.missing", "role.not_granted")


def test_an_answer_that_wavers_is_remarked_and_not_called_dead() -> None:
    first = iter([DEAD])
    good = answer(json_body({"active": True, "sub": "1", "urn:zitadel:iam:org:project:roles": {ROLE: {"1": "acme"}}}))

    def choose(request: Received) -> Any:
        return next(first, good) if request.headers["authorization"] == OWN else REFUSED

    found = ask(introspection_by(choose) | {"/debug/ready": READY})
    assert found.finding is None
    assert "once more" in found.notes[0]


def test_a_session_api_token_is_proven() -> None:
    refusal = answer(json_body({"code": 7, "message": "authentication required (AUTHZ-Kl3p0)"}), 403)
    found = ask(
        introspection_by(lambda request: DEAD if request.headers["authorization"] == OWN else REFUSED)
        | {"/auth/v1/users/me": refusal, "/debug/ready": READY},
        answer(json_body({"error": "access_denied"}), 401),
        token="aB3_" * 19 + "xy",
    )
    assert found.finding is not None
    assert (found.finding.id, found.finding.certainty) == ("token.session_api", Certainty.CERTAIN)


def test_a_clock_that_is_ahead_is_named() -> None:
    claims = {"active": True, "sub": "1", "exp": int(time.time()) - 300}
    date = {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 600))}
    found = ask({"/oauth/v2/introspect": answer(json_body(claims), headers=date)})
    assert found.finding is not None
    assert found.finding.id == "clock.skewed"
    assert "ahead" in found.finding.cause


def test_a_server_that_echoes_what_it_was_sent_gives_nothing_away() -> None:
    echo = answer(b"<p>no</p>", 404, headers={"Content-Type": "text/html", "Server": READER.pat[:40]})
    whole = answer(b"<p>no</p>", 404, headers={"Content-Type": "text/html", "Server": CLIENT_SECRET})
    for behaviour in (echo, whole):
        found = ask({}, behaviour)
        assert CLIENT_SECRET not in str(found)
        assert READER.pat not in str(found)


def test_remarks_give_nothing_away_either() -> None:
    claims = {"active": True, "sub": "1", "iss": READER.pat, "urn:zitadel:iam:org:project:roles": {ROLE: {"1": "x"}}}
    found = ask({"/oauth/v2/introspect": answer(json_body(claims))})
    assert found.finding is None
    assert found.notes
    assert READER.pat not in str(found)


def test_a_token_that_no_header_takes_is_asked_about_by_form_only() -> None:
    with upstream(DEAD) as up:
        settings = Settings(issuer=up.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        look(settings, f'"{READER.pat}"')
        asked = {request.target for request in up.requests}
    assert asked == {"/oauth/v2/introspect", "/debug/ready"}
