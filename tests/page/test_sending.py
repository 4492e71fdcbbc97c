"""Sending from the page: to the API's own address alone, explained as ``zdemo call`` explains it."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.page_site import KEY, PageSite, events, page_site, variables_of
from tests.support.wire import PATIENCE_SECONDS
from zdemo.config.environment import COMMAND_LINE, Environment
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, CLIENT_SECRET, READER, VISITOR, new_fault
from zdemo.page import PageContext, PageOptions
from zdemo.page.sending import send
from zdemo.server import create_app

UNKNOWN_TOKEN = "x" * 71


@pytest.fixture(scope="module")
def site() -> Iterator[PageSite]:
    with page_site() as site:
        yield site.open()


def sent(site: PageSite, path: str = "/api/private-scoped", caller: str = "reader", **more: Any) -> dict[str, Any]:
    answer = site.post("/-/send", {"method": "GET", "path": path, "caller": caller, **more})
    assert answer.status_code == 200, answer.text
    assert not [secret for secret in (READER.pat, VISITOR.pat, ADMIN.pat, CLIENT_SECRET, KEY) if secret in answer.text]
    found: dict[str, Any] = answer.json()
    return found


def test_a_request_that_is_admitted_needs_no_reason(site: PageSite) -> None:
    answer = sent(site)
    assert (answer["status"], answer["why"], answer["error"]) == (200, None, None)
    assert len(answer["id"]) == 16
    assert answer["ms"] > 0


def test_a_missing_role_is_explained_with_its_rule_and_its_fix(site: PageSite) -> None:
    why = sent(site, caller="visitor")["why"]
    assert (why["rfc"], why["certainty"], why["candidates"]) == ("RFC 6750 §3.1", "certain", [])
    assert why["sentence"].startswith("the token is valid, but the role read:messages is not granted to its user")
    assert why["fix"][0] == "zdemo role grant visitor read:messages"
    assert ["token", "active"] in why["seen"]


def test_a_missing_token_is_explained_without_asking_zitadel(site: PageSite) -> None:
    before = len(site.emulator.requests)
    answer = sent(site, caller="nobody")
    assert (answer["status"], answer["why"]["rfc"]) == (401, "RFC 6750 §3")
    assert answer["why"]["sentence"] == "this route requires a token, and none was sent"
    assert len(site.emulator.requests) == before


def test_a_pasted_token_is_sent_and_explained(site: PageSite) -> None:
    assert sent(site, caller="pasted", token=f" {READER.pat}\n")["status"] == 200
    answer = sent(site, caller="pasted", token=UNKNOWN_TOKEN)
    assert (answer["status"], answer["why"]["certainty"]) == (401, "open")
    assert UNKNOWN_TOKEN not in str(answer)


def test_without_explain_zitadel_is_asked_by_the_api_alone_once_it_has_been_explained(site: PageSite) -> None:
    why = sent(site, caller="visitor", explain=False)["why"]  # now the API knows the token
    before = len(site.emulator.requests)
    answer = sent(site, caller="visitor", explain=False)
    assert (answer["status"], answer["why"]) == (401, why)
    assert len(site.emulator.requests) == before


def test_other_methods_and_paths_are_sent_as_they_are(site: PageSite) -> None:
    assert sent(site, method="POST")["status"] == 405
    assert sent(site, method="HEAD")["status"] == 200
    assert sent(site, path="/api/private?x=1")["status"] == 200
    assert sent(site, path="/nothing")["status"] == 404


def test_a_zitadel_in_trouble_is_named(site: PageSite) -> None:
    site.emulator.faults.add(new_fault("stopped"))
    try:
        answer = sent(site, caller="pasted", token="y" * 71)
    finally:
        site.emulator.faults.clear()
    assert (answer["status"], answer["why"]["rfc"]) == (503, "")
    assert "closed the connection" in answer["why"]["sentence"]
    assert answer["why"]["fix"] == ["press Start ZITADEL: it was stopped on purpose"]


def test_a_zitadel_with_another_trouble_is_not_to_be_started(site: PageSite) -> None:
    site.emulator.faults.add(new_fault("internal-error"))
    try:
        answer = sent(site, caller="pasted", token="w" * 71)
    finally:
        site.emulator.faults.clear()
    assert answer["status"] == 503
    assert "Start ZITADEL" not in str(answer["why"]["fix"])


def test_an_api_that_is_gone_is_an_answer(site: PageSite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = send(_context(site, f"http://127.0.0.1:{port}"), {"method": "GET", "path": "/", "caller": "reader"})
    assert (found["status"], found["id"], found["why"]) == (None, None, None)
    assert "refuses connections: the API is not running there; start it with zdemo serve" in found["error"]


def _context(site: PageSite, api_url: str) -> PageContext:
    environment = Environment({COMMAND_LINE: variables_of(site.emulator)})
    settings = Settings.from_env(environment)
    options = PageOptions(key=KEY, api_url=api_url, settings=settings, environment=environment)
    return PageContext(options=options, app=create_app(settings))


def test_every_page_hears_the_explanation_of_a_request_also_one_that_is_opened_later(own_site: PageSite) -> None:
    change(own_site, "delete_pat")
    answer = sent(own_site)
    for _ in range(2):
        with own_site.session.get(f"{own_site.url}/-/feed", stream=True, timeout=PATIENCE_SECONDS) as feed:
            found = next(document for name, document in events(feed) if name == "explained")
        assert (found["request"], found["why"]) == (answer["id"], answer["why"])


# --- what is refused


@pytest.mark.parametrize(
    "path",
    [
        "",
        "api/private",
        "http://evil.example/",
        "https://evil.example/",
        "@evil.example/",
        ":80@evil.example/",
        ".evil.example/",
        "\\\\evil.example/",
        "/api\r\nX-Evil: 1",
        "/api/private HTTP/1.1",
        "/\u0000",
        "/\ud800",
        "/\u202e",
        "/api/private#x",
        "/" + "a" * 2000,
        ["/api/private"],
        {"path": "/"},
        None,
        7,
        True,
    ],
    ids=repr,
)
def test_what_is_not_a_path_is_sent_nowhere(site: PageSite, path: Any) -> None:
    answer = site.post("/-/send", {"method": "GET", "path": path, "caller": "reader"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] in ("invalid_path", "invalid_field", "usage_error")
    assert answer.json()["error_description"]


@pytest.mark.parametrize(
    "path", ["//evil.example/", "///evil.example", "/\\evil.example/", "/@evil.example", "/http://evil.example/"]
)
def test_a_path_that_looks_like_an_address_goes_to_the_api(site: PageSite, path: str) -> None:
    assert sent(site, path=path)["status"] == 404


@pytest.mark.parametrize("path", ["/-/", "/-/state", "/-/feed", f"/?key={KEY}"])
def test_the_page_does_not_open_itself(site: PageSite, path: str) -> None:
    """Its own requests prove no key, so they read and change nothing."""
    assert sent(site, path=path)["status"] in (303, 401, 404)
    for own in ("/-/send", "/-/change"):
        assert sent(site, path=own, method="POST")["status"] in (401, 411, 415)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"method": "TRACE"}, "unknown_method"),
        ({"method": "get"}, "unknown_method"),
        ({"method": "GET / HTTP/1.1\r\nX: y"}, "unknown_method"),
        ({"method": ["GET"]}, "invalid_field"),
        ({"method": None}, "invalid_field"),
        ({"caller": "zdemo-admin"}, "unknown_caller"),
        ({"caller": "ZITADEL_ADMIN_PAT"}, "unknown_caller"),
        ({"caller": {}}, "invalid_field"),
        ({"caller": "pasted"}, "invalid_field"),
        ({"caller": "pasted", "token": 1}, "invalid_field"),
        ({"caller": "pasted", "token": ""}, "no_token"),
        ({"caller": "pasted", "token": "  \n "}, "no_token"),
        ({"caller": "pasted", "token": "two words"}, "invalid_token"),
        ({"caller": "pasted", "token": "a\r\nX-Evil: 1"}, "invalid_token"),
        ({"caller": "pasted", "token": "tökén"}, "invalid_token"),
        ({"caller": "pasted", "token": "\ud800"}, "invalid_token"),
        ({"caller": "pasted", "token": "x" * (16 * 1024 + 1)}, "invalid_token"),
        ({"caller": "pasted", "token": "x" * 65536}, "request_entity_too_large"),
        ({"explain": "false"}, "invalid_field"),
        ({"explain": 1}, "invalid_field"),
        ({"explain": None}, "invalid_field"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_said_and_nothing_is_sent(site: PageSite, changed: dict[str, Any], code: str) -> None:
    before = len(site.emulator.requests)
    answer = site.post("/-/send", {"method": "GET", "path": "/api/private", "caller": "reader", **changed})
    assert (answer.status_code, answer.json()["error"]) == (413 if code == "request_entity_too_large" else 400, code)
    assert len(site.emulator.requests) == before


def test_a_caller_without_a_token_is_explained() -> None:
    with page_site(beside=False, ZDEMO_VISITOR_PAT="") as site:
        answer = site.open().post("/-/send", {"method": "GET", "path": "/api/private", "caller": "visitor"})
    assert (answer.status_code, answer.json()["error"]) == (400, "no_token")
    assert "ZDEMO_VISITOR_PAT" in answer.json()["hint"]


def test_a_large_token_gets_an_answer(site: PageSite) -> None:
    assert sent(site, caller="pasted", token="x" * 8000)["status"] in (400, 401)


# --- what the page knows of its own callers


@pytest.fixture
def own_site() -> Iterator[PageSite]:
    with page_site(ttl_seconds=0) as site:
        yield site.open()


def change(site: PageSite, name: str) -> None:
    assert site.post("/-/change", {"change": name, "user_id": READER.id}).status_code == 200


def test_a_pat_that_was_deleted_here_is_called_deleted(own_site: PageSite) -> None:
    change(own_site, "delete_pat")
    why = sent(own_site)["why"]
    assert (why["certainty"], why["fix"]) == ("certain", ["press Restore PAT"])
    assert why["sentence"].startswith("the PAT was deleted")


def test_a_user_who_was_deactivated_here_is_called_deactivated(own_site: PageSite) -> None:
    change(own_site, "deactivate")
    why = sent(own_site)["why"]
    assert (why["certainty"], why["fix"]) == ("certain", ["press Reactivate, then Restore PAT: the old one stays dead"])
    assert "is deactivated (inactive)" in why["sentence"]
    change(own_site, "reactivate")
    why = sent(own_site)["why"]
    assert (why["certainty"], why["fix"]) == ("certain", ["press Restore PAT"])
    assert "was deactivated" in why["sentence"]


def test_each_second_gets_the_same_explanation_and_asks_once_per_change(own_site: PageSite) -> None:
    change(own_site, "delete_pat")
    explained = sent(own_site, explain=False)["why"]
    assert explained["certainty"] == "certain"
    before = len(own_site.emulator.requests)
    assert sent(own_site, explain=False)["why"] == explained
    assert len(own_site.emulator.requests) == before + 1, "by the API, which keeps no answers"
    assert sent(own_site)["why"] == explained
    change(own_site, "create_pat")
    change(own_site, "deactivate")
    assert "is deactivated" in sent(own_site, explain=False)["why"]["sentence"]


@pytest.mark.parametrize(
    ("method", "path", "sentence"),
    [
        ("GET", "/nothing", "the API has no path /nothing"),
        ("POST", "/api/private", "/api/private does not take POST; it takes "),
        ("POST", "/-/forget", "the body must be JSON, with Content-Type: application/json"),
    ],
)
def test_what_has_nothing_to_do_with_a_token_is_said_in_one_sentence(
    site: PageSite, method: str, path: str, sentence: str
) -> None:
    why = sent(site, path, method=method)["why"]
    assert why["sentence"].startswith(sentence)
    assert (why["certainty"], why["candidates"], why["fix"]) == ("certain", [], [])
