"""The page as a layer around the API: it answers ``/`` and its own paths below ``/-/``, and passes on all others.

What it answers is neither logged nor counted, since it is not the API that answers.
"""

import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask

from zdemo.config.masking import SECRET_SETTINGS
from zdemo.config.redaction import Redaction
from zdemo.errors import ConnectionFailed, IntrospectionError, ZdemoError
from zdemo.page import feed
from zdemo.page.access import PREFIX, Access, Environ
from zdemo.page.answers import HTML, PageRefusal, StartResponse, answer, json_bytes, refuse, start
from zdemo.page.callers import CALLERS
from zdemo.page.changes import change
from zdemo.page.context import PageContext, PageOptions
from zdemo.page.events import Event, concealed, event_of, showable
from zdemo.page.limits import PageSlots
from zdemo.page.marks import proof_of
from zdemo.page.sending import send
from zdemo.page.state import state
from zdemo.page.static import FILES, page_file
from zdemo.page.watching import CHANGED, Watching
from zdemo.server import WATCHER, BodyReader, BodyTooSlow, TooManyBodies, Trace, then_cut
from zdemo.serving import WSGIApp
from zdemo.serving.bus import Bus
from zdemo.serving.loopback import is_for_this_machine

LARGEST_BODY_BYTES = 64 * 1024

Handler = Callable[[PageContext, Mapping[str, Any]], Mapping[str, Any]]

# A handler gets the JSON object that was sent (empty for GET), and returns the one to answer.
# It raises PageRefusal, or a ZdemoError, whose message and hint are answered.
ROUTES: Mapping[tuple[str, str], Handler] = {
    ("GET", f"{PREFIX}state"): state,
    ("POST", f"{PREFIX}send"): send,
    ("POST", f"{PREFIX}change"): change,
}
FEED = f"{PREFIX}feed"
DESCRIPTION, API_DESCRIPTION = f"{PREFIX}openapi.json", "/openapi.json"  # the same, but not in the feed
PATHS = frozenset(path for _, path in ROUTES) | {"/", PREFIX, FEED, DESCRIPTION}
OF_PEOPLE = ("/", PREFIX)  # paths that a person opens, to whom a refusal is a page

log = logging.getLogger("zdemo.page")


def paged(app: Flask, options: PageOptions, bus: Bus | None = None) -> WSGIApp:
    """Return an app of ``create_app`` with the page in front of it; ``bus`` leads to its other workers.

    Raises GuardError if the key is too short.
    """
    return _Page(app, options, bus)


