"""What the trace of a request keeps for the page."""

from tests.support.apis import PRIVATE, running, settings_for
from tests.support.waiting import eventually
from tests.support.wire import request
from zdemo.server import WATCHER, Trace, Watcher, create_app
from zdemo.server.watcher import MOST_HEADER_BYTES


def test_the_trace_of_a_large_request_is_small_and_has_the_token() -> None:
    app = create_app(settings_for("http://localhost:9"))
    watcher: Watcher = app.extensions[WATCHER]
    traces: list[Trace] = []
    watcher.watching, watcher.ended = True, traces.append
    authorization = f"Bearer {'a' * 20_000}"  # too long, so that an error is raised
    fields = [f"X-{number}: {'x' * 10_000}" for number in range(8)]
    with running(app) as api:
        api.send(request(PRIVATE, *fields, f"Authorization: {authorization}"))
        [trace] = eventually("it has ended", lambda: traces)
    assert trace.authorization == authorization
    assert sum(len(value) for _, value in trace.request_headers) == MOST_HEADER_BYTES
    assert trace.error
    assert trace.error.__traceback__ is None
