"""A ZITADEL for setup: the emulator, or the one that ``--zitadel URL --admin-pat-file FILE`` names."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.desk import CountingClient, Desk
from tests.support.emulator_target import Api, Server
from tests.support.workshop import Organization, Workshop, find_organization
from zdemo.emulator import ADMIN, emulate
from zdemo.setup.current import SetupOptions
from zdemo.zitadel.resources import administrator

MINE = "# mine\n\nA=1  # one\n"


@pytest.fixture(scope="module")
def target(given_target: tuple[str, str] | None) -> Iterator[tuple[str, str]]:
    if given_target:
        yield given_target
        return
    with emulate() as emulator:
        yield emulator.url, ADMIN.pat


@pytest.fixture(scope="module")
def api(target: tuple[str, str]) -> Iterator[Api]:
    with closing(Server(target[0])) as server:
        yield Api(server, target[1])


@pytest.fixture(scope="module")
def home(api: Api, target: tuple[str, str]) -> Organization:
    return find_organization(api, administrator(CountingClient(target)).organization_id)


@pytest.fixture(scope="module")
def workshop(api: Api, home: Organization) -> Iterator[Workshop]:
    workshop = Workshop(api, home)
    yield workshop
    assert workshop.remove_everything() == []


@pytest.fixture
def desk(target: tuple[str, str], given_target: tuple[str, str] | None, api: Api, tmp_path: Path) -> Iterator[Desk]:
    run = secrets.token_hex(4)
    options = SetupOptions(
        project_name=f"zdemo-{run}-project",
        app_name=f"zdemo-{run}-api",
        reader_name=f"zdemo-{run}-reader",
        visitor_name=f"zdemo-{run}-visitor",
    )
    path = tmp_path / ".env"
    path.write_text(MINE)
    desk = Desk(target=target, path=path, options=options, api=api)
    yield desk
    if given_target:  # an emulator takes all with it
        desk.tear_down()
