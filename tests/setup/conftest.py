"""A ZITADEL for setup: the emulator, or the one that ``--zitadel URL --admin-pat-file FILE`` names."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.desk import Desk
from tests.support.emulator_target import Server, given_or_emulated
from tests.support.workshop import Workshop
from tests.support.zitadel_api import Api
from zdemo.setup.current import SetupOptions

MINE = "# mine\n\nA=1  # one\n"


@pytest.fixture(scope="module")
def target(given_target: tuple[str, str] | None) -> Iterator[tuple[str, str]]:
    with given_or_emulated(given_target) as target:
        yield target


@pytest.fixture(scope="module")
def api(target: tuple[str, str]) -> Iterator[Api]:
    with closing(Server(target[0])) as server:
        yield Api(server, target[1])


@pytest.fixture(scope="module")
def workshop(api: Api) -> Iterator[Workshop]:
    workshop = Workshop(api)
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
