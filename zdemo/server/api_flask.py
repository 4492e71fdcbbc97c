"""Flask without what takes time and this API does not use: 6 µs of some 40 per request, see docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from flask import Flask, Request, Response
from flask.json.provider import DefaultJSONProvider
from flask.sessions import NullSession, SessionInterface

COMPACT = {"separators": (",", ":")}  # what Flask asks for when it does not debug
WITHOUT_BODY = (204, 304)


class OnePiece(Response):
    """A response that is given to the server as a list, if it is in memory, and not as an iterator with an end."""

    def get_app_iter(self, environ: dict[str, Any]) -> Iterable[bytes]:
        """Return the body."""
        if not self.is_sequence or environ["REQUEST_METHOD"] == "HEAD" or self.status_code in WITHOUT_BODY:
            return super().get_app_iter(environ)
        body = list(self.iter_encoded())
        self.close()
        return body


class OneEncoder(DefaultJSONProvider):
    """JSON as Flask writes it, by an encoder that is made once, and not for each answer."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._encoder = json.JSONEncoder(
            default=self.default,
            ensure_ascii=self.ensure_ascii,
            sort_keys=self.sort_keys,
            separators=COMPACT["separators"],
        )

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return JSON text."""
        return self._encoder.encode(obj) if kwargs == COMPACT else super().dumps(obj, **kwargs)


class NoSessions(SessionInterface):
    """Sessions of an app without a secret key: always empty, and never saved."""

    _empty = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002  # Flask's
        """Return the session of every request."""
        return self._empty


class ApiFlask(Flask):
    """The app of the example API."""

    response_class = OnePiece
    json_provider_class = OneEncoder
    session_interface = NoSessions()
