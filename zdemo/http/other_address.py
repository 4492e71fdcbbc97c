"""Another address than the one that is set: the steps that set it, and a host that the network named."""

import re
from dataclasses import replace

from zdemo.config.address import is_loopback
from zdemo.config.names import assignment
from zdemo.errors.steps import SetVariable, Step

HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")


def address_steps(
    setting: str, scheme: str, host: str, port: int | None, path: str = "", *, certain: bool = False
) -> tuple[Step, ...]:
    """Return the step that sets another address, and the setting that plain http to another machine needs."""
    name = f"[{host}]" if ":" in host else host
    step = assignment(setting, f"{scheme}://{name}" + (f":{port}" if port else "") + path)
    if isinstance(step, SetVariable):
        step = replace(step, certain=certain)
    if scheme != "http" or is_loopback(host):
        return (step,)
    return step, SetVariable("ZDEMO_ALLOW_HTTP", "1", does="needed for plain http, in a network that you trust")


def host_or_nothing(text: str | None) -> str:
    """Return a host name that came over the network; empty if it cannot be one."""
    return text if text and HOST.fullmatch(text) else ""
