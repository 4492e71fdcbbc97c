"""What ``zdemo call`` requests: a route of the demo API, a path of any API, or a URL."""

import re
from dataclasses import dataclass

from zdemo.cli.suggestions import near
from zdemo.client import Endpoint, Route, other_route
from zdemo.config.names import THE_URL
from zdemo.config.origins import DAMAGED_SCHEME
from zdemo.errors import UsageError

KNOWN = "public, private, scoped, a path such as /messages, or a URL"


@dataclass(frozen=True, kw_only=True)
class CallTarget:
    """An endpoint, and the address that the command line gives for the API; ``option`` is what gives it."""

    endpoint: Endpoint
    address: str | None
    option: str = "--url"

    @property
    def is_url(self) -> bool:
        """Whether the whole URL was typed."""
        return self.option == THE_URL


def target(text: str, url: str | None) -> CallTarget:
    """Return what an argument names; ``url`` is the value of ``--url``. Raises UsageError if it names nothing."""
    if text in list(Route):
        return CallTarget(endpoint=Route(text), address=url)
    if text.startswith("/"):
        return CallTarget(endpoint=other_route(text, typed=text), address=url)
    if "://" not in text and not DAMAGED_SCHEME.match(text):
        raise _unknown(text)
    if url is not None:
        raise UsageError("--url cannot be combined with a URL", hint="leave out --url, or give the path alone")
    scheme, mark, rest = text.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path = rest[len(host) :]
    endpoint = other_route(path if path.startswith("/") else f"/{path}", typed=text)
    return CallTarget(endpoint=endpoint, address=f"{scheme}{mark}{host}", option=THE_URL)


def _unknown(text: str) -> UsageError:
    if meant := near(text, list(Route)):
        return UsageError(f"unknown route: {text}", hint=f"did you mean {meant}?")
    hint = f"did you mean /{text}?" if re.fullmatch(r"[\w.-]+(/[\w.-]*)+", text) else "zdemo call --help"
    return UsageError(f"unknown route: {text} ({KNOWN})", hint=hint)
