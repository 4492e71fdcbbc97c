"""What an investigation asks, of a ZITADEL that works and of servers that hang, echo or answer nonsense.

Which evidence means what is in ``tests/diagnosis``; each fault end to end is in ``tests/catalogue``.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.config.test_key_file import content
from tests.diagnosis.test_api_response import INVALID, call
from tests.support import connection_faults
from tests.support.cli import Shell
from tests.support.emulator_target import as_real
from tests.support.planting import AUDIENCE, ROLE, Planter
from tests.support.secret_forms import PAT
from tests.support.upstream import Received, answer, depending, hang, json_body, upstream
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.explain import explain
from zdemo.diagnosis.ask.facts import clock_ahead_seconds
from zdemo.diagnosis.ask.investigate import Investigation, investigate_with
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.rules.refused_call import DOCTOR
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID
from zdemo.errors.response import Response
from zdemo.errors.steps import in_words
from zdemo.http.api_call import Call

DEAD, REFUSED = answer(json_body({"active": False})), answer(json_body({"error": "unauthorized_client"}), 400)
ACTIVE = {"active": True, "sub": "1", "aud": [CLIENT_ID, PROJECT_ID], "scope": f"x:{ROLE}", "client_id": "svc"}
HAS_ROLE = {"urn:zitadel:iam:org:project:roles": {ROLE: {"1": "x"}}}


@pytest.mark.parametrize(
    ("now", "seconds", "ahead"), [(100.4, 0.2, 0), (94, 12, 0), (104, 1, 4), (91, 1, -9), (80, 12, -14.5)]
)
def test_the_time_of_an_answer_is_not_a_difference_between_clocks(now: float, seconds: float, ahead: float) -> None:
    date = {"date": "Thu, 01 Jan 1970 00:01:40 GMT"}
    assert clock_ahead_seconds(Response(status=200, headers=date, body=b"", seconds=seconds, url=""), now) == ahead


def look(settings: Settings, token: str) -> Investigation:
    return investigate_with(Environment({}), settings, token, now=time.time())


@pytest.fixture
def planter() -> Iterator[Planter]:
    with as_real() as emulator:
        yield Planter(emulator)


def ask(paths: dict[str, Any], other: Any = REFUSED, seconds: float = 5) -> Investigation:
    """Ask a server that answers by path; ``other`` is for the paths that are not given."""
    with upstream(depending(lambda request: paths.get(request.target, other))) as up:
        settings = Settings(issuer=up.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, timeout_seconds=seconds)
        return look(settings, PAT)


@pytest.mark.parametrize("token", ["", "\n", "\udc80abc"])
def test_a_text_that_cannot_be_sent_is_not_sent(token: str) -> None:
    settings = Settings(issuer="http://localhost:1", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    seen = look(settings, token)
    assert (seen.answer, seen.error is None, seen.finding is None) == (None, False, False)


def test_the_keys_show_that_a_jwt_was_changed(planter: Planter) -> None:
    token = str(planter.tokens(AUDIENCE, jwt=True)["access_token"])
    at = token.rindex(".") + 1
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    finding = look(planter.settings, changed).finding
    assert finding
    assert (finding.id, changed in str(finding), CLIENT_SECRET in str(finding)) == ("token.damaged", False, False)


def test_what_hangs_is_not_waited_for_beyond_the_time_and_leaves_it_open() -> None:
    first = iter([DEAD])
    finding = ask({"/oauth/v2/introspect": depending(lambda _: next(first, hang))}, hang, seconds=1).finding
    assert finding
    assert (finding.id, "no answer in time: made-up client, userinfo" in str(finding.seen)) == ("token.dead", True)
    finding = ask({"/oauth/v2/introspect": answer(json_body(ACTIVE))}, hang, seconds=1).finding
    assert finding
    assert (finding.id, finding.certainty) == ("role.missing", Certainty.OPEN)


@pytest.mark.parametrize("server", [PAT[:40], CLIENT_SECRET])
def test_a_server_that_echoes_what_it_was_sent_gives_nothing_away(server: str) -> None:
    page = answer(b"<p>no</p>", 404, headers={"Content-Type": "text/html", "Server": server})
    claims = answer(json_body({"active": True, "sub": "1", "iss": PAT, **HAS_ROLE}))
    for investigation in (ask({}, page), ask({"/oauth/v2/introspect": claims})):
        assert investigation.notes or investigation.finding
        assert not [secret for secret in (CLIENT_SECRET, PAT) if secret in str(investigation)]


def test_an_assertion_that_is_sent_back_is_never_shown(tmp_path: Path) -> None:
    def echo(received: Received) -> Any:
        assertion = received.form.get("client_assertion", "")
        return answer(json_body({"active": False, "error": assertion, "error_description": assertion}))

    (tmp_path / "key.json").write_bytes(content())
    with upstream(depending(echo)) as up:
        shell = Shell(folder=tmp_path, env={"ZITADEL_DOMAIN": up.url, "ZITADEL_KEY_FILE": "key.json", "PAT": "x" * 71})
        output = shell("introspect").all + shell("introspect", "--json").all
    sent = {request.form["client_assertion"] for request in up.requests if "client_assertion" in request.form}
    assert sent
    assert not any(assertion.rpartition(".")[2] in output for assertion in sent)


def explained(what: Call, token: str | None, settings: Settings | None = None, again: str = "") -> Finding:
    finding, _ = explain(what, token, settings, Environment({}), unasked="x is not set", again=again, now=0)
    assert finding.fix
    assert (("not asked", "ZITADEL: x is not set") in finding.seen) == (settings is None)
    assert settings is not None or finding.fix == (DOCTOR,), "introspect needs the same settings"
    return finding


def test_what_the_answer_alone_explains_is_not_asked_of_zitadel() -> None:
    with upstream(connection_faults.ACTIVE) as zitadel:
        finding = explained(call(404), "token", Settings(issuer=zitadel.url, client_id="1", client_secret="2"))
        assert (finding.id, zitadel.connections) == ("call.no_such_route", 0)


def test_the_next_step_asks_for_the_same_token(planter: Planter) -> None:
    finding = explained(call(401, INVALID), "A" * 71, planter.settings, again="--pat")
    assert "zdemo introspect --pat" in map(in_words, finding.steps)
