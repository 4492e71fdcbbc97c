"""The workflows, as far as they can be checked without GitHub, and the action, whose steps run as scripts.

``make workflows`` checks the files with actionlint and zizmor.
"""

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml  # type: ignore[import-untyped]  # it has no types

from tests.support.processes import ROOT, is_running, run_online, run_program
from tests.support.waiting import eventually

LONGEST_SECONDS = 10
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"(?:\./.*|[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)")
STEPS: list[dict[str, Any]] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]

SEED = """
[[projects]]
name = "shop"
roles = ["orders:read"]
applications = [{ name = "shop-api" }]

[[users]]
username = "robot"
assignments = [{ project = "shop", roles = ["orders:read"] }]
tokens = [{ expires_in = 600 }]
"""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_the_least_permissions_and_pins_what_it_uses(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    rights = {name: job["permissions"] for name, job in workflow["jobs"].items()}
    assert rights.pop("publish", {"id-token": "write"}) == {"id-token": "write"}
    assert all(right == {"contents": "read"} for right in rights.values())
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [use for use in used if not PINNED.match(use)] == []


@pytest.mark.thorough
def test_the_action_starts_an_emulator_for_the_steps_that_follow(tmp_path: Path) -> None:
    seed = tmp_path / "seed file.toml"
    seed.write_text(SEED)
    variables = {"RUNNER_TEMP": str(tmp_path), "GITHUB_ENV": str(tmp_path / "env"), "GITHUB_ACTION_PATH": str(ROOT)}
    assert [step["shell"] for step in STEPS] == ["bash", "bash"]
    shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")  # as GitHub's runner does
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "logging.py").write_text("raise SystemExit('a module of the workspace')")
    (workspace / "bad.toml").write_text("users = 5")
    run_online(*shell, STEPS[0]["run"], folder=workspace, **variables)
    wrong = run_program(*shell, STEPS[1]["run"], folder=workspace, env=os.environ | variables | {"SEED": "bad.toml"})
    assert (wrong.returncode, "users: expected array, got int" in wrong.stdout) == (1, True)
    process = tmp_path / "emulator.pid"
    for given in "", os.path.relpath(seed, workspace):
        (tmp_path / "env").write_text("")
        run_online(*shell, STEPS[1]["run"], folder=workspace, SEED=given, **variables)
        try:
            env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
            client = (env["CLIENT_ID"], env["CLIENT_SECRET"])
            reply = requests.post(
                f"{env['ZITADEL_DOMAIN']}/oauth/v2/introspect",
                {"token": env["PAT"]},
                auth=client,
                timeout=LONGEST_SECONDS,
            )
            assert reply.json()["username"] == ("robot" if given else "reader")
        finally:
            os.kill(int(process.read_text()), signal.SIGTERM)
        eventually("the emulator ends", lambda: not is_running(int(process.read_text())))
