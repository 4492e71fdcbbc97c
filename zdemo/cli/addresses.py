"""An address that an option gives, judged like the setting that the option stands for."""

from __future__ import annotations

from collections.abc import Mapping

from zdemo.config.environment import COMMAND_LINE, Environment
from zdemo.config.settings import API_URL, ClientSettings
from zdemo.errors import SettingsError, UsageError


def origin_given_by(option: str, text: str, environment: Mapping[str, str], *, example: str = "") -> str:
    """Return scheme, host and port of an API; the hint for a wrong address is the corrected one, or ``example``.

    Raises:
        UsageError: it is not an address.
    """
    if not text.strip():
        raise UsageError(
            f"{option} is empty", hint=f"give an address, for example {example or 'http://127.0.0.1:5000'}"
        )
    layers = {COMMAND_LINE: {API_URL: text}, "": {"ZDEMO_ALLOW_HTTP": environment.get("ZDEMO_ALLOW_HTTP", "")}}
    try:
        return ClientSettings.from_env(Environment(layers, options={API_URL: option})).api_url
    except SettingsError as error:
        problems = [problem for problem in error.problems if problem.startswith(f"{option} ")]
        if not problems:  # a setting is wrong, not the option
            raise
        raise UsageError("; ".join(problems), hint=f"e.g. {option} {example}" if example else error.hint) from None
