"""The page as a Flask app beside the API: it answers ``/`` and its own paths below ``/-/``, and the API all others.

What it answers is neither logged nor counted, since it is not the API that answers.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from html import escape
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from zdemo.errors import ConnectionFailed, IntrospectionError, ZdemoError
from zdemo.guard.flask_guard import refusal_of_http
from zdemo.http.example_api import PAGE_PATH, PAGE_TITLE
from zdemo.page.access import Access, cookie_name
from zdemo.page.changes import change
from zdemo.page.events import Event, concealed, event_of, secrets_of, showable
from zdemo.page.explanations import send
from zdemo.page.feed import CHANGED, PageSlots, Watching
from zdemo.page.page_context import ChangeOrder, PageContext, PageOptions, PageRefusal, SendOrder
from zdemo.page.page_state import state
from zdemo.server.observe import WATCHER, Trace
from zdemo.server.request_bodies import BodyReader, cut_connection_after
from zdemo.serving import WSGIApp
from zdemo.serving.bus import Bus
from zdemo.serving.loopback import is_for_this_machine
from zdemo.text.redaction import Redaction

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SMALL_PAGE = (
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    f"{PAGE_TITLE}\n"
    '<link rel="stylesheet" href="/-/files/page.css">\n'
    '<link rel="icon" href="/-/files/icon.svg" type="image/svg+xml">\n'  # else the browser asks the API for one
    "<main>\n<h1>zdemo</h1>\n<p>{}</p>\n"
    "<p>Open the address that zdemo serve printed at its start, in the row “page”: type or paste it, with its key. "
    "The browser must accept its cookie.</p>\n</main>\n</html>\n"
)
FILES = f"{PAGE_PATH}files/"
OF_PEOPLE = ("/", PAGE_PATH)  # paths that a person opens, to whom a refusal is a page

log = logging.getLogger("zdemo.page")
T = TypeVar("T")


def paged(worker: Callable[[Bus], Flask], options: PageOptions, bus: Bus) -> WSGIApp:
    """Return the app of one worker with the page beside it; ``bus`` leads to the other workers.

    Under other host names than those of this machine there is no page.
    """
    api = worker(bus)
    page = _page(api, options, bus)
    paths = {rule.rule for rule in page.url_map.iter_rules()}

    def dispatch(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path not in paths and not path.startswith(FILES):
            return api(environ, start_response)
        is_own = path != "/" or environ["REQUEST_METHOD"] in ("GET", "HEAD")
        is_here = is_for_this_machine(environ)
        if path in OF_PEOPLE and is_own and not is_here:
            log.warning("no page for another host, or through a proxy: open the address that zdemo serve printed")
        return (page if is_own and is_here else api)(environ, start_response)

    return dispatch


def _page(api: Flask, options: PageOptions, bus: Bus) -> Flask:
    page = Flask("zdemo.page", static_folder="files", static_url_path=FILES.rstrip("/"))
    page.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    page.url_map.merge_slashes = False
    access, slots, hidden = Access(options.key), PageSlots(options.threads), secrets_of(options)
    _answer_errors(page, hidden)
    _add_views(page, api, options, bus, slots, hidden)

    @page.before_request
    def check() -> None:
        """Refuse a request without the proofs that it needs, and one of too many."""
        slots.take()
        g.has_slot = True
        access.check_origin(request, is_page=request.path in OF_PEOPLE)
        if not request.routing_exception and request.endpoint not in ("enter", "static"):
            access.check_proofs(request, needs_secret=request.endpoint != "index")

    @page.teardown_request
    def end(_error: BaseException | None) -> None:
        if g.pop("has_slot", False):
            slots.give_back()

    @page.after_request
    def secure(response: Response) -> Response:
        response.headers.update(SECURITY_HEADERS)
        return response

    @page.get("/")
    def enter() -> Response:
        """Exchange the key in the address for the cookie and the secret, and lead to the page."""
        key = request.args.get("key")
        if key is None:
            return Response(status=303, headers={"Location": PAGE_PATH})
        access.check_key(key)
        response = Response(status=303, headers={"Location": f"{PAGE_PATH}#secret={access.secret}"})
        response.set_cookie(cookie_name(request), access.cookie_value, httponly=True, samesite="Strict", path=PAGE_PATH)
        return response

    return page


def _answer_errors(page: Flask, hidden: Redaction) -> None:
    """Answer every error as a refusal: to a person as a small page, to the page as JSON."""

    @page.errorhandler(Exception)
    def refuse(error: Exception) -> Response:
        refusal = _refusal_for(error, hidden)
        if request.path in OF_PEOPLE:
            sentence = f"{refusal.description[:1].upper()}{refusal.description[1:]}."
            response = Response(SMALL_PAGE.format(escape(sentence)), mimetype="text/html")
        else:
            response = jsonify(refusal.document)
        response.status_code = refusal.status
        response.headers.update(refusal.headers)
        return cut_connection_after(response) if refusal.status == HTTPStatus.REQUEST_TIMEOUT else response


def _refusal_for(error: Exception, hidden: Redaction) -> PageRefusal:
    """Return the refusal that the page shows for an error, without the secrets that a server may repeat."""
    if isinstance(error, PageRefusal):
        return error
    if isinstance(error, HTTPException):
        refusal = refusal_of_http(error)
        return PageRefusal(refusal.status, refusal.error, refusal.description, headers=refusal.headers)
    if isinstance(error, ZdemoError):
        unanswered = 502 if isinstance(error, ConnectionFailed) else 400
        status = error.status if isinstance(error, IntrospectionError) else unanswered
        code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
        return PageRefusal(status, code, hidden(error.message), hint=hidden(error.hint))
    log.error("the page failed", exc_info=error)
    return PageRefusal(500, "internal_server_error", "unexpected error; see this API's log")


def _add_views(page: Flask, api: Flask, options: PageOptions, bus: Bus, slots: PageSlots, hidden: Redaction) -> None:
    """Add what the page asks for: its document, the state, the two actions and the feed."""
    worker = str(os.getpid())

    def describe(trace: Trace) -> Event:
        return event_of(trace, options, hidden, worker=worker, now=time.time())

    watching = Watching(api.extensions[WATCHER], describe, bus, worker=worker)
    context = PageContext(
        options=options,
        app=api,
        pats=dict(options.emulator_pats),
        tell=lambda name, event: watching.tell(name, showable(dict(event), hidden)),
    )
    bus.subscribe(CHANGED, lambda _change: context.explanations.clear())
    read_body = BodyReader(slots=max(1, options.threads // 2))

    @page.get(PAGE_PATH)
    def index() -> Response:
        return page.send_static_file("index.html")

    @page.get(f"{PAGE_PATH}state")
    def show_state() -> Any:
        return concealed(state(context), hidden)

    @page.post(f"{PAGE_PATH}send")
    def send_request() -> Any:
        return concealed(send(context, _body(read_body, SendOrder)), hidden)

    @page.post(f"{PAGE_PATH}change")
    def make_change() -> Any:
        return concealed(change(context, _body(read_body, ChangeOrder)), hidden)

    @page.get(f"{PAGE_PATH}feed")
    def open_feed() -> Response:
        slots.take_feed()
        g.has_slot = False  # the feed gives it back
        feed = watching.open(request.headers.get("Last-Event-ID", ""), partial(slots.give_back, feed=True))
        return Response(feed, content_type="text/event-stream")


def _body(read_body: BodyReader, kind: type[T]) -> T:
    """Return the order that was sent. Raises PageRefusal, or what the reader raises."""
    if request.mimetype != "application/json":
        raise PageRefusal(415, "not_json", "the body must be JSON, with Content-Type: application/json")
    read_body(request.environ)
    try:
        return msgspec.json.decode(request.get_data(), type=kind)
    except (msgspec.MsgspecError, RecursionError):  # whose text may repeat a value
        raise PageRefusal(400, "invalid_body", "the body is not the JSON that the page sends") from None
