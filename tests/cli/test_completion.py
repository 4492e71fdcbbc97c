"""Completion: what may stand at a place of the line."""

import pytest

from tests.support.cli import Shell
from zdemo.cli.app import COMMANDS
from zdemo.diagnosis.checks import CHECKS
from zdemo.verify.cases import CASES

IDS = [*(check.id for check in CHECKS), *dict.fromkeys(check.group for check in CHECKS)]


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        ("zdemo ", list(COMMANDS)),
        ("zdemo --", ["--version", "--install-completion", "--show-completion", "--help"]),
        ("zdemo role ", ["list", "grant", "revoke"]),
        ("zdemo call ", ["public", "private", "scoped"]),
        ("zdemo call /messages -X P", ["POST", "PUT", "PATCH"]),
        ("zdemo call --expect ", []),
        ("zdemo doctor --only ", IDS),
        ("zdemo doctor --explain api.q", ["api.query"]),
        ("zdemo verify --only saf", ["safe", *(case.id for case in CASES if case.id.startswith("safe."))]),
        ("zdemo role grant ", []),  # only ZITADEL knows, and no key asks it
    ],
)
def test_the_candidates_are_those_that_may_stand_there(bare: Shell, line: str, candidates: list[str]) -> None:
    words = line.split(" ")
    ran = bare(_ZDEMO_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert (ran.code, ran.err, ran.out.split()) == (0, "", candidates)
