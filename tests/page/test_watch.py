"""The watch on the browser notices what the other tests rely on it to notice."""

from playwright.sync_api import Browser

from tests.support.browser import add_axe, violations, watched
from tests.support.upstream import http, raw, upstream

HEADERS = {"Content-Type": "text/html", "Content-Security-Policy": "style-src 'none'"}


def test_errors_violations_and_requests_to_other_hosts_are_noticed(browser: Browser) -> None:
    body = b"""<!doctype html><html lang="en"><title>x</title>
        <main><h1 style="color: red">x</h1><img src="http://127.0.0.2:1/x" alt="x"></main>
        <script>console.warn("a warning"); console.error("awaited"); alert(1); throw Error("an exception")</script>"""
    with upstream(raw(http(body, headers=HEADERS))) as server, watched(browser, server.url) as (context, watch):
        watch.expected = "awaited|Failed to load resource"
        context.new_page().goto(server.url)
    kinds = sorted(problem.partition(":")[0] for problem in watch.problems)
    assert kinds == ["console error", "console warning", "dialog", "exception", "request to another origin"], (
        watch.problems
    )
    assert any("Content Security Policy" in problem for problem in watch.problems)


def test_what_a_screen_reader_cannot_name_is_found(browser: Browser) -> None:
    body = b'<!doctype html><html lang="en"><title>x</title><main><h1>x</h1><button></button></main>'
    policy = {**HEADERS, "Content-Security-Policy": "default-src 'none'; require-trusted-types-for 'script'"}
    with upstream(raw(http(body, headers=policy))) as server, watched(browser, server.url) as (context, _):
        add_axe(context)
        page = context.new_page()
        page.goto(server.url)
        assert [found.partition(":")[0] for found in violations(page)] == ["button-name"]
