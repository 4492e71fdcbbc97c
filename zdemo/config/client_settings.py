"""The settings of the test client. Apart from the others, since ``zdemo call`` loads no more than it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zdemo.config.environment import setting_of, where_to_mend
from zdemo.config.parsers import DEFAULT_TIMEOUT_SECONDS, Reader, flag, origin, timeout

API_URL = "ZDEMO_API_URL"
DEFAULT_API_URL = "http://127.0.0.1:5000"


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """What the test client needs: where the API is. ``api_url`` is an origin; ``setting`` is what holds it."""

    api_url: str
    setting: str = API_URL
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> ClientSettings:
        """Pure. Raises SettingsError with every problem there is."""
        reader = Reader(variables)
        allow_http = reader.optional("ZDEMO_ALLOW_HTTP", flag, False)
        settings = cls(
            api_url=reader.optional(
                API_URL,
                lambda text: origin(text, allow_http=allow_http, example=DEFAULT_API_URL),
                DEFAULT_API_URL,
            ),
            setting=setting_of(variables, API_URL),
            timeout_seconds=timeout(reader),
        )
        reader.finish(where_to_mend(variables, reader.missing, reader.wrong))
        return settings
