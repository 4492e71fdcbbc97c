"""Try it, and the sequence: who asked what of whom, what decided, and the reason in the words of the commands."""

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from playwright.sync_api import expect

from tests.support.cli import Shell
from tests.support.visits import PASTED, PRIVATE, PUBLIC, SCOPED, Visit
from tests.support.waiting import eventually
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR

ROLE = "read:messages"
# Until a feed of the browser has told of a request, and what it changed in the page could be drawn
DRAWN = """async (path) => {
    const headers = { "X-Zdemo-Secret": localStorage.getItem("zdemo.secret") };
    const answer = await fetch("/-/feed", { headers });
    const feed = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; !text.includes(`"path":"${path}"`); text += (await feed.read()).value);
    feed.cancel();
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}"""


def environment_of(person: Visit, pat: str) -> dict[str, str]:
    """Return the settings with which a command asks the same ZITADEL about a token."""
    application = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "ZITADEL_PROJECT_ID": PROJECT_ID}
    return {"ZITADEL_DOMAIN": person.site.zitadel, "ZDEMO_API_URL": person.site.origin, "PAT": pat, **application}


def test_a_request_without_a_token_is_refused_and_explained(person: Visit) -> None:
    person.send(PRIVATE, "nobody")
    person.sees("401", "GET /api/private", "none was sent", "RFC 6750 §3", "zdemo call private --pat")
    person.sees("not asked")
    person.send(PUBLIC, "nobody")
    person.sees("200", "GET /api/public")


def test_the_first_request_asks_zitadel_and_the_next_one_takes_the_answer_from_the_cache(person: Visit) -> None:
    person.send(SCOPED, "reader")
    person.sees("200", "POST /oauth/v2/introspect", "just asked")
    steps = person.part("Sequence").get_by_role("list").first.get_by_role("listitem")
    names = [re.sub(r"\s+", " ", text) for text in steps.get_by_role("button").all_inner_texts()]
    lanes = ["Caller to API", "API to Cache", "API to ZITADEL", "ZITADEL to API", "The API decided", "API to Caller"]
    assert [lane for lane in lanes if any(lane.lower() in name.lower() for name in names)] == lanes, names
    person.send(SCOPED, "reader")
    person.sees("200", "from the cache")
    expect(person.part("Sequence")).not_to_contain_text("POST /oauth/v2/introspect")


def test_a_step_opens_to_the_real_request_without_whole_tokens(person: Visit) -> None:
    person.send(SCOPED, "reader")
    person.sees("200", "POST /oauth/v2/introspect")
    person.open_steps()
    person.sees("Authorization", "Bearer ", '"active": true', READER.id, "zdem…")
    content = person.page.content()
    assert READER.pat not in content
    assert CLIENT_SECRET not in content


def test_a_missing_role_is_explained_in_the_words_of_the_commands(person: Visit, tmp_path: Path) -> None:
    shell = Shell(folder=tmp_path, env=environment_of(person, VISITOR.pat))
    call = shell("call", "scoped", "--json").document
    introspect = " ".join(shell("introspect").out.split())
    person.send(SCOPED, "visitor")
    person.sees("401", f"the role {ROLE} is missing", "RFC 6750 §3.1", call["why"])
    for step in call["next"]:
        person.sees(step.split(" (")[0])
    assert call["why"] in introspect
    assert call["next"][0] in introspect


def test_a_pasted_token_is_used_and_shown_nowhere(person: Visit) -> None:
    person.send(PRIVATE, PASTED, VISITOR.pat)
    person.sees("200", "visitor")
    expect(person.page.get_by_label("Token", exact=True)).to_have_attribute("type", "password")
    assert VISITOR.pat not in person.page.content()
    assert VISITOR.pat not in person.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    person.send(PRIVATE, PASTED, "no-token-of-this-zitadel")
    person.sees("401", "invalid_token", "(too short to show a part of it)")
    expect(person.rows().first).to_contain_text("unknown")


def test_any_path_can_be_asked_for(person: Visit) -> None:
    person.page.get_by_label("Route").select_option("another path…")
    person.page.get_by_label("Path", exact=True).fill("/api/nothing")
    person.button("Send").click()
    person.sees("404 no such route", "GET /api/nothing")
    expect(person.part("Sequence")).not_to_contain_text("refused")
    person.button("Refused").click()
    expect(person.rows()).to_have_count(0)


def test_nothing_is_sent_while_the_path_or_the_token_is_missing(person: Visit) -> None:
    sent: list[str] = []
    person.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    person.choose(PRIVATE, PASTED)
    person.button("Send every second").click()
    person.button("Send").click()
    expect(person.page.get_by_label("Token", exact=True)).to_be_focused()
    person.page.get_by_label("Caller").select_option("nobody")
    person.page.get_by_label("Route").select_option("another path…")
    person.page.get_by_label("Path", exact=True).fill("api/private")
    person.button("Send").click()
    expect(person.page.get_by_label("Path", exact=True)).to_be_focused()
    assert sent == []
    person.send(PUBLIC, "nobody")
    person.sees("GET /api/public")


def test_a_503_after_a_question_says_that_no_answer_was_usable(person: Visit) -> None:
    person.button("Stop ZITADEL").click()
    expect(person.button("Start ZITADEL")).to_be_visible()
    person.send(PRIVATE, "reader")
    person.sees("503", "POST /oauth/v2/introspect", "none that the API can use")
    expect(person.rows().first).to_contain_text("no usable answer")


def test_a_503_without_a_question_says_that_zitadel_was_not_asked(person: Visit) -> None:
    person.button("Stop ZITADEL").click()
    expect(person.button("Start ZITADEL")).to_be_visible()

    def sent() -> str:
        with ThreadPoolExecutor(8) as pool:  # else the page's own request could always be the one that probes ZITADEL
            list(pool.map(lambda n: person.site.served.get("/api/private", f"unknown-to-zitadel-{n}"), range(8)))
        person.send(PRIVATE, PASTED, "unknown-to-zitadel")
        person.sees("503")
        return person.part("Sequence").inner_text()

    eventually("the API asks no more", sent, lambda text: "not asked: " in text)
    expect(person.rows().first).to_contain_text("not asked")


def test_reading_about_the_routes_is_no_request_of_the_feed(person: Visit) -> None:
    person.page.get_by_role("link", name="API", exact=True).click()
    expect(person.page.get_by_text("needs a key or a program on this machine")).to_be_visible()
    for everywhere in ("The body is malformed.", "An error in the API."):
        expect(person.page.get_by_text(everywhere)).to_have_count(1)
    person.page.go_back()
    person.send(PUBLIC, "nobody")
    person.sees("GET /api/public")
    expect(person.rows()).to_have_count(1)


def test_a_fix_is_copied(person: Visit) -> None:
    person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    person.send(SCOPED, "visitor")
    person.button(f"Copy zdemo role grant visitor {ROLE}").click()
    person.sees("Copied")
    assert person.page.evaluate("navigator.clipboard.readText()") == f"zdemo role grant visitor {ROLE}"


def test_a_click_counts_though_a_request_comes_before_the_button_is_released(person: Visit) -> None:
    person.send(PRIVATE, "reader")
    person.sees("GET /api/private")
    step = person.button("API to Caller…")
    paths = (f"/api/{number}" for number in count())

    def press() -> bool:
        path = next(paths)
        step.hover()
        person.page.mouse.down()
        person.site.served.get(path, None)
        person.page.evaluate(DRAWN, path)
        person.page.mouse.up()
        person.sees(path)
        return step.get_attribute("aria-expanded") == "true"

    eventually("a press ends within the second for which the page waits", press)
