"""``zdemo demo --live``: the scenario at a real ZITADEL, which must be left as it was.

With ``--zitadel URL --admin-pat-file FILE`` the tests run against that ZITADEL; those that need a ZITADEL that fails
always take an emulator behind something that spoils some of its answers.
"""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.support.cli import Shell
from tests.support.connection_faults import relay
from tests.support.desk import KeptReport
from tests.support.emulator_target import given_or_emulated
from tests.support.processes import LONGEST_SECONDS
from tests.support.upstream import Behaviour, Received, answer, depending, json_body, upstream
from tests.support.waiting import eventually
from zdemo.config.address import ZitadelAddress
from zdemo.config.settings import AdminSettings
from zdemo.demo.environments import PREFIX, live_demo
from zdemo.demo.scenario import Interrupted
from zdemo.emulator import ADMIN, Emulator, emulate, known_start
from zdemo.errors import ZdemoError
from zdemo.zitadel import resources
from zdemo.zitadel.management import ManagementClient

pytestmark = pytest.mark.thorough

STEPS = 11


@dataclass(frozen=True, kw_only=True)
class Target:
    """A ZITADEL, its administrator's PAT, and what is in it."""

    url: str
    admin_pat: str = field(repr=False)

    @property
    def env(self) -> dict[str, str]:
        return {"ZITADEL_DOMAIN": self.url, "ZITADEL_ADMIN_PAT": self.admin_pat}

    def of_demos(self) -> set[str]:
        """Return the names of all projects and users that are a live demo's."""
        with closing(ManagementClient(ZitadelAddress(self.url), self.admin_pat, timeout_seconds=10)) as client:
            names = {project.name for project in resources.list_projects(client)}
            names |= {user.username for user in resources.list_similar_users(client, PREFIX)}
            return {name for name in names if name.startswith(PREFIX)}


@pytest.fixture(scope="module")
def target(given_target: tuple[str, str] | None) -> Iterator[Target]:
    with given_or_emulated(given_target) as (url, pat):
        yield Target(url=url, admin_pat=pat)


@pytest.fixture(scope="module")
def before(target: Target) -> set[str]:
    """What other demos have left."""
    return target.of_demos()


def test_the_demo_works_shows_no_secret_and_leaves_nothing(target: Target, before: set[str], tmp_path: Path) -> None:
    ran = Shell(folder=tmp_path, env=target.env)("demo", "--live")
    assert ran.code == 0, ran.all
    assert f"{STEPS} of {STEPS} as expected" in ran.out
    assert ran.out.startswith(f"ZITADEL {target.url}")
    assert "ZITADEL out of reach" in ran.out
    eventually("nothing else is left: lists trail", target.of_demos, lambda names: names == before)
    assert max(map(len, ran.out.splitlines())) <= 80
    assert not [secret for secret in ("\x1b", target.admin_pat) if secret in ran.all]
    assert not [word for word in ran.all.split() if len(word.strip("(),:")) > 60 and not word.startswith("/")]
    for what in ("project", "service account"):
        created = re.findall(rf"^{what} ({PREFIX}\S+): created \((\d+)\)$", ran.err, re.MULTILINE)
        assert created
        for name, its_id in created:
            assert f"{what} {name} ({its_id}): removed" in ran.lines


BROKEN_OFF = answer(b"{}", 502)  # although ZITADEL has done it
Gate = tuple[threading.Event, threading.Event]  # set when a request is there, and when it may pass


@contextmanager
def spoiled(
    behaviours: Mapping[str, Behaviour] | None = None, gates: Mapping[str, Gate] | None = None
) -> Iterator[tuple[Emulator, Target]]:
    """Run an emulator behind something that behaves otherwise, or waits, at some methods; all must be gone then."""

    def choose(request: Received) -> Behaviour:
        method = request.target.rpartition("/")[2]
        reached, opened = (gates or {}).get(method, (threading.Event(), None))
        reached.set()
        assert opened is None or opened.wait(LONGEST_SECONDS)
        behaviour = (behaviours or {}).get(method, passed)
        if behaviour is BROKEN_OFF:
            url, headers = f"{emulator.url}{request.target}", dict(request.headers)
            requests.post(url, request.body, headers=headers, timeout=LONGEST_SECONDS).raise_for_status()
        return behaviour

    with emulate() as emulator, upstream(depending(choose)) as server:
        passed, known = relay(emulator.url), known_start().world
        yield emulator, Target(url=f"http://localhost:{server.port}", admin_pat=ADMIN.pat)
        assert emulator.world.projects.keys() == known.projects.keys()
        assert emulator.world.users.keys() == known.users.keys() or "DeleteUser" in (behaviours or {})


REFUSAL = {"code": "permission_denied", "message": "No matching permissions found (AUTH-AWfge)"}
NOT_ALLOWED = answer(json_body(REFUSAL), 403)


@pytest.mark.parametrize(
    ("method", "behaviour", "words"),
    [
        ("CreateApplication", NOT_ALLOWED, "is not enough"),
        ("CreateAuthorization", answer(b"{}"), "is not ZITADEL's v2 API"),
        ("CreateUser", BROKEN_OFF, "502"),  # the ID was not read, but it was recorded before
    ],
)
def test_after_a_failure_all_is_removed(method: str, behaviour: Behaviour, words: str) -> None:
    error = pytest.raises(ZdemoError, match=words)
    with spoiled({method: behaviour}) as (_, own), error, live_demo(AdminSettings.from_env(own.env), KeptReport()):
        pytest.fail("the demo must not begin")


def test_json_is_one_document_and_what_cannot_be_removed_is_named_with_its_id(tmp_path: Path) -> None:
    with spoiled({"DeleteUser": NOT_ALLOWED}) as (emulator, target):
        (tmp_path / ".env.other").write_text("".join(f"{name}={value}\n" for name, value in target.env.items()))
        ran = Shell(folder=tmp_path, env={})("demo", "--live", "--json", "--env-file", ".env.other")
    left = [user for user in emulator.world.users.values() if user.username.startswith(PREFIX)]
    assert (ran.code, len(left)) == (1, 2)
    for user in left:
        assert f"NOT removed: service account {user.username} ({user.id}): " in ran.err
    assert "begins with zdemo-live-" in ran.lines[-1]
    assert "not everything is removed: " in ran.document["error"]
    assert [path.name for path in tmp_path.iterdir()] == [".env.other"]


def test_a_signal_during_the_demo_ends_it_when_everything_is_removed() -> None:
    ended = pytest.raises(Interrupted)
    with spoiled() as (_, target), ended, live_demo(AdminSettings.from_env(target.env), KeptReport()):
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_while_zitadel_is_at_work_leaves_nothing_behind(tmp_path: Path) -> None:
    """The request is finished first: else ZITADEL might create something after the clean-up has looked for it."""
    gates = {method: (threading.Event(), threading.Event()) for method in ("CreateUser", "DeleteUser")}
    with (
        spoiled(gates=gates) as (_, target),
        Shell(folder=tmp_path, env={**target.env, "TMPDIR": str(tmp_path)}).running("demo", "--live") as process,
    ):
        for reached, opened in gates.values():
            assert reached.wait(LONGEST_SECONDS)
            for number in (signal.SIGTERM, signal.SIGINT):
                process.send_signal(number)
            with pytest.raises(subprocess.TimeoutExpired):  # one that gave in would do so at once
                process.wait(0.3)
            opened.set()
        _, err = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert err.endswith("\ninterrupted\n")
    assert list(tmp_path.iterdir()) == [], "the temporary folder is removed, too"
