"""The Dockerfile, compose.emulator.yaml, and compose.yaml with its guide, as far as no engine is needed.

``test_distribution.py`` builds zdemo from what the Dockerfile copies, ``make container`` the images.
"""

import fnmatch
import json
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types

from tests.support.cli import Shell, Stack
from tests.support.processes import ROOT, run_script
from tests.support.upstream import free_port
from zdemo.config.variables import EMULATOR_PORT
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID

Stage = dict[str, list[str]]  # the arguments of its instructions, by their names


def stages() -> dict[str, Stage]:
    """Return the build stages; one whose base is another begins with the instructions of that."""
    by_name: dict[str, Stage] = {}
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    for head, *lines in map(str.splitlines, re.split("(?m)^FROM ", re.sub(r"\\\n\s*", "", text))[1:]):
        base, name = head.split(" AS ")
        stage = by_name[name] = {key: list(rows) for key, rows in by_name.get(base, {}).items()}
        for instruction, _, arguments in (line.partition(" ") for line in lines):
            stage.setdefault(instruction, []).append(arguments)
    return by_name


def words(stage: Stage, name: str) -> list[str]:
    """Return the last instruction of that name as a list of words, in its JSON form."""
    _, bracket, rest = stage[name][-1].partition("[")
    return [str(word) for word in json.loads(bracket + rest)]


def copy_sources(folder: Path) -> None:
    """Copy what the image is built from, and nothing else."""
    for arguments in stages()["build"]["COPY"]:
        *sources, target = arguments.split()
        for source in sources:
            to = folder / target / (Path(source).name if target.endswith("/") else "")
            to.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, to)


PORTS = {"api": 5000, "emulator": EMULATOR_PORT}
EMULATED = yaml.safe_load((ROOT / "compose.emulator.yaml").read_text(encoding="utf-8"))["services"]


@pytest.mark.parametrize("name", PORTS)
def test_a_container_runs_one_command_as_a_user_without_rights(name: str, shell: Shell) -> None:
    stage = stages()[name]
    assert int(stage["USER"][-1]) > 0
    assert stage["EXPOSE"] == [str(PORTS[name])]
    assert words(stage, "ENTRYPOINT") == ["zdemo"]
    assert words(stage, "CMD")[:3] == ["serve" if name == "api" else "emulator", "--host", "0.0.0.0"]  # noqa: S104  # inside a container
    assert shell(*words(stage, "CMD"), "--help").code == 0, "each of its options is known"
    assert stages()["build"]["RUN"][-1].endswith("'.[grpc,redis]'")


@pytest.mark.parametrize("name", PORTS)
def test_its_health_check_succeeds_only_where_it_answers(name: str, shared_stack: Stack, tmp_path: Path) -> None:
    _, python, text = words(stages()[name], "HEALTHCHECK")
    assert python == "-c"
    urls = {"api": shared_stack.api_url, "emulator": shared_stack.emulator.url}
    for port, code in ((urlsplit(urls[name]).port, 0), (free_port(), 1)):
        script = text.replace(str(PORTS[name]), str(port))
        assert run_script(script, tmp_path).returncode == code


def test_what_the_image_is_built_from_is_not_ignored() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] not in "#"]
    kept = [line.removeprefix("!") for line in lines if line.startswith("!")]
    copied = [source for arguments in stages()["build"]["COPY"] for source in arguments.split()[:-1]]
    assert lines[0] == "*"
    assert sorted(kept) == sorted(copied)
    assert not any(fnmatch.fnmatch(".env", pattern) for pattern in kept)


def published(services: dict[str, Any]) -> list[str]:
    return [port for service in services.values() for port in service.get("ports", ())]


def test_the_api_beside_the_emulator_gets_its_settings_and_both_are_published_on_loopback() -> None:
    known = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "ZITADEL_PROJECT_ID": PROJECT_ID}
    known["ZITADEL_DOMAIN"] = f"http://localhost:{EMULATOR_PORT}"
    known["ZITADEL_INTERNAL_URL"] = f"http://emulator:{EMULATOR_PORT}"
    assert known.items() <= EMULATED["api"]["environment"].items()
    assert published(EMULATED) == [f"127.0.0.1:{port}:{port}" for port in (EMULATOR_PORT, 5000)]
    assert [EMULATED[name]["build"]["target"] for name in EMULATED] == ["emulator", "api"]


COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE))["services"]  # with the defaults of variables
ZITADEL = SERVICES["zitadel"]["environment"]
GUIDE = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
WITH_SECURITY_FIXES = (4, 15, 2)


def test_the_images_are_pinned_and_the_guide_names_the_version_that_is_started() -> None:
    images = {name: service["image"] for name, service in SERVICES.items()}
    version = images["zitadel"].removeprefix("ghcr.io/zitadel/zitadel:v")
    assert tuple(map(int, version.split("."))) >= WITH_SECURITY_FIXES
    assert f"v{version}" in GUIDE
    assert (images["redis"][:7], images["db"][:11]) == ("redis:7", "postgres:17")


def test_the_port_is_published_on_loopback_and_is_the_one_that_zitadel_knows() -> None:
    assert published(SERVICES) == ["127.0.0.1:8080:8080", "127.0.0.1:6379:6379"]
    assert (ZITADEL["ZITADEL_EXTERNALDOMAIN"], ZITADEL["ZITADEL_EXTERNALPORT"]) == ("localhost", "8080")


def test_the_master_key_is_32_bytes_and_says_what_it_is_for() -> None:
    key = ZITADEL["ZITADEL_MASTERKEY"]
    assert (len(key.encode()), "development-only" in key) == (32, True)


def test_the_administrators_token_is_requested_in_full_and_read_where_it_is_written() -> None:
    """ZITADEL creates a service account only if it has a user name, and a token only if it has a date."""
    machine = "ZITADEL_FIRSTINSTANCE_ORG_MACHINE_"
    assert all(ZITADEL[f"{machine}{name}"] for name in ("MACHINE_USERNAME", "MACHINE_NAME", "PAT_EXPIRATIONDATE"))
    path = ZITADEL["ZITADEL_FIRSTINSTANCE_PATPATH"]
    assert f"docker compose cp zitadel:{path} - | tar" in GUIDE
    assert f"pat:{Path(path).parent}" in SERVICES["zitadel"]["volumes"]
