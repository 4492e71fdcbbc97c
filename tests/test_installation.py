"""zdemo as a wheel in an empty environment, in a folder far from the repository: as pip, pipx and uv install it."""

import os
import socket
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from tests.cli.test_containers import copy_sources
from tests.support.cli import Shell
from tests.support.processes import ROOT, run_online
from tests.support.upstream import free_port
from tests.support.wire import exchange
from zdemo.config.variables import EMULATOR_PORT

LONGEST_SECONDS = 120
UV = (sys.executable, "-m", "uv", "pip", "install", "--quiet")


@pytest.mark.thorough
@pytest.mark.skipif(find_spec("uv") is None, reason="uv is not installed")
def test_a_wheel_in_an_empty_environment_needs_no_repository(tmp_path: Path) -> None:
    """One test, because the environment takes seconds. The wheel is built from what the Dockerfile copies."""
    copy_sources(tmp_path / "sources")
    programs = tmp_path / "environment" / "bin"
    run_online(sys.executable, "-m", "venv", "--without-pip", programs.parent)
    run_online(*UV, "--python", programs / "python", tmp_path / "sources")
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
            ("role revoke reader read:messages", 0, "revoked read:messages from reader"),
            ("doctor", 1, "zdemo role grant reader read:messages"),
        )
        for line, code, words in walk:
            ran = zdemo.in_new_process(*line.split(), ZDEMO_API_URL=url)
            assert (ran.code, words in ran.out) == (code, True), f"zdemo {line}\n{ran.all}"
