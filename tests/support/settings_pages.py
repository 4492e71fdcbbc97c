"""What stands about the settings in .env.example and docs/settings.md; ``python -m`` this module writes it."""

import re
from itertools import groupby
from pathlib import Path

from zdemo.config.new_dotenv import emulator_text
from zdemo.config.variables import VARIABLES

ROOT = Path(__file__).parents[2]
HEAD = ("| variable | meaning | default |", "| --- | --- | --- |")


def table() -> str:
    """Return the table of docs/settings.md."""
    rows = list[str](HEAD)
    for group, members in groupby(VARIABLES, key=lambda variable: variable.group):
        rows.append(f"| **{group}** | | |")
        for variable in members:
            is_required = variable.missing and variable.to_fill_in
            default = variable.shown_default or ("required" if is_required else "none")
            rows.append(f"| `{variable.name}` | {variable.sentence} | {default} |")
    return "\n".join(rows) + "\n"


def pages() -> dict[Path, str]:
    """Return the files with these settings, each with the text that it should have."""
    page = ROOT / "docs" / "settings.md"
    text = re.sub(r"(?:^\|.*\n)+", lambda _: table(), page.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    return {page: text, ROOT / ".env.example": emulator_text()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
