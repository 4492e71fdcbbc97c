"""Servers that hang, waver, echo or answer nonsense: the investigation ends in time, and shows no secret."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.config.test_key_file import content
from tests.support.cli import Shell
from tests.support.jwe import jwe
from tests.support.key_site import settings_for
from tests.support.planting import ROLE, look
from tests.support.upstream import Received, answer, depending, hang, json_body, upstream
from zdemo.config.key_file import application_key
from zdemo.config.settings import Settings
from zdemo.diagnosis import Certainty, Finding, TokenKind, token_form
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER
from zdemo.introspection.client import basic_credentials
from zdemo.investigation import Investigation, random_token

GRACE_SECONDS = 0.7  # for a busy machine, beside the time that an investigation may take


Paths = dict[str, Any]
PLAIN = {"Content-Type": "text/plain"}
READY, HEALTHY = answer(b'"ok"\n'), answer(b"ok", headers=PLAIN)
DEAD, REFUSED = answer(json_body({"active": False})), answer(json_body({"error": "unauthorized_client"}), 400)
OWN = basic_credentials(CLIENT_ID, CLIENT_SECRET)


def server(paths: Paths, other: Any = REFUSED) -> Any:
    """Answers by path; ``other`` is for the paths that are not given."""
    return depending(lambda request: paths.get(request.target, other))


def ask(paths: Paths, other: Any = REFUSED, seconds: float = 5, token: str = READER.pat) -> Investigation:
    with upstream(server(paths, other)) as up:
        settings = Settings(issuer=up.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, timeout_seconds=seconds)
        start = time.monotonic()
        found = look(settings, token)
        assert time.monotonic() - start < seconds + GRACE_SECONDS
        return found


def finding_of(paths: Paths, other: Any = REFUSED, seconds: float = 5, token: str = READER.pat) -> Finding:
    finding = ask(paths, other, seconds, token).finding
    assert finding is not None
    return finding


def introspection_by(choose: Callable[[Received], Any]) -> Paths:
    return {"/oauth/v2/introspect": depending(choose)}


def test_a_hanging_database_is_told_from_a_silent_server() -> None:
    finding = finding_of({"/debug/healthz": HEALTHY}, hang, seconds=0.8)
    assert (finding.id, finding.certainty) == ("zitadel.database_hangs", Certainty.CERTAIN)
    assert "unreachable" not in finding.cause
    assert finding_of({}, hang, seconds=0.8).id == "net.timeout"


def test_everything_that_hangs_after_the_first_answer_is_not_waited_for() -> None:
    first = iter([DEAD])
    finding = finding_of(introspection_by(lambda _: next(first, hang)), hang, seconds=0.8)
    assert finding.id == "token.dead"
    assert "no answer in time: made-up client, userinfo" in str(finding.seen)
    assert "database" in " ".join(finding.candidates)


def test_role_assignments_that_hang_leave_the_role_open() -> None:
    claims = {"active": True, "sub": "1", "aud": [CLIENT_ID, PROJECT_ID], "scope": f"x:{ROLE}", "client_id": "svc"}
    finding = finding_of({"/oauth/v2/introspect": answer(json_body(claims))}, hang, seconds=0.8)
    assert (finding.id, finding.certainty) == ("role.missing", Certainty.OPEN)


@pytest.mark.parametrize("rows", [None, 5, [None], [5], [{"user": "x"}], [{"roles": 5}], {"a": 1}])
def test_assignments_that_are_none_leave_the_role_open(rows: Any) -> None:
    claims = {"active": True, "sub": "1", "client_id": "svc"}
    listed = answer(json_body({"authorizations": rows}))
    finding = finding_of({"/oauth/v2/introspect": answer(json_body(claims))}, listed)
    assert finding.id in ("role.missing", "role.not_granted")


def test_an_answer_that_wavers_is_remarked_and_not_called_dead() -> None:
    first = iter([DEAD])
    good = answer(json_body({"active": True, "sub": "1", "urn:zitadel:iam:org:project:roles": {ROLE: {"1": "acme"}}}))

    def choose(request: Received) -> Any:
        return next(first, good) if request.headers["authorization"] == OWN else REFUSED

    found = ask(introspection_by(choose) | {"/debug/ready": READY})
    assert found.finding is None
    assert "active a moment later" in found.notes[0]


def test_a_made_up_token_has_the_form_of_a_pat() -> None:
    form = token_form(random_token())
    assert (form.kind, form.length) == (TokenKind.PAT, 277)


def test_blanks_that_zitadel_ignores_are_remarked_and_not_sent_in_a_header() -> None:
    """Ask with a JWE that was wrapped: introspection takes it, and the role is looked up with the token itself."""
    token = jwe("PAT")
    seen: list[str] = []

    def listed(request: Received) -> Any:
        seen.append(request.headers["authorization"])
        return answer(json_body({"authorizations": []}))

    active = answer(json_body({"active": True, "sub": "1", "aud": [CLIENT_ID, PROJECT_ID]}))
    found = ask({"/oauth/v2/introspect": active}, depending(listed), token=f"{token[:99]}\n  {token[99:]}")
    assert found.finding is not None
    assert found.finding.id == "role.undefined"
    assert set(seen) == {f"Bearer {token}"}
    assert any("line end inside" in note and "applies to the token alone" in note for note in found.notes)


def test_a_session_api_token_is_proven() -> None:
    refusal = answer(json_body({"code": 7, "message": "authentication required (AUTHZ-Kl3p0)"}), 403)
    finding = finding_of(
        introspection_by(lambda request: DEAD if request.headers["authorization"] == OWN else REFUSED)
        | {"/auth/v1/users/me": refusal, "/debug/ready": READY},
        answer(json_body({"error": "access_denied"}), 401),
        token="aB3_" * 19 + "xy",
    )
    assert (finding.id, finding.certainty) == ("token.session_api", Certainty.CERTAIN)


def test_a_clock_that_is_ahead_is_named() -> None:
    claims = {"active": True, "sub": "1", "exp": int(time.time()) - 300}
    date = {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 600))}
    finding = finding_of({"/oauth/v2/introspect": answer(json_body(claims), headers=date)})
    assert finding.id == "clock.skewed"
    assert "ahead" in finding.cause


def test_a_server_that_echoes_what_it_was_sent_gives_nothing_away() -> None:
    for server_name in (READER.pat[:40], CLIENT_SECRET):
        found = ask({}, answer(b"<p>no</p>", 404, headers={"Content-Type": "text/html", "Server": server_name}))
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


def test_an_assertion_that_is_sent_back_is_never_shown(tmp_path: Path) -> None:
    def echo(received: Received) -> Any:
        assertion = received.form.get("client_assertion", "")
        return answer(json_body({"active": False, "error": assertion, "error_description": assertion}))

    (tmp_path / "key.json").write_bytes(content())
    with upstream(depending(echo)) as up:
        shell = Shell(folder=tmp_path, env={"ZITADEL_DOMAIN": up.url, "ZITADEL_KEY_FILE": "key.json", "PAT": "x" * 71})
        shown = shell("introspect").all + shell("introspect", "--json").all
    sent = {request.form["client_assertion"] for request in up.requests if "client_assertion" in request.form}
    assert sent
    assert not any(assertion.rpartition(".")[2] in shown for assertion in sent)


def test_the_token_endpoint_gets_no_request_without_a_secret() -> None:
    with upstream(REFUSED) as up:
        look(settings_for(up.url, application_key(content())), "x" * 71)
    assert sorted(request.target for request in up.requests) == [
        "/.well-known/openid-configuration",
        "/oauth/v2/introspect",
        "/oauth/v2/introspect",
        "/oidc/v1/userinfo",
    ]
