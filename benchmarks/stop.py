"""How long ``zdemo serve`` takes to stop under load: ``python -m benchmarks.stop [ROUNDS]``, 300 by default.

Each round starts two workers, lets clients on loopback ask without a pause, sends SIGTERM, and waits for the end.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
from contextlib import suppress

from benchmarks import load, stand

ROUNDS = 300
CONNECTIONS = 16
LOAD_SECONDS = (0.2, 0.6)  # before SIGTERM, by chance
LONGEST_SECONDS = 30
ALLOWED_SECONDS = 2
QUANTILES = (0.5, 0.9, 0.99, 1)


def keep_busy(port: int) -> None:
    """Send requests until the server has ended."""
    while True:
        try:
            load.run(port, [load.request("/api/public")], connections=CONNECTIONS, seconds=LONGEST_SECONDS)
        except ConnectionRefusedError:
            return
        except OSError:  # it closed a connection
            continue


def seconds_to_stop() -> float:
    """Run one round."""
    with stand.api(1, "--workers", "2") as server:
        client = multiprocessing.Process(target=keep_busy, args=(server.port,))
        client.start()
        try:
            time.sleep(random.uniform(*LOAD_SECONDS))  # noqa: S311  # nothing secret
            start = time.perf_counter()
            server.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.process.wait(LONGEST_SECONDS)
            return time.perf_counter() - start
        finally:
            client.terminate()
            client.join()


def main() -> None:
    """Print the distribution."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else ROUNDS
    seconds = []
    for number in range(rounds):
        seconds.append(seconds_to_stop())
        if seconds[-1] > ALLOWED_SECONDS:
            load_now = ", ".join(f"{average:.0f}" for average in os.getloadavg())
            print(f"round {number}: {seconds[-1]:.1f} s, load average {load_now}", flush=True)
    seconds.sort()
    late = sum(duration > ALLOWED_SECONDS for duration in seconds)
    print(f"{rounds} rounds, {CONNECTIONS} connections, 2 workers: {late} took more than {ALLOWED_SECONDS} s")
    for quantile in QUANTILES:
        print(f"{quantile:4.0%}  {seconds[min(rounds - 1, int(quantile * rounds))]:.2f} s")


if __name__ == "__main__":
    main()
