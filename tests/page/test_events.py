"""What the page shows of a request: each step to ZITADEL and back, what decided, and nothing secret or hostile."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.page_site import KEY, TracedApi, lines_of, page_options
from tests.support.upstream import Behaviour, Received, answer, depending, http, json_body, raw, upstream
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, Emulator, emulate, new_fault
from zdemo.errors import ZitadelUnavailable
from zdemo.page.access import caller_of, mark_of
from zdemo.page.events import event_of, secrets_of
from zdemo.server.observe import Trace
from zdemo.text.masking import masked
from zdemo.zitadel.introspection_answer import Introspection

SCOPED, ROLE = "/api/private-scoped", "read:messages"
LARGEST_EVENT_BYTES = 48 * 1024
HTML = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
STRANGE = "a\x00b\x1b[31mc\u202ed\u2028e\u200bf\ud800g\nh"
HIDDEN = "\x00\x1b\u202e\u2028\u200b\ud800"
OPAQUE = "Xq7" + "b9Kd2Lm4" * 12 + "Zt5"  # a token that is not the emulator's
FOREIGN_TOKEN = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1eF3hJ5kM7"
SECRETS = (READER.pat, VISITOR.pat, ADMIN.pat, CLIENT_SECRET, KEY, OPAQUE, FOREIGN_TOKEN, "hunter2")
CLAIMS = {"active": True, "aud": [CLIENT_ID, PROJECT_ID], "sub": "1", "exp": 9999999999}
ROLES = "urn:zitadel:iam:org:project:roles"


@pytest.fixture
def api(emulator: Emulator) -> TracedApi:
    return TracedApi(page_options(emulator))


def titles(event: dict[str, Any]) -> list[str]:
    return [f"{step['from']} {step['to']}: {step['title']}" for step in event["steps"]]


def test_a_first_request_is_shown_with_each_step_to_zitadel_and_back(api: TracedApi) -> None:
    event = api.event(SCOPED, VISITOR.pat, Accept="text/html")
    assert ["Accept", "text/html"] in event["steps"][0]["lines"]
    assert titles(event) == [
        f"caller api: GET {SCOPED}",
        "api cache: no answer in the cache",
        "api zitadel: POST /oauth/v2/introspect",
        "zitadel api: 200 active",
        f"api api: the role {ROLE} is missing",
        "api caller: 401 insufficient_scope",
    ]
    assert (event["status"], event["outcome"], event["source"]) == (401, "insufficient_scope", "asked")
    assert ["expires", "never"] in event["steps"][4]["lines"]
    assert (event["caller"]["name"], ["roles", "none"] in event["steps"][4]["lines"]) == ("visitor", True)
    assert event["caller"]["part"] == event["caller"]["token"] == masked(VISITOR.pat)
    assert [step["decides"] for step in event["steps"] if "decides" in step] == [True]
    assert (event["why"]["rfc"], ROLE in event["why"]["sentence"]) == ("RFC 6750 §3.1", True)
    assert f"zdemo role grant visitor {ROLE}" in lines_of(event["why"]["fix"])
    moments = [step["ms"] for step in event["steps"] if step["ms"] is not None]
    assert moments == sorted(moments)


def test_a_known_token_is_shown_with_the_time_that_its_answer_has_left(api: TracedApi) -> None:
    api.event("/api/private")
    event = api.event(SCOPED)
    assert (event["source"], event["why"]) == ("hit", None)
    assert 0 < event["answer"]["fresh_until"] - event["at"] <= 5
    assert titles(event)[1:3] == [
        "api cache: answer found in the cache",
        f"api api: admitted: the token is active and has the role {ROLE}",
    ]


@pytest.mark.parametrize(
    ("path", "token", "decision", "sentence"),
    [
        ("/api/private", "", "no bearer token", "this route requires a token, and none was sent"),
        ("/api/public", "", "admitted: this route needs no token", ""),
        ("/api/unknown", "", "no such path", "the API has nothing there for GET (404): the path is misspelled"),
        ("/api/privat", "", "no such path", "the API has nothing there for GET (404): did you mean /api/private?"),
        ("/api/private", READER.pat[:-8], "the token is not active", "most likely, the token is cut off"),
        ("/api/private", READER.pat, "admitted: the token is active", ""),
        (SCOPED, VISITOR.pat, f"the role {ROLE} is missing", "the token is valid, but"),
    ],
)
def test_each_request_says_what_decided(api: TracedApi, path: str, token: str, decision: str, sentence: str) -> None:
    event = api.event(path, token)
    [decided] = [(step["title"], step["reason"]) for step in event["steps"] if "decides" in step]
    assert decided == (decision, decision.removeprefix("admitted: "))
    assert ((event["why"] or {}).get("sentence", "")).startswith(sentence)
    assert (event["caller"] is None) == (not token)
    past = api.past()
    assert (titles(past), bool(past["why"])) == (titles(event), bool(sentence))
    told = {"token": "(not kept)", "part": ""} if token else {}
    assert (past["is_past"], (past["caller"] or {}).items() >= told.items()) == (True, True)


def test_a_zitadel_that_fails_is_shown_and_one_that_was_stopped_is_to_be_started() -> None:
    with emulate() as emulator:
        api = TracedApi(page_options(emulator, ttl_seconds=0))
        emulator.faults.add(new_fault("internal-error"))
        event = api.event("/api/private")
        assert (event["status"], event["outcome"]) == (503, "service_unavailable")
        assert [step["ok"] for step in event["steps"] if step["from"] == "zitadel"] == [False]
        assert event["why"]["sentence"]
        past = api.past()
        assert (past["why"]["sentence"], lines_of(past["why"]["fix"])) == (past["steps"][-2]["title"], ["zdemo doctor"])
        assert "zitadel api: no usable answer" in titles(past)
        assert ("api", "cache") not in {(step["from"], step["to"]) for step in event["steps"]}, "there is no cache"
        emulator.faults.clear()
        emulator.faults.add(new_fault("stopped"))
        event = api.event(SCOPED, X_Zdemo_Page=mark_of(KEY, "reader"))
    assert (event["status"], event["caller"]["name"]) == (503, "reader")
    assert lines_of(event["why"]["fix"]) == ["press Start ZITADEL: it was stopped on purpose"]


OPEN = ZitadelUnavailable("ZITADEL failed too often", hint="")
HEADERS = [("Authorization", f"Bearer {OPAQUE}")]
ASKED = Introspection(active=True)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"path": "/-/forget"}, "api api: an order to forget"),
        ({"status": 503, "error": OPEN, "request_headers": HEADERS}, "api zitadel: ZITADEL was not asked"),
        ({"introspection": ASKED, "too_old": ASKED}, "api cache: cached answer is too old"),
        ({"introspection": ASKED}, "api cache: no answer in the cache"),
    ],
)
def test_rare_steps_are_named(emulator: Emulator, more: dict[str, Any], expected: str) -> None:
    trace = replace(Trace(id="1", began=0.0, began_at=0.0, method="GET", path="/api/private", status=200), **more)
    options = page_options(emulator)
    event = event_of(trace, options, secrets_of(options), worker="1", now=0.0)
    assert expected in titles(event)
    assert event["is_order"] == ("order" in expected)
    if trace.error:
        not_asked, decision = event["steps"][2:4]
        assert not_asked["lines"] == [["why", decision["title"]]] == [["why", OPEN.message]]


@pytest.mark.parametrize(
    "mark", ["1", "reader", f"reader {'0' * 64}", "nobody é", f"reader {mark_of('y' * 24, 'reader')}"]
)
def test_no_other_program_can_claim_to_be_the_page(mark: str) -> None:
    assert caller_of(KEY, mark) == ""
    assert caller_of(KEY, mark_of(KEY, "reader")) == "reader"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Api-Key", "hunter2hunter2"),
        *((name, FOREIGN_TOKEN) for name in ("X-Trace", "Cookie")),
        ("Referer", f"http://127.0.0.1/{FOREIGN_TOKEN}?access_token=short&x={FOREIGN_TOKEN}"),
        *(("X-Other", pat) for pat in (ADMIN.pat, READER.pat)),
    ],
)
def test_a_secret_in_another_header_field_is_hidden(api: TracedApi, name: str, value: str) -> None:
    text = str(api.event("/api/private", **{name.replace("-", "_"): value}))
    assert value not in text
    assert_no_secret(text)


@pytest.mark.parametrize(
    ("sent", "line", "sentence"),
    [
        (OPAQUE, "…", "Authorization does not begin with Bearer"),
        (f"{OPAQUE} x", "…", "Authorization does not begin with Bearer"),
        (f"bearer:{OPAQUE}", "…", "no valid token follows Bearer: a token cannot have ':' inside"),
        (f"Bearer {OPAQUE},", "Bearer …", 'the token has "," at the end'),
        (f"Basic {'word ' * 4000}{OPAQUE}", "Basic …", "Authorization does not begin with Bearer"),
        ("Basic aHVudGVyMg==", "Basic …", "Authorization does not begin with Bearer"),
        (f'Bearer "{OPAQUE}"', "Bearer …", "the token has quotes around it"),
        ("Bearer $TOKEN", "Bearer …", "the token is the name of a variable, or a command, instead of its value"),
        ("Bearer [object Object]", "Bearer …", "the token is a word for no value, such as null"),
        ("Bearer null", "Bearer (too short to show a part of it)", "the token is a word for no value, such as null"),
    ],
)
def test_a_token_sent_in_a_wrong_way_is_named_and_hidden(api: TracedApi, sent: str, line: str, sentence: str) -> None:
    event = api.event("/api/private", "", Authorization=sent)
    assert ["Authorization", line] in event["steps"][0]["lines"]
    assert event["why"]["sentence"].startswith(sentence), event["why"]
    assert_no_secret(f"{event} {api.past()}")


def assert_no_secret(text: str) -> None:
    """Fail if a secret is in a text, or a part of one that is long enough to help."""
    pieces = [OPAQUE[at : at + 12] for at in range(len(OPAQUE) - 12)]
    assert not [secret for secret in (*SECRETS, *pieces) if secret.lower() in text.lower()]


def echo(received: Received) -> Behaviour:
    """Answer with all that was sent, in several forms, as a broken proxy might."""
    form = received.body.decode()
    token = form.rpartition("token=")[2]
    body = {**CLAIMS, "username": token, "echo": form, "upper": token.upper(), "cut": token[:60]}
    headers = {"X-Echo": received.headers.get("authorization", ""), "X-Token": token, "Set-Cookie": f"a={token}"}
    return raw(http(json_body(body | {"headers": dict(received.headers)}), headers=headers))


@pytest.mark.parametrize("path", [SCOPED, f"/{OPAQUE}", f"/api/private?access_token={OPAQUE}"])
def test_no_secret_and_no_whole_token_is_in_a_feed_whatever_zitadel_echoes(emulator: Emulator, path: str) -> None:
    with upstream(depending(echo)) as zitadel:
        api = TracedApi(page_options(emulator, ZITADEL_DOMAIN=zitadel.url))
        pairs = [(api.event(path, token), api.past()) for token in (READER.pat, VISITOR.pat, OPAQUE)]
    assert_no_secret(json.dumps(pairs, ensure_ascii=False))


def texts(part: Any) -> Iterator[str]:
    """Yield each text in a document, the names of members too."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict | list):
        for item in [*part, *part.values()] if isinstance(part, dict) else part:
            yield from texts(item)


