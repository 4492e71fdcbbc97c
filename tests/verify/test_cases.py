"""The cases as a table: IDs, words, and what they build on."""

import re

from zdemo.verify.cases import CASES


def test_each_case_says_what_is_asked_and_how_to_fix_it() -> None:
    for case in CASES:
        assert re.fullmatch(r"(safe|correct|robust|polite|hardening)\.[a-z][a-z_]+", case.id)
        for text in (case.asked, case.must, case.wrong, case.source, case.fix):
            assert text == text.strip() != "", case.id
            assert not text.endswith("."), case.id
            assert "\n" not in text, case.id
        assert re.search(r"RFC \d{4}|ZITADEL|Fetch|needs no|CWE", case.source), case.source


def test_what_a_case_builds_on_is_asked_before_it() -> None:
    order = [case.id for case in sorted(CASES, key=lambda case: case.stage)]
    for case in CASES:
        assert all(order.index(name) < order.index(case.id) for name in case.builds_on), case.id
