"""Responses that are not introspections, and connections that fail: one finding each, and never a wrong one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdemo.config.settings import Settings
from zdemo.diagnosis import Certainty, Evidence, Finding, Probe, finding_for_error, finding_for_server
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.http.messages import failed
from zdemo.http.response import Response
from zdemo.introspection.refusals import answer_error, introspection_error

ORIGIN = "http://127.0.0.1:8080"
SETTINGS = Settings(issuer=ORIGIN, client_id="312909075212468229", client_secret="s3cr" * 16)
NO_INSTANCE = "unable to set instance using origin &{%s %s http} (ExternalDomain is localhost): ID=%s Message=x"


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


READY, HEALTHY, AWAY = answer(200, '"ok"', kind="application/json"), answer(200, "ok"), answer(412, "ID=API-F24h2")
TIMED_OUT = failed(FailureKind.TIMEOUT, ORIGIN, "ZITADEL_DOMAIN", seconds=5)
UNAUTHORIZED = {"error": "unauthorized_client"}


@pytest.mark.parametrize(
    ("came", "name", "named"),
    [
        (answer(404, NO_INSTANCE % ("127.0.0.1:8080", "", "QUERY-1kIjX")), "zitadel.host_unknown", ["127.0.0.1"]),
        (answer(404, NO_INSTANCE % ("127.0.0.1:8080", "", "QUERY-n0wng")), "zitadel.host_unknown", ["localhost"]),
        (answer(404, NO_INSTANCE % ("zitadel:8090", "", "QUERY-1kIjX")), "zitadel.host_changed", ["zitadel:8090"]),
        (
            answer(404, NO_INSTANCE % ("localhost:8080", "login.example.com", "QUERY-IuGh1")),
            "zitadel.public_host_untrusted",
            ["login.example.com"],
        ),
        (answer(404, NO_INSTANCE % ("127.0.0.1", "", "QUERY-d3fas")), "zitadel.database_away", ["database"]),
        (answer(429, "Your ZITADEL instance is blocked."), "zitadel.rate_limited", ["blocked", "429"]),
        (answer(429, "slow down", headers={"retry-after": "7"}), "zitadel.rate_limited", ["rate limited", "429"]),
        (answer(302, headers={"location": "https://sso.example.com/x?state=1"}), "zitadel.redirects", ["sso.example"]),
        (answer(307, headers={"location": "http://[broken"}), "zitadel.redirects", ["redirect"]),
        (answer(400, "Client sent an HTTP request to an HTTPS server.\n"), "net.expects_tls", ["https"]),
        (answer(400, "<h1>plain HTTP request was sent to HTTPS port</h1>", kind="text/html"), "net.expects_tls", []),
        (
            answer(400, {"error": "invalid_request", "error_description": "token missing"}),
            "zitadel.request_changed",
            [],
        ),
        (answer(404, "<html>", kind="text/html", headers={"server": "nginx/1.25"}), "zitadel.other_server", ["nginx"]),
        (answer(200, "<html>", kind="text/html"), "zitadel.other_server", ["text/html"]),
        (answer(502, "<html>", kind="text/html", headers={"server": "nginx"}), "zitadel.behind_proxy_down", ["502"]),
        (answer(500, {"error": "server_error"}), "zitadel.fails", ["500"]),
        (answer(403, "<html>", kind="text/html"), "zitadel.filtered", ["403"]),
        (answer(404, "404 page not found"), "zitadel.other_server", ["not a ZITADEL"]),
        (answer(418, {"error": "teapot"}), "zitadel.unusable", ["418"]),
        (answer(401, "<html>", kind="text/html"), "zitadel.filtered", ["401"]),
        (answer(511, "<html>", kind="text/html"), "net.login", ["the network requires a login"]),
    ],
)
def test_an_answer_that_is_none_is_named(came: Response, name: str, named: list[str]) -> None:
    finding = finding_for_error(answer_error(came), SETTINGS)
    assert finding.id == name
    assert finding.fix
    for word in named:
        assert word in finding.cause


@pytest.mark.parametrize(
    "came",
    [
        answer(404, NO_INSTANCE % ("127.0.0.1:8080", "", "QUERY-1kIjX")),
        answer(404, NO_INSTANCE % ("127.0.0.1:8080", "", "QUERY-d3fas")),
        answer(429, "Your ZITADEL instance is blocked."),
        answer(302, headers={"location": "https://sso.example.com/"}),
    ],
)
def test_the_token_and_the_credentials_are_not_blamed_for_what_they_have_no_part_in(came: Response) -> None:
    said = str(finding_for_error(answer_error(came), SETTINGS)).lower()
    assert "token" not in said
    assert "credential" not in said


def test_a_wrong_host_is_mended_with_the_external_domain() -> None:
    came = answer(404, NO_INSTANCE % ("127.0.0.1:8080", "", "QUERY-1kIjX"))
    finding = finding_for_error(answer_error(came), SETTINGS)
    assert finding.fix[0] == "ZITADEL_DOMAIN=http://localhost:8080"
    assert "localhost" in finding.cause


def test_a_database_that_is_away_does_not_speak_of_hosts() -> None:
    came = answer(404, NO_INSTANCE % ("127.0.0.1:8080", "", "QUERY-d3fas"))
    evidence = Evidence(replies={Probe.READY: AWAY, Probe.HEALTH: HEALTHY})
    said = str(finding_for_error(answer_error(came), SETTINGS, evidence))
    assert "Host" not in said
    assert "ExternalDomain" not in said


def test_a_failure_with_a_readiness_check_that_says_412_is_the_database() -> None:
    finding = finding_for_error(answer_error(answer(500, "x")), SETTINGS, Evidence(replies={Probe.READY: AWAY}))
    assert finding.id == "zitadel.database_away"


def test_a_rate_limit_says_how_long_to_wait() -> None:
    finding = finding_for_error(answer_error(answer(429, "x", headers={"retry-after": "7"})), SETTINGS)
    assert "wait 7 s" in finding.fix[0]


def test_of_a_redirect_only_the_host_is_shown() -> None:
    came = answer(302, headers={"location": "https://user:pw@sso.example.com:8443/login?code=canary"})
    finding = finding_for_error(answer_error(came), SETTINGS)
    assert "sso.example.com:8443" in finding.cause
    assert "canary" not in str(finding)
    assert "pw" not in str(finding)


def test_a_redirect_to_the_same_path_tells_the_right_address() -> None:
    came = answer(301, headers={"location": "https://zitadel.example.com/oauth/v2/introspect"})
    assert finding_for_error(answer_error(came), SETTINGS).fix == ("ZITADEL_DOMAIN=https://zitadel.example.com",)


def test_html_before_a_zitadel_that_is_ready_is_something_in_between() -> None:
    evidence = Evidence(replies={Probe.READY: READY})
    finding = finding_for_error(answer_error(answer(403, "<html>", kind="text/html")), SETTINGS, evidence)
    assert finding.id == "zitadel.in_between"


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_before_a_zitadel_that_is_ready_does_not_call_it_down(status: int) -> None:
    evidence = Evidence(replies={Probe.READY: READY, Probe.HEALTH: HEALTHY})
    came = answer(status, "<h1>maintenance</h1>", kind="text/html")
    finding = finding_for_error(answer_error(came), SETTINGS, evidence)
    assert (finding.id, finding.certainty) == ("zitadel.in_between", Certainty.OPEN)
    assert not any("start ZITADEL" in step for step in finding.fix)


def test_a_filter_that_blocks_us_is_not_zitadel_that_blocks_the_instance() -> None:
    page = "<h1>Your IP has been temporarily blocked</h1>"
    came = answer(429, page, kind="text/html", headers={"server": "cloudflare", "retry-after": "120"})
    finding = finding_for_error(answer_error(came), SETTINGS)
    assert (finding.id, finding.certainty) == ("zitadel.rate_limited", Certainty.LIKELY)
    assert "filter" in finding.cause
    assert "ZITADEL has blocked" not in finding.cause
    assert "wait 120 s" in finding.fix[0]


def test_a_login_of_a_proxy_or_another_server_stays_open() -> None:
    came = answer(401, "<html>", kind="text/html", headers={"www-authenticate": "Basic", "server": "nginx"})
    finding = finding_for_error(answer_error(came), SETTINGS)
    assert finding.certainty is Certainty.OPEN
    assert "login of its own" in finding.candidates[0]


@pytest.mark.parametrize(
    ("status", "first"), [(503, "the proxy cannot connect to"), (403, "the proxy does not let requests through")]
)
def test_what_came_through_our_own_proxy_may_be_its_own(status: int, first: str) -> None:
    came = replace(answer(status, "<html>", kind="text/html", headers={"server": "squid"}), proxy="proxy.example")
    for finding in (finding_for_error(answer_error(came), SETTINGS), finding_for_server(came, Evidence())):
        assert (finding.id, finding.certainty) == ("net.proxy_answers", Certainty.OPEN)
        assert finding.candidates[0].startswith(first)
        assert not any("start ZITADEL" in step for step in finding.fix)


def test_a_proxy_of_ours_that_lets_zitadel_through_is_not_blamed() -> None:
    came = replace(answer(404, NO_INSTANCE % ("127.0.0.1:8080", "", "QUERY-1kIjX")), proxy="proxy.example")
    assert finding_for_error(answer_error(came), SETTINGS).id == "zitadel.host_unknown"
    came = replace(answer(403, "<html>", kind="text/html"), proxy="proxy.example")
    evidence = Evidence(replies={Probe.READY: READY})
    assert finding_for_error(answer_error(came), SETTINGS, evidence).id == "zitadel.in_between"


def test_an_address_of_ipv6_keeps_its_brackets() -> None:
    came = answer(301, headers={"location": "https://[::1]:8443/oauth/v2/introspect"})
    finding = finding_for_error(answer_error(came), SETTINGS)
    assert finding.fix == ("ZITADEL_DOMAIN=https://[::1]:8443",)
    assert "[::1]:8443" in finding.cause


def test_an_address_of_plain_http_comes_with_what_makes_it_taken() -> None:
    unknown = answer(404, (NO_INSTANCE % ("127.0.0.1:8080", "", "QUERY-1kIjX")).replace("is localhost", "is a.example"))
    moved = answer(301, headers={"location": "http://a.example:8080/oauth/v2/introspect"})
    for came in (unknown, moved):
        fix = finding_for_error(answer_error(came), SETTINGS).fix
        assert fix[0] == "ZITADEL_DOMAIN=http://a.example:8080"
        assert fix[1].startswith("ZDEMO_ALLOW_HTTP=1 ")


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_discovery_alone_that_is_blocked_is_what_is_to_pass(kind: str) -> None:
    came = replace(answer(403, "{}", kind=kind), url=f"{ORIGIN}/.well-known/openid-configuration")
    finding = finding_for_server(came, Evidence(replies={Probe.READY: READY}))
    assert finding.id == "zitadel.in_between"
    assert finding.fix == ("let the proxy or filter before ZITADEL pass GET /.well-known/openid-configuration",)


def test_control_characters_of_a_server_do_not_get_through() -> None:
    came = answer(404, "x", kind="text/html", headers={"server": "a\x1b[31m\u202eb"})
    said = str(finding_for_error(answer_error(came), SETTINGS))
    assert "\x1b" not in said
    assert "\\x1b" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.TIMEOUT])
def test_a_connection_that_fails_has_the_sentences_of_failures(kind: FailureKind) -> None:
    failure = failed(kind, ORIGIN, "ZITADEL_DOMAIN")
    for error in (failure, introspection_error(failure)):
        finding = finding_for_error(error, SETTINGS)
        assert (finding.id, finding.cause, finding.fix) == (f"net.{kind}", failure.message, (failure.hint,))


@pytest.mark.parametrize(
    ("replies", "name", "certainty"),
    [
        ({}, "net.timeout", Certainty.CERTAIN),
        ({Probe.HEALTH: TIMED_OUT, Probe.READY: TIMED_OUT}, "net.timeout", Certainty.CERTAIN),
        ({Probe.HEALTH: HEALTHY, Probe.READY: TIMED_OUT}, "zitadel.database_hangs", Certainty.CERTAIN),
        ({Probe.HEALTH: HEALTHY}, "zitadel.database_hangs", Certainty.LIKELY),
        ({Probe.HEALTH: HEALTHY, Probe.READY: READY}, "zitadel.hangs", Certainty.OPEN),
    ],
)
def test_silence_is_told_apart_by_the_health_checks(
    replies: Mapping[Probe, Response | ConnectionFailed], name: str, certainty: Certainty
) -> None:
    finding = finding_for_error(introspection_error(TIMED_OUT), SETTINGS, Evidence(replies=replies))
    assert (finding.id, finding.certainty) == (name, certainty)
    assert "5 s" in finding.cause
    assert "unreachable" not in str(finding)


@given(
    status=st.integers(201, 599),
    kind=st.sampled_from(["", "text/html", "text/plain", "application/json", "\x1b[1m"]),
    body=st.binary()
    | st.sampled_from([b"{}", b"[]", b"null", (NO_INSTANCE % ("a", "b", "c")).encode(), b"QUERY-d3fas"]),
    location=st.text(st.characters(max_codepoint=255)),
    ready=st.sampled_from([None, READY, AWAY]),
)
def test_whatever_comes_is_made_a_finding(
    status: int, kind: str, body: bytes, location: str, ready: Response | None
) -> None:
    fields = {"content-type": kind, "location": location, "server": location, "retry-after": location}
    came = Response(status=status, headers=fields, body=body, seconds=0.01, url=f"{ORIGIN}/oauth/v2/introspect")
    evidence = Evidence(replies={Probe.READY: ready} if ready else {})
    finding = finding_for_error(answer_error(came), SETTINGS, evidence)
    assert finding.fix
    assert finding.candidates or finding.certainty is not Certainty.OPEN
    for text in (finding.cause, *finding.fix, *finding.candidates, *(part for line in finding.seen for part in line)):
        assert text.isprintable()


def refused(replies: Mapping[Probe, Response], settings: Settings = SETTINGS, status: int = 400) -> Any:
    error = answer_error(answer(status, UNAUTHORIZED if status == 400 else {"error": "x"}))
    return finding_for_error(error, settings, Evidence(replies=replies))


def test_refused_credentials_stay_open_with_all_candidates() -> None:
    finding = refused({Probe.RANDOM_TOKEN: answer(400, UNAUTHORIZED), Probe.USERINFO: answer(200, {})})
    assert (finding.id, finding.certainty) == ("client.refused", Certainty.OPEN)
    said = " ".join(finding.candidates)
    for word in ("CLIENT_ID", "CLIENT_SECRET", "regenerated", "rotated", "inactive", "key-only", "recreated"):
        assert word in said
    assert "token" not in str(finding).lower().replace("random_token", "")
    assert SETTINGS.client_secret not in str(finding)


def test_everything_refused_makes_another_zitadel_the_first_candidate() -> None:
    finding = refused({Probe.USERINFO: answer(401, {"error": "access_denied"})})
    assert "recreated" in finding.candidates[0]


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        (answer(200, {"access_token": "x"}), "200"),
        (answer(400, {"error_description": "Errors.User.Machine.Secret.Invalid"}), "Secret.Invalid"),
        (answer(400, {"error_description": "Errors.User.Machine.Secret.NotExisting"}), "Secret.NotExisting"),
        (answer(400, {"error_description": "Errors.User.NotActive"}), "NotActive"),
    ],
)
def test_a_service_users_credentials_are_known_by_the_token_endpoint(reply: Response, named: str) -> None:
    finding = refused({Probe.OWN_PAIR_AT_TOKEN_ENDPOINT: reply})
    assert (finding.id, finding.certainty) == ("client.is_service_user", Certainty.CERTAIN)
    assert "service user" in finding.cause
    assert named in str(finding.seen)


@pytest.mark.parametrize(
    ("client_id", "secret", "expected"),
    [
        ("s3cr" * 16, "312909075212468229", "swapped"),
        ("reader", "s3cr" * 16, "CLIENT_ID does not look like"),
        ("312909075212468229", "s3cr" * 15, "CLIENT_SECRET has 60 characters"),
        ("312909075212468229", "aB3-" * 17 + "xyZ", "form of a personal access token"),
    ],
)
def test_odd_values_are_pointed_out(client_id: str, secret: str, expected: str) -> None:
    finding = refused({}, Settings(issuer=ORIGIN, client_id=client_id, client_secret=secret))
    assert expected in " ".join([finding.cause, *finding.candidates[:1]])
    assert "s3cr" not in str(finding)


def test_credentials_that_work_for_another_text_are_not_blamed() -> None:
    finding = refused({Probe.RANDOM_TOKEN: answer(200, {"active": False})}, status=403)
    assert finding.id == "zitadel.filtered"


def test_a_401_is_not_how_zitadel_refuses_and_stays_open() -> None:
    finding = refused({}, status=401)
    assert finding.certainty is Certainty.OPEN
    assert "proxy" in finding.candidates[0]


def test_certainty_follows_from_the_candidates_and_a_likely_cause_is_marked() -> None:
    certain, likely, still_open = (
        Finding(id="a.b", cause="a proxy is down"),
        Finding(id="a.b", cause="a proxy is down", likely=True, candidates=("or not",)),
        Finding(id="a.b", cause="a proxy is down", candidates=("or not",)),
    )
    assert [f.certainty for f in (certain, likely, still_open)] == [*Certainty]
    assert likely.sentence == "most likely, a proxy is down"
    assert certain.sentence == still_open.sentence == "a proxy is down"