def test_hostile_claims_are_text_in_which_each_character_is_seen(emulator: Emulator) -> None:
    claims = {**CLAIMS, "username": HTML + STRANGE, "email": STRANGE, HTML + STRANGE: 1}
    claims[ROLES] = {HTML + STRANGE: {"1": "x"}}
    in_ascii = http(json.dumps(claims).encode(), headers={"Content-Type": "application/json"})  # with half a pair
    with upstream(raw(in_ascii)) as zitadel:
        event = TracedApi(page_options(emulator, ZITADEL_DOMAIN=zitadel.url)).event(SCOPED, OPAQUE)
    assert not [text for text in texts(event) if set(text) & set(HIDDEN)]
    assert HTML[:20] in event["caller"]["name"]


MANY = {f"claim{number}": "v" * 50 for number in range(2_000)}
MANY_ROLES = {f"role-{number}-{'x' * 300}": {"1": "y"} for number in range(2_000)}


@pytest.mark.parametrize(
    ("more", "status"),
    [({"username": "u" * 10_000, **MANY, ROLES: MANY_ROLES}, 401), ({"big": "<b>" * 700_000}, 502)],
    ids=["claims", "more than is read"],
)
def test_a_huge_answer_becomes_a_small_event(emulator: Emulator, more: dict[str, Any], status: int) -> None:
    with upstream(answer(json_body({**CLAIMS, **more}))) as zitadel:
        api = TracedApi(page_options(emulator, ZITADEL_DOMAIN=zitadel.url))
        event = api.event(SCOPED, OPAQUE)
    assert api.past()["answer"] is None, "its claims are not kept"
    assert (event["status"], bool(event["why"]["sentence"])) == (status, True)
    assert len(json.dumps(event)) <= LARGEST_EVENT_BYTES
