"""``zdemo verify --backend`` of nginx, Caddy and Envoy, each as docs/guides/proxies.md sets it up: all cases pass."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.proxies.test_guide import COMMANDS, GUIDE, NGINX_FILES, WHERE
from tests.support.cli import Shell
from tests.support.upstream import free_port
from zdemo.verify.case import OF_THE_API, Group, Mark
from zdemo.verify.cases import CASES

pytestmark = pytest.mark.thorough
FAST = ("--env", "ZDEMO_CACHE_TTL=0.5", "--env", "ZDEMO_TIMEOUT=2", "--window", "3")


def configured(name: str, folder: Path, ports: dict[str, int], *, instead: tuple[str, str] = ("", "")) -> str:
    """Write the guide's configuration with other ports, and one change; return the command that starts all of it."""
    program = shutil.which(name, path=WHERE)
    if program is None:
        pytest.skip(f"not installed: {name}")
    section = re.search(rf"^## {name}$.*?^```\w+\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL | re.IGNORECASE)
    assert section
    text = re.sub("|".join(ports), lambda match: str(ports[match[0]]), section[1])
    assert instead[0] in text
    text = text.replace(*instead) if instead[0] else text
    config = folder / f"{name}.yaml"
    config.write_text(text.replace("http {", f"http {{ {NGINX_FILES}", 1) if name == "nginx" else text)
    options = ["--port", str(ports["5000"]), *(["--denied-as", "401"] if name == "nginx" else [])]
    zdemo = shlex.join([sys.executable, "-m", "zdemo", "serve", "--forward-auth", "--no-page", *options])
    return f"{zdemo} & exec {shlex.join([program, *COMMANDS[name], str(config)])}"


def graded(name: str, folder: Path, *options: str, instead: tuple[str, str] = ("", "")) -> dict[str, dict[str, str]]:
    """Return the cases by their IDs."""
    ports = {port: free_port() for port in ("8000", "5000", "8080")}
    command = configured(name, folder, ports, instead=instead)
    doors = ("--port", str(ports["8000"]), "--backend", str(ports["8080"]), "--path", "/messages")
    shell = Shell(folder=folder, env={"HOME": str(folder), "ZDEMO_ROLE_DENIED_STATUS": "403"})
    ran = shell("verify", *doors, *options, "--json", "--", "sh", "-c", command)
    assert ran.out, ran.err
    return {case["id"]: case for case in ran.document["cases"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_proxy_as_the_guide_has_it_passes_everything(name: str, tmp_path: Path) -> None:
    cases = graded(name, tmp_path, *FAST, "--strict")
    assert cases.keys() == {case.id for case in CASES if case.group is not Group.MCP}
    others = {name: case["seen"] for name, case in cases.items() if case["outcome"] != Mark.PASS}
    assert others.keys() == {*OF_THE_API, "robust.public_while_hanging"}, others
    assert all(seen.startswith(("not judged at a proxy", "--public")) for seen in others.values())


MISTAKES = {
    "nginx": (("proxy_set_header X-Auth-Roles $roles;", ""), "proxy.identity"),
    "caddy": (("header_up X-Auth-Roles {header.X-Auth-Roles}", ""), "proxy.connection"),
    "envoy": (("x[^a-z0-9]auth[^a-z0-9].*", "x-auth-.*"), "proxy.underscores"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_line_that_the_guide_says_is_needed_is_missed(name: str, tmp_path: Path) -> None:
    instead, case = MISTAKES[name]
    cases = graded(name, tmp_path, "--only", "proxy", instead=instead)
    failed = {name: row["seen"] for name, row in cases.items() if row["outcome"] == Mark.FAIL}
    assert case in failed
