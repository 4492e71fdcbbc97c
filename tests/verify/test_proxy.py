"""The cases about a proxy: each hole fails its own case and no other, and what only differs fails none."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest

from tests.support.apis import settings_for
from tests.verify.holed_proxy import OPEN_PATH, HoledProxy, listening
from zdemo.emulator import PROJECT_ID, emulate
from zdemo.serving.embedded import LOOPBACK, serving
from zdemo.verify.api_client import ApiClient
from zdemo.verify.backend import Backend
from zdemo.verify.case import OF_THE_API, CaseReport, Group, Mark
from zdemo.verify.cases import CASES
from zdemo.verify.emulated_issuer import EmulatedIssuer, emulated_issuer
from zdemo.verify.examine import NOT_JUDGED, examine
from zdemo.verify.run import VerifyRun
from zdemo.zitadel.introspection_client import IntrospectionClient

ROLE, PATH = "read:messages", "/messages"
RUN_SECONDS = 100.0
SILENT = dict.fromkeys(
    [f"proxy.{name}" for name in ("identity", "underscores", "dots", "repeated", "empty", "connection")],
    "not judged: the proxy sets no X-Auth-… for the backend",
)


@dataclass(frozen=True)
class Door:
    proxy: HoledProxy
    port: int
    backend: Backend
    issuer: EmulatedIssuer

    def reports(self, hole: str, *only: str, role: str = ROLE) -> dict[str, CaseReport]:
        self.proxy.hole, self.proxy.role = hole, role
        with closing(ApiClient(f"http://{LOOPBACK}:{self.port}", PATH, RUN_SECONDS)) as api:
            run = VerifyRun(api=api, issuer=self.issuer, role=role, backend=self.backend, public=OPEN_PATH)
            return {report.case.id: report for report in examine(run, only or (Group.PROXY,))}

    def marks(self, hole: str, mark: Mark) -> dict[str, str]:
        return {name: each.verdict.seen for name, each in self.reports(hole).items() if each.mark is mark}


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    with ExitStack() as stack:
        emulator = stack.enter_context(emulate())
        introspector = stack.enter_context(closing(IntrospectionClient(settings_for(emulator.url))))
        backend = Backend()
        port = stack.enter_context(serving(backend))
        proxy = HoledProxy(introspector, ROLE, PROJECT_ID, port)
        issuer = stack.enter_context(emulated_issuer(emulator, PROJECT_ID))
        yield Door(proxy, stack.enter_context(listening(proxy)), backend, issuer)


HOLES = {  # the case that each fails, and a part of what it saw
    "arrives": ("arrives", "GET /messages 200, nothing arrived"),
    "identity": (
        "identity",
        "X-Auth-Subject arrived: zdemo-verify-stranger; X-Auth-Username arrived: zdemo-verify-stranger",
    ),
    "underscores": ("underscores", "X-Auth-Roles arrived: zdemo-verify-stranger, read:messages"),
    "dots": ("dots", "X-Auth-Roles arrived: zdemo-verify-stranger, read:messages"),
    "repeated": ("repeated", "X-Auth-Roles arrived: zdemo-verify-stranger"),
    "empty": ("empty", "X-Auth-Subject arrived: nothing; X-Auth-Username arrived: nothing"),
    "nameless": ("nameless", "X-Auth-Username arrived: zdemo-verify-stranger"),
    "connection": ("connection", "X-Auth-Subject arrived: nothing; X-Auth-Username arrived: nothing"),
    "original": ("original", "(X-Original-URL: /open) 200, and GET /messages reached the backend"),
    "query": ("original", "and GET /messages?role=zdemo-verify-other reached the backend"),
    "encoded_slash": ("encoded_slash", "and GET /open/..%2F/messages reached the backend"),
    "parameters": ("parameters", "and GET /open/..;/messages reached the backend"),
    "slashes": ("slashes", "and GET //messages reached the backend"),
    "body": ("body", "POST /messages 200, and 65,536 bytes arrived"),
    "large": ("body", "and POST /messages reached the backend"),
    "preflight": ("preflight", "GET /messages (Access-Control-Request-Method: GET) 200"),
    "options": ("preflight", "and OPTIONS /messages reached the backend"),
    "method": ("method", "(X-HTTP-Method-Override: OPTIONS) 200, and GET /messages reached the backend"),
    "upgrade": ("upgrade", "(Upgrade: websocket) 200, and GET /messages reached the backend"),
}


OF_EACH_KIND = ("arrives", "identity", "original", "encoded_slash", "body", "preflight")


def test_each_case_has_a_hole_that_it_finds() -> None:
    assert {f"proxy.{name}" for name, _ in HOLES.values()} == {c.id for c in CASES if c.group is Group.PROXY}


@pytest.mark.parametrize(
    "hole", [pytest.param(hole, marks=[pytest.mark.thorough] * (hole not in OF_EACH_KIND)) for hole in HOLES]
)
def test_a_hole_fails_its_own_case_and_no_other(door: Door, hole: str) -> None:
    name, seen = HOLES[hole]
    failed = door.marks(hole, Mark.FAIL)
    assert list(failed) == [f"proxy.{name}"]
    assert seen in failed[f"proxy.{name}"]


@pytest.mark.parametrize(
    ("difference", "unjudged"),
    [
        ("", {}),
        ("passes_options", {}),
        ("strict", {"proxy.body": "not judged: POST /messages 405"}),
        ("tells_nothing", SILENT | {"proxy.nameless": "needs proxy.identity"}),
    ],
)
def test_what_only_differs_fails_no_case(door: Door, difference: str, unjudged: dict[str, str]) -> None:
    reports = door.reports(difference)
    skipped = {name: each.verdict.seen for name, each in reports.items() if each.mark is not Mark.PASS}
    assert {name: reports[name].mark for name in skipped} == dict.fromkeys(unjudged, Mark.SKIP)
    assert all(unjudged[name] in seen for name, seen in skipped.items())


def test_a_path_that_requires_no_role_is_asked_without_a_token_alone(door: Door) -> None:
    reports = door.reports("slashes", "proxy", role="")
    assert [name for name, each in reports.items() if each.mark is not Mark.PASS] == ["proxy.slashes"]


def test_what_a_proxy_need_not_do_is_not_judged(door: Door) -> None:
    reports = door.reports("", *OF_THE_API)
    assert {each.verdict.seen for each in reports.values()} == {NOT_JUDGED.seen}
    assert reports.keys() == set(OF_THE_API)
