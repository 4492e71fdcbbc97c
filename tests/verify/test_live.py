"""``zdemo verify --live``: the cases that need no fault say the same at a real ZITADEL, which is left as it was.

With ``--zitadel URL --admin-pat-file FILE`` the first test runs against that ZITADEL.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.cli import LONGEST_SECONDS, Shell
from tests.support.waiting import eventually
from zdemo.config.address import ZitadelAddress
from zdemo.config.settings import AdminSettings
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, READER, VISITOR, World, emulate, random_start
from zdemo.errors import ManagementError
from zdemo.management import resources
from zdemo.management.client import USER_SERVICE, ManagementClient
from zdemo.verify.case import Needs
from zdemo.verify.cases import CASES
from zdemo.verify.live import PREFIX, live_issuer

API = ("--", sys.executable, "-m", "zdemo", "serve", "--port", "{port}")
OPTIONS = ("verify", "--live", "--path", "/api/private-scoped", "--env", "ZDEMO_CACHE_TTL=0.5", "--json")
WITHOUT_FAULTS = {case.id for case in CASES if case.needs is not Needs.EMULATOR}


@dataclass(frozen=True, kw_only=True)
class Zitadel:
    """A ZITADEL, and its administrator's PAT."""

    url: str
    admin_pat: str = field(repr=False)

    def left(self) -> list[str]:
        """Return the names of what runs have left."""
        with closing(ManagementClient(ZitadelAddress(self.url), self.admin_pat, timeout_seconds=10)) as client:
            names = [project.name for project in resources.list_projects(client)]
            rows = client.call(USER_SERVICE, "ListUsers", {"query": {"limit": 1000}}).get("result") or []
            return [name for name in (*names, *(row["username"] for row in rows)) if name.startswith(PREFIX)]


@pytest.fixture
def zitadel(given_target: tuple[str, str] | None) -> Iterator[Zitadel]:
    if given_target is not None:
        yield Zitadel(url=given_target[0], admin_pat=given_target[1])
        return
    with emulate() as emulator:
        yield Zitadel(url=emulator.url, admin_pat=ADMIN.pat)


@pytest.fixture
def bare(tmp_path: Path) -> Shell:
    return Shell(folder=tmp_path, env={})


def test_the_own_api_passes_what_can_be_asked_and_nothing_is_left(bare: Shell, zitadel: Zitadel) -> None:
    ran = bare(*OPTIONS, *API, ZITADEL_DOMAIN=zitadel.url, ZITADEL_ADMIN_PAT=zitadel.admin_pat)
    assert ran.code == 0, ran.all
    assert PREFIX in ran.err
    came = {row["id"]: row["outcome"] for row in ran.document["cases"]}
    assert {name for name, outcome in came.items() if outcome == "pass"} == WITHOUT_FAULTS
    assert {outcome for name, outcome in came.items() if name not in WITHOUT_FAULTS} == {"skip"}
    eventually("nothing is left", zitadel.left, lambda names: names == [])


def test_without_an_administrator_only_the_configured_tokens_are_sent(bare: Shell) -> None:
    with emulate() as emulator:
        env = {"ZITADEL_DOMAIN": emulator.url, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
        ran = bare(*OPTIONS, *API, PAT=READER.pat, ZDEMO_VISITOR_PAT=VISITOR.pat, **env)
        few = bare(*OPTIONS, "--only", "correct.insufficient_scope", *API, PAT=READER.pat, **env)
        assert set(emulator.world.users) == {READER.id, VISITOR.id, ADMIN.id}
    came = {row["id"]: row for row in ran.document["cases"]}
    assert ran.code == 0, ran.all
    passed = {case.id for case in CASES if case.needs in (Needs.NOTHING, Needs.TOKEN, Needs.VISITOR)}
    assert {name for name, row in came.items() if row["outcome"] == "pass"} == passed
    assert came["safe.deleted_pat"]["seen"] == "needs users of its own (ZITADEL_ADMIN_PAT)"
    assert few.code == 1
    assert few.document["cases"][0]["seen"] == "needs a token without the role (ZDEMO_VISITOR_PAT)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_it_is_interrupted(bare: Shell, number: int) -> None:
    api = "import time; time.sleep(600)"
    with emulate() as emulator:
        zitadel = Zitadel(url=emulator.url, admin_pat=ADMIN.pat)
        env = {"ZITADEL_DOMAIN": zitadel.url, "ZITADEL_ADMIN_PAT": zitadel.admin_pat}
        arguments = (*OPTIONS, "--start-seconds", "600", "--", sys.executable, "-c", api)
        with bare.running(*arguments, **env) as process:
            eventually("the projects are there", zitadel.left, lambda names: len(names) == 2)
            os.kill(process.pid, number)
            assert process.wait(LONGEST_SECONDS) == 130
        assert zitadel.left() == []


class _Full(World):
    """A world in which a second project cannot be created."""

    def add_project(self, organization_id: str, name: str, id: str | None = None) -> object:  # type: ignore[override]
        made = super().add_project(organization_id, name, id)
        if name.endswith("-other"):
            raise RuntimeError("the answer is lost after the object was made")
        return made


def test_nothing_is_left_when_an_answer_is_lost() -> None:
    world = _Full()
    start = random_start(world)
    with emulate(world) as emulator:
        admin = AdminSettings(issuer=emulator.url, admin_pat=start.admin_pat)
        with pytest.raises(ManagementError), live_issuer(admin):
            pytest.fail("the second project's answer was an error")
        assert Zitadel(url=emulator.url, admin_pat=start.admin_pat).left() == []
