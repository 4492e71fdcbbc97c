"""What an investigation asks, of a ZITADEL that works and of servers that hang, echo or answer nonsense.

Which evidence means what is in ``tests/diagnosis``; each fault end to end is in ``tests/catalogue``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.config.test_key_file import content
from tests.support.cli import Shell
from tests.support.planting import AUDIENCE, ROLE, Planter, find, look
from tests.support.upstream import Received, answer, depending, hang, json_body, upstream
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.investigate import Investigation
from zdemo.diagnosis.finding import Certainty
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, PROJECT_ID, READER, VISITOR, emulate

DEAD, REFUSED = answer(json_body({"active": False})), answer(json_body({"error": "unauthorized_client"}), 400)
ACTIVE = {"active": True, "sub": "1", "aud": [CLIENT_ID, PROJECT_ID], "scope": f"x:{ROLE}", "client_id": "svc"}
HAS_ROLE = {"urn:zitadel:iam:org:project:roles": {ROLE: {"1": "x"}}}


@pytest.fixture
def planter() -> Iterator[Planter]:
    with emulate() as emulator:
        yield Planter(emulator)


def ask(paths: dict[str, Any], other: Any = REFUSED, seconds: float = 5) -> Investigation:
    """Ask a server that answers by path; ``other`` is for the paths that are not given."""
    with upstream(depending(lambda request: paths.get(request.target, other))) as up:
        settings = Settings(issuer=up.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, timeout_seconds=seconds)
        return look(settings, READER.pat)


def test_a_good_token_has_no_finding(planter: Planter) -> None:
    for more in ("", "\n", "\r\n"):
        found = look(planter.settings, READER.pat + more)
        assert (found.finding, found.error) == (None, None)
        assert found.answer is not None
        assert found.answer.json_object()["active"] is True
    assert "scope also lists the role admin" in found.notes[0]
    assert find(planter.settings, VISITOR.pat).id == "role.not_granted"


@pytest.mark.parametrize("token", ["", "\n", "\udc80abc"])
def test_a_text_that_cannot_be_sent_is_not_sent(token: str) -> None:
    settings = Settings(issuer="http://localhost:1", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    found = look(settings, token)
    assert (found.answer, found.error is None, found.finding is None) == (None, False, False)


def test_more_assignments_than_a_page_are_all_read(planter: Planter) -> None:
    for number in range(101):
        made = planter.do(
            "project.v2.ProjectService/CreateProject", organizationId=ORGANIZATION_ID, name=f"project {number}"
        )["projectId"]
        if number == 100:
            planter.role(ROLE, made)
        planter.grant(*([ROLE] if number == 100 else []), project_id=made)
    assert "project 100" in find(planter.settings, VISITOR.pat).cause


def test_the_keys_show_which_jwt_was_signed_by_another_zitadel_or_changed(planter: Planter) -> None:
    token = str(planter.tokens(AUDIENCE, jwt=True)["access_token"])
    at = token.rindex(".") + 1
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    assert find(planter.settings, changed).id == "token.damaged"
    with emulate() as other:
        foreign = find(planter.settings, Planter(other).tokens(AUDIENCE, jwt=True)["access_token"])
        assert (foreign.id, other.url in foreign.cause) == ("token.other_issuer", True)


def test_what_hangs_is_not_waited_for_beyond_the_time_and_leaves_it_open() -> None:
    first = iter([DEAD])
    finding = ask({"/oauth/v2/introspect": depending(lambda _: next(first, hang))}, hang, seconds=0.6).finding
    assert finding
    assert (finding.id, "no answer in time: made-up client, userinfo" in str(finding.seen)) == ("token.dead", True)
    finding = ask({"/oauth/v2/introspect": answer(json_body(ACTIVE))}, hang, seconds=0.6).finding
    assert finding
    assert (finding.id, finding.certainty) == ("role.missing", Certainty.OPEN)


@pytest.mark.parametrize("server", [READER.pat[:40], CLIENT_SECRET])
def test_a_server_that_echoes_what_it_was_sent_gives_nothing_away(server: str) -> None:
    page = answer(b"<p>no</p>", 404, headers={"Content-Type": "text/html", "Server": server})
    claims = answer(json_body({"active": True, "sub": "1", "iss": READER.pat, **HAS_ROLE}))
    for found in (ask({}, page), ask({"/oauth/v2/introspect": claims})):
        assert found.notes or found.finding
        assert not [secret for secret in (CLIENT_SECRET, READER.pat) if secret in str(found)]


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