class _Page:
    def __init__(self, app: Flask, options: PageOptions, bus: Bus | None) -> None:
        self._app = app
        self._access = Access(options.key)
        self._slots = PageSlots(options.threads)
        self._read_body = BodyReader(places=max(1, options.threads // 2))
        self._worker = str(os.getpid())
        self._hidden = _secrets(options, self._access)
        bus = bus or Bus()
        self._watching = Watching(app.extensions[WATCHER], self._event, bus)
        self._context = PageContext(
            options=options,
            app=app,
            user_ids=dict(options.emulator_users),
            pat_ids=dict(options.emulator_pats),
            tell=lambda name, event: self._watching.tell(name, showable(dict(event), self._hidden)),
        )
        bus.subscribe(CHANGED, lambda _change: self._context.explanations.clear())

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path != "/" and not path.startswith(PREFIX):
            return self._app(environ, start_response)
        if not self._is_own(environ, path):
            return self._app(environ, start_response)
        try:
            with self._slots.request():
                return self._answer(environ, start_response, path)
        except PageRefusal as refusal:
            answered = refuse(start_response, refusal, as_html=path in OF_PEOPLE)
            return then_cut(answered) if refusal.status == HTTPStatus.REQUEST_TIMEOUT else answered

    def _is_own(self, environ: Environ, path: str) -> bool:
        """Return whether a request is the page's; under other host names there is no page."""
        if path == "/" and environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return False
        return (path in PATHS or path.startswith(FILES)) and is_for_this_machine(environ)

    def _answer(self, environ: Environ, start_response: StartResponse, path: str) -> Iterable[bytes]:
        self._access.check_origin(environ, is_page=path in OF_PEOPLE)
        if path == "/":
            return self._enter(environ, start_response)
        method = "GET" if environ["REQUEST_METHOD"] == "HEAD" else environ["REQUEST_METHOD"]
        allowed = [known for known, at in ROUTES if at == path] or ["GET"]
        if method not in allowed:
            description = f"{path} takes {' and '.join(allowed)}"
            raise PageRefusal(405, "method_not_allowed", description, headers=[("Allow", ", ".join(allowed))])
        if path.startswith(FILES):
            return answer(start_response, 200, *page_file(path.removeprefix(FILES)))
        self._access.check_cookie(environ)
        if path == PREFIX:
            return answer(start_response, 200, *page_file("index.html"))
        self._access.check_secret(environ)
        if path == FEED:
            return self._feed(environ, start_response)
        if path == DESCRIPTION:
            return self._described(start_response)
        body = _json_object(environ, self._read_body) if method == "POST" else {}
        document = self._handled(ROUTES[method, path], body)
        return answer(start_response, 200, json_bytes(concealed(document, self._hidden)))

    def _handled(self, handler: Handler, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a handler answers; its errors become refusals, without the secrets that a server may repeat."""
        try:
            return handler(self._context, body)
        except PageRefusal:
            raise
        except ZdemoError as error:
            unanswered = 502 if isinstance(error, ConnectionFailed) else 400
            status = error.status if isinstance(error, IntrospectionError) else unanswered
            code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
            raise PageRefusal(status, code, self._hidden(error.message), hint=self._hidden(error.hint)) from error
        except Exception as error:
            log.exception("the page failed")
            raise PageRefusal(500, "internal_server_error", "unexpected error; see this API's log") from error

    def _feed(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "HEAD":
            return answer(start_response, 200, b"", feed.MEDIA_TYPE)
        self._slots.open_feed()
        last_id = environ.get("HTTP_LAST_EVENT_ID", "")
        stream = feed.Feed(self._watching, self._worker, last_id, self._slots.close_feed)
        start(start_response, 200, [("Content-Type", feed.MEDIA_TYPE)])
        return stream

    def _described(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the description of the API, which is in the app without its layers."""
        with self._app.test_request_context(API_DESCRIPTION):
            return answer(start_response, 200, self._app.full_dispatch_request().get_data())

    def _event(self, trace: Trace) -> Event:
        return event_of(trace, self._context.options, self._hidden, worker=self._worker, now=time.time())

    def _enter(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Exchange the key in the address for the cookie and the secret, and lead to the page."""
        key = self._access.key_in(environ)
        if key is None:
            return answer(start_response, 303, b"", HTML, [("Location", PREFIX)])
        self._access.check_key(key)
        place, cookie = f"{PREFIX}#secret={self._access.secret}", self._access.new_cookie(environ)
        return answer(start_response, 303, b"", HTML, [("Location", place), ("Set-Cookie", cookie)])


def _secrets(options: PageOptions, access: Access) -> Redaction:
    """Return what hides the secrets that this worker knows."""
    hidden = Redaction()
    hidden.hide(options.key, access.cookie_value, access.secret, options.settings.client_secret)
    hidden.hide(*(proof_of(options.key, caller) for caller in CALLERS))
    hidden.hide(*(options.environment.get(name, "") for name in SECRET_SETTINGS))
    return hidden


def _json_object(environ: Environ, read_body: Callable[[Environ], None]) -> dict[str, Any]:
    """Return the JSON object that was sent. Raises PageRefusal."""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise PageRefusal(415, "not_json", "the body must be JSON, with Content-Type: application/json")
    length = environ.get("CONTENT_LENGTH", "")
    if not re.fullmatch(r"\d{1,9}", length, re.ASCII):
        raise PageRefusal(411, "length_required", "the request has no Content-Length")
    if int(length) > LARGEST_BODY_BYTES:
        raise PageRefusal(413, "too_large", f"the body is larger than {LARGEST_BODY_BYTES >> 10} KiB")
    try:
        read_body(environ)
        value = json.loads(environ["wsgi.input"].read())
    except BodyTooSlow as slow:
        raise PageRefusal(408, "too_slow", slow.description, headers=[("Connection", "close")]) from None
    except TooManyBodies as many:
        raise PageRefusal(503, "too_many_bodies", many.description, headers=[("Retry-After", "1")]) from None
    except (OSError, ValueError, RecursionError):
        raise PageRefusal(400, "not_json", "the body is not JSON") from None
    if not isinstance(value, dict):
        raise PageRefusal(400, "not_json", "the body is not a JSON object")
    return value
