"""What doctor names at any ZITADEL: at the emulator, or at one given by ``--zitadel`` and ``--admin-pat-file``.

Each test creates its own objects and removes them. A real ZITADEL's reads trail its writes, so doctor runs until it
names the cause.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cli import Ran, Shell
from tests.support.emulator_target import Server, as_real, given_or_emulated
from tests.support.waiting import eventually
from tests.support.workshop import App, User, Workshop
from tests.support.zitadel_api import Api
from zdemo.config.settings import Settings
from zdemo.server import create_app
from zdemo.serving.embedded import serving

ROLE = "read:messages"
OPEN = "it can be"
THOROUGH = pytest.mark.thorough  # what other files have at the emulator


@pytest.fixture(scope="module")
def admin(given_target: tuple[str, str] | None) -> Iterator[Api]:
    """The administrator of the ZITADEL under test."""
    with given_or_emulated(given_target, as_real) as (url, pat):
        yield Api(Server(url), pat)


class Site(NamedTuple):
    """A project with the role, an application and a user with a PAT, and a shell with the settings that fit them."""

    workshop: Workshop
    app: App
    user: User
    shell: Shell

    def says(self, *words: str, never: tuple[str, ...] = (OPEN,), **env: str) -> Ran:
        """Run doctor until it says all the words."""

        def named(ran: Ran) -> bool:
            flat = " ".join(ran.out.split())
            return all(word in flat for word in words) and not any(word in flat for word in never)

        return eventually(f"doctor says {words}", lambda: self.shell("doctor", **env), named)


@pytest.fixture
def site(admin: Api, tmp_path: Path) -> Iterator[Site]:
    assert admin.token
    workshop = Workshop(admin)
    project = workshop.project(ROLE)
    app, user = workshop.app(project), workshop.user()
    workshop.grant(user, project, ROLE)
    env = {
        "ZITADEL_DOMAIN": admin.server.url,
        "ZITADEL_ADMIN_PAT": admin.token,
        "CLIENT_ID": app.client_id,
        "CLIENT_SECRET": app.secret,
        "PAT": user.pat,
        "ZDEMO_PAT_USER_ID": user.id,
        "ZDEMO_PAT_ID": user.pat_id,
        "ZDEMO_ALLOW_HTTP": "1",
    }
    with serving(create_app(Settings.from_env(env))) as port:
        env["ZDEMO_API_URL"] = f"http://127.0.0.1:{port}"
        yield Site(workshop, app, user, Shell(folder=tmp_path, env=env))
    assert workshop.remove_everything() == []


def test_10_11_16_27_nothing_fails_where_nothing_is_wrong_and_wrong_settings_are_named(site: Site) -> None:
    assert site.says("role read:messages, granted by", never=("✗",)).code == 0
    site.says("CLIENT_SECRET is wrong", CLIENT_SECRET="x" * 64)
    site.says("no application has this client ID", CLIENT_ID="299999999999999999")
    site.says(f"CLIENT_ID={site.app.client_id}", CLIENT_ID=site.app.id)
    site.says("not an administrator", ZITADEL_ADMIN_PAT=site.user.pat)


@pytest.mark.parametrize(
    ("methods", "target", "words"),
    [
        (("ApplicationService/DeactivateApplication",), "application", ("the application {name} is inactive",)),
        (("ProjectService/DeactivateProject",), "project", ("the project {project}", "is inactive")),
        pytest.param(("UserService/RemovePersonalAccessToken",), "PAT", ("the PAT was deleted",), marks=THOROUGH),
        pytest.param(("UserService/DeactivateUser",), "user", ("is deactivated since",), marks=THOROUGH),
        (("UserService/LockUser", "UserService/UnlockUser"), "user", ("was locked", "is active again")),
        pytest.param(("UserService/DeleteUser",), "user", ("was removed",), marks=THOROUGH),
    ],
)
def test_18_20_41_what_was_changed(site: Site, methods: tuple[str, ...], target: str, words: tuple[str, ...]) -> None:
    ids: dict[str, dict[str, str]] = {
        "application": site.app.ids,
        "project": {"projectId": site.app.project.id},
        "user": {"userId": site.user.id},
        "PAT": {"userId": site.user.id, "tokenId": site.user.pat_id},
    }
    for method in methods:
        site.workshop.admin.do(method, **ids[target])
    site.says(*(text.format(name=site.app.name, project=site.app.project.name) for text in words))
