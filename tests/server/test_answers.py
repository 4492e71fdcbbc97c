"""The table of answers, over sockets, with the emulator behind the API; and the removal window."""

from typing import Any
from wsgiref.validate import validator

import pytest

from tests.support.apis import PRIVATE, SCOPED, Api, Time, asking, plain_api, protected_api, running, settings_for
from tests.support.rows import INSUFFICIENT_SCOPE, INVALID_TOKEN, ROWS, check, check_rows
from tests.support.upstream import reset, upstream
from zdemo.config.settings import Settings
from zdemo.emulator import READER, emulate
from zdemo.server import create_app

# wsgiref's validator does not support chunked bodies, and warns about methods that RFC 2616 lacks.
VALIDATED = {
    name: row for name, row in ROWS.items() if b"chunked" not in row.data and row.status != 405 and not row.bodiless
}


@pytest.mark.parametrize("name", ROWS)
def test_the_answer_is_the_one_in_the_table(name: str, api: Api) -> None:
    check(api.send(ROWS[name].data), ROWS[name])


def test_the_app_keeps_the_rules_of_wsgi(settings: Settings) -> None:
    """The validator raises ``AssertionError`` when the app breaks a rule of PEP 3333, so the server answers 500."""
    with asking(settings) as client:
        app = create_app(settings, client)
        valid = validator(app.wsgi_app)

        def call(environ: dict[str, Any], start_response: Any) -> Any:
            return valid(environ | {"REMOTE_PORT": str(environ["REMOTE_PORT"])}, start_response)  # a number is wrong

        app.wsgi_app = call  # type: ignore[method-assign]  # as Flask's documentation says
        with running(app) as api:
            check_rows(api, VALIDATED)


def test_zitadel_is_not_asked_where_it_need_not_be() -> None:
    with upstream(reset) as up, plain_api(settings_for(up.url)) as api:
        check_rows(api, {name: row for name, row in ROWS.items() if not row.asks})
        assert up.requests == []


@pytest.mark.parametrize(("target", "challenge"), [(SCOPED, INSUFFICIENT_SCOPE), (PRIVATE, INVALID_TOKEN)])
def test_a_removed_role_or_token_passes_until_the_answer_is_too_old(target: str, challenge: str) -> None:
    clocks = Time()
    with emulate() as zitadel, protected_api(settings_for(zitadel.url), clocks) as api:
        assert api.get(target).status == 200
        if target == SCOPED:
            zitadel.world.authorizations.clear()
        else:
            zitadel.world.users[READER.id].pats.clear()
        for seconds, expected in ((4.0, None), (5.0, challenge), (5.5, challenge)):
            clocks.ahead_seconds = seconds
            assert api.get(target).one("www-authenticate") == expected
