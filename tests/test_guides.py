"""The guides show lines of their examples, and these examples run with their real packages."""

import os
import re
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.support.processes import run_program, running_process
from tests.support.served import served
from tests.support.upstream import free_port
from tests.support.waiting import eventually
from zdemo.emulator import seed

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = DOCS / "examples"
BLOCK = re.compile(r"^```(?:js|go|hcl|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST_SECONDS = 900  # Go compiles the SDK once: 130 s of one core
NO_NETWORK = re.compile(r"ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|E403|no such host|dial tcp|403 Forbidden|timeout")
TESTS = {"node": ["npm", "test"], "go": ["go", "test", "-count=1", "./..."]}
SHOWN = {
    "node": ["node/api.test.js", "node/client.test.js"],
    "go": ["go/main_test.go", "go/client_test.go"],
    "login": ["login_app.py", "node/front-end.html"],
    "mcp": ["mcp_server.py"],
    "terraform": ["terraform/main.tf", "terraform/conftest.py"],
}
API_TESTS = {"node": ["npm", "test", "--", "api.test.js"], "go": TESTS["go"]}
INSTALL = {"node": ["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund"], "go": ["go", "mod", "download"]}


run = partial(run_program, seconds=LONGEST_SECONDS)


@pytest.mark.thorough
@pytest.mark.parametrize("language", TESTS)
def test_an_example_passes_with_the_emulator_and_fails_with_another_token(language: str, tmp_path: Path) -> None:
    program = INSTALL[language][0]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    folder = tmp_path / language
    shutil.copytree(EXAMPLES / language, folder, ignore=shutil.ignore_patterns("node_modules"))
    installed = run(*INSTALL[language], folder=folder)
    if installed.returncode and NO_NETWORK.search(installed.stderr):
        pytest.skip(f"{program} reaches no registry: {installed.stderr.strip().splitlines()[0]}")
    assert not installed.returncode, installed.stderr
    emulator = [sys.executable, "-m", "zdemo", "emulator"]
    passed = run(*emulator, "--", *TESTS[language], folder=folder)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    if language == "node":
        assert ("ada logs in" in passed.stdout) is Path("/usr/bin/chromium").exists(), passed.stdout
    failed = run(*emulator, "--env", "PAT={visitor_pat}", "--", *API_TESTS[language], folder=folder)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "a user with the role passes" in failed.stdout.replace("_", " ")


@pytest.mark.thorough
def test_the_flask_app_logs_a_person_in_and_calls_the_api(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "login_app.py", tmp_path)
    emulator, port = free_port(), free_port()
    with served(tmp_path, {}, "--emulator", "--emulator-port", str(emulator)) as api:
        environment = {
            "ZITADEL_DOMAIN": f"http://localhost:{emulator}",
            "ZDEMO_APP_CLIENT_ID": seed.APP_CLIENT_ID,
            "ZDEMO_API_URL": f"http://127.0.0.1:{api.port}",
        }
        command = [sys.executable, "-m", "flask", "--app", "login_app", "run", "--port", str(port)]
        with running_process(command, tmp_path, environment):
            seen = [_seen_by(person, f"http://localhost:{port}/") for person in ("ada", "eve")]
    assert seen == [("Ada Lovelace", 200, None), ("Eve Example", 401, "insufficient_scope")]


def _seen_by(person: str, address: str) -> tuple[str, int, str | None]:
    """Log a person in with a new browser; return their name, the API's status, and its error."""
    with requests.Session() as browser:

        def login_page() -> str:
            try:
                return browser.get(address).url
            except requests.ConnectionError:
                return ""

        page = browser.post(eventually("the login page comes", login_page), {"person": person}).json()
    return page["name"], page["status"], page["api"].get("error")


TERRAFORM = """
variable "port" {}
variable "access_token" {}
output "environment" {
  sensitive = true
  value     = { PORT = var.port, PAT = var.access_token }
}
"""
TEST = """
import os

def test_what_was_applied():
    assert os.environ["ZITADEL_DOMAIN"] == "http://localhost:" + os.environ["PORT"]
    assert os.environ["PAT"] == os.environ["ZITADEL_ADMIN_PAT"]
    assert "ZITADEL_KEY_FILE" not in os.environ
"""


@pytest.mark.thorough
def test_the_command_of_the_terraform_guide_gives_its_outputs_to_the_tests(tmp_path: Path) -> None:
    """Without resources, since the provider cannot be downloaded here."""
    program = shutil.which("tofu") or shutil.which("terraform")
    if not program:
        pytest.skip("neither OpenTofu nor Terraform is installed")
    guide = (DOCS / "guides" / "terraform.md").read_text(encoding="utf-8").replace("\\\n", "")
    command = next(shlex.split(line)[1:] for line in guide.splitlines() if line.startswith("    zdemo emulator "))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tofu").symlink_to(program)
    shutil.copy(EXAMPLES / "terraform" / "conftest.py", tmp_path)
    (tmp_path / "main.tf").write_text(TERRAFORM)
    (tmp_path / "test_api.py").write_text(TEST)
    path = os.pathsep.join([str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "CHECKPOINT_DISABLE": "1"}  # it would look for a newer version
    tested = run(sys.executable, "-m", "zdemo", *command, folder=tmp_path, env=environment)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "1 passed" in tested.stdout
    formatted = run(program, "fmt", "-check", "-diff", folder=EXAMPLES / "terraform", env=environment)
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr


@pytest.mark.parametrize("guide", SHOWN)
def test_a_guide_shows_lines_of_its_examples(guide: str) -> None:
    blocks = BLOCK.findall((DOCS / "guides" / f"{guide}.md").read_text(encoding="utf-8"))
    for block, path in zip(blocks, SHOWN[guide], strict=True):
        lines = {line.strip() for line in (EXAMPLES / path).read_text(encoding="utf-8").splitlines()}
        assert {line.strip() for line in block.splitlines()} <= lines
