"""The control interface below ``/_zdemo/``: what it does, and that no web page and no other machine can use it."""

from typing import Any

import pytest
import requests

from tests.support.emulator_target import INTROSPECT, Server, basic
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, NEVER, ORGANIZATION_ID, READER, Emulator, new_fault
from zdemo.emulator.control import check_caller

pytestmark = pytest.mark.usefixtures("emulator_only")

CONTROL = {"X-Zdemo-Control": "1"}
NAME = "X-Zdemo-Emulator"


def ask(server: Server, method: str, name: str, json: Any = None, **headers: str) -> tuple[int, Any]:
    given = CONTROL | {key.replace("_", "-"): value for key, value in headers.items()}
    response = server.send(method, f"/_zdemo/{name}", json=json, headers=given)
    assert not any(header.lower().startswith("access-control-") for header in response.headers)
    return response.status_code, response.json()


def is_active(server: Server, token: str = READER.pat) -> bool:
    response = server.post_form(INTROSPECT, [("token", token)], basic(CLIENT_ID, CLIENT_SECRET))
    return bool(response.json()["active"])


def test_a_program_that_controls_it_asks_past_the_faults_and_leaves_no_record(own: Emulator, near: Server) -> None:
    own.faults.add(new_fault("stopped"))
    with pytest.raises(requests.ConnectionError):
        near.get("/debug/ready")
    assert near.get("/debug/ready", **CONTROL).text == '"ok"'
    assert [record.status for record in own.requests] == [0]


def test_the_state_names_the_emulator_as_every_answer_does(own: Emulator, near: Server) -> None:
    status, state = ask(near, "GET", "state")
    assert (status, state["name"], state["advanced_seconds"], state["faults"]) == (200, own.world.name, 0, [])
    assert near.get("/debug/healthz").headers[NAME] == near.get("/nothing").headers[NAME] == own.world.name
    assert READER.pat not in str(state)
    assert [user["username"] for user in state["users"]] == ["reader", "visitor", "zdemo-admin", "ada"]
    own.world.add_pat(own.world.add_user(ORGANIZATION_ID, "robot", "Robot", id="a:b"), NEVER)
    robot = ask(near, "GET", "state")[1]["users"][-1]
    assert robot["pats"] == [], "this PAT never works"
    near.post_form(INTROSPECT, [("token", "x" * 71)], basic(CLIENT_ID, "wrong"))
    record = ask(near, "GET", "requests")[1]["requests"][-1]
    assert (record["method"], record["path"], record["status"]) == ("POST", INTROSPECT, 400)
    assert record["reason"]
    assert ask(near, "DELETE", "requests") == (200, {"requests": []})


def test_advancing_the_clock_expires_tokens_but_new_ones_are_valid_now(own: Emulator, near: Server) -> None:
    world = own.world
    (user,) = [user for user in world.users.values() if user.username == "reader"]
    token = world.add_pat(user, world.now() + 3600).token
    assert is_active(near, token)
    assert ask(near, "POST", "clock", {"advance": {"minutes": 59}}) == (200, {"advanced_seconds": 3540})
    assert is_active(near, token)
    assert ask(near, "POST", "clock", {"advance": {"minutes": 1, "seconds": 1}})[1] == {"advanced_seconds": 3601}
    assert not is_active(near, token)
    assert is_active(near), "its PAT never expires"


def test_a_reset_puts_everything_back(own: Emulator, near: Server) -> None:
    before = ask(near, "GET", "state")[1]
    (user,) = [user for user in own.world.users.values() if user.username == "reader"]
    own.world.set_user_state(user, "INACTIVE", "user.deactivated")
    own.world.add_project(user.organization_id, "another")
    ask(near, "POST", "clock", {"advance": {"days": 2}})
    ask(near, "POST", "faults", {"fault": "internal-error", "path": "token"})
    assert ask(near, "POST", "login", {"user": "ADA"}) == (200, {"auto_login": "ada"})
    assert not is_active(near)
    assert ask(near, "POST", "reset", {}) == (200, before)
    assert is_active(near)
    ask(near, "POST", "login", {"user": "ada"})
    assert ask(near, "DELETE", "login") == (200, {"auto_login": ""})


