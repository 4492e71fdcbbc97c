"""``zdemo demo --live``: the tour at a ZITADEL that is somebody's, which must be left as it was found.

With ``--zitadel URL --admin-pat-file FILE`` the tests run against that ZITADEL; those that need a ZITADEL that fails
always take an emulator behind something that spoils some of its answers.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import LONGEST_SECONDS, Ran, Shell
from zdemo.config.settings import AdminSettings
from zdemo.demo.belongings import NAME, PREFIX, TIME, is_leftover, leftovers, names, remove
from zdemo.demo.live import Told, live_tour
from zdemo.emulator import ADMIN, VISITOR, World, create_app, emulate, known_world
from zdemo.errors import ZdemoError
from zdemo.management.client import ManagementClient
from zdemo.management.resources import administrator, ask
from zdemo.serving.embedded import serving

LONGEST_TOUR_SECONDS = 30
STEPS = 11


@dataclass(frozen=True, kw_only=True)
class Target:
    """A ZITADEL, its administrator's PAT, and what is in it."""

    url: str
    admin_pat: str = field(repr=False)

    @property
    def env(self) -> dict[str, str]:
        return {"ZITADEL_DOMAIN": self.url, "ZITADEL_ADMIN_PAT": self.admin_pat}

    @contextmanager
    def client(self) -> Iterator[ManagementClient]:
        with closing(ManagementClient(self.url, self.admin_pat, timeout_seconds=10)) as client:
            yield client

    def of_tours(self) -> set[str]:
        """The names of all projects and users that are a tour's."""
        starting = {"projectName": PREFIX, "method": "TEXT_FILTER_METHOD_STARTS_WITH"}
        query = {"userName": PREFIX, "method": "TEXT_QUERY_METHOD_STARTS_WITH"}
        with self.client() as client:
            projects = ask(client, "ProjectService/ListProjects", filters=[{"projectNameFilter": starting}])
            users = ask(client, "UserService/ListUsers", queries=[{"userNameQuery": query}])
        return {p["name"] for p in projects.get("projects", [])} | {u["username"] for u in users.get("result", [])}

    def settles_at(self, expected: set[str]) -> bool:
        """Whether that is what is left, once ZITADEL's lists have caught up."""
        end = time.monotonic() + 10
        while (found := self.of_tours()) != expected and time.monotonic() < end:
            time.sleep(0.05)
        return found == expected


@pytest.fixture(scope="module")
def target(given_target: tuple[str, str] | None) -> Iterator[Target]:
    if given_target is not None:
        yield Target(url=given_target[0], admin_pat=given_target[1])
        return
    with emulate() as emulator:
        yield Target(url=emulator.url, admin_pat=ADMIN.pat)


@pytest.fixture(scope="module")
def found(target: Target) -> set[str]:
    """What is there before: of somebody else's tours, perhaps."""
    return target.of_tours()


