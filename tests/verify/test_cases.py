"""The cases as a table: IDs, words, what they build on, and that the page has them in the words of ``--list``.

``python -m tests.verify.test_cases`` writes the table of the page.
"""

import re

from tests.support.processes import ROOT
from zdemo.verify.case import Group, Needs, Stage
from zdemo.verify.cases import CASES

PAGE = ROOT / "docs" / "verify.md"
HEAD = "| case | asked | must be | because |\n| --- | --- | --- | --- |\n"
TABLE = re.compile(rf"(?<=^## The cases\n\n){re.escape(HEAD)}(?:\|.*\|\n)*", re.MULTILINE)
IDS = [case.id for case in CASES]


def test_there_are_enough_cases_in_each_group() -> None:
    assert 40 <= len(CASES) <= 75
    assert {case.group for case in CASES} == set(Group)
    assert len(set(IDS)) == len(IDS)


def test_each_case_says_what_is_asked_and_how_to_fix_it() -> None:
    for case in CASES:
        assert re.fullmatch(r"(safe|correct|robust|polite)\.[a-z][a-z_]+", case.id)
        for text in (case.asked, case.must, case.wrong, case.source, case.fix):
            assert text == text.strip() != "", case.id
            assert not text.endswith("."), case.id
            assert "\n" not in text, case.id
        assert re.search(r"RFC \d{4}|ZITADEL|Fetch|needs no|CWE", case.source), case.source


def test_what_a_case_builds_on_is_asked_before_it() -> None:
    first = {case.id for case in CASES if case.stage is Stage.FIRST}
    assert {name for case in CASES for name in case.builds_on} <= first


def test_cases_about_outages_need_the_emulator() -> None:
    assert {case.needs for case in CASES if case.stage in (Stage.OUTAGE, Stage.AFTER_OUTAGES)} == {Needs.EMULATOR}


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
