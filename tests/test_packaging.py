"""What pyproject.toml declares, and the exact versions in requirements.txt that the README's test command installs."""

import re
import tomllib
from collections.abc import Iterator
from itertools import chain

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.processes import ROOT

REQUIREMENTS = (ROOT / "requirements.txt").read_text(encoding="utf-8")
INSTALLER = (ROOT / ".ci" / "uv.txt").read_text(encoding="utf-8")
PINNED = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; [^\\\n]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def group(name: str) -> Iterator[str]:
    """Yield what a dependency group requires, and the groups that it includes."""
    for item in PROJECT["dependency-groups"][name]:
        yield from group(item["include-group"]) if isinstance(item, dict) else [item]


def test_the_exact_versions_have_hashes_and_no_address() -> None:
    for text in (REQUIREMENTS, INSTALLER):
        assert PINNED.sub("", text) == ""


def test_the_exact_versions_are_those_that_pyproject_allows() -> None:
    """``make requirements`` writes them."""
    project = PROJECT["project"]
    extras = chain.from_iterable(project["optional-dependencies"].values())
    allowed = [*PROJECT["build-system"]["requires"], *project["dependencies"], *extras, *group("dev")]
    pinned = {canonicalize_name(name): version for name, version in PINNED.findall(REQUIREMENTS)}
    for requirement in map(Requirement, allowed):
        version = pinned[canonicalize_name(requirement.name)]
        assert version in requirement.specifier, f"{requirement}: {version}"
    assert INSTALLER in REQUIREMENTS, "it is the same uv"
