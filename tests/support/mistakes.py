"""Apps that would show a text to everybody if their guard had to be in the right place, and requests for that text.

One shape for Flask and ASGI. ``check`` sends the requests with a token, which must show the text, or the row would
prove nothing, then with a valid token that lacks the role, and then with four that are not valid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.support.apis import Endpoint, settings_for
from tests.support.wire import Reply, bearer, request
from zdemo.config.settings import Settings
from zdemo.emulator import READER, VISITOR
from zdemo.zitadel.introspection_answer import ROLES_CLAIM, Introspection

TEXT = "what the guard keeps"
WITHOUT = ((), ("Authorization: Basic YTpi",), ("Authorization: Bearer",), (bearer("unknown"),))
PREFLIGHT = ("Origin: https://app.example", "Access-Control-Request-Method: GET")
NOT_OPEN = (  # where /open/* is
    *("/open/../private", "/open/..", "/open/x/../../private", "/open/%2e%2e/private", "/open/.%2E/private"),
    *("/open/%252e%252e/private", "/open/%25252e%25252e/x", "/open%2f..%2fprivate", "/open/..%2fprivate"),
    *("/open/%252e./private", "/open/..%5cprivate", "/open/..;/private", "//open/../private", "/open//../../x"),
    *("/open/x%3f/../../private", "/open/%3f/..%2f..%2fprivate", "/open/../private?/open/", "/open/%00/../../x"),
    *("/openprivate", "/open2/x", "/OPEN/x", "/Open", "/%6fpen2/x", "/private?/open/x", "/x/open/"),
)


class TwoTokens:
    """An introspector that knows the reader's token, and a visitor's without roles."""

    def introspect(self, token: str) -> Introspection:
        roles = {ROLES_CLAIM: {"a": {"1": "acme.localhost"}}} if token == READER.pat else {}
        return Introspection(active=token in (READER.pat, VISITOR.pat, "visitor"), claims={"sub": token[:7], **roles})


def arguments() -> tuple[Settings, TwoTokens]:
    return settings_for("http://127.0.0.1:9", project_id=None), TwoTokens()


@dataclass(frozen=True)
class Mistake:
    """An app, and requests for its text: paths, or functions of the fields with the token.

    ``shows`` tells whether a token with the role gets the text, ``role`` whether one without it must not.
    """

    build: Callable[[], Any]
    asks: tuple[str | Callable[..., bytes], ...] = ("/x",)
    shows: bool = True
    role: bool = False


def ask(target: str, *fields: str, **more: Any) -> Callable[..., bytes]:
    return partial(request, target, *fields, **more)


def shows(reply: Reply) -> bool:
    return TEXT.encode() in reply.body or any(TEXT in value for _, value in reply.fields)


def check(api: Endpoint, mistake: Mistake) -> None:
    requests = [ask(target) if isinstance(target, str) else target for target in mistake.asks]
    for send in requests:
        for token, is_admitted in ((READER.pat, mistake.shows), (VISITOR.pat, mistake.shows and not mistake.role)):
            reply = api.send(send(bearer(token)))
            assert shows(reply) == is_admitted, f"with the token {token}, {send!r} gets {reply}"
    for send in requests:
        for fields in WITHOUT:
            reply = api.send(send(*fields))
            assert not shows(reply), f"{send(*fields)!r} gets {reply}"
