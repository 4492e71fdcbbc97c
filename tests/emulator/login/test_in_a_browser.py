"""The login page in a browser: a click logs in, and the cookie renews a login in a frame of the same site alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser import CHROMIUM, LONGEST_MS, chromium, expect
from tests.support.logins import add_client
from tests.support.upstream import free_port
from zdemo.emulator import emulate
from zdemo.serving.embedded import LOOPBACK, serving

pytestmark = pytest.mark.thorough


def app(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
    """An application whose start page renews the login in a frame, and whose callback shows what it is told."""
    frame = environ["QUERY_STRING"] if environ["PATH_INFO"] == "/" else ""
    callback = "<script>document.write(new URLSearchParams(location.search).get('error') || 'a code')</script>"
    page = f"<iframe title=renewal src='/renew?{frame}'></iframe>" if frame else callback
    if environ["PATH_INFO"] == "/renew":
        start("302 Found", [("Location", environ["QUERY_STRING"]), ("Content-Length", "0")])
        return iter([])
    start("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(page)))])
    return iter([page.encode()])


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH")
def test_a_click_logs_in_and_a_frame_of_the_same_site_renews_silently() -> None:
    port = free_port()
    callback = f"http://localhost:{port}/callback"
    with emulate() as emulator, serving(app, LOOPBACK, port), chromium() as browser:
        client = add_client(emulator, redirectUris=[callback])
        page = browser.new_context().new_page()
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.set_default_timeout(LONGEST_MS)
        page.goto(emulator.url + client.login_page(redirect_uri=callback))
        page.get_by_role("button", name="Ada Lovelace").click()
        expect(page.get_by_text("a code")).to_be_visible()
        silently = {"redirect_uri": callback, "prompt": "none"}
        for host, seen in (("localhost", "a code"), ("127.0.0.1", "login_required")):
            address = emulator.url + client.login_page(**silently)
            page.goto(f"http://{host}:{port}/?{address}")
            expect(page.frame_locator("iframe").get_by_text(seen)).to_be_visible()
        assert problems == []
