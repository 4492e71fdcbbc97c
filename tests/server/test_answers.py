"""The table of answers, over sockets, with the emulator behind the API; odd bytes; and the removal window."""

import pytest

from tests.support.apis import PRIVATE, SCOPED, Api, Time, plain_api, protected_api, settings_for
from tests.support.rows import INSUFFICIENT_SCOPE, INVALID_TOKEN, ROWS, check, check_body, check_rows
from tests.support.upstream import reset, upstream
from zdemo.config.settings import Settings
from zdemo.emulator import READER, VISITOR, emulate


@pytest.mark.parametrize("name", ROWS)
def test_the_answer_is_the_one_in_the_table(name: str, api: Api) -> None:
    check(api.send(ROWS[name].data), ROWS[name])


def test_zitadel_is_not_asked_where_it_need_not_be() -> None:
    with upstream(reset) as up, plain_api(settings_for(up.url)) as api:
        check_rows(api, {name: row for name, row in ROWS.items() if not row.asks})
        assert up.requests == []


def test_the_status_of_a_missing_role_is_a_setting(settings: Settings) -> None:
    with plain_api(settings_for(settings.issuer, role_denied_status=403)) as api:
        reply = api.get(SCOPED, VISITOR.pat)
        assert reply.status == 403
        assert reply.one("www-authenticate") == INSUFFICIENT_SCOPE
        check_body(reply, "insufficient_scope", description="the role read:messages is missing")
        assert api.get(SCOPED, READER.pat).status == 200
        assert api.get(SCOPED, "unknown").status == 401


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
