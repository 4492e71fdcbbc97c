"""Responses that are not introspections, and connections that fail: one finding each, and never a wrong one."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.diagnosis.asker import Asker
from tests.support.any_text import texts
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe, TokenCase
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.rules.rule import decide, diagnose
from zdemo.diagnosis.rules.unusable_response import NETWORK, NO_DISCOVERY, UNUSABLE, finding_for_error
from zdemo.errors import ConnectionFailed, FailureKind, IntrospectionError, ZitadelUnavailable
from zdemo.errors.response import Response
from zdemo.errors.steps import SetVariable, in_words
from zdemo.http.failure_messages import failed
from zdemo.zitadel.introspection_response import answer_error, introspection_error

CERTAIN, LIKELY, OPEN, _ = Certainty

ORIGIN = "http://127.0.0.1:8080"
SETTINGS = Settings(issuer=ORIGIN, client_id="312909075212468231", client_secret="s3cr" * 16)
NO_INSTANCE = "unable to set instance using origin &{%s %s http} (ExternalDomain is localhost): ID=%s Message=x"
UNTRUSTED = NO_INSTANCE % ("localhost:8080", "login.example.com", "QUERY-IuGh1")
TOKEN_MISSING = {"error": "invalid_request", "error_description": "token missing"}
UNKNOWN_HOST = NO_INSTANCE % ("127.0.0.1:8080", "", "QUERY-1kIjX")


def answer(status: int, body: Any = "", *, kind: str = "", headers: Mapping[str, str] | None = None) -> Response:
    text = body if isinstance(body, str) else json.dumps(body)
    fields = {"content-type": kind or ("text/plain" if isinstance(body, str) else "application/json")}
    return Response(
        status=status,
        headers=fields | dict(headers or {}),
        body=text.encode(),
        seconds=0.01,
        url=f"{ORIGIN}/oauth/v2/introspect",
    )


def page(status: int, headers: Mapping[str, str] | None = None) -> Response:
    return answer(status, "<html>", kind="text/html", headers=headers)


def moved_to(location: str) -> Response:
    return answer(301, headers={"location": location})


def proxied(came: Response) -> Response:
    return replace(came, proxy="proxy.example")


def find(came: Response, replies: Mapping[Probe, Response] | None = None) -> Finding:
    return finding_for_error(answer_error(came), SETTINGS, Evidence(replies=replies or {}))


def lines_of(finding: Finding) -> list[str]:
    return [in_words(step) for step in finding.steps]


READY, HEALTHY, AWAY = answer(200, '"ok"', kind="application/json"), answer(200, "ok"), answer(412, "ID=API-F24h2")
TIMED_OUT = failed(FailureKind.TIMEOUT, ORIGIN, "ZITADEL_DOMAIN", seconds=5)
OF_ZDEMO, BEARER = {"error": "not_found", "request_id": "1"}, {"www-authenticate": "Bearer"}
BASIC = {"www-authenticate": "Basic realm=x"}
UNAUTHORIZED = {"error": "unauthorized_client"}


@pytest.mark.parametrize(
    ("came", "name", "named"),
    [
        (answer(404, UNKNOWN_HOST), "zitadel.host_unknown", ["127.0.0.1"]),
        (answer(404, NO_INSTANCE % ("zitadel:8090", "", "QUERY-1kIjX")), "zitadel.host_changed", ["zitadel:8090"]),
        (answer(404, UNTRUSTED), "zitadel.public_host_untrusted", ["login.example.com"]),
        (answer(500, NO_INSTANCE % ("127.0.0.1", "", "QUERY-d3fas")), "zitadel.database_away", ["database"]),
        (answer(404, NO_INSTANCE % ("127.0.0.1", "", "QUERY-d3fas")), "zitadel.database_away", ["database"]),
        (answer(429, "Your ZITADEL instance is blocked."), "zitadel.rate_limited", ["blocked", "429"]),
        (answer(429, "slow down", headers={"retry-after": "7"}), "zitadel.rate_limited", ["rate limited", "429"]),
        (answer(302, headers={"location": "https://sso.example.com/x?state=1"}), "zitadel.redirects", ["sso.example"]),
        (answer(400, "Client sent an HTTP request to an HTTPS server.\n"), "net.expects_tls", ["https"]),
        (answer(400, TOKEN_MISSING), "zitadel.request_changed", []),
        (page(404, {"server": "nginx/1.25"}), "zitadel.other_server", ["nginx"]),
        *((page(status), "zitadel.other_server", ["text/html"]) for status in (200, 501)),
        (page(502, {"server": "nginx"}), "zitadel.behind_proxy_down", ["502"]),
        (answer(500, {"error": "server_error"}), "zitadel.fails", ["500"]),
        (page(403), "zitadel.filtered", ["403"]),
        (answer(404, "404 page not found"), "zitadel.other_server", ["not a ZITADEL"]),
        (answer(404, {"detail": "Not Found"}), "zitadel.other_server", ["not a ZITADEL"]),
        (answer(418, {"error": "teapot"}), "zitadel.unusable", ["418"]),
        (page(511), "net.login", ["the network requires a login"]),
        (answer(404, OF_ZDEMO), "zitadel.is_the_api", ["127.0.0.1:8080", "a zdemo API"]),
        (answer(401, OF_ZDEMO, headers=BEARER), "zitadel.is_the_api", ["a zdemo API"]),
        (answer(401, {"detail": "x"}, headers=BEARER), "zitadel.is_the_api", ["an API that takes tokens"]),
        (answer(401, {"detail": "x"}, headers=BASIC), "client.refused", ["401"]),
    ],
)
def test_a_response_that_is_not_an_introspection_is_named(came: Response, name: str, named: list[str]) -> None:
    finding = find(came)
    assert finding.id == name
    assert finding.fix
    for word in named:
        assert word in finding.cause
    if came.status in (302, 404, 429):  # the token and the credentials have no part in these
        assert "token" not in str(finding).lower()
        assert "credential" not in str(finding).lower()


@pytest.mark.parametrize(
    ("came", "fix"),
    [
        (moved_to("https://user:canary@sso.example.com:8443/login?code=canary"), "exempt /oauth, "),
        (moved_to("/auth/oauth/v2/introspect"), "correct ZITADEL_DOMAIN: .* does not run below a path"),
        (
            proxied(moved_to("http://hotel.example/login")),
            "log in to the proxy proxy.example, or add 127.0.0.1 to NO_PROXY",
        ),
        (page(404, {"server": "kong"}), "correct ZITADEL_DOMAIN: .*; or give the proxy there a route to ZITADEL"),
    ],
)
def test_the_fix_fits_the_server_and_shows_only_the_host_of_a_redirect(came: Response, fix: str) -> None:
    finding = find(came)
    assert re.match(fix, "; ".join(lines_of(finding)))
    assert "canary" not in str(finding)
    assert ("sso.example.com:8443" in finding.cause) is ("canary" in str(came.headers))


@pytest.mark.parametrize(
    ("came", "replies", "name", "certainty"),
    [
        (answer(500, "x"), {Probe.READY: AWAY}, "zitadel.database_away", CERTAIN),
        (answer(500, {"error": "server_error"}), {}, "zitadel.fails", CERTAIN),
        (page(403), {Probe.READY: READY}, "zitadel.in_between", CERTAIN),
        (answer(401, "no", headers=BEARER), {Probe.READY: READY}, "client.refused", OPEN),
        (page(502), {Probe.READY: READY, Probe.HEALTH: HEALTHY}, "zitadel.in_between", OPEN),
        (proxied(answer(404, UNKNOWN_HOST)), {}, "zitadel.host_unknown", CERTAIN),
        (proxied(page(503, {"server": "squid"})), {}, "net.proxy_answers", OPEN),
        (proxied(page(403)), {}, "net.proxy_answers", OPEN),
    ],
)
def test_the_health_checks_tell_zitadel_from_what_is_before_it(
    came: Response, replies: Mapping[Probe, Response], name: str, certainty: Certainty
) -> None:
    finding = find(came, replies)
    assert (finding.id, finding.certainty) == (name, certainty)
    assert not any("start ZITADEL" in line for line in lines_of(finding))


@pytest.mark.parametrize(
    ("came", "replies", "name"),
    [
        (answer(401, "no"), {}, "zitadel.filtered"),
        (proxied(page(503)), {}, "net.proxy_answers"),
        (answer(401, "no"), {Probe.READY: READY}, "zitadel.in_between"),
        (answer(404, OF_ZDEMO), {Probe.READY: READY}, "zitadel.is_the_api"),
        (answer(401, OF_ZDEMO, headers=BEARER), {}, "zitadel.is_the_api"),
        (answer(401, "no", headers=BEARER), {}, "zitadel.is_the_api"),
        (answer(401, "no", headers=BEARER), {Probe.READY: READY}, "zitadel.in_between"),
        (answer(200, {"issuer": "https://other.example"}), {}, "zitadel.other_issuer"),
        (answer(400, {"detail": "x"}), {}, "zitadel.other_server"),
        (answer(404, UNKNOWN_HOST), {}, "zitadel.host_unknown"),
    ],
)
def test_a_response_that_is_not_a_discovery_document_is_named(
    came: Response, replies: Mapping[Probe, Response], name: str
) -> None:
    case = TokenCase(error=answer_error(came), evidence=Evidence(replies=replies))
    assert diagnose(NO_DISCOVERY, case).id == name


def test_an_address_that_is_certainly_right_is_a_step_that_zdemo_can_take() -> None:
    tls = find(answer(400, "Client sent an HTTP request to an HTTPS server.\n"))
    assert tls.repair == SetVariable("ZITADEL_DOMAIN", "https://127.0.0.1:8080", certain=True)
    unknown = find(answer(404, UNKNOWN_HOST))
    assert unknown.repair == SetVariable("ZITADEL_DOMAIN", "http://localhost:8080", certain=True)
    elsewhere = find(answer(404, UNKNOWN_HOST.replace("is localhost", "is login.example.com")))
    assert elsewhere.repair is None
    assert lines_of(elsewhere)[:2] == ["ZITADEL_DOMAIN=http://login.example.com:8080", "ZDEMO_ALLOW_HTTP=1"]


STATE = {Probe.READY, Probe.DISCOVERY}


@pytest.mark.parametrize(
    ("error", "rounds"),
    [
        (answer_error(answer(404, UNKNOWN_HOST)), []),  # the answer names the cause
        (answer_error(answer(418, {"error": "teapot"})), [STATE]),
        (answer_error(page(404)), [STATE]),
        (failed(FailureKind.REFUSED, ORIGIN, "ZITADEL_DOMAIN"), []),
        (TIMED_OUT, [{Probe.HEALTH}]),
        (ZitadelUnavailable("the breaker is open", hint="wait"), []),
    ],
)
def test_zitadels_state_is_asked_once_and_only_where_it_decides(
    error: IntrospectionError | ConnectionFailed, rounds: list[set[Probe]]
) -> None:
    asker = Asker({})
    assert decide((*NETWORK, *UNUSABLE), TokenCase(error=error, settings=SETTINGS), asker)
    assert asker.rounds == rounds


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.TIMEOUT])
def test_a_connection_that_fails_has_the_sentences_of_failures(kind: FailureKind) -> None:
    failure = failed(kind, ORIGIN, "ZITADEL_DOMAIN")
    for error in (failure, introspection_error(failure)):
        finding = finding_for_error(error, SETTINGS)
        assert (finding.id, finding.cause, finding.fix) == (f"net.{kind}", failure.message, failure.steps)


@pytest.mark.parametrize(
    ("replies", "name", "certainty"),
    [
        ({}, "net.timeout", CERTAIN),
        ({Probe.HEALTH: TIMED_OUT, Probe.READY: TIMED_OUT}, "net.timeout", CERTAIN),
        ({Probe.HEALTH: HEALTHY, Probe.READY: TIMED_OUT}, "zitadel.database_hangs", CERTAIN),
        ({Probe.HEALTH: HEALTHY}, "zitadel.database_hangs", LIKELY),
        ({Probe.HEALTH: HEALTHY, Probe.READY: READY}, "zitadel.hangs", OPEN),
    ],
)
def test_silence_is_told_apart_by_the_health_checks(
    replies: Mapping[Probe, Response | ConnectionFailed], name: str, certainty: Certainty
) -> None:
    finding = finding_for_error(introspection_error(TIMED_OUT), SETTINGS, Evidence(replies=replies))
    assert (finding.id, finding.certainty) == (name, certainty)
    assert "5 s" in finding.cause
    assert "unreachable" not in str(finding)


def test_what_ended_meanwhile_is_tried_again_and_a_short_timeout_is_raised() -> None:
    ready = {Probe.HEALTH: HEALTHY, Probe.READY: READY}
    finding = find(answer(500, NO_INSTANCE % ("127.0.0.1", "", "QUERY-d3fas")), ready)
    assert (finding.id, lines_of(finding)) == ("zitadel.database_away", ["try again"])
    short, error = replace(SETTINGS, timeout_seconds=0.5), introspection_error(TIMED_OUT)
    finding = finding_for_error(error, short, Evidence(replies=ready))
    assert (finding.id, lines_of(finding)) == ("zitadel.hangs", ["raise ZDEMO_TIMEOUT"])


@given(
    status=st.integers(201, 599),
    kind=st.sampled_from(["", "text/html", "text/plain", "application/json", "\x1b[1m"]),
    body=st.binary()
    | st.sampled_from([b"{}", b"[]", b"null", (NO_INSTANCE % ("a", "b", "c")).encode(), b"QUERY-d3fas"]),
    location=texts(st.integers(0, 255).map(chr)),
    ready=st.sampled_from([None, READY, AWAY]),
)
def test_anything_becomes_a_finding(status: int, kind: str, body: bytes, location: str, ready: Response | None) -> None:
    fields = {"content-type": kind, "location": location, "server": location, "retry-after": location}
    came = Response(status=status, headers=fields, body=body, seconds=0.01, url=f"{ORIGIN}/oauth/v2/introspect")
    evidence = Evidence(replies={Probe.READY: ready} if ready else {})
    finding = finding_for_error(answer_error(came), SETTINGS, evidence)
    assert finding.fix
    assert finding.candidates or finding.certainty is not OPEN
    seen = (part for line in finding.seen for part in line)
    for text in (finding.cause, *lines_of(finding), *finding.candidates, *seen):
        assert text.isprintable()
