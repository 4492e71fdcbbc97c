"""An emulator with an API application that has a key file and no secret, created over the API."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zdemo.config.address import ZitadelAddress
from zdemo.config.key_file import SigningKey, read_key_file
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, PROJECT_ID, emulate
from zdemo.zitadel import resources
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.records import Auth

APPLICATION_ID = "7"
DAY_MILLISECONDS = 86_400_000


def settings_for(url: str, key: SigningKey) -> Settings:
    return Settings(issuer=url, client_id=key.subject, client_secret="", key=key)


@dataclass(frozen=True, kw_only=True)
class KeySite:
    """The emulator's URL and the key file."""

    url: str
    file: Path
    delete_key: Callable[[], None]

    @property
    def settings(self) -> Settings:
        key, _ = read_key_file(str(self.file), Path())
        return settings_for(self.url, key)


@contextmanager
def key_site(file: Path, *, lifetime_milliseconds: int = DAY_MILLISECONDS) -> Iterator[KeySite]:
    """Run an emulator with such an application; only the owner can read the key file."""
    with emulate() as emulator, ManagementClient(ZitadelAddress(emulator.url), ADMIN.pat, timeout_seconds=5) as client:
        resources.create_application(
            client, project_id=PROJECT_ID, application_id=APPLICATION_ID, name="by key", auth=Auth.KEY
        )
        expires = int(time.time() * 1000) + lifetime_milliseconds
        key = resources.create_application_key(client, PROJECT_ID, APPLICATION_ID, expires=expires)
        file.touch(0o600)
        file.write_text(key.secret)

        def delete_key() -> None:
            resources.delete_application_key(client, PROJECT_ID, APPLICATION_ID, key.id)

        yield KeySite(url=emulator.url, file=file, delete_key=delete_key)