@pytest.fixture(scope="module")
def told(target: Target, found: set[str], tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One tour, for all who only read it."""
    assert isinstance(found, set)
    start = time.monotonic()
    ran = Shell(folder=tmp_path_factory.mktemp("live"), env=target.env).anew("demo", "--live")
    assert time.monotonic() - start < LONGEST_TOUR_SECONDS
    return ran


def test_the_tour_goes_as_expected_and_says_so(told: Ran, target: Target) -> None:
    assert told.code == 0, told.all
    assert f"{STEPS} of {STEPS} as expected" in told.out
    assert told.out.startswith(f"ZITADEL {target.url}")


def test_the_outage_is_told_as_what_it_is(told: Ran) -> None:
    assert "yours runs on: the API was led to a closed port" in told.out
    assert "ZITADEL stopped" not in told.out


def test_the_answer_fits_eighty_columns_and_has_no_escape_codes(told: Ran) -> None:
    assert max(map(len, told.out.splitlines())) <= 80
    assert "\x1b" not in told.all


def test_what_is_made_and_removed_is_told_with_its_id(told: Ran) -> None:
    made = [line.removeprefix("made for this tour: ") for line in told.lines if line.startswith("made")]
    removed = [line.removeprefix("removed: ") for line in told.lines if line.startswith("removed")]
    assert made == removed
    assert [thing.split(" zdemo-live-")[0] for thing in made] == ["project", "service user", "service user"]


def test_no_secret_is_shown(told: Ran, target: Target) -> None:
    assert target.admin_pat not in told.all
    assert not [word for word in told.all.split() if len(word.strip("(),:")) > 60]


def test_nothing_is_left_at_zitadel(told: Ran, target: Target, found: set[str]) -> None:
    assert told.code == 0
    assert target.settles_at(found)


def test_json_is_one_document_and_the_story_stays_on_standard_error(
    target: Target, found: set[str], tmp_path: Path
) -> None:
    (tmp_path / ".env.other").write_text("".join(f"{name}={value}\n" for name, value in target.env.items()))
    ran = Shell(folder=tmp_path, env={}).anew("demo", "--live", "--json", "--env-file", ".env.other")
    assert (ran.code, ran.document["passed"], len(ran.document["steps"])) == (0, True, STEPS)
    assert target.settles_at(found)
    assert [path.name for path in tmp_path.iterdir()] == [".env.other"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_leaves_nothing_behind(
    number: signal.Signals, target: Target, found: set[str], tmp_path: Path
) -> None:
    with Shell(folder=tmp_path, env=target.env).running("demo", "--live") as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith(" 5"):
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 128 + number
    assert "as expected, after" not in out
    assert err.count("\nremoved: ") == 3
    assert err.endswith("\ninterrupted\n")
    assert target.settles_at(found)


def test_what_a_tour_that_is_killed_outright_leaves_can_be_told_from_all_else(
    target: Target, found: set[str], tmp_path: Path
) -> None:
    with Shell(folder=tmp_path, env=target.env).running("demo", "--live") as process:
        assert process.stdout
        assert process.stdout.readline().startswith("ZITADEL ")
        process.kill()
    later = datetime.now(UTC) + timedelta(hours=2)
    with target.client() as client:
        organization_id = administrator(client).organization_id
        end = time.monotonic() + 10
        while len(left := list(leftovers(client, organization_id, later))) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        assert {thing.name for thing in left} == target.of_tours() - found
        assert remove(client, left) == {}
    assert target.settles_at(found)


def test_what_a_killed_tour_left_is_removed_by_the_next_one_and_nothing_else(
    target: Target, found: set[str], tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    project, reader, _ = names(now - timedelta(hours=2))
    young, _, _ = names(now - timedelta(minutes=10))
    with target.client() as client:
        organization_id = administrator(client).organization_id
        for thing in (project, young):
            ask(
                client,
                "ProjectService/CreateProject",
                organizationId=organization_id,
                name=thing.name,
                projectId=thing.id,
            )
        user = {"organizationId": organization_id, "username": reader.name, "userId": reader.id}
        ask(client, "UserService/CreateUser", **user, machine={"name": "left"})
        try:
            assert target.settles_at(found | {project.name, reader.name, young.name})
            ran = Shell(folder=tmp_path, env=target.env).anew("demo", "--live")
            assert ran.code == 0
            assert [line for line in ran.lines if line.startswith("left by")] == [
                f"left by an earlier tour, removed: {project}",
                f"left by an earlier tour, removed: {reader}",
            ]
            assert target.settles_at(found | {young.name})
        finally:
            ask(client, "ProjectService/DeleteProject", projectId=young.id)
    assert target.settles_at(found)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("zdemo-live-20261125T030000Z-0123ab", True),
        ("zdemo-live-20261125T030000Z-0123ab-reader", True),
        ("zdemo-live-20261125T030000Z-0123ab-visitor", True),
        ("zdemo-live-20261125T043000Z-0123ab", False),  # half an hour old
        ("zdemo-live-20261125T063000Z-0123ab", False),  # of a clock that is ahead
        ("zdemo-live-20269925T030000Z-0123ab", False),
        ("zdemo-live-20261125T030000Z-0123ab-notes", False),
        ("zdemo-live-notes", False),
        ("my-zdemo-live-20261125T030000Z-0123ab", False),
    ],
)
def test_only_the_exact_name_of_a_tour_long_over_is_a_leftover(name: str, left: bool) -> None:
    assert is_leftover(name, datetime(2026, 11, 25, 5, 0, tzinfo=UTC)) is left


def test_a_new_tour_is_no_leftover_but_will_be_recognised() -> None:
    now = datetime.now(UTC)
    for thing in names(now):
        assert NAME.fullmatch(thing.name)
        assert not is_leftover(thing.name, now)
        assert is_leftover(thing.name, now + timedelta(hours=2))
    assert datetime.strptime(NAME.fullmatch(thing.name)[1], TIME).year == now.year  # type: ignore[index]  # asserted above


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["ZITADEL_DOMAIN", "ZITADEL_ADMIN_PAT", None])
def test_missing_settings_are_named_with_the_way_to_them(missing: str | None, tmp_path: Path) -> None:
    every = {"ZITADEL_DOMAIN": "http://localhost:1", "ZITADEL_ADMIN_PAT": "an-administrators-token"}
    env = {name: value for name, value in every.items() if missing not in (name, None)}
    ran = Shell(folder=tmp_path, env=env)("demo", "--live")
    assert (ran.code, ran.out) == (3, "")
    for name in every:
        assert (f"{name} is not set" in ran.err) == (missing in (name, None))
    assert "docs/setup.md" in ran.err


@dataclass(kw_only=True)
class Spoiled:
    """An emulated ZITADEL before which something stands that deals with some of the requests itself."""

    world: World = field(default_factory=known_world)
    spoil: Callable[[str], tuple[str, str] | None] = lambda _path: None
    loses: str = ""  # the method whose answer gets lost on the way
    carried_out: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        path = environ["PATH_INFO"]
        spoiled = self.spoil(path)
        if self.loses and path.endswith(f"/{self.loses}"):
            self.carried_out.append(b"".join(self._app(environ, lambda status, _headers, _error=None: status)).decode())
            spoiled = "502 Bad Gateway", "{}"
        if spoiled is None:
            return self._app(environ, start)
        start(spoiled[0], [("Content-Type", "application/json"), ("Content-Length", str(len(spoiled[1])))])
        return [spoiled[1].encode()]

    @contextmanager
    def running(self) -> Iterator[Target]:
        self._app = create_app(self.world)
        with serving(self) as port:
            yield Target(url=f"http://localhost:{port}", admin_pat=ADMIN.pat)

    @property
    def is_as_found(self) -> bool:
        found = known_world()
        return (set(self.world.projects), set(self.world.users)) == (set(found.projects), set(found.users))


NOT_ALLOWED = (
    "403 Forbidden",
    '{"code":"permission_denied","message":"No matching permissions found (AUTH-AWfge)"}',
)


def refusing(method: str) -> Callable[[str], tuple[str, str] | None]:
    return lambda path: NOT_ALLOWED if path.endswith(f"/{method}") else None


@pytest.mark.parametrize("method", ["AddPersonalAccessToken", "CreateApplication", "CreateAuthorization"])
def test_what_was_made_before_a_refusal_is_removed(method: str, tmp_path: Path) -> None:
    zitadel = Spoiled(spoil=refusing(method))
    with zitadel.running() as target:
        ran = Shell(folder=tmp_path, env=target.env)("demo", "--live")
    assert (ran.code, ran.out) == (1, "")
    assert "error: the administrator role of ZITADEL_ADMIN_PAT's user is too small" in ran.err
    assert zitadel.is_as_found


@pytest.mark.parametrize("method", ["CreateApplication", "AddPersonalAccessToken", "CreateAuthorization"])
def test_an_answer_without_what_is_shown_once_ends_it_at_once(method: str) -> None:
    zitadel = Spoiled(spoil=lambda path: ("200 OK", "{}") if path.endswith(f"/{method}") else None)
    lacks = pytest.raises(ZdemoError, match="ZITADEL's answer lacks")
    with zitadel.running() as target, lacks, live_tour(settings_of(target), silent()):
        pytest.fail("the tour must not begin")
    assert zitadel.is_as_found


def test_who_is_no_administrator_is_told_so_and_makes_nothing(tmp_path: Path) -> None:
    zitadel = Spoiled()
    with zitadel.running() as target:
        ran = Shell(folder=tmp_path, env={**target.env, "ZITADEL_ADMIN_PAT": VISITOR.pat})("demo", "--live")
    assert ran.code == 1
    assert "is not an administrator" in ran.err
    assert zitadel.is_as_found


def test_an_error_in_a_step_ends_the_tour_and_removes_everything(tmp_path: Path) -> None:
    zitadel = Spoiled(spoil=refusing("RemovePersonalAccessToken"))
    with zitadel.running() as target:
        ran = Shell(folder=tmp_path, env=target.env)("demo", "--live")
    assert ran.code == 1
    assert " 7  role given back" in ran.out
    assert " 8  " not in ran.out
    assert zitadel.is_as_found


def test_a_step_that_goes_otherwise_does_not_keep_anything_from_being_removed() -> None:
    zitadel = Spoiled(spoil=lambda path: ("200 OK", "{}") if path.endswith("/DeleteAuthorization") else None)
    with zitadel.running() as target, live_tour(settings_of(target), silent(), patience_seconds=0) as stage:
        steps = []
        for step in stage.steps():
            steps.append(step)
            if step.leg.name.startswith("role taken"):
                break
    assert [step.passed for step in steps] == [True] * 5 + [False]
    assert zitadel.is_as_found


def test_what_cannot_be_removed_is_named_with_its_id(tmp_path: Path) -> None:
    zitadel = Spoiled(spoil=refusing("DeleteUser"))
    with zitadel.running() as target:
        ran = Shell(folder=tmp_path, env=target.env)("demo", "--live")
    left = [user for user in zitadel.world.users.values() if user.username.startswith(PREFIX)]
    assert (ran.code, len(left)) == (1, 2)
    for user in left:
        assert f"NOT removed: service user {user.username} ({user.id}): " in ran.err
    assert "error: not everything is removed: " in ran.err
    assert len(zitadel.world.projects) == len(known_world().projects)


def test_an_answer_that_gets_lost_leaves_no_object_behind() -> None:
    """ZITADEL has carried the request out, and nobody has read the ID: but it was chosen before."""
    zitadel = Spoiled(loses="CreateUser")
    with zitadel.running() as target, pytest.raises(ZdemoError), live_tour(settings_of(target), silent()):
        pytest.fail("the tour must not begin")
    assert [json.loads(answer)["id"] for answer in zitadel.carried_out]
    assert zitadel.is_as_found


class Gate:
    """Lets a request wait until the test has done something meanwhile."""

    def __init__(self, method: str) -> None:
        self._method = method
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, path: str) -> tuple[str, str] | None:
        if path.endswith(f"/{self._method}"):
            self.reached.set()
            assert self.open.wait(LONGEST_SECONDS)
        return None


@pytest.mark.parametrize("method", ["CreateProject", "CreateUser", "CreateAuthorization", "DeleteProject"])
def test_a_signal_while_zitadel_is_at_work_leaves_nothing_behind(method: str, tmp_path: Path) -> None:
    """The request is finished first: else ZITADEL might make something after the clean-up has looked for it."""
    gate = Gate(method)
    zitadel = Spoiled(spoil=gate)
    with zitadel.running() as target, Shell(folder=tmp_path, env=target.env).running("demo", "--live") as process:
        assert gate.reached.wait(LONGEST_SECONDS)
        for number in (signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):  # one that gave in would do so at once
            process.wait(0.3)
        gate.open.set()
        process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert zitadel.is_as_found


def settings_of(target: Target) -> AdminSettings:
    return AdminSettings.from_env(target.env)


def silent() -> Told:
    return Told(tell=lambda _text: None, hide=lambda _text: None)
