"""Texts of the repository that every installation of zdemo has."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

EXAMPLE = ".env.example"
TROUBLESHOOTING = "docs/troubleshooting.md"


def packaged_text(name: str) -> str:
    """Return the text of a file, by its path in the repository.

    A wheel has a copy below ``zdemo/texts`` (``force-include`` in pyproject.toml). An editable installation has none,
    and reads the file itself.
    """
    package = files("zdemo")
    copy: Traversable = package / "texts" / name.rpartition("/")[2]
    return (copy if copy.is_file() else Path(str(package)).parent / name).read_text(encoding="utf-8")
