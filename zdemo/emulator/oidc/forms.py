"""The parameters and client credentials of a request, read as ZITADEL's OpenID provider reads them.

Python's own form parsers are more lenient than Go's (broken percent escapes, semicolons), so the form is read here.
"""

import re
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote_plus

from flask import request

from zdemo.emulator.bodies import TOO_LARGE
from zdemo.emulator.oidc.responses import OAuthError

MOST_PARAMETERS = 100  # of the body and of the query each; the emulator's own limit
FORM = "application/x-www-form-urlencoded"
BODY_METHODS = ("POST", "PUT", "PATCH")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Form:
    """The parameters of the body and the query, those of the body first, or why they could not be read."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    problem: OAuthError | None = None

    @classmethod
    def of_request(cls) -> Self:
        """Read the current request. What is wrong with it is raised once a parameter is looked for.

        It is a 400, for a broken escape, a semicolon, or a form that is too large.
        """
        with_body = request.method in BODY_METHODS and request.mimetype == FORM
        try:
            if with_body and request.environ.get(TOO_LARGE):
                raise ValueError("http: request body too large")
            body = request.get_data(cache=True).decode("utf-8", "replace") if with_body else ""
            return cls([*_pairs(body), *_pairs(request.environ["QUERY_STRING"])])
        except ValueError as error:
            return cls(problem=OAuthError("invalid_request", "error parsing form", parent=str(error)))

    def find(self, name: str) -> str | None:
        """Return a parameter, the last one of several, or None when it is absent."""
        return next((value for key, value in reversed(self._read()) if key == name), None)

    def last(self, name: str) -> str:
        """Return a parameter like ``find``, but an empty text when it is absent."""
        return self.find(name) or ""

    def first(self, name: str) -> str:
        """Return the first of several parameters, or an empty text when it is absent."""
        return next((value for key, value in self._read() if key == name), "")

    def _read(self) -> list[tuple[str, str]]:
        if self.problem:
            raise self.problem
        return self.pairs


@dataclass(frozen=True, kw_only=True)
class ClientCredentials:
    """The credentials of a client, not yet verified. An assertion wins over a secret."""

    client_id: str
    client_secret: str = field(repr=False)
    client_assertion: str = field(repr=False)

    @classmethod
    def of_request(cls, form: Form) -> Self:
        """Take them from the form, or from ``Authorization: Basic``, which wins (RFC 6749 §2.3.1).

        Raises OAuthError: 400, for missing or malformed credentials.
        """
        client_id, secret = form.last("client_id"), form.last("client_secret")
        if basic := _basic(request.environ.get("HTTP_AUTHORIZATION", "")):
            try:
                client_id, secret = (_unescaped(half) for half in basic)
            except ValueError as error:
                raise OAuthError("invalid_client", "invalid basic auth header", parent=str(error)) from error
        assertion, kind = form.last("client_assertion"), form.last("client_assertion_type")
        if not client_id and not assertion:
            raise OAuthError("invalid_request", "client_id or client_assertion must be provided")
        if assertion and kind != ASSERTION_TYPE:
            raise OAuthError("invalid_request", f"invalid client_assertion_type {kind}")
        return cls(client_id=client_id, client_secret=secret, client_assertion=assertion)


def _basic(header: str) -> tuple[str, str] | None:
    """Return user name and password (RFC 7617 §2), or None for anything but well-formed Basic credentials."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = b64decode(encoded, validate=True).decode("utf-8", "replace")
    except ValueError:
        return None
    name, colon, password = pair.partition(":")
    return (name, password) if colon else None


def _pairs(text: str) -> list[tuple[str, str]]:
    if text.count("&") >= MOST_PARAMETERS:
        raise ValueError("too many parameters")
    pairs = []
    for part in filter(None, text.split("&")):
        if ";" in part:
            raise ValueError("invalid semicolon separator in query")
        name, _, value = part.partition("=")
        pairs.append((_unescaped(name), _unescaped(value)))
    return pairs


def _unescaped(text: str) -> str:
    if broken := _BROKEN_ESCAPE.search(text):
        raise ValueError(f"invalid URL escape at {broken.start()}")
    return unquote_plus(text)
