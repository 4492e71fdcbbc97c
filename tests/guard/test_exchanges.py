"""What a watched request asked ZITADEL: noted for it alone, also where another thread asks in its place."""

from collections.abc import Iterator

import pytest

from tests.support.apis import settings_for
from tests.support.connection_faults import ACTIVE
from tests.support.upstream import Upstream, answer, hang_up, upstream
from tests.support.waiting import eventually
from zdemo.errors import ConnectionFailed, ZitadelUnavailable
from zdemo.errors.response import Response
from zdemo.guard.build import build_introspector
from zdemo.guard.cache import CachingIntrospector
from zdemo.server.observe import Trace
from zdemo.zitadel.introspection_client import Exchange
from zdemo.zitadel.introspection_client import watched as watching


@pytest.fixture
def watched() -> Iterator[list[Exchange]]:
    noted = Trace(id="1", began=0.0)
    token = watching.set(noted)
    yield noted.exchanges
    watching.reset(token)


def api(server: Upstream) -> CachingIntrospector:
    return build_introspector(settings_for(server.url), threads=8)


def test_an_answer_and_a_failure_are_noted_with_their_times(watched: list[Exchange]) -> None:
    with upstream(ACTIVE) as server:
        api(server).introspect("a-token")
        api(server).introspect("a-token")
    with upstream(hang_up) as server, pytest.raises(ZitadelUnavailable):
        api(server).introspect("a-token")
    assert [type(exchange.outcome) for exchange in watched] == [Response, Response, ConnectionFailed]
    assert all(exchange.began < exchange.ended for exchange in watched)
    assert "a-token" not in repr(watched)


def test_a_probe_that_another_thread_sends_is_noted_for_its_request(watched: list[Exchange]) -> None:
    with upstream(answer(b"", 503)) as server:
        introspector = api(server)

        def refused() -> str:
            with pytest.raises(ZitadelUnavailable) as refusal:
                introspector.introspect("a-token")
            return refusal.value.message

        eventually("the breaker is open", refused, lambda message: "not asked for a moment" in message)
        before = len(watched)
        eventually("a probe is noted", lambda: (refused(), len(watched))[1], lambda count: count > before)
