"""What comes from callers and from whatever answers for ZITADEL: text, limited in size, and without secrets."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.feeds import events_in, opened, port_of, proofs_of
from tests.support.page_site import KEY, PageSite, page_site
from tests.support.upstream import Behaviour, Received, answer, depending, http, json_body, raw, upstream
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR

LARGEST_EVENT_BYTES = 48 * 1024
HTML = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
STRANGE = "a\x00b\x1b[31mc\u202ed\u2028e\u200bf\ud800g\nh"
HIDDEN = "\x00\x1b\u202e\u2028\u200b\ud800"
OPAQUE = "Xq7" + "b9Kd2Lm4" * 12 + "Zt5"  # a token that is no emulator's
SECRETS = (READER.pat, VISITOR.pat, ADMIN.pat, CLIENT_SECRET, KEY, OPAQUE)
CLAIMS = {"active": True, "aud": [CLIENT_ID, PROJECT_ID], "sub": "1", "exp": 9999999999}


def echo(received: Received) -> Behaviour:
    """Answer with all that was sent, in several forms, as a broken proxy might."""
    form = received.body.decode()
    token = form.rpartition("token=")[2]
    body = {**CLAIMS, "username": token, "echo": form, "upper": token.upper(), "cut": token[:60]}
    headers = {"X-Echo": received.headers.get("authorization", ""), "X-Token": token, "Set-Cookie": f"a={token}"}
    return raw(http(json_body(body | {"headers": dict(received.headers)}), headers=headers))


def events_of(behaviour: Behaviour, *tokens: str, path: str = "/api/private-scoped") -> list[dict[str, Any]]:
    """Send requests with these tokens to an API whose ZITADEL behaves like this; return what the feed says."""
    with upstream(behaviour) as zitadel, page_site(ZITADEL_DOMAIN=zitadel.url, beside=False) as site:
        return shown(site, *tokens, path=path)


def shown(site: PageSite, *tokens: str, path: str) -> list[dict[str, Any]]:
    proofs = proofs_of(f"{site.url}/?key={KEY}")
    with opened(port_of(site.url), proofs) as feed:
        stream = feed.start
        for token in tokens:
            identity = site.call(path, token).headers["X-Request-ID"]
            stream += feed.read_until(f'"id":"{identity}"'.encode())
    assert all(len(line) <= LARGEST_EVENT_BYTES + len("data: ") for line in stream.split(b"\n"))
    return [event for event in events_in(stream) if "steps" in event]


def texts(part: Any) -> Iterator[str]:
    """Yield each text in a document, the names of members too."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for name, item in part.items():
            yield name
            yield from texts(item)
    elif isinstance(part, list):
        for item in part:
            yield from texts(item)


def assert_no_secret(text: str, *secrets: str) -> None:
    """Fail if a secret is in a text, or a part of one that is long enough to help."""
    for secret in secrets:
        assert secret.lower() not in text.lower()
    for piece in (OPAQUE[at : at + 12] for at in range(len(OPAQUE) - 12)):
        assert piece.lower() not in text.lower(), piece


@pytest.mark.parametrize(
    "path", ["/api/private", "/api/private-scoped", f"/{OPAQUE}", f"/api/private?access_token={OPAQUE}"]
)
def test_no_secret_and_no_whole_token_is_in_a_feed_whatever_zitadel_echoes(path: str) -> None:
    found = events_of(depending(echo), READER.pat, VISITOR.pat, OPAQUE, path=path)
    assert len(found) == 3
    assert_no_secret(json.dumps(found, ensure_ascii=False), *SECRETS)


def test_hostile_claims_are_text_in_which_each_character_is_seen() -> None:
    claims: dict[str, Any] = {**CLAIMS, "username": HTML + STRANGE, "email": STRANGE, HTML + STRANGE: 1}
    claims["urn:zitadel:iam:org:project:roles"] = {HTML + STRANGE: {"1": "x"}}
    in_ascii = http(json.dumps(claims).encode(), headers={"Content-Type": "application/json"})  # with half a pair
    (event,) = events_of(raw(in_ascii), OPAQUE)
    assert not [text for text in texts(event) if set(text) & set(HIDDEN)]
    assert HTML[:20] in event["caller"]["name"]


MANY = {f"claim{number}": "v" * 50 for number in range(2_000)}
ROLES = {f"role-{number}-{'x' * 300}": {"1": "y"} for number in range(2_000)}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"username": "u" * 10_000, "big": "<b>" * 200_000, **MANY}, 401),
        ({"urn:zitadel:iam:org:project:roles": ROLES}, 401),
        ({"big": "<b>" * 700_000}, 502),
    ],
    ids=["claims", "roles", "more than is read"],
)
def test_a_huge_answer_becomes_a_small_event(more: dict[str, Any], status: int) -> None:
    (event,) = events_of(answer(json_body({**CLAIMS, **more})), OPAQUE)
    assert event["status"] == status
    assert event["why"]["sentence"]


def test_huge_and_strange_requests_become_small_events() -> None:
    with page_site() as site:
        headers = {f"X-{n}": "<b>\t" + "é" * 3_000 for n in range(30)}
        proofs = proofs_of(f"{site.url}/?key={KEY}")
        with opened(port_of(site.url), proofs) as feed:
            latin = {name: value.encode("latin-1") for name, value in headers.items()}
            reply = requests.get(f"{site.url}/{'%3Cb%3E%00' * 900}", headers=latin, timeout=PATIENCE_SECONDS)
            stream = feed.read_until(f'"id":"{reply.headers["X-Request-ID"]}"'.encode())
        (event,) = (event for event in events_in(stream) if "steps" in event)
    assert len(json.dumps(event)) <= LARGEST_EVENT_BYTES
    assert not [text for text in texts(event) if set(text) & set(HIDDEN)]


def test_no_answer_of_the_page_holds_a_secret() -> None:
    with page_site() as site:
        site.open()
        answers = [
            site.get(path) for path in ("/-/", "/-/state", "/-/files/main.js", "/-/files/none.js", "/?key=wrong")
        ]
        for caller in ({"caller": "reader"}, {"caller": "visitor"}, {"caller": "pasted", "token": OPAQUE}):
            answers.append(site.post("/-/send", {"method": "GET", "path": "/api/private-scoped", **caller}))
            answers.append(site.post("/-/send", {"method": OPAQUE, "path": f"/{OPAQUE}", **caller}))
        answers += [site.post("/-/change", {"change": OPAQUE}), site.post("/-/send", {"caller": OPAQUE})]
        for reply in answers:
            assert_no_secret(f"{reply.headers}{reply.text}", *SECRETS)
