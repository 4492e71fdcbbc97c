"""Whether a text holds a token or a secret of this run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zdemo.introspection.client import basic_credentials

LEAST = 20  # characters of a text that is looked for; shorter ones occur by chance


def leaks_in(text: str, tokens: Iterable[str], secrets: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of the tokens and secrets, which have names, a text holds."""
    found = ["a token"] if any(len(token) >= LEAST and token in text for token in tokens) else []
    found += [name for name, secret in secrets.items() if len(secret) >= LEAST and secret in text]
    return tuple(found)


def secrets_of(client_id: str, client_secret: str) -> dict[str, str]:
    """Return the forms in which a client's secret travels, by their names (RFC 6749 §2.3.1)."""
    basic = basic_credentials(client_id, client_secret).removeprefix("Basic ")
    return {"the client secret": client_secret, "the client credentials": basic}
