"""The time of client commands as whole processes, against the import of requests, HTTPie and curl."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import stand, tables

ROUNDS = 15
ZDEMO = str(Path(sys.executable).with_name("zdemo"))


def seconds(command: list[str]) -> float:
    """Return how long one run of a command takes; its output is discarded."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def start() -> None:
    """Measure each command in turn with the floor, so that a machine that gets slower does not matter."""
    floor_command = [sys.executable, "-c", "import requests"]
    with stand.upstream() as zitadel, stand.api(zitadel) as server:
        url = f"http://127.0.0.1:{server.port}"
        commands = {
            "zdemo call public": [ZDEMO, "call", "public", "--url", url],
            "zdemo --help": [ZDEMO, "--help"],
            "curl": [shutil.which("curl") or "curl", "-s", f"{url}/api/public"],
        }
        http = Path(sys.executable).with_name("http")
        if http.exists():
            commands["HTTPie"] = [str(http), "--ignore-stdin", f"{url}/api/public"]
        rows = []
        for name, command in commands.items():
            seconds(command)
            both = [(seconds(command), seconds(floor_command)) for _ in range(ROUNDS)]
            ratio = statistics.median(wall / floor for wall, floor in both)
            middle = statistics.median(wall for wall, _ in both) * 1000
            rows.append((name, f"{middle:.0f} ms", f"**{ratio:.2f}**"))
    tables.show("Start, whole process", ["command", "wall", 'to python -c "import requests"'], rows)
