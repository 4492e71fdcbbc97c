"""An emulator with an API application that has a key file and no secret, created over the API."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from zdemo.config.key_file import ApplicationKey, read_key_file
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, PROJECT_ID, emulate

APPLICATIONS = "zitadel.application.v2.ApplicationService"
BY_KEY = {"authMethodType": "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}


def settings_for(url: str, key: ApplicationKey) -> Settings:
    return Settings(issuer=url, client_id=key.client_id, client_secret="", key=key)


@dataclass(kw_only=True)
class KeySite:
    """The emulator's URL and the key file. ``ids`` are the application's and the key's, as the API expects them."""

    url: str
    file: Path
    ids: dict[str, str] = field(default_factory=lambda: {"projectId": PROJECT_ID})

    @property
    def settings(self) -> Settings:
        key, _ = read_key_file(str(self.file), Path())
        return settings_for(self.url, key)

    def do(self, method: str, **fields: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {ADMIN.pat}"}
        response = requests.post(f"{self.url}/{APPLICATIONS}/{method}", json=fields, headers=headers, timeout=5)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def delete_key(self) -> None:
        self.do("DeleteApplicationKey", **self.ids)


@contextmanager
def key_site(file: Path) -> Iterator[KeySite]:
    """Run an emulator with such an application; only the owner can read the key file."""
    with emulate() as emulator:
        site = KeySite(url=emulator.url, file=file)
        made = site.do("CreateApplication", projectId=PROJECT_ID, name="by key", apiConfiguration=BY_KEY)
        site.ids["applicationId"] = made["applicationId"]
        expires = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        created = site.do("CreateApplicationKey", **site.ids, expirationDate=expires)
        site.ids["keyId"] = created["keyId"]
        file.touch(0o600)
        file.write_bytes(base64.b64decode(created["keyDetails"]))
        yield site
