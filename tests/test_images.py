"""The images that ``make container`` builds, run as an engine runs them: as process 1, in a network of its own.

Only ``make container`` runs these tests, since images may be older than the code.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import LONGEST_SECONDS, processes, run_program
from tests.support.waiting import eventually

CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
ENV = "ZITADEL_DOMAIN=https://localhost:1\nCLIENT_ID=353545601679624705\nCLIENT_SECRET=none\n"

pytestmark = pytest.mark.skipif("TEST_IMAGES" not in os.environ, reason="make container runs them")


def buildah(*arguments: str) -> str:
    done = run_program("buildah", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    root: Path
    config: dict[str, Any]

    def command(self, words: Sequence[str], mounted: Path | None = None) -> list[str]:
        """Return what runs ``words`` as process 1, with a file or folder of the host as ``.env``."""
        mount = f"mount --bind {mounted} {self.root}/home/zdemo/.env && " if mounted else ""
        inside = ["chroot", f"--userspec={self.config['User']}", str(self.root), "env", "-i"]
        place = [f"--chdir={self.config['WorkingDir']}", *self.config["Env"]]
        script = f'ip link set lo up && {mount}mount -t proc proc {self.root}/proc && exec "$@"'
        start = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", *inside]
        return [*start, *place, *words]


@contextmanager
def container(image: str) -> Iterator[Container]:
    name = buildah("from", "--pull-never", image)
    try:
        config = json.loads(buildah("inspect", name))["Docker"]["config"]
        yield Container(Path(buildah("mount", name)), config)
    finally:
        buildah("rm", name)


@pytest.mark.parametrize("image", ["zdemo-api", "zdemo-emulator"])
def test_a_container_is_not_root_becomes_healthy_and_stops_at_once(image: str, tmp_path: Path) -> None:
    (tmp_path / "env").write_text(ENV)
    with container(image) as own, container("zdemo-debian") as base:
        assert (own.root / CERTIFICATES).read_bytes() == (base.root / CERTIFICATES).read_bytes(), "none of this machine"
        ran = run_program(*own.command(("sh", "-c", "id -u && touch /opt/zdemo/file")))
        assert (ran.stdout, ran.returncode) == ("10001\n", 1)
        (own.root / "home/zdemo/.env").touch()
        words = [*own.config["Entrypoint"], *own.config["Cmd"]]
        with subprocess.Popen(own.command(words, tmp_path / "env")) as process:  # noqa: S603
            try:
                eventually("process 1 runs", lambda: any(child.parent == process.pid for child in processes()))
                (pid,) = (child.pid for child in processes() if child.parent == process.pid)
                kind, *check = own.config["Healthcheck"]["Test"]
                enter = ["nsenter", "--net", f"--target={pid}", "chroot", str(own.root)]
                healthy = [*enter, "env", "-i", *own.config["Env"], *check]
                assert kind == "CMD"
                eventually("it is healthy", lambda: subprocess.call(healthy, stderr=subprocess.DEVNULL) == 0)  # noqa: S603
                os.kill(pid, signal.SIGTERM)
                assert process.wait(LONGEST_SECONDS) == 0
            finally:
                process.kill()


def test_a_folder_in_place_of_the_env_file_is_a_clear_error(tmp_path: Path) -> None:
    """Docker makes the folder, if the file that it shall mount does not exist."""
    with container("zdemo-api") as own:
        (own.root / "home/zdemo/.env").mkdir()
        ran = run_program(*own.command(("zdemo", "serve"), tmp_path))
    assert ran.returncode == 3
    assert "error: .env is a folder, so it is not read" in ran.stderr
