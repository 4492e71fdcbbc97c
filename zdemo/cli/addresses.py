"""An address that an option gives. It is judged as the setting is that it stands for, and named as the option that it
is: who has typed ``--url`` looks for no variable.
"""

from __future__ import annotations

from collections.abc import Mapping

from zdemo.config.client_settings import ClientSettings
from zdemo.errors import SettingsError, UsageError

API_URL = "ZDEMO_API_URL"


def origin_given_by(option: str, text: str, environment: Mapping[str, str], *, example: str) -> str:
    """Scheme, host and port.

    Raises:
        UsageError: it is no address of an API.
    """
    allowed = environment.get("ZDEMO_ALLOW_HTTP", "")
    try:
        return ClientSettings.from_env({API_URL: text or "://", "ZDEMO_ALLOW_HTTP": allowed}).api_url
    except SettingsError as error:
        ours = [problem.replace(API_URL, option) for problem in error.problems if API_URL in problem]
        if not ours:  # what is wrong is a setting
            raise
        raise UsageError("; ".join(ours), hint=f"e.g. {option} {example}") from None
