"""Why ZITADEL refuses an application's key: the clock, the issuer, or what only an administrator can see."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.config.test_key_file import CLIENT_ID, KEY_ID, content
from tests.diagnosis.test_unusable_response import ORIGIN, UNAUTHORIZED, answer
from tests.support.cli import Shell
from tests.support.connection_faults import CREDENTIALS_REFUSED
from tests.support.key_site import KeySite, key_site, settings_for
from tests.support.upstream import Received, depending, json_body, upstream
from tests.support.upstream import answer as reply
from zdemo.config.key_file import application_key
from zdemo.diagnosis import Certainty, Evidence, Finding, Probe, finding_for_error
from zdemo.emulator.seed import ADMIN, READER
from zdemo.http.response import Response
from zdemo.introspection.refusals import answer_error
from zdemo.investigation.investigate import investigate

SETTINGS = settings_for(ORIGIN, application_key(content()))
DISCOVERED = {Probe.DISCOVERY: answer(200, {"issuer": ORIGIN})}


def refused(ahead: float | None = None, replies: Mapping[Probe, Response] = DISCOVERED, status: int = 400) -> Finding:
    error = answer_error(answer(status, UNAUTHORIZED), with_key=True)
    finding = finding_for_error(error, SETTINGS, Evidence(replies=replies, clock_ahead_seconds=ahead))
    assert "PRIVATE" not in str(finding)
    assert "CLIENT_SECRET" not in str(finding)
    assert finding.fix
    return finding


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(62, "62 s ahead of ZITADEL"), (4000, "future"), (-600, "600 s behind ZITADEL"), (-90_000, "expired")],
)
def test_a_clock_that_is_too_far_off_for_any_assertion_is_the_cause(ahead: float, words: str) -> None:
    finding = refused(ahead)
    assert (finding.id, finding.certainty) == ("clock.skewed", Certainty.LIKELY)
    assert words in finding.cause
    assert "NTP" in finding.fix[0]


@pytest.mark.parametrize(("ahead", "named"), [(30, True), (-300, True), (2, False), (0, False), (None, False)])
def test_a_clock_that_is_off_by_less_is_a_candidate(ahead: float | None, named: bool) -> None:
    finding = refused(ahead)
    assert (finding.id, finding.certainty) == ("client.key_refused", Certainty.OPEN)
    assert ("clock" in str(finding)) is named
    assert finding.candidates[0].startswith("this machine's clock") is named


@pytest.mark.parametrize("issuer", ["https://127.0.0.1:8080", ORIGIN + "/", "http://localhost:8080"])
def test_another_issuer_is_certainly_the_cause(issuer: str) -> None:
    finding = refused(replies={Probe.DISCOVERY: answer(200, {"issuer": issuer})})
    assert (finding.id, finding.certainty) == ("client.issuer_differs", Certainty.CERTAIN)
    for text in (issuer, ORIGIN):
        assert text in finding.cause
    assert finding.fix[0].startswith(f"ZITADEL_DOMAIN={issuer}")


@pytest.mark.parametrize("page", [answer(404, "404 page not found"), answer(200, "<html>"), answer(200, {"issuer": 1})])
def test_a_discovery_that_is_none_says_nothing(page: Response) -> None:
    assert refused(replies={Probe.DISCOVERY: page}).id == "client.key_refused"


def test_what_cannot_be_told_apart_stays_open_with_all_candidates() -> None:
    finding = refused()
    said = " ".join(finding.candidates)
    for word in ("deleted", "expired", "inactive", "another ZITADEL", "recreated", "clientId or keyId"):
        assert word in said
    for text in (CLIENT_ID, KEY_ID, "ZITADEL_KEY_FILE"):
        assert text in " ".join(finding.fix)


def test_everything_refused_makes_another_zitadel_the_first_candidate() -> None:
    finding = refused(replies={Probe.USERINFO: answer(401, {"error": "access_denied"})})
    assert "another ZITADEL" in finding.candidates[0]


def test_a_key_that_works_for_another_text_is_not_blamed() -> None:
    finding = refused(replies={Probe.RANDOM_TOKEN: answer(200, {"active": False})})
    assert finding.id == "zitadel.filtered"


def test_a_server_that_refuses_as_zitadel_never_does_is_told_of_the_key_file() -> None:
    assert "ZITADEL_KEY_FILE" in str(refused(status=401))


# --- planted


@pytest.fixture
def site(tmp_path: Path) -> Iterator[KeySite]:
    with key_site(tmp_path / "key.json") as site:
        yield site


def test_a_good_key_has_no_finding(site: KeySite) -> None:
    assert investigate(site.settings, READER.pat, now=time.time()).finding is None


def test_an_inactive_token_is_not_blamed_on_the_key(site: KeySite) -> None:
    finding = investigate(site.settings, "A" + READER.pat[1:], now=time.time()).finding
    assert finding is not None
    assert finding.id.startswith("token.")
    assert ("credentials", "good: ZITADEL answers this API's key, and refuses others") in finding.seen


@pytest.mark.parametrize("plant", [KeySite.delete_key, KeySite.deactivate_application])
def test_a_key_that_is_deleted_and_an_application_that_is_inactive_look_the_same(
    site: KeySite, plant: Callable[[KeySite], None]
) -> None:
    plant(site)
    found = investigate(site.settings, READER.pat, now=time.time())
    assert found.finding is not None
    assert (found.finding.id, found.finding.certainty) == ("client.key_refused", Certainty.OPEN)
    assert "clock" not in str(found.finding)


@pytest.mark.parametrize(
    ("plant", "name"),
    [(KeySite.delete_key, "client.key_deleted"), (KeySite.deactivate_application, "client.application_inactive")],
)
def test_an_administrator_can_tell_them_apart(site: KeySite, plant: Callable[[KeySite], None], name: str) -> None:
    plant(site)
    finding = investigate(site.settings, READER.pat, now=time.time(), admin_pat=ADMIN.pat).finding
    assert finding is not None
    assert (finding.id, finding.certainty) == (name, Certainty.CERTAIN)


def test_the_key_of_another_application_stays_open(site: KeySite) -> None:
    key = application_key(content(clientId=site.settings.client_id))
    finding = investigate(dataclasses.replace(site.settings, key=key), READER.pat, now=time.time()).finding
    assert finding is not None
    assert finding.id == "client.key_refused"


def with_the_time_off_by(seconds: float) -> Any:
    """A ZITADEL with another time that refuses every assertion."""
    date = {"Date": formatdate(time.time() + seconds, usegmt=True)}

    def choose(received: Received) -> Any:
        if received.method == "GET":
            issuer = f"http://{received.headers['host']}"
            return reply(json_body({"issuer": issuer}), headers=date)
        return reply(json_body(UNAUTHORIZED), 400, headers=date)

    return depending(choose)


@pytest.mark.parametrize(("off", "words"), [(-300, "ahead of"), (7200, "behind")])
def test_introspect_names_the_clock(off: float, words: str, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_bytes(content())
    with upstream(with_the_time_off_by(off)) as up:
        shell = Shell(folder=tmp_path, env={"ZITADEL_DOMAIN": up.url, "ZITADEL_KEY_FILE": "key.json", "PAT": "x" * 71})
        ran = shell("introspect")
    assert ran.code == 1
    said = " ".join(ran.all.split())
    assert f"s {words} ZITADEL's" in said
    assert "NTP" in said
    assert {request.headers.get("authorization") for request in up.requests} <= {None, "Bearer " + "x" * 71}


def test_introspect_never_shows_an_assertion_that_is_sent_back(tmp_path: Path) -> None:
    def echo(received: Received) -> Any:
        sent = received.form.get("client_assertion", "")
        return reply(json_body({"active": False, "echo": sent, "error": sent, "error_description": sent}))

    (tmp_path / "key.json").write_bytes(content())
    with upstream(depending(echo)) as up:
        shell = Shell(folder=tmp_path, env={"ZITADEL_DOMAIN": up.url, "ZITADEL_KEY_FILE": "key.json", "PAT": "x" * 71})
        shown = shell("introspect").all + shell("introspect", "--json").all
    sent = {request.form["client_assertion"] for request in up.requests if "client_assertion" in request.form}
    assert sent
    assert not any(assertion.rpartition(".")[2] in shown for assertion in sent)


def test_the_token_endpoint_is_not_asked_since_there_is_no_secret_to_ask_it_with(site: KeySite) -> None:
    with upstream(CREDENTIALS_REFUSED) as up:
        investigate(dataclasses.replace(site.settings, issuer=up.url), "x" * 71, now=time.time())
    assert sorted(request.target for request in up.requests) == [
        "/.well-known/openid-configuration",
        "/oauth/v2/introspect",
        "/oauth/v2/introspect",
        "/oidc/v1/userinfo",
    ]
