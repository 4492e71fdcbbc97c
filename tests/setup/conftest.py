"""A ZITADEL for setup: the emulator, or the one that ``--zitadel URL --admin-pat-file FILE`` names."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.conftest import admin, server, target, workshop
from tests.support.desk import Desk
from tests.support.zitadel_api import Api
from zdemo.setup.current import SetupOptions

__all__ = ["admin", "server", "target", "workshop"]

MINE = "# mine\n\nA=1  # one\n"


@pytest.fixture
def desk(target: tuple[str, str], given_target: tuple[str, str] | None, admin: Api, tmp_path: Path) -> Iterator[Desk]:
    run = secrets.token_hex(4)
    options = SetupOptions(
        project_name=f"zdemo-{run}-project",
        app_name=f"zdemo-{run}-api",
        reader_name=f"zdemo-{run}-reader",
        visitor_name=f"zdemo-{run}-visitor",
    )
    path = tmp_path / ".env"
    path.write_text(MINE)
    desk = Desk(target=target, path=path, options=options, api=admin)
    yield desk
    if given_target:  # an emulator takes all with it
        desk.tear_down()
