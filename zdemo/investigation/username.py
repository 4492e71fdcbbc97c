"""Whose token it is, by name."""

from contextlib import closing

from zdemo.config.settings import Settings
from zdemo.diagnosis import quoted
from zdemo.errors import IntrospectionError, SettingsError
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspection

LONGEST_SHOWN = 60  # characters
PATIENCE_SECONDS = 1.0  # the name is an addition to an answer that is there


def username_in(introspection: Introspection | None) -> str:
    """Return the name in an introspection as it may be shown, or nothing."""
    return quoted(introspection.text("username"), LONGEST_SHOWN) if introspection else ""


def username_of(settings: Settings, token: str) -> str:
    """Return the name of a token's user, or nothing if ZITADEL does not give it at once."""
    seconds = min(settings.timeout_seconds, PATIENCE_SECONDS)
    try:
        with closing(IntrospectionClient(settings, timeout_seconds=seconds)) as client:
            return username_in(client.introspect(token))
    except (IntrospectionError, SettingsError):
        return ""
