"""Apps that would show a text to everybody if their guard had to be in the right place, and requests for that text.

One shape for Flask and ASGI: a row is a function that makes an app. ``check`` sends its requests with a token, which
must show the text (or the row would prove nothing), and then without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.support.apis import Endpoint, settings_for
from tests.support.wire import Reply, bearer, request
from zdemo.emulator import READER
from zdemo.introspection.model import ROLES_CLAIM, Introspection

TEXT = "what the guard keeps"
SETTINGS = settings_for("http://127.0.0.1:9", project_id=None)
WITHOUT = ((), ("Authorization: Basic YTpi",), ("Authorization: Bearer",), (bearer("unknown"),))
ORIGIN = "Origin: https://app.example"
PREFLIGHT = (ORIGIN, "Access-Control-Request-Method: GET")

Ask = Callable[..., bytes]


class TwoTokens:
    """An introspector that knows the reader's token, and a visitor's without roles; ``asked`` has all tokens."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def introspect(self, token: str) -> Introspection:
        """Return what ZITADEL would say."""
        self.asked.append(token)
        roles = {ROLES_CLAIM: {"a": {"1": "acme.localhost"}}} if token == READER.pat else {}
        return Introspection(active=token in (READER.pat, "visitor"), claims={"sub": token[:7], **roles})


@dataclass(frozen=True)
class Mistake:
    """An app, and requests for its text. ``shows`` tells whether a token with the role gets it."""

    build: Callable[[], Any]
    asks: tuple[Ask, ...]
    shows: bool = True


class Mistakes(dict[str, Mistake]):
    """Rows by the names of the functions that make the apps."""

    def row(self, *asks: Ask | str, shows: bool = True) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
        """Add a row; a path is a GET."""

        def add(build: Callable[[], Any]) -> Callable[[], Any]:
            each = tuple(ask(one) if isinstance(one, str) else one for one in asks or ("/x",))
            assert build.__name__ not in self
            self[build.__name__] = Mistake(build, each, shows)
            return build

        return add


def ask(target: str, *fields: str, **more: Any) -> Ask:
    """Return a request that lacks its token."""
    return partial(request, target, *fields, **more)


def shows(reply: Reply) -> bool:
    """Tell whether a reply has the text, be it in a header field."""
    return TEXT.encode() in reply.body or any(TEXT in value for _, value in reply.fields)


def check(api: Endpoint, mistake: Mistake) -> None:
    """Assert that a token shows the text, if one can, and that without one nothing does."""
    for one in mistake.asks:
        admitted = api.send(one(bearer(READER.pat)))
        assert shows(admitted) == mistake.shows, f"with a token, {one()!r} gets {admitted}"
    for one in mistake.asks:
        for field in WITHOUT:
            reply = api.send(one(*field))
            assert not shows(reply), f"{one(*field)!r} gets {reply}"
