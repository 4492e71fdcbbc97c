"""Sending from the page: to the API's own address alone, explained as ``zdemo call`` explains it."""

import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from tests.support.page_site import KEY, PageSite, lines_of, page_options, page_site
from tests.support.page_site import SECRETS as OF_THE_SITE
from tests.support.secret_forms import PAT, leak
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import READER
from zdemo.emulator.seed import PERSON_ID
from zdemo.http.api_call import Method
from zdemo.page import PageContext
from zdemo.page.explanations import send
from zdemo.page.page_context import PageRefusal, SendOrder
from zdemo.server import create_app
from zdemo.serving.embedded import serving

ROLE = "read:messages"
UNKNOWN_TOKEN = "Xq7" + "b9Kd2Lm4" * 12 + "Zt5"
SECRETS = (*OF_THE_SITE, UNKNOWN_TOKEN)


@pytest.fixture
def own_site() -> Iterator[PageSite]:
    with page_site(ttl_seconds=0) as site:
        yield site.open()


def sent(site: PageSite, path: str = "/api/private-scoped", caller: str = "reader", **more: Any) -> Any:
    answer = site.post("/-/send", {"method": "GET", "path": path, "caller": caller, **more})
    assert answer.status_code == 200, answer.text
    assert not [secret for secret in SECRETS if secret in answer.text]
    return answer.json()


def refused(site: PageSite, **changed: Any) -> tuple[int, dict[str, str]]:
    answer = site.post("/-/send", {"method": "GET", "path": "/api/private", "caller": "reader", **changed})
    assert not [secret for secret in SECRETS if secret in answer.text]
    return answer.status_code, answer.json()


def test_a_request_that_is_admitted_needs_no_reason(site: PageSite) -> None:
    answer = sent(site)
    assert (answer["status"], answer["why"], answer["error"]) == (200, None, None)
    assert (len(answer["id"]), answer["ms"] > 0) == (16, True)
    assert sent(site, caller="pasted", token=f" {READER.pat}\n")["status"] == 200
    assert sent(site, method="POST")["status"] == 405
    assert sent(site, method="HEAD")["status"] == 200
    assert sent(site, path="/api/private?x=1")["status"] == 200


def test_a_person_is_logged_in_at_the_first_request_and_again_when_that_ended(own_site: PageSite) -> None:
    assert [caller["id"] for caller in own_site.get("/-/state").json()["callers"]][-1] == "ada"
    assert [sent(own_site, caller="ada")["status"] for _ in range(2)] == [200, 200]
    world = own_site.emulator.world
    assert len(world.login_sessions) == 1
    own_site.emulator.advance(timedelta(hours=13))
    assert [sent(own_site, caller="ada")["status"] for _ in range(2)] == [401, 200]
    assert {world.users[session.user_id].username for session in world.login_sessions.values()} == {"ada"}
    own_site.emulator.advance(timedelta(hours=13))
    world.set_user_state(world.users[PERSON_ID], "INACTIVE", "user.deactivated")
    assert sent(own_site, caller="ada")["status"] == 401
    failed = sent(own_site, caller="ada")
    assert (failed["status"], "ZITADEL refuses the login" in failed["error"]) == (None, True)
    with page_site(beside=False) as other:
        assert refused(other.open(), caller="ada")[0] == 400


def test_a_missing_role_is_explained_with_its_rule_and_its_fix_and_not_asked_for_each_second(site: PageSite) -> None:
    why = sent(site, caller="visitor")["why"]
    assert (why["rfc"], why["certainty"], why["candidates"]) == ("RFC 6750 §3.1", "certain", [])
    assert why["sentence"].startswith(f"the token is valid, but the role {ROLE} is not granted to its user")
    assert lines_of(why["fix"])[0] == f"zdemo role grant visitor {ROLE}"
    assert ["token", "active"] in why["seen"]
    before = len(site.emulator.requests)
    again = sent(site, caller="visitor", explain=False)
    assert (again["status"], again["why"]) == (401, why)
    assert len(site.emulator.requests) == before


