"""The page of a running ``zdemo serve``: whose tokens it has, and where they go."""

import re
from pathlib import Path
from typing import Any

import requests

from tests.support.page_site import enter, variables_of
from tests.support.ports import free_port
from tests.support.served import Served, served
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import READER, VISITOR, emulate

OWN = {
    "PAT": "own-pat-of-the-person-0123456789abcdefghijABCDEFGHIJ",
    "ZDEMO_VISITOR_PAT": "own-visitor-of-the-person-0123456789abcdefghijABCDEFGHIJ",
    "ZITADEL_ADMIN_PAT": "own-admin-of-the-person-0123456789abcdefghijABCDEFGHIJ",
}


class Person:
    """Somebody who has opened the page."""

    def __init__(self, running: Served) -> None:
        self._session, self._url = requests.Session(), f"http://127.0.0.1:{running.port}"
        found = re.search(r"http://\S+/\?key=(\S+)", running.log)
        assert found, running.log
        enter(self._session, f"{self._url}/?key={found[1]}")

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self._session.get(f"{self._url}/-/state", timeout=PATIENCE_SECONDS).json()
        return found

    def post(self, where: str, /, **document: Any) -> dict[str, Any]:
        answer = self._session.post(f"{self._url}{where}", json=document, timeout=PATIENCE_SECONDS)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def test_with_the_emulator_the_page_has_its_tokens_and_none_of_the_persons(tmp_path: Path) -> None:
    """Two workers: each of them can restore what the other one has deleted."""
    port = free_port()
    arguments = ("--emulator", "--emulator-port", str(port), "--workers", "2")
    with served(tmp_path, OWN, *arguments) as running:
        person = Person(running)
        assert [caller["about"] for caller in person.state()["callers"][1:]] == ["PAT zdem…-000", "PAT zdem…y-00"]
        for change, pat in [("delete_pat", "deleted"), ("create_pat", "present")] * 3:
            users = person.post("/-/change", change=change, user_id=READER.id)["users"]
            assert [user["pat"] for user in users] == [pat, "present"]
        sent = person.post("/-/send", method="GET", path="/api/private-scoped", caller="visitor")
        assert (sent["status"], sent["why"]["certainty"]) == (401, "certain")
        for change, status in [("grant", 200), ("revoke", 401)] * 2:
            order = {"change": change, "user_id": VISITOR.id, "role": "read:messages", "forget": True}
            assert person.post("/-/change", **order)["until"] is None
            send = {"method": "GET", "path": "/api/private-scoped", "caller": "visitor"}
            answers = [person.post("/-/send", **send)["status"] for _ in range(6)]
            assert answers == [status] * 6, "each worker has forgotten"
        requests_of_emulator = requests.get(
            f"http://localhost:{port}/_zdemo/requests", headers={"X-Zdemo-Control": "1"}, timeout=PATIENCE_SECONDS
        ).json()["requests"]
    asked = {(record["user"], record["token"]) for record in requests_of_emulator if record["token"]}
    assert {user for user, _ in asked} >= {"reader", "visitor"}
    assert not [token for _, token in asked if token.startswith("own-")]
    assert not [value for value in OWN.values() if value in running.log]


def test_another_zitadel_is_changed_with_the_persons_tokens_from_env(tmp_path: Path) -> None:
    with emulate() as emulator:
        lines = [f"{name}={value}" for name, value in variables_of(emulator).items()]
        (tmp_path / "own.env").write_text("\n".join(lines))
        with served(tmp_path, {}, "--env-file", "own.env") as running:
            person = Person(running)
            state = person.state()
            assert (state["emulator"], state["changes"]["emulator"]) == (None, None)
            assert state["callers"][1]["about"] == "PAT zdem…-000 from own.env"
            sent = person.post("/-/send", method="GET", path="/api/private-scoped", caller="visitor")
            assert sent["why"]["fix"][0] == "zdemo role grant --env-file own.env visitor read:messages"
            changed = person.post("/-/change", change="grant", user_id=VISITOR.id, role="read:messages")
            assert [user["roles"] for user in changed["users"]] == [["read:messages"]] * 2
        assert not any(record.path.startswith("/_zdemo") for record in emulator.requests)
