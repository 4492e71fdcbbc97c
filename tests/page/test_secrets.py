"""What nobody sees on the page: secrets in header fields, and those that a server repeats."""

import json
from typing import Any

import pytest

from tests.page.test_feed import event_about
from tests.support.page_site import KEY, PageSite, events, page_site
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import ADMIN, READER
from zdemo.introspection.model import INTROSPECTION_PATH
from zdemo.serving.embedded import serving

FOREIGN_TOKEN = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5kM7"


@pytest.fixture(scope="module")
def site() -> Any:
    with page_site(threads=16) as site:
        yield site.open()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Api-Key", "hunter2hunter2"),
        ("X-Password", "hunter2"),
        ("Proxy-Authorization", "Basic dXNlcjpwYXNz"),
        ("X-Forwarded-Access-Token", FOREIGN_TOKEN),
        ("X-Trace", FOREIGN_TOKEN),
        ("User-Agent", f"curl/8 ({FOREIGN_TOKEN})"),
        ("Referer", f"http://127.0.0.1/{FOREIGN_TOKEN}?access_token=short&x={FOREIGN_TOKEN}"),
        ("Cookie", f"session={FOREIGN_TOKEN}"),
        ("X-Other", ADMIN.pat),
        ("X-Other", READER.pat),
    ],
)
def test_a_secret_in_another_header_field_is_hidden(site: PageSite, name: str, value: str) -> None:
    text = str(event_about(site, "/api/private", **{name.replace("-", "_"): value}))
    assert value not in text
    assert FOREIGN_TOKEN not in text
    assert "hunter2" not in text
    assert "dXNlcjpwYXNz" not in text


def test_ordinary_header_fields_are_shown_whole(site: PageSite) -> None:
    event = event_about(site, "/api/private", "", User_Agent="curl/8.5.0 (x86_64-pc-linux-gnu)", Accept="text/html")
    lines = [line for step in event["steps"] for line in step["lines"]]
    assert ["User-Agent", "curl/8.5.0 (x86_64-pc-linux-gnu)"] in lines
    assert ["Accept", "text/html"] in lines
    assert ["WWW-Authenticate", 'Bearer realm="zdemo"'] in lines


def test_an_error_does_not_repeat_the_administrators_token() -> None:
    """A server in ZITADEL's place sends back what it got."""

    def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == INTROSPECTION_PATH:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps({"active": True, "sub": READER.id}).encode()]
        start_response("400 Bad Request", [("Content-Type", "application/json")])
        given = environ.get("HTTP_AUTHORIZATION", "")
        return [f'{{"code": "invalid_argument", "message": "bad {given} (X-1)"}}'.encode()]

    with serving(echo) as port, page_site(beside=False, ZITADEL_DOMAIN=f"http://127.0.0.1:{port}") as site:
        site.open()
        answers = [
            site.get("/-/state"),
            site.post("/-/change", {"change": "grant", "user_id": READER.id, "role": "read:messages"}),
            site.post("/-/send", {"method": "GET", "path": "/api/private", "caller": "reader"}),
        ]
    assert ["ZITADEL says" in answer.text for answer in answers[:2]] == [True, True]
    for answer in answers:
        assert not [secret for secret in (ADMIN.pat, READER.pat) if secret in answer.text], answer.text


def test_an_explanation_does_not_repeat_a_secret_in_the_feed() -> None:
    def refuse(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("400 Bad Request", [("Content-Type", "application/json")])
        return [json.dumps({"error": "invalid_client", "error_description": f"not for {KEY}"}).encode()]

    with serving(refuse) as port, page_site(beside=False, ZITADEL_DOMAIN=f"http://127.0.0.1:{port}") as site:
        site.open().post("/-/send", {"method": "GET", "path": "/api/private", "caller": "reader"})
        with site.session.get(f"{site.url}/-/feed", stream=True, timeout=PATIENCE_SECONDS) as feed:
            explained = str(next(document for name, document in events(feed) if name == "explained"))
    assert "not for" in explained
    assert KEY not in explained
