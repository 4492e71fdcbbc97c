"""Python processes with an environment of their own: what zdemo reads from the environment is tested in them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 60

_SEND = """
import json, sys, time
from zdemo.errors import ConnectionFailed, SettingsError
from zdemo.http.transport import Transport

transport = Transport(sys.argv[1], setting="ZITADEL_DOMAIN")
start = time.monotonic()
try:
    out = {"status": transport.send("POST", "/path", timeout_seconds=float(sys.argv[2]), form={"token": "t"}).status}
except ConnectionFailed as error:
    out = {"kind": str(error.kind), "message": error.message, "hint": error.hint}
except SettingsError as error:
    out = {"kind": "settings", "message": error.message, "hint": error.hint}
print(json.dumps({**out, "seconds": time.monotonic() - start}))
"""


def run_python(script: str, *arguments: str, environment: Mapping[str, str] | None = None, folder: Path = ROOT) -> str:
    """What a script prints in ``folder``, with nothing in its environment but ``environment`` and the way to zdemo."""
    done = subprocess.run(  # noqa: S603  # the script is this module's or a test's own
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def send(url: str, environment: Mapping[str, str], *, timeout_seconds: float = 5) -> dict[str, Any]:
    """One request by a ``Transport`` in a process of its own: ``status``, or ``kind``, ``message`` and ``hint``."""
    out = run_python(_SEND, url, str(timeout_seconds), environment=environment)
    result: dict[str, Any] = json.loads(out)
    return result
