"""A client that sends unknown tokens: ``python -m benchmarks.attacker PORT CONNECTIONS PREFIX SECONDS``.

Each connection sends the next token as soon as it has an answer. It prints a line when it begins, and at its end how
many answers of each status it got, as JSON.
"""

from __future__ import annotations

import json
import secrets
import sys

from benchmarks import load

TOKENS = 100_000


def main() -> None:
    """Send for so long, each token once, and print the result."""
    port, connections, prefix, seconds = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    run = secrets.token_hex(16)
    requests = [load.request("/api/private", f"{prefix}-{run}-{number:06d}") for number in range(TOKENS)]
    print("begins", flush=True)
    result = load.run(port, requests, connections=connections, seconds=seconds)
    print(json.dumps(result.statuses), flush=True)


if __name__ == "__main__":
    main()