def test_an_api_that_is_gone_is_an_answer_and_a_missing_token_a_refusal(site: PageSite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    options = page_options(site.emulator, f"http://127.0.0.1:{port}", ZDEMO_VISITOR_PAT="")
    context = PageContext(options=options, app=create_app(options.settings))
    answer = send(context, SendOrder(method=Method.GET, path="/", caller="reader"))
    assert (answer["status"], answer["id"], answer["why"]) == (None, None, None)
    assert "refuses connections: the API is not running there; zdemo serve --port " in answer["error"]
    with pytest.raises(PageRefusal, match="no usable token for the visitor") as caught:
        send(context, SendOrder(method=Method.GET, path="/", caller="visitor"))
    assert "ZDEMO_VISITOR_PAT" in caught.value.hint


WRONG_TOKENS = ("two words", "a\r\nX-Evil: 1", "tökén", "x" * (16 * 1024 + 1))
WRONG_PATHS = ("", "api/private", "http://evil.example/", "@evil.example/", "/api/private#x", "/" + "a" * 2000)


def test_a_path_that_looks_like_an_address_goes_to_the_api_and_the_page_does_not_open_itself(site: PageSite) -> None:
    for path in ("//evil.example/", "///evil.example", "/\\evil.example/", "/@evil.example", "/http://evil.example/"):
        assert sent(site, path=path)["status"] == 404
    for path in ("/-/", "/-/state", "/-/feed"):
        assert sent(site, path=path)["status"] == 401, "a request that the page sends proves no key"
    for path in ("/-/send", "/-/change"):
        assert sent(site, path=path, method="POST")["status"] == 401


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        *(({"path": path}, "invalid_path|usage_error") for path in WRONG_PATHS),
        *(({"path": f"/api{text}"}, "invalid_path|usage_error") for text in ("\r\nX-Evil: 1", " HTTP/1.1")),
        *(({"method": method}, "invalid_body") for method in ("TRACE", "GET / HTTP/1.1\r\nX: y", None)),
        ({"caller": "zdemo-admin"}, "unknown_caller"),
        *(({"caller": "pasted", **token}, "no_token") for token in ({}, {"token": "  \n "})),
        *(({"caller": "pasted", "token": token}, "invalid_token") for token in WRONG_TOKENS),
        *(({name: None}, "invalid_body") for name in ("path", "explain")),
        *(({name: "\ud800"}, "invalid_body") for name in ("path", "token")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_said_and_nothing_is_sent(site: PageSite, changed: dict[str, Any], code: str) -> None:
    before = len(site.emulator.requests)
    status, document = refused(site, **changed)
    assert (status, document["error"] in code.split("|"), bool(document["error_description"])) == (400, True, True)
    assert len(site.emulator.requests) == before


def test_no_answer_of_the_page_holds_a_secret(site: PageSite) -> None:
    answers = [site.get(path) for path in ("/-/", "/-/state", "/?key=wrong")]
    whole = {"method": "GET", "path": "/api/private", "caller": "pasted", "token": UNKNOWN_TOKEN}
    for name in whole:
        answers.append(site.post("/-/send", whole | {name: f"{'/' * (name == 'path')}{UNKNOWN_TOKEN}"}))
    answers.append(site.post("/-/change", {"change": UNKNOWN_TOKEN}))
    for answer in answers:
        assert not [secret for secret in SECRETS if secret in f"{answer.headers}{answer.text}"]


def test_a_token_in_the_place_of_an_id_is_in_no_answer_and_no_feed() -> None:
    with page_site(beside=False, ZITADEL_PROJECT_ID=PAT) as site, site.open().feed() as feed:
        sent = site.post("/-/send", {"method": "GET", "path": "/api/private-scoped", "caller": "reader"})
        requests.post(f"{site.url}/-/forget", json={"user_id": PAT}, timeout=PATIENCE_SECONDS)
        assert not leak(json.dumps(next(document for name, document in feed if name == "forgotten")), PAT)
    assert "ZITADEL_PROJECT_ID" in sent.text
    assert not leak(sent.text, PAT)


def test_an_error_of_a_server_in_zitadels_place_does_not_repeat_a_secret_also_not_in_the_feed() -> None:
    knows = [True]  # the API's credentials

    def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        is_introspection = "introspect" in environ["PATH_INFO"]
        status = "200 OK" if is_introspection and knows[0] else "400 Bad Request"
        start_response(status, [("Content-Type", "application/json")])
        if is_introspection:
            refusal = {"error": "invalid_client", "error_description": f"not for {KEY}"}
            return [json.dumps({"active": True, "sub": READER.id} if knows[0] else refusal).encode()]
        given = environ.get("HTTP_AUTHORIZATION", "")
        return [json.dumps({"code": "invalid_argument", "message": f"bad {given} (X-1)"}).encode()]

    with serving(echo) as port, page_site(beside=False, ZITADEL_DOMAIN=f"http://127.0.0.1:{port}") as site:
        answers = [site.open().get("/-/state")]
        answers.append(site.post("/-/change", {"change": "grant", "user_id": READER.id, "role": ROLE}))
        assert ["ZITADEL says" in answer.text for answer in answers] == [True, True]
        knows[0] = False
        answers.append(site.post("/-/send", {"method": "GET", "path": "/api/private", "caller": "reader"}))
        explained = str(site.first_event("explained"))
    assert "not for" in explained
    texts = [explained, *(answer.text for answer in answers)]
    assert not [secret for secret in SECRETS for text in texts if secret in text]


def change(site: PageSite, name: str) -> None:
    assert site.post("/-/change", {"change": name, "user_id": READER.id}).status_code == 200


def test_a_token_that_was_ended_here_is_explained_and_asked_about_once_per_change(own_site: PageSite) -> None:
    change(own_site, "delete_pat")
    answer = sent(own_site, explain=False)
    why = answer["why"]
    assert (why["certainty"], lines_of(why["fix"])) == ("emulator", ["press Restore PAT"])
    assert why["sentence"].startswith("the PAT of the user reader was deleted")
    before = len(own_site.emulator.requests)
    assert sent(own_site, explain=False)["why"] == why
    assert len(own_site.emulator.requests) == before + 1, "by the API, which keeps no answers"
    assert sent(own_site)["why"] == why
    for _ in range(2):  # every page hears of it, also one that is opened later
        event = own_site.first_event("explained")
        assert (event["request"], event["why"]) == (answer["id"], why)
    change(own_site, "create_pat")
    change(own_site, "deactivate")
    why = sent(own_site, explain=False)["why"]
    press = "press Reactivate, then Restore PAT: deactivating ended the PAT"
    assert (why["certainty"], lines_of(why["fix"])) == ("emulator", [press])
