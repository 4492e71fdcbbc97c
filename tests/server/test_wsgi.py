"""The app as a plain WSGI application (PEP 3333), for any server."""

from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from tests.support.apis import Api, asking
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
