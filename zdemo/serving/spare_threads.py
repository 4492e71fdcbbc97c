"""How many threads a server may have beyond those that work."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MOST_SPARE_THREADS = 512  # per worker; one that sleeps takes 60 KiB
CGROUPS = Path("/proc/self/cgroup")
CGROUP_ROOT = Path("/sys/fs/cgroup")


def spare_threads(*, threads: int, workers: int, limit: int | None) -> int:
    """Return how many spare threads each of ``workers`` may have, within the ``limit`` on threads.

    Granian starts threads when they are needed, and a worker dies if it cannot start one. So together the workers use
    at most half of what is allowed: other programs may count towards the same limit.
    """
    if limit is None:
        return MOST_SPARE_THREADS
    return max(0, min(MOST_SPARE_THREADS, limit // 2 // workers - threads))


def thread_limit(cgroups: Path = CGROUPS, root: Path = CGROUP_ROOT) -> int | None:
    """Return how many threads the user, the container and the service may have at most, or ``None``."""
    return min((*_user_limit(), *_group_limits(cgroups, root)), default=None)


def _user_limit() -> Iterator[int]:
    try:
        import resource  # not on Windows, which has no such limit
    except ImportError:
        return
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if soft != resource.RLIM_INFINITY:
        yield soft


def _group_limits(cgroups: Path, root: Path) -> Iterator[int]:
    """Yield the limits of this process's control group and of those around it (Linux)."""
    try:
        lines = cgroups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "pids"):  # as in version 2 and 1
            continue
        group = PurePosixPath(controllers, path.lstrip("/"))
        for folder in (group, *group.parents):
            try:
                yield int((root / folder / "pids.max").read_text())
            except (OSError, ValueError):  # there is none, or it is "max"
                continue
