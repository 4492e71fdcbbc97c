"""Spare threads: as many as the machine allows, since a worker that cannot start a thread dies."""

from pathlib import Path

import pytest

from zdemo.serving.spare_threads import MOST_SPARE_THREADS, spare_threads, thread_limit


@pytest.mark.parametrize(
    ("threads", "workers", "limit", "spare"),
    [
        (128, 1, None, MOST_SPARE_THREADS),
        (128, 1, 30_000, MOST_SPARE_THREADS),
        (128, 1, 1024, 384),
        (128, 4, 2048, 128),
        (128, 8, 2048, 0),
        (128, 1, 100, 0),
    ],
)
def test_all_workers_together_use_half_of_what_is_allowed(
    threads: int, workers: int, limit: int | None, spare: int
) -> None:
    assert spare_threads(threads=threads, workers=workers, limit=limit) == spare


@pytest.mark.parametrize(
    ("cgroups", "limits", "limit"),
    [
        ("0::/\n", {"pids.max": "7"}, 7),  # a container, version 2
        ("0::/system.slice/api.service\n", {"system.slice/api.service/pids.max": "9", "system.slice/pids.max": "8"}, 8),
        ("9:cpu:/a\n8:pids:/b\n0::/\n", {"pids/b/pids.max": "6", "cpu/a/pids.max": "5"}, 6),  # version 1
        ("0::/\n", {"pids.max": "max\n"}, None),
        ("0::/a:b\n", {}, None),
    ],
)
def test_the_limit_is_the_lowest_of_the_control_groups(
    cgroups: str, limits: dict[str, str], limit: int | None, tmp_path: Path
) -> None:
    (tmp_path / "cgroup").write_text(cgroups)
    for name, text in limits.items():
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    of_this_user = thread_limit(tmp_path / "absent", tmp_path)
    found = thread_limit(tmp_path / "cgroup", tmp_path / "root")
    assert found == (of_this_user if limit is None else limit)
