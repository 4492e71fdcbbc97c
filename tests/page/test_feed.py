"""The feed: what it shows of each request, to whom, and what it never shows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import pytest
import requests

from tests.support.page_site import KEY, PageSite, events, page_site
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS
from zdemo.config.environment import Environment
from zdemo.config.redaction import Redaction
from zdemo.config.settings import Settings
from zdemo.emulator import READER, VISITOR, new_fault
from zdemo.page import PageOptions
from zdemo.page.access import mark_of
from zdemo.page.events import event_of
from zdemo.server import Trace

SCOPED = "/api/private-scoped"
ROLE = "read:messages"


@pytest.fixture(scope="module")
def site() -> Iterator[PageSite]:
    with page_site(threads=64) as site:
        yield site.open()


@contextmanager
def feed(site: PageSite, last_id: str = "") -> Iterator[Iterator[tuple[str, Any]]]:
    """Open a feed; yield its events by name, after the first one."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with site.session.get(f"{site.url}/-/feed", stream=True, headers=headers, timeout=PATIENCE_SECONDS) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        found = events(answer)
        assert next(found)[0] == "hello"
        yield found


def event_about(site: PageSite, path: str, token: str = READER.pat, **headers: str) -> dict[str, Any]:
    """Send a request while a feed is open, and return what the feed says about it.

    On a busy machine, the feed may skip the request, as too late: then it is sent again.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        named["Authorization"] = f"Bearer {token}"
    with feed(site) as found:
        while True:
            answer = requests.get(f"{site.url}{path}", headers=named, timeout=PATIENCE_SECONDS)
            identity = answer.headers["X-Request-ID"]
            event: dict[str, Any] = next(
                event for name, event in found if name == "skipped" or event.get("id") == identity
            )
            if "id" in event:
                return event


def titles(event: dict[str, Any]) -> list[str]:
    return [f"{step['from']} {step['to']}: {step['title']}" for step in event["steps"]]


def test_a_first_request_is_shown_with_each_step_to_zitadel_and_back(site: PageSite) -> None:
    event = event_about(site, SCOPED, VISITOR.pat)
    assert titles(event) == [
        f"caller api: GET {SCOPED}",
        "api cache: no kept answer",
        "api zitadel: POST /oauth/v2/introspect",
        "zitadel api: 200 active",
        f"api api: the role {ROLE} is missing",
        "api caller: 401 insufficient_scope",
    ]
    assert (event["status"], event["outcome"], event["source"]) == (401, "insufficient_scope", "asked")
    assert ["expires", "never"] in event["steps"][4]["lines"]
    assert event["caller"]["name"] == "visitor"
    assert event["answer"]["roles"] == []
    assert [step["decides"] for step in event["steps"] if "decides" in step] == [True]
    assert event["why"]["rfc"] == "RFC 6750 §3.1"
    assert ROLE in event["why"]["sentence"]
    assert f"zdemo role grant visitor {ROLE}" in event["why"]["fix"]
    assert "in time" not in json.dumps(event["why"]), "nobody was asked"
    moments = [step["ms"] for step in event["steps"] if step["ms"] is not None]
    assert moments == sorted(moments)


def test_a_known_token_is_shown_with_the_time_that_its_answer_has_left(site: PageSite) -> None:
    event_about(site, "/api/private")
    event = event_about(site, SCOPED)
    assert event["source"] == "hit"
    assert 0 < event["answer"]["fresh_until"] - event["at"] <= 5
    assert event["answer"]["active"] is True
    assert titles(event)[1:3] == [
        "api cache: kept answer found",
        f"api api: admitted: the token is active and has the role {ROLE}",
    ]
    assert event["why"] is None


def test_a_request_without_a_token_is_explained_as_call_explains_it(site: PageSite) -> None:
    event = event_about(site, "/api/private", token="")
    assert (event["caller"], event["answer"]) == (None, None)
    assert event["why"]["sentence"] == "this route requires a token, and none was sent"


def test_an_open_route_and_an_unknown_path_are_shown_without_zitadel(site: PageSite) -> None:
    assert titles(event_about(site, "/api/public"))[1] == "api api: admitted: this needs no token"
    event = event_about(site, "/api/unknown")
    assert titles(event)[1] == "api api: no such path"
    assert (event["why"]["sentence"], event["why"]["certainty"]) == ("the API has no path /api/unknown", "certain")


@pytest.mark.parametrize(
    ("path", "title"),
    [("/-/forget", "an order to forget"), ("/-/zitadel-events", "ZITADEL reports a change: an order to forget")],
)
def test_an_order_to_forget_is_named_and_not_called_admitted(path: str, title: str) -> None:
    trace = Trace(id="1", began=0.0, began_at=0.0, method="POST", path=path, status=200)
    settings = Settings(issuer="http://localhost:1", client_id="1", client_secret="x")
    options = PageOptions(key=KEY, api_url="", settings=settings, environment=Environment({}))
    event = event_of(trace, options, Redaction(), worker="1", now=0.0)
    assert event["is_order"]
    assert titles(event)[1] == f"api api: {title}"


def test_an_unknown_token_is_explained_by_its_form(site: PageSite) -> None:
    event = event_about(site, "/api/private", READER.pat[:-8])
    assert event["answer"]["active"] is False
    assert event["why"]["sentence"]


def test_a_zitadel_that_fails_is_shown() -> None:
    with page_site() as gone:
        gone.open()
        gone.emulator.faults.add(new_fault("internal-error"))
        event = event_about(gone, "/api/private")
    assert (event["status"], event["outcome"]) == (503, "service_unavailable")
    assert [step["ok"] for step in event["steps"] if step["from"] == "zitadel"] == [False]
    assert event["why"]["sentence"]


def test_a_page_that_connects_again_gets_what_it_missed(site: PageSite) -> None:
    with feed(site) as found:
        ids = [site.call("/api/public").headers["X-Request-ID"] for _ in range(3)]
        assert any(document["id"] == ids[2] for _, document in found)
    with feed(site, last_id=ids[0]) as found:
        assert [next(found)[1]["id"] for _ in range(2)] == ids[1:]


def test_what_the_page_itself_asks_is_not_shown(site: PageSite) -> None:
    with feed(site) as found:
        site.get("/-/")
        after = site.call("/api/public").headers["X-Request-ID"]
        shown = takewhile(lambda event: event["id"] != after, (event for name, event in found if name == "request"))
        assert [event["path"] for event in shown if not event["path"].startswith("/api/")] == []


def test_a_feed_says_when_answers_were_forgotten(site: PageSite) -> None:
    event_about(site, "/api/private")
    with feed(site) as found:
        forget = requests.post(f"{site.url}/-/forget", json={"everything": True}, timeout=PATIENCE_SECONDS)
        forgotten = next(document for name, document in found if name == "forgotten")
    assert forgotten == {"user_id": None, "everything": True, "count": forget.json()["forgotten"]}
    assert forgotten["count"] >= 1
    assert event_about(site, "/api/private")["source"] == "asked"


def test_the_head_of_a_feed_opens_none(site: PageSite) -> None:
    answer = site.session.head(f"{site.url}/-/feed", timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream")


# --- the page's own requests


def sent_by_the_page(site: PageSite, path: str, caller: str) -> dict[str, Any]:
    with feed(site) as found:
        identity = site.post("/-/send", {"method": "GET", "path": path, "caller": caller, "explain": False}).json()[
            "id"
        ]
        event: dict[str, Any] = next(
            document for name, document in found if name == "request" and document["id"] == identity
        )
    return event


def test_the_pages_caller_has_a_name_while_zitadel_is_stopped() -> None:
    with page_site() as site:
        site.open().emulator.faults.add(new_fault("stopped"))
        event = sent_by_the_page(site, SCOPED, "reader")
    assert (event["status"], event["caller"]["name"]) == (503, "reader")
    assert event["why"]["fix"] == ["press Start ZITADEL: it was stopped on purpose"]
    assert ["X-Zdemo-Page", "reader"] in event["steps"][0]["lines"]


@pytest.mark.parametrize(
    "mark", ["1", "reader", f"reader {'0' * 64}", "nobody é", f"reader {mark_of('y' * 24, 'reader')}"]
)
def test_no_other_program_can_claim_to_be_the_page(site: PageSite, mark: str) -> None:
    event = event_about(site, SCOPED, "x" * 71, X_Zdemo_Page=mark.encode().decode("latin-1"))
    assert event["caller"]["name"] == ""


def test_the_pages_copy_of_the_description_is_not_in_the_feed() -> None:
    with page_site(threads=32) as site, feed(site.open()) as found:
        described = site.get("/-/openapi.json")
        site.call("/api/public")
        assert next(document["path"] for name, document in found if name == "request") == "/api/public"
        assert described.json() == site.get("/openapi.json").json()
        assert requests.get(f"{site.url}/-/openapi.json", timeout=PATIENCE_SECONDS).status_code == 401


def test_an_answer_that_was_too_old_is_not_called_unknown() -> None:
    with page_site(ttl_seconds=0.05) as site:
        site.open().call(SCOPED)

        def title() -> str:
            step: str = event_about(site, SCOPED)["steps"][1]["title"]
            return step

        eventually("the answer is too old", title, lambda found: found == "kept answer is too old")


def test_without_a_cache_there_is_no_step_to_it() -> None:
    with page_site(ttl_seconds=0) as site:
        lanes = {(step["from"], step["to"]) for step in event_about(site.open(), SCOPED)["steps"]}
    assert ("api", "zitadel") in lanes
    assert ("api", "cache") not in lanes


def test_a_request_that_asks_nobody_says_so() -> None:
    with page_site(ttl_seconds=0) as site:
        site.open().emulator.faults.add(new_fault("stopped"))

        def steps() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = event_about(site, SCOPED)["steps"]
            return found

        found = eventually("the breaker is open", steps, lambda found: found[1]["title"] == "ZITADEL was not asked")
    assert found[1]["lines"][0][0] == "why"
    assert found[1]["lines"][0][1] == found[2]["title"]
