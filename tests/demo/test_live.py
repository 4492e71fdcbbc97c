"""``zdemo demo --live``: the scenario at a real ZITADEL, which must be left as it was.

With ``--zitadel URL --admin-pat-file FILE`` the tests run against that ZITADEL; those that need a ZITADEL that fails
always take an emulator behind something that spoils some of its answers.
"""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Shell
from tests.support.desk import KeptReport
from tests.support.emulator_target import given_or_emulated
from tests.support.processes import LONGEST_SECONDS
from tests.support.waiting import eventually
from zdemo.config.address import ZitadelAddress
from zdemo.config.settings import AdminSettings
from zdemo.demo.environments import PREFIX, live_demo
from zdemo.demo.scenario import Interrupted
from zdemo.emulator import ADMIN, Emulator, World, known_world
from zdemo.errors import ZdemoError
from zdemo.serving.embedded import serving
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


@dataclass(kw_only=True)
class Spoiled:
    """An emulated ZITADEL behind something that gives another answer to one method, or answers it late."""

    method: str = ""
    answer: tuple[str, str] | None = None  # status and body; ``None``: the emulator's, when ``open`` is set
    carried_out: bool = False  # the emulator has done it nevertheless
    world: World = field(default_factory=known_world)
    reached: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        if not self.method or not environ["PATH_INFO"].endswith(f"/{self.method}"):
            return self._app(environ, start)
        if self.answer is None:
            opened = self.open
            self.reached.set()
            assert opened.wait(LONGEST_SECONDS)
            return self._app(environ, start)
        if self.carried_out:
            b"".join(self._app(environ, lambda status, _headers, _error=None: status))
        status, body = self.answer
        start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body.encode()]

    @contextmanager
    def running(self) -> Iterator[Target]:
        self._app = Emulator(self.world)
        with serving(self) as port:
            yield Target(url=f"http://localhost:{port}", admin_pat=ADMIN.pat)

    @property
    def is_as_before(self) -> bool:
        known = known_world()
        return (set(self.world.projects), set(self.world.users)) == (set(known.projects), set(known.users))


NOT_ALLOWED = ("403 Forbidden", '{"code":"permission_denied","message":"No matching permissions found (AUTH-AWfge)"}')
NOTHING_IN_IT, BROKEN_OFF = ("200 OK", "{}"), ("502 Bad Gateway", "{}")


@pytest.mark.parametrize(
    ("answer", "carried_out", "method", "words"),
    [
        (NOT_ALLOWED, False, "CreateApplication", "is not enough"),
        (NOTHING_IN_IT, False, "CreateAuthorization", "is not ZITADEL's v2 API"),
        (BROKEN_OFF, True, "CreateUser", "502"),  # the ID was not read, but it was recorded before
    ],
)
def test_after_a_failure_all_is_removed(answer: tuple[str, str], carried_out: bool, method: str, words: str) -> None:
    zitadel = Spoiled(method=method, answer=answer, carried_out=carried_out)
    ended = pytest.raises(ZdemoError, match=words)
    with zitadel.running() as target, ended, live_demo(AdminSettings.from_env(target.env), KeptReport()):
        pytest.fail("the demo must not begin")
    assert zitadel.is_as_before


def test_json_is_one_document_and_what_cannot_be_removed_is_named_with_its_id(tmp_path: Path) -> None:
    zitadel = Spoiled(method="DeleteUser", answer=NOT_ALLOWED)
    with zitadel.running() as target:
        (tmp_path / ".env.other").write_text("".join(f"{name}={value}\n" for name, value in target.env.items()))
        ran = Shell(folder=tmp_path, env={})("demo", "--live", "--json", "--env-file", ".env.other")
    left = [user for user in zitadel.world.users.values() if user.username.startswith(PREFIX)]
    assert (ran.code, len(left)) == (1, 2)
    for user in left:
        assert f"NOT removed: service account {user.username} ({user.id}): " in ran.err
    assert "begins with zdemo-live-" in ran.lines[-1]
    assert len(zitadel.world.projects) == len(known_world().projects)
    assert "not everything is removed: " in ran.document["error"]
    assert [path.name for path in tmp_path.iterdir()] == [".env.other"]


def test_a_signal_during_the_demo_ends_it_when_everything_is_removed() -> None:
    zitadel, ended = Spoiled(), pytest.raises(Interrupted)
    with zitadel.running() as target, ended, live_demo(AdminSettings.from_env(target.env), KeptReport()):
        signal.raise_signal(signal.SIGTERM)
    assert zitadel.is_as_before


def test_a_signal_while_zitadel_is_at_work_leaves_nothing_behind(tmp_path: Path) -> None:
    """The request is finished first: else ZITADEL might create something after the clean-up has looked for it."""
    zitadel, folder = Spoiled(), {"TMPDIR": str(tmp_path)}
    gates = {method: (threading.Event(), threading.Event()) for method in ("CreateUser", "DeleteUser")}
    zitadel.method, (zitadel.reached, zitadel.open) = "CreateUser", gates["CreateUser"]
    with (
        zitadel.running() as target,
        Shell(folder=tmp_path, env=target.env | folder).running("demo", "--live") as process,
    ):
        for reached, opened in gates.values():
            assert reached.wait(LONGEST_SECONDS)
            for number in (signal.SIGTERM, signal.SIGINT):
                process.send_signal(number)
            with pytest.raises(subprocess.TimeoutExpired):  # one that gave in would do so at once
                process.wait(0.3)
            zitadel.method, (zitadel.reached, zitadel.open) = "DeleteUser", gates["DeleteUser"]
            opened.set()
        _, err = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert err.endswith("\ninterrupted\n")
    assert list(tmp_path.iterdir()) == [], "the temporary folder is removed, too"
    assert zitadel.is_as_before
