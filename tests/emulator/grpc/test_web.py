"""gRPC-web and Connect with protobuf over HTTP/1.1: their bytes, and calls from a page in Chromium."""

import base64
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from tests.emulator.grpc.client import GET, MINE, UNREADABLE, USERS, mark_of
from tests.emulator.grpc.client import message as message_of
from tests.support.browser import CHROMIUM, chromium
from tests.support.emulator_target import TIMEOUT_SECONDS, bearer
from zdemo.emulator import ADMIN, Emulator, emulate, new_fault
from zdemo.emulator.messages.protobuf import json_of
from zdemo.emulator.messages.table import method_row

pytestmark = pytest.mark.usefixtures("emulator_only")

WEB, PAGE = "application/grpc-web", "https://page.example"
END = b"\x80\x00\x00\x00\x10grpc-status: 0\r\n"


def framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def post(emulator: Emulator, path: str, media: str, body: bytes, **headers: str) -> requests.Response:
    sent = {"Content-Type": media, **bearer(ADMIN.pat), **headers}
    return requests.post(f"{emulator.url}/{path}", body, headers=sent, timeout=TIMEOUT_SECONDS)


@pytest.mark.parametrize(
    ("path", "media"), [(GET, WEB), (GET, f"{WEB}+proto"), (MINE, f"{WEB}-text"), (GET, "application/proto")]
)
def test_an_answer_is_a_message_and_in_grpc_web_a_status_follows(own: Emulator, path: str, media: str) -> None:
    body = framed(message_of(ADMIN.id) if path == GET else b"") if WEB in media else message_of(ADMIN.id)
    response = post(own, path, media, base64.b64encode(body) if "text" in media else body, Origin=PAGE)
    assert (response.status_code, response.headers["Content-Type"]) == (200, media)
    content = base64.b64decode(response.content) if "text" in media else response.content
    assert (content.endswith(END), content[:1] == b"\0") == (WEB in media, WEB in media)
    content = content[5 : -len(END)] if WEB in media else content
    assert ADMIN.id.encode() in json_of(method_row(path).answer, content)
    allowed = [response.headers[f"Access-Control-Allow-{name}"] for name in ("Origin", "Credentials")]
    assert allowed == [PAGE, "true"]


def test_v2_takes_no_base64_and_connects_errors_are_json(own: Emulator) -> None:
    refused = post(own, GET, f"{WEB}-text", base64.b64encode(framed(b"")))
    assert (refused.status_code, refused.headers["Accept-Post"].split(",")[0]) == (415, "application/grpc")
    refused = post(own, GET, "application/proto", message_of("5"))
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "body", "code", "message"),
    [
        (GET, framed(message_of("5")), 5, "User could not be found (QUERY-Dfbg2)"),
        (f"{USERS}/Paint", framed(b""), 12, f"unknown method Paint for service {USERS}°"),
        ("paint.v9.Service/Paint", framed(b""), 12, "unknown service paint.v9.Service°"),
        *(
            (GET, body, 3, f"{UNREADABLE}°")
            for body in (b"", b"\0\0\0\0\x09a", framed(b"") * 2, b"\1\0\0\0\0", framed(b"\xff"))
        ),
    ],
)
def test_a_refusal_of_grpc_web_is_in_the_headers(
    own: Emulator, path: str, body: bytes, code: int, message: str
) -> None:
    response = post(own, path, WEB, body, Origin=PAGE)
    assert (response.status_code, response.content, response.headers["Grpc-Status"]) == (200, b"", str(code))
    text = unquote(response.headers["Grpc-Message"])
    details = base64.b64decode(response.headers.get("Grpc-Status-Details-Bin", "") + "==")
    assert text + mark_of(details, text) == message
    assert response.headers["Access-Control-Expose-Headers"] == "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin"


def test_a_fault_gives_a_status_of_grpc_web_or_a_page(own: Emulator) -> None:
    own.faults.add(new_fault("rate-limited", times=1))
    own.faults.add(new_fault("not-json", times=1))
    assert post(own, GET, WEB, framed(message_of(ADMIN.id))).headers["Grpc-Status"] == "8"
    page = post(own, GET, WEB, framed(message_of(ADMIN.id)))
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert [record.reason for record in own.requests] == ["fault: rate-limited", "fault: not-json"]


def test_what_is_no_method_is_answered_as_without_protobuf(own: Emulator) -> None:
    for media in (WEB, "application/proto"):
        assert post(own, "oauth/v2/keys", media, b"").json() == post(own, "oauth/v2/keys", "text/plain", b"").json()


@pytest.mark.thorough
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_page_of_another_origin_calls_by_grpc_web(own: Emulator) -> None:
    with emulate() as elsewhere, chromium() as browser:
        page = browser.new_page()
        page.goto(f"{elsewhere.url}/debug/healthz")

        def call(message: bytes) -> Any:
            return page.evaluate(SCRIPT, [f"{own.url}/{GET}", [*framed(message)], ADMIN.pat])

        answered, refused = call(message_of(ADMIN.id)), call(message_of("5"))
    assert bytes(answered["body"]).endswith(END)
    assert ADMIN.id.encode() in bytes(answered["body"])
    assert (refused["status"], refused["message"]) == ("5", "User could not be found (QUERY-Dfbg2)")


SCRIPT = """async ([url, body, token]) => {
    const headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", authorization: `Bearer ${token}`}
    const answer = await fetch(url, {method: "POST", headers, body: new Uint8Array(body)})
    return {
        body: [...new Uint8Array(await answer.arrayBuffer())],
        status: answer.headers.get("grpc-status"), message: answer.headers.get("grpc-message"),
    }
}"""
