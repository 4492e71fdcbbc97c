"""Names, claims, paths and headers of an attacker are text, wherever the page shows them."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.visits import PASTED, PRIVATE, SCOPED, site, visit
from tests.support.wire import bearer, request
from zdemo.testing import ZitadelEmulator

NAME = "<img src=x onerror=alert(1)>\"'`${alert(2)}<script>alert(3)</script>"
ROLE = "</script><svg onload=alert(4)>"
CONTROLS = "\x1b[2J\x00\u202etxt.exe\u2066\U0001f4a9"
PATHS = (
    "/api/%3Cimg/src=x/onerror=alert(5)%3E",
    "/api/%3Cscript%3Ealert(6)%3C/script%3E",
    "/api/%0d%0aSet-Cookie:a=b",
    "/api/%1b%5b2J%00%e2%80%ae",
    "/api/" + "a" * 3000,
    "/api/%ff%fe?x=%3Cb%3Ey",
)


@pytest.mark.parametrize("name", [NAME, NAME + CONTROLS, "n" * 200], ids=["markup", "controls", "long"])
def test_hostile_names_and_paths_are_shown_as_text(browser: Browser, tmp_path: Path, name: str) -> None:
    with ZitadelEmulator() as zitadel:
        token = zitadel.user(name, ROLE)
        environment = {**zitadel.env, "PAT": token, "ZITADEL_ADMIN_PAT": zitadel.admin_pat}
        with site(tmp_path, environment=environment) as own, visit(browser, own) as person:
            person.send(SCOPED, PASTED, token)
            person.sees("401", name[:20])
            person.open_steps()
            person.sees(name[:20], "onload=alert(4)")
            for path in PATHS:
                answer = own.served.send(request(path, bearer(token), "User-Agent: <img src=x onerror=alert(7)>"))
                assert answer.one("x-request-id"), f"the server in front of the API refuses {path[:50]}"
            expect(person.rows()).to_have_count(1 + len(PATHS))
            for row in person.rows().all():
                row.click()
                person.sees("/api/")
            person.send(PRIVATE, "nobody")
            person.sees("GET /api/private")
            expect(person.page.locator("main :is(img, svg, script, iframe, object)")).to_have_count(0)
            assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
