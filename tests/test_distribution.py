"""What is published: the same bytes each time, with the right content, installed by four programs on each Python.

As they install it, zdemo runs in a folder far from the repository.
"""

import json
import os
import re
import shutil
import socket
import sys
import tarfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import pytest
import requests

from tests.cli.test_containers import copy_sources
from tests.support.cli import Shell
from tests.support.processes import ROOT, run_online
from tests.support.upstream import free_port
from tests.support.wire import exchange
from tests.test_packaging import PINNED, PROJECT, REQUIREMENTS
from zdemo import __version__
from zdemo.config.variables import EMULATOR_PORT

pytestmark = pytest.mark.thorough
LONGEST_SECONDS = 120
UV = (sys.executable, "-m", "uv")


@cache
def sources() -> list[str]:
    """Return the files of the repository, which are those of an sdist too."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = run_online("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


def copied(folder: Path) -> Path:
    for name in sources():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_a_release_is_the_same_bytes_twice_and_has_all_that_is_needed(tmp_path: Path) -> None:
    built = []
    here = copied(tmp_path / "here" / "zdemo")
    (here / ".env").write_text("PAT=secret\n")
    for folder, mask in ((shutil.copytree(here, tmp_path / "there" / "zdemo"), "077"), (here, "022")):
        run_online("sh", "-c", f"umask {mask} && make dist PYTHON={sys.executable}", folder=folder)
        built.append({path.name: path.read_bytes() for path in (folder / "dist").iterdir()})
    assert built[0].keys() == {f"zdemo-{__version__}-py3-none-any.whl", f"zdemo-{__version__}.tar.gz"}
    assert built[0] == built[1]

    wheel = next((here / "dist").glob("*.whl"))
    with ZipFile(wheel) as archive:
        about = f"zdemo-{__version__}.dist-info"
        of_zdemo = {name for name in sources() if name.startswith("zdemo/")}
        pages = {f"zdemo/{name}" for name in sources() if re.match("docs/(?!images/)", name)}
        infos = ["METADATA", "WHEEL", "RECORD", "entry_points.txt", "sboms/zdemo.cdx.json"]
        infos += ["licenses/LICENSE", "licenses/NOTICE"]
        assert {*archive.namelist()} == of_zdemo | pages | {f"{about}/{info}" for info in infos}
        components = json.loads(archive.read(f"{about}/sboms/zdemo.cdx.json"))["components"]
    names = {(re.sub("[-_.]+", "-", part["name"]).lower(), part["version"]) for part in components}
    assert names <= {*PINNED.findall(REQUIREMENTS)}
    declared = sum(PROJECT["project"]["optional-dependencies"].values(), PROJECT["project"]["dependencies"])
    assert {re.match(r"[\w-]+", text)[0].lower() for text in declared} <= {name for name, _ in names}  # type: ignore[index]
    with tarfile.open(wheel.with_name(f"zdemo-{__version__}.tar.gz")) as sdist:
        assert {path.partition("/")[2] for path in sdist.getnames()} == {*sources(), "PKG-INFO"}


def python(number: int) -> str:
    """Return another Python for each number, as long as there are others."""
    pythons = run_online("make", "-s", "--eval", "names: ; @echo $(PYTHONS)", "names").split()
    return pythons[number % len(pythons)]


@pytest.mark.parametrize(("number", "installer"), [*enumerate(("pip", "pipx", "uvx"))])
def test_each_installer_installs_a_zdemo_that_runs(number: int, installer: str, tmp_path: Path) -> None:
    place, sources = tmp_path / installer, copied(tmp_path / "sources")
    run_online(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, folder=sources)
    (wheel,) = tmp_path.glob("*.whl")
    program: tuple[str | Path, ...] = (place / "bin" / "zdemo",)
    if installer == "pip":
        run_online(python(number), "-m", "venv", place, folder=tmp_path)
        run_online(place / "bin" / "pip", "install", "--quiet", wheel, folder=tmp_path)
    elif installer == "pipx":
        places = {"PIPX_HOME": str(tmp_path / "home"), "PIPX_BIN_DIR": str(place / "bin")}
        run_online(*UV, "tool", "run", "pipx", "install", "--python", python(number), wheel, folder=tmp_path, **places)
    else:
        program = (*UV, "tool", "run", "--isolated", "--python", python(number), "--from", wheel, "zdemo")
    assert run_online(*program, "--version", folder=tmp_path) == f"zdemo {__version__}\n"


def test_a_wheel_in_an_empty_environment_needs_no_repository(tmp_path: Path) -> None:
    """One test, because the environment takes seconds. uv builds the wheel from what the Dockerfile copies."""
    copy_sources(tmp_path / "sources")
    programs = tmp_path / "environment" / "bin"
    run_online(*UV, "venv", "--quiet", "--python", python(3), programs.parent)
    run_online(*UV, "pip", "install", "--quiet", "--python", programs / "python", tmp_path / "sources")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    base = {"PATH": os.defpath, "HOME": str(folder)}
    zdemo = Shell(folder=folder, env={}, program=(str(programs / "zdemo"),), base=base)
    module = Shell(folder=folder, env={}, program=(str(programs / "python"), "-m", "zdemo"), base=base)

    assert module.in_new_process("--version").out == zdemo.in_new_process("--version").out
    assert module.in_new_process("init", "--emulator").code == 0
    assert (folder / ".env").read_bytes() == (ROOT / ".env.example").read_bytes()
    assert "The name resolves" in zdemo.in_new_process("doctor", "--explain", "net.connect").out
    assert zdemo.in_new_process("commands", "--skill").out.startswith("---\nname: zdemo\n")
    assert "pip install 'zdemo[mcp]'" in zdemo.in_new_process("mcp").err
    port, media = free_port(), {"Content-Type": "application/grpc-web"}
    with zdemo.running("emulator", "--port", str(port)) as process:
        next(iter(process.stdout or ()))
        assert exchange(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 0
        path = "zitadel.auth.v1.AuthService/GetMyUser"
        answer = requests.post(f"http://localhost:{port}/{path}", headers=media, timeout=LONGEST_SECONDS)
        process.terminate()
        log = process.communicate()[1]
    assert (answer.status_code, log.count("pip install 'zdemo[grpc]' and a restart")) == (415, 2), log
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", EMULATOR_PORT)) == 0:
            pytest.skip(f"port {EMULATOR_PORT} is taken on this machine")
    with zdemo.serving("--emulator") as (_, url):
        assert requests.get(f"{url}/-/files/page.css", timeout=LONGEST_SECONDS).ok, "the page is in the wheel"
        walk: Sequence[tuple[str, int, str]] = (
            ("demo", 0, "11 of 11 as expected"),
            ("role revoke reader read:messages", 0, "revoked read:messages from reader"),
            ("doctor", 1, "zdemo role grant reader read:messages"),
        )
        for line, code, words in walk:
            ran = zdemo.in_new_process(*line.split(), ZDEMO_API_URL=url)
            assert (ran.code, words in ran.out) == (code, True), f"zdemo {line}\n{ran.all}"
