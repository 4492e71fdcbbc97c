"""``docs/verify.md`` has every case, in the words of ``--list``.

``python -m tests.verify.test_page`` writes the table.
"""

import re

from tests.support.processes import ROOT
from zdemo.verify.cases import CASES

PAGE = ROOT / "docs" / "verify.md"
HEAD = "| case | asked | must be | because |\n| --- | --- | --- | --- |\n"
TABLE = re.compile(rf"(?<=^## The cases\n\n){re.escape(HEAD)}(?:\|.*\|\n)*", re.MULTILINE)


def table() -> str:
    """Return the table of the cases."""
    rows = ([f"`{case.id}`", case.asked, case.must, case.source] for case in CASES)
    lines = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows)
    return HEAD + "".join(f"| {line} |\n" for line in lines)


def test_the_page_has_every_case_and_no_other() -> None:
    found = TABLE.search(PAGE.read_text(encoding="utf-8"))
    assert found
    assert found[0] == table()


if __name__ == "__main__":
    PAGE.write_text(TABLE.sub(lambda _: table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
