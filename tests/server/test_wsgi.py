"""The app as a plain WSGI application (PEP 3333), for any server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from tests.support.apis import Api, asking
from tests.support.key_site import key_site
from tests.support.rows import ROWS, check_rows
from zdemo.config.settings import Settings
from zdemo.server import create_app
from zdemo.serving.embedded import serving

# The validator does not support chunked bodies, and warns about methods that RFC 2616 lacks.
VALIDATED = {
    name: row for name, row in ROWS.items() if b"chunked" not in row.data and row.status != 405 and not row.bodiless
}


@pytest.fixture(scope="module")
def validated(settings: Settings) -> Iterator[Api]:
    with asking(settings) as client:
        app = create_app(settings, client)
        valid = validator(app)

        def call(environ: dict[str, Any], start_response: Any) -> Any:
            environ["REMOTE_PORT"] = str(environ["REMOTE_PORT"])  # a number, against PEP 3333
            return valid(environ, start_response)

        with serving(call) as port:
            yield Api(port=port, app=app)


def test_the_validator_is_content(validated: Api) -> None:
    """The validator raises ``AssertionError`` when the app breaks a rule, so the server answers 500."""
    check_rows(validated, VALIDATED)


def test_warnings_about_the_settings_are_logged(tmp_path: Path) -> None:
    with key_site(tmp_path / "key.json") as site:
        site.file.chmod(0o644)
        env = {"ZITADEL_DOMAIN": site.url, "ZITADEL_KEY_FILE": str(site.file)}
        code = "from zdemo.server import create_app; create_app()"
        ran = subprocess.run(  # noqa: S603  # a process, since its settings are its environment
            [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
        )
    assert "other users" in ran.stderr
    assert "chmod 600" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
