"""What pyproject.toml declares, and the exact versions in requirements.txt that the README's test command installs."""

import re
import tomllib
from collections.abc import Iterator
from itertools import chain

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.processes import ROOT
from tests.test_architecture import NAMES, PACKAGE, words_of

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


def test_texts_name_only_files_that_an_installed_zdemo_has() -> None:
    """The wheel has the pages of ``docs/``, and nothing else of the repository beside ``zdemo/``."""
    files = [
        path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*") if path.suffix in {".html", ".js", ".json"}
    ]
    text = "\n".join([*files, *(text for name in NAMES for text in words_of(name).texts)])
    pages = {*re.findall(r"docs/[\w/.-]+\.\w+", text)}
    assert {page for page in pages if not (ROOT / page).is_file() or page.startswith("docs/images/")} == set()
    assert "docs/troubleshooting.md" in pages
    others = {path.name for path in ROOT.iterdir() if path.is_file() and path.name[0] != "." and path.suffix != ".env"}
    assert {name for name in others if re.search(rf"(?<![\w.-]){re.escape(name)}\b", text)} == set()
