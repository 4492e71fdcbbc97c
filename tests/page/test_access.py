"""Who may use the page: a browser on this machine that knows the key, and nobody through another site."""

import pytest
import requests

from tests.support.page_site import KEY, SECRET_HEADER, PageSite, page_options
from tests.support.wire import PATIENCE_SECONDS
from zdemo.page import new_key
from zdemo.page.access import Access

OWN = ("/", "/-/", "/-/files/page.css", f"/?key={KEY}")
ACTIONS = ("/-/send", "/-/change")
JSON = "application/json"
HEADERS = {"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
HEADERS |= {"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"}
HEADERS |= {"Cross-Origin-Opener-Policy": "same-origin"}


def plain(site: PageSite, path: str, method: str = "GET", **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{site.url}{path}"
    return requests.request(
        method, url, headers=named, timeout=PATIENCE_SECONDS, allow_redirects=False, stream=path == "/-/feed"
    )


def test_the_key_becomes_a_cookie_that_no_script_reads_and_a_secret_that_no_server_is_sent(site: PageSite) -> None:
    answer = plain(site, f"/?key={KEY}")
    name, _, rest = answer.headers["Set-Cookie"].partition("=")
    value, *attributes = rest.split("; ")
    place, _, secret = answer.headers["Location"].partition("#secret=")
    assert (answer.status_code, place, len(secret)) == (303, "/-/", 64)
    assert (name, set(attributes)) == (
        f"zdemo_page_{site.url.rpartition(':')[2]}",
        {"HttpOnly", "SameSite=Strict", "Path=/-/"},
    )
    assert len({KEY, value, secret}) == 3
    assert KEY not in value + secret
    page = site.get("/-/")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("cookie", ["", "x", KEY, Access(new_key()).cookie_value], ids=["none", "x", "key", "other"])
def test_without_the_cookie_a_small_page_says_how_to_open_it(site: PageSite, cookie: str) -> None:
    answer = plain(site, "/-/", Cookie=f"zdemo_page_{site.url.rpartition(':')[2]}={cookie}; other=1")
    assert (answer.status_code, "zdemo serve printed" in answer.text) == (401, True)
    assert plain(site, "/").headers["Location"] == "/-/"


@pytest.mark.parametrize("asked", ["GET /-/state", "GET /-/feed", "POST /-/send", "POST /-/change"])
def test_nothing_is_shown_or_done_without_both_the_cookie_and_the_secret(site: PageSite, asked: str) -> None:
    method, path = asked.split()
    cookie, secret = site.proofs["Cookie"], site.proofs[SECRET_HEADER]
    name, _, value = cookie.partition("=")
    given: list[dict[str, str]] = [{}, {"Cookie": cookie}, {SECRET_HEADER: secret}]
    given += [{"Cookie": cookie, SECRET_HEADER: wrong} for wrong in (secret[:-1], value, KEY, "é")]
    given += [{"Cookie": f"{name}={wrong}", SECRET_HEADER: secret} for wrong in (secret, "x")]
    for headers in given:
        with plain(site, path, method, **headers) as answer:  # a feed that opens would never end
            assert answer.status_code == 401, headers


@pytest.mark.parametrize("key", ["", KEY[:-1], KEY + "0", "%ff%00"])
def test_a_wrong_key_gets_no_cookie(site: PageSite, key: str) -> None:
    answer = plain(site, f"/?key={key}")
    assert (answer.status_code, "<h1>" in answer.text) == (403, True)
    assert not {"Set-Cookie", "Location"} & set(answer.headers)


def test_each_start_has_a_key_of_its_own_that_is_not_in_the_text_of_the_options(site: PageSite) -> None:
    assert len(new_key()) == 24
    assert new_key() != new_key()
    assert KEY not in repr(page_options(site.emulator))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "192.168.1.5", "[::2]"]),
        *((name, ["192.0.2.1"]) for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")),
    ],
)
def test_under_any_other_host_name_or_through_a_proxy_there_is_no_page(
    site: PageSite, name: str, values: list[str]
) -> None:
    """DNS rebinding: the name of a hostile site leads to this machine."""
    for value in values:
        answers = [site.get(path, **{name: value}) for path in OWN]
        answers += [site.post(path, {"change": "stop"}, **{name: value}) for path in ACTIONS]
        assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(404, "not_found")}
    for host in ("localhost", "LOCALHOST:5000", "127.1.2.3:5000", "[::1]:5000"):
        assert plain(site, "/", Host=host).status_code == 303, "this is this machine"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Sec-Fetch-Site", site) for site in ("cross-site", "same-site")),
        *(("Origin", origin) for origin in ("http://evil.example", "null", "http://localhost:1")),
    ],
)
def test_what_another_site_sends_is_refused(site: PageSite, name: str, value: str) -> None:
    for path in OWN:
        answer = site.get(path, **{name: value})
        assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)
    for path in ACTIONS:
        answer = site.post(path, {"change": "stop"}, **{name: value})
        assert (answer.status_code, answer.json()["error"]) == (403, "cross_site")


def test_every_answer_keeps_other_sites_out(site: PageSite) -> None:
    answers = [site.get(path) for path in ("/-/", "/-/state", "/-/files/main.js", "/-/files/none.css")]
    answers += [plain(site, path) for path in ("/", "/-/", "/?key=x", f"/?key={KEY}")]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert ("unsafe" in policy, "frame-ancestors 'none'" in policy) == (False, True)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert not any(name.lower().startswith("access-control") for name in answer.headers)


def test_no_path_leads_out_of_the_folder_of_files_and_what_is_not_the_pages_is_the_apis(site: PageSite) -> None:
    for name in ("../app.py", "..%2fapp.py", "%2e%2e/app.py", "", "x.py", "index.html%00", "//etc/passwd"):
        answer = site.get(f"/-/files/{name}")
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    for answer in (site.get("/-/unknown"), site.get("/-"), plain(site, "/", "POST")):
        assert answer.json()["request_id"]


@pytest.mark.parametrize(
    ("body", "media", "status", "code"),
    [
        *((body, JSON, 400, "invalid_body") for body in (b"", b"\xff\xfe", b"[]", b"[" * 60_000)),
        (b'{"a": "' + b"x" * 64 * 1024 + b'"}', JSON, 413, "request_entity_too_large"),
        (b'{"change": "stop"}', "text/plain", 415, "not_json"),  # as a form of another site could send it
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_not_a_json_object_is_refused(site: PageSite, body: bytes, media: str, status: int, code: str) -> None:
    for path in ACTIONS:
        headers = {"Content-Type": media}
        answer = site.session.post(f"{site.url}{path}", data=body, headers=headers, timeout=PATIENCE_SECONDS)
        assert (answer.status_code, answer.json()["error"]) == (status, code)
