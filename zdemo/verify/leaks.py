"""Whether a text holds a token or a secret of this run. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping

from zdemo.introspection.client import basic_credentials

LEAST = 20  # characters of a text that is looked for; shorter ones occur by chance
LEAST_DIFFERENT = 8  # of them; fewer make a line of equals signs, not a part of a token
LIKE_A_TOKEN = re.compile(rf"[\w.~+/=-]{{{LEAST},}}", re.ASCII)


def leaks_in(text: str, tokens: Iterable[str], secrets: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of the tokens and secrets, which have names, a text holds.

    A part of a token counts too, except a JWT's header, which is no secret.
    """
    parts = {part for token in tokens for part in _parts(token.partition(".")[2] or token)}
    leaked = any(not parts.isdisjoint(_parts(found[0])) for found in LIKE_A_TOKEN.finditer(text))
    found = ["a token"] if leaked else []
    found += [name for name, secret in secrets.items() if len(secret) >= LEAST and secret in text]
    return tuple(found)


def _parts(text: str) -> Iterator[str]:
    """Yield what could be a part of a token, of the length that is looked for."""
    pieces = (text[start : start + LEAST] for start in range(len(text) - LEAST + 1))
    return (piece for piece in pieces if len(set(piece)) >= LEAST_DIFFERENT)


def secrets_of(client_id: str, client_secret: str) -> dict[str, str]:
    """Return the forms in which a client's secret travels, by their names (RFC 6749 §2.3.1)."""
    basic = basic_credentials(client_id, client_secret).removeprefix("Basic ")
    return {"the client secret": client_secret, "the client credentials": basic}
