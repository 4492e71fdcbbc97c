"""``docs/testing.md`` and the seed of ``docs/emulator.md`` are true: what stands there runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import Shell
from tests.support.processes import ROOT, run_program, run_script
from zdemo.emulator.control import ROUTES
from zdemo.emulator.faults import KINDS, PATHS
from zdemo.testing import ZitadelEmulator

TEXT = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
EMULATOR_TEXT = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"\*\*([^*]+)\*\*[^\n]*\n\n```python\n(.*?)```", TEXT, re.DOTALL)
(SEED,) = re.findall(r"```toml\n(.*?)```", EMULATOR_TEXT, re.DOTALL)
(CONTROL,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
LONGEST_SECONDS = 120
OTHER_PLUGINS = ("cacheprovider", "schemathesis", "hypothesispytest", "anyio", "xdist", "xdist.looponfail")


def ran(*command: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT), **env}
    return run_program(*command, folder=folder, env=given, seconds=LONGEST_SECONDS)


@pytest.mark.thorough
def test_the_examples_pass(tmp_path: Path) -> None:
    for number, (title, code) in enumerate(EXAMPLES):
        (tmp_path / f"test_{number}.py").write_text(f"# {title}\n{code}")
    others = [word for name in OTHER_PLUGINS for word in ("-p", f"no:{name}")]
    done = ran(sys.executable, "-m", "pytest", "-q", "-rA", *others, str(tmp_path), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = set(re.findall(r"^PASSED test_(\d+)\.py", done.stdout, re.MULTILINE))
    assert passed == set(map(str, range(len(EXAMPLES))))


@pytest.mark.thorough
def test_the_example_for_unittest_needs_no_pytest(tmp_path: Path) -> None:
    (code,) = [code for _, code in EXAMPLES if "unittest" in code]
    (tmp_path / "pytest.py").write_text("raise ImportError('there is no pytest')")
    done = run_script(code, tmp_path)
    assert (done.returncode, "OK" in done.stderr) == (0, True), done.stderr


def test_the_lines_for_the_control_interface_work(tmp_path: Path) -> None:
    with ZitadelEmulator() as zitadel:
        zitadel.user("robot")
        done = ran("/bin/sh", "-e", "-c", CONTROL, folder=tmp_path, ZITADEL_DOMAIN=zitadel.url)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        state, clock, faults, cleared, login, pats, requests, after = done.stdout.splitlines()
        assert zitadel.name in state
        assert clock == '{"advanced_seconds":46800.0}'
        assert ('"hang"' in faults, cleared, '"requests"' in requests) == (True, '{"faults":[]}', True)
        assert ("robot" in state, "robot" in after) == (True, False)
        assert (login, "error" in pats) == ('{"auto_login":"ada"}', False)


def test_the_page_names_every_fault_path_and_method() -> None:
    faults = TEXT.partition("### Faults")[2]
    assert re.findall(r"^\| `([a-z-]+)` \|", faults, re.MULTILINE) == list(KINDS)
    assert all(f"`{path}`" in faults for path in PATHS)
    documented = set(re.findall(r"`(GET|POST|DELETE) (\w+)`", TEXT))
    assert documented == {(method, name) for name, methods in ROUTES.items() for method in methods}


def test_the_page_names_everything_of_the_fixture() -> None:
    public = {name for name in vars(ZitadelEmulator) | ZitadelEmulator.__annotations__ if name[0] != "_"}
    table = TEXT.partition("## With pytest")[2].partition("## Examples")[0]
    rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert documented == public


@pytest.mark.thorough
def test_the_seed_of_the_page_is_a_whole_world(tmp_path: Path) -> None:
    (tmp_path / "seed.toml").write_text(SEED)
    shell = Shell(folder=tmp_path, env={})
    script = """
import json, os, urllib.request
names = ("PAT", "ZDEMO_VISITOR_PAT", "ZITADEL_ADMIN_PAT", "CLIENT_ID")
print(*(os.environ[name] for name in names), flush=True)
path = os.environ["ZITADEL_KEY_FILE"]
os.execv("/bin/sh", ["sh", "-c", "exec \\"$0\\" -m zdemo introspect -q --require orders:read", os.sys.executable])
"""
    done = shell("emulator", "--seed", "seed.toml", "--", sys.executable, "-c", script)
    pats = [f"{name}-0000000000000000000000000000"[:32] for name in ("ada", "bob")]
    assert done.out.split() == [*pats, "root-000000000000000000000000000", "401234567890123456"]
    assert done.code == 0, done.err
