"""Who may see the page: a browser on this machine that knows the key, and nobody through another site."""

import json
from collections.abc import Iterator

import pytest
import requests

from tests.support.feeds import proofs_of
from tests.support.page_site import KEY, SECRET_HEADER, PageSite, page_site
from tests.support.wire import PATIENCE_SECONDS
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.errors import GuardError
from zdemo.page import PageOptions, new_key, paged
from zdemo.server import create_app

OWN = ("/", "/-/", "/-/files/page.css")


@pytest.fixture
def site() -> Iterator[PageSite]:
    with page_site() as site:
        yield site


def plain(site: PageSite, path: str, method: str = "GET", **headers: str) -> requests.Response:
    """Send a request without cookies, and follow no redirect."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, f"{site.url}{path}", headers=named, timeout=PATIENCE_SECONDS, allow_redirects=False)


def test_the_key_becomes_a_cookie_that_no_script_reads_and_a_secret_that_no_server_is_sent(site: PageSite) -> None:
    answer = plain(site, f"/?key={KEY}")
    port = site.url.rpartition(":")[2]
    name, _, rest = answer.headers["Set-Cookie"].partition("=")
    value, *attributes = rest.split("; ")
    place, _, secret = answer.headers["Location"].partition("#secret=")
    assert (answer.status_code, place, len(secret)) == (303, "/-/", 64)
    assert (name, attributes) == (f"zdemo_page_{port}", ["HttpOnly", "Path=/-/", "SameSite=Strict"])
    assert len({KEY, value, secret}) == 3
    assert KEY not in value + secret
    page = site.open().get("/-/")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("cookie", ["", "x", KEY])
def test_without_the_cookie_a_small_page_says_how_to_open_it(site: PageSite, cookie: str) -> None:
    port = site.url.rpartition(":")[2]
    answer = plain(site, "/-/", Cookie=f"zdemo_page_{port}={cookie}; other=1")
    assert (answer.status_code, "zdemo serve printed" in answer.text) == (401, True)
    assert plain(site, "/").headers["Location"] == "/-/"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/-/state"),
        ("GET", "/-/feed"),
        ("HEAD", "/-/feed"),
        ("GET", "/-/openapi.json"),
        ("POST", "/-/send"),
        ("POST", "/-/change"),
    ],
)
def test_nothing_is_shown_or_done_without_both_the_cookie_and_the_secret(
    site: PageSite, method: str, path: str
) -> None:
    proofs = proofs_of(f"{site.url}/?key={KEY}")
    cookie, secret = proofs["Cookie"], proofs[SECRET_HEADER]
    for given in (
        {},
        {"Cookie": cookie},
        {SECRET_HEADER: secret},
        {"Cookie": cookie, SECRET_HEADER: secret[:-1]},
        {"Cookie": cookie, SECRET_HEADER: cookie.partition("=")[2]},
        {"Cookie": f"{cookie.partition('=')[0]}={secret}", SECRET_HEADER: secret},
        {"Cookie": cookie, SECRET_HEADER: KEY},
        {"Cookie": cookie, SECRET_HEADER: "é"},
    ):
        with requests.request(
            method, f"{site.url}{path}", headers=given, stream=True, timeout=PATIENCE_SECONDS
        ) as answer:  # a feed that opens would never end
            assert answer.status_code == 401, given


def test_a_cookie_that_another_server_adds_neither_opens_nor_closes_the_page(site: PageSite) -> None:
    proofs = proofs_of(f"{site.url}/?key={KEY}")
    added = f"{proofs['Cookie'].partition('=')[0]}=x"
    both = {**proofs, "Cookie": f"{added}; {proofs['Cookie']}; {added}"}
    assert plain(site, "/-/state", **both).status_code == 200
    assert plain(site, "/-/state", **{**proofs, "Cookie": added}).status_code == 401


def test_a_wrong_key_gets_no_cookie(site: PageSite) -> None:
    for key in ("", "x", KEY[:-1], KEY + "0", "%ff%00", "é"):
        answer = plain(site, f"/?key={key}")
        assert (answer.status_code, "<h1>" in answer.text) == (403, True)
        assert not {"Set-Cookie", "Location"} & set(answer.headers)


def test_a_cookie_of_another_start_is_refused(site: PageSite) -> None:
    own_port = site.url.rpartition(":")[2]
    with page_site(key=new_key()) as other:
        other.get(f"/?key={other.key}")
        (given,) = other.session.cookies.values()
    assert plain(site, "/-/", Cookie=f"zdemo_page_{own_port}={given}").status_code == 401


def options(key: str) -> PageOptions:
    settings = Settings(issuer="http://localhost:1", client_id="1", client_secret="x")
    return PageOptions(key=key, api_url="http://127.0.0.1:5000", settings=settings, environment=Environment({}))


def test_a_short_key_is_refused_at_the_start() -> None:
    with pytest.raises(GuardError, match="fewer than 16"):
        paged(create_app(options("x").settings), options("x" * 15))
    assert len(new_key()) >= 16
    assert new_key() != new_key()
    assert "x" * 16 not in repr(options("x" * 16))


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "192.168.1.5", "[::2]"]
)
def test_under_any_other_host_name_there_is_no_page(site: PageSite, host: str) -> None:
    """DNS rebinding: the name of a hostile site leads to this machine."""
    site.open()
    for path in (*OWN, f"/?key={KEY}"):
        answer = site.get(path, Host=host)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Port", "X-Real-IP", "Via"])
def test_through_a_proxy_there_is_no_page(site: PageSite, name: str) -> None:
    assert plain(site, f"/?key={KEY}", **{name: "192.0.2.1"}).status_code == 404


def test_localhost_in_all_its_forms_is_this_machine(site: PageSite) -> None:
    for host in ("localhost", "LOCALHOST:5000", "127.0.0.1:9", "127.1.2.3:5000", "[::1]:5000"):
        assert plain(site, "/", Host=host).status_code == 303


@pytest.mark.parametrize("path", [*OWN, f"/?key={KEY}"])
def test_what_another_site_sends_is_refused(site: PageSite, path: str) -> None:
    site.open()
    for headers in (
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": site.url.replace("127.0.0.1", "localhost")},
        {"Origin": f"{site.url}0"},
    ):
        answer = site.get(path, **headers)
        assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)


def test_a_person_opens_the_page_and_nothing_else_directly(site: PageSite) -> None:
    site.open()
    assert site.get("/-/", Sec_Fetch_Site="none").status_code == 200
    assert site.get("/-/files/icon.svg", Sec_Fetch_Site="none").status_code == 403
    assert site.get("/-/", Sec_Fetch_Site="same-origin", Origin=site.url).status_code == 200


def test_every_answer_keeps_other_sites_out(site: PageSite) -> None:
    site.open()
    answers = [site.get(path) for path in ("/-/", "/-/files/none.css")] + [
        plain(site, path) for path in ("/", "/-/", "/?key=x", f"/?key={KEY}")
    ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert not any(name.lower().startswith("access-control") for name in answer.headers)


def test_no_path_leads_out_of_the_folder_of_files(site: PageSite) -> None:
    site.open()
    for name in (
        "../app.py",
        "..%2fapp.py",
        "%2e%2e/app.py",
        "",
        ".",
        "x.py",
        "index.html%00",
        "//etc/passwd",
    ):
        answer = site.get(f"/-/files/{name}")
        assert answer.status_code == 404
        assert json.loads(answer.text)["error"] == "not_found"


def test_what_is_not_the_pages_is_the_apis(site: PageSite) -> None:
    site.open()
    assert site.get("/-/unknown").json()["request_id"]
    assert plain(site, "/", "POST").json()["request_id"]
    assert site.get("/-").json()["request_id"]
    assert site.call("/api/private").status_code == 200


def test_a_method_that_a_path_does_not_take_is_refused(site: PageSite) -> None:
    site.open()
    answer = site.session.post(f"{site.url}/-/", json={}, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"GET", "HEAD"})
    head = site.session.head(f"{site.url}/-/", timeout=PATIENCE_SECONDS)
    assert (head.status_code, head.content) == (200, b"")