def test_faults_are_listed_counted_and_cleared_and_spare_this_interface(own: Emulator, near: Server) -> None:
    fault = {"fault": "rate-limited", "times": 2, "path": "introspection"}
    listed = [{**fault, "path": INTROSPECT}]
    assert ask(near, "POST", "faults", fault) == (200, {"faults": listed})
    assert [near.get(path).status_code for path in ("/oauth/v2/keys", INTROSPECT)] == [200, 429]
    ask(near, "POST", "faults", {"fault": "reset"})
    assert ask(near, "GET", "faults")[1] == {"faults": [{**listed[0], "times": 1}, {"fault": "reset"}]}
    assert ask(near, "DELETE", "faults") == (200, {"faults": []})
    assert near.get(INTROSPECT).status_code == 400
    assert own.requests[-1].path == INTROSPECT, "the control interface is not among the requests"


@pytest.mark.parametrize(
    ("method", "name", "body", "status", "word"),
    [
        ("GET", "stat", None, 404, "state"),
        ("DELETE", "state", None, 405, "GET"),
        ("POST", "faults", {"fault": "hng"}, 400, "hang"),
        ("POST", "faults", {"fault": "hang", "path": "introspect"}, 400, "introspection"),
        ("POST", "faults", {"fault": "hang", "times": 0}, 400, "times"),
        ("POST", "faults", {"fault": "slow", "seconds": 1e9}, 400, "3600"),
        ("POST", "faults", {"kind": "hang"}, 400, "fault"),
        ("DELETE", "faults", {"fault": "hng"}, 400, "hang"),
        ("DELETE", "requests", {"times": 1}, 400, "times"),
        ("POST", "pats", {"user_id": "1"}, 404, "user_id"),
        ("POST", "login", {"user": "reader"}, 404, "unknown person: reader"),
        ("POST", "clock", {}, 400, "hours"),
        ("POST", "clock", {"advance": {"hour": 1}}, 400, "hours"),
        ("POST", "clock", {"advance": {"days": 1e300}}, 400, "from 0"),
        ("POST", "reset", [], 400, "object"),
    ],
)
def test_what_is_wrong_is_said(server: Server, method: str, name: str, body: Any, status: int, word: str) -> None:
    got, answer = ask(server, method, name, body)
    assert (got, word in answer["error"]) == (status, True), answer


@pytest.mark.parametrize(
    "header",
    [
        *("X-Zdemo-Control: ", "X-Zdemo-Control: 2", "Origin: http://localhost:3000", "Origin: null"),
        *("Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"),
        *("Host: evil.example", "Host: evil.example:8484", "Host: localhost.evil.example", "Host: "),
        *("Host: 127.0.0.1.evil.example", "Host: localhost@evil.example", "Host: 127.999.999.999"),
        *("Host: 127.0.0.01", "Host: localhost:99999", "Host: localhost:"),
    ],
)
def test_a_web_page_reads_and_changes_nothing(server: Server, header: str) -> None:
    """Also not by a host name of its own that leads to this machine, and not with a forged forwarded host."""
    forged = {"X-Forwarded-Host": "localhost", "Forwarded": "host=localhost", "X-Forwarded-For": "127.0.0.1"}
    field, _, value = header.partition(": ")
    for method, name in (("GET", "state"), ("GET", "requests"), ("POST", "reset")):
        response = server.send(method, f"/_zdemo/{name}", json={}, headers=CONTROL | forged | {field: value})
        assert response.status_code in (400, 403)
        assert "name" not in response.text.replace("names", "")


def test_a_body_that_a_form_could_send_is_refused(server: Server) -> None:
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        headers = CONTROL | {"Content-Type": media}
        response = server.send("POST", "/_zdemo/clock", data=b'{"advance": {"hours": 1}}', headers=headers)
        assert response.status_code == 415
    assert ask(server, "GET", "clock")[1] == {"advanced_seconds": 0}


def test_no_other_spelling_of_the_path_gets_in(server: Server) -> None:
    for path in ("//_zdemo/state", "/./_zdemo/state", "/a/../_zdemo/state", "/_ZDEMO/state", "/_zdemo"):
        assert server.send("GET", path, headers={}).status_code in (301, 403, 404)


def test_another_machine_is_refused_whatever_it_says() -> None:
    headers = {"HTTP_HOST": "localhost", "HTTP_X_ZDEMO_CONTROL": "1"}
    for address in ("192.0.2.7", "172.17.0.1", "::ffff:192.0.2.7", "fe80::1", "", "localhost"):
        with pytest.raises(Exception, match="only requests from this machine"):
            check_caller({**headers, "REMOTE_ADDR": address})
    for loopback in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"):
        check_caller({**headers, "REMOTE_ADDR": loopback})
