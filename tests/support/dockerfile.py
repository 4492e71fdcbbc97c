"""The Dockerfile, read without Docker."""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@dataclass
class Stage:
    """A build stage: its base, and its instructions with their arguments, those of bases that are stages first."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [arguments for instruction, arguments in self.instructions if instruction == name]

    def words(self, name: str) -> list[str]:
        """Return the last instruction of that name as a list of words, in its JSON form."""
        _, bracket, rest = self.all(name)[-1].partition("[")
        return [str(word) for word in json.loads(bracket + rest)]


def stages() -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    for line in re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", TEXT)).splitlines():
        instruction, _, arguments = line.partition(" ")
        if instruction == "FROM":
            base, name = arguments.split(" AS ")
            found[name] = Stage(base, list(found[base].instructions) if base in found else [])
        elif line:
            found[name].instructions.append((instruction, arguments))
    return found


def copy_sources(folder: Path) -> None:
    """Copy what the image is built from, and nothing else."""
    for arguments in stages()["build"].all("COPY"):
        *sources, target = arguments.split()
        for source in sources:
            to = folder / target / (Path(source).name if target.endswith("/") else "")
            to.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, to)
