"""The app as a plain WSGI application: what the server in front may be is not for the app to say (PEP 3333)."""

from __future__ import annotations

from collections.abc import Iterator
from wsgiref.validate import validator

import pytest

from tests.server.apis import THREADS, Api, asking
from tests.server.rows import ROWS, check
from zdemo.config import Settings
from zdemo.server import create_app
from zdemo.serving import serving

# The validator knows no chunked bodies, and warns of every method that RFC 2616 lacks.
VALIDATED = {
    name: row for name, row in ROWS.items() if b"chunked" not in row.data and row.status != 405 and not row.bodiless
}


@pytest.fixture(scope="module")
def validated(settings: Settings) -> Iterator[Api]:
    with asking(settings) as client:
        app = create_app(settings, client)
        with serving(validator(app), threads=THREADS) as port:
            yield Api(port=port, app=app)


@pytest.mark.parametrize("name", VALIDATED)
def test_the_validator_is_content(name: str, validated: Api) -> None:
    """It ends a request that breaks a rule with an ``AssertionError``, hence a 500 of the server's."""
    check(validated.send(ROWS[name].data), ROWS[name])
