"""The order of the questions, and what is not asked: against an API that answers nothing but 401."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from flask import Flask, Response

from zdemo.errors import ZdemoError
from zdemo.serving.embedded import LOOPBACK, serving
from zdemo.verify.asker import Asker
from zdemo.verify.bench import Bench
from zdemo.verify.budget import RunBudget
from zdemo.verify.case import Case, Mark, Needs
from zdemo.verify.configured import ConfiguredIssuer
from zdemo.verify.issuer import Person
from zdemo.verify.run import examine, grade, in_groups


class Broken(ConfiguredIssuer):
    """An issuer that cannot be reached when a token is needed."""

    def person(self, *roles: str, seconds: float | None = None) -> Person:  # noqa: ARG002  # as in Issuer
        raise ZdemoError("ZITADEL does not answer")


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    app = Flask("closed")
    app.register_error_handler(404, lambda _: Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="x"'}))
    with serving(app) as port, Asker(f"http://{LOOPBACK}:{port}", "/messages", RunBudget(60)) as asker:
        yield asker


def bench(asker: Asker, issuer: ConfiguredIssuer, *, seconds: float = 60, gone: str = "") -> Bench:
    return Bench(api=asker, issuer=issuer, faults=None, role="reader", budget=RunBudget(seconds), gone=lambda: gone)


def test_what_builds_on_a_failed_case_is_not_asked(asker: Asker) -> None:
    told: list[Case] = []
    reports = list(examine(bench(asker, ConfiguredIssuer("p" * 30, "")), tell=lambda _at, _of, case: told.append(case)))
    assert all(before.stage <= after.stage for before, after in pairwise(told))
    marks = {report.case.id: report for report in reports}
    assert marks["safe.no_token"].mark is Mark.PASS
    assert marks["correct.accepts"].mark is Mark.FAIL
    assert marks["safe.shared_cache"].verdict.seen == "needs correct.accepts"
    assert all(one.mark is Mark.SKIP for one in reports if "correct.accepts" in one.case.builds_on)
    passed, counted = grade(in_groups(reports)["safe"])  # type: ignore[index]  # a group is its text
    assert 0 < passed <= counted < len(in_groups(reports)["safe"])  # type: ignore[index]  # as above


def test_a_case_that_was_not_requested_shows_only_if_it_failed(asker: Asker) -> None:
    reports = list(examine(bench(asker, ConfiguredIssuer("p" * 30, "")), ["polite.cache"]))
    assert [(report.case.id, report.mark) for report in reports] == [
        ("correct.accepts", Mark.FAIL),
        ("polite.cache", Mark.SKIP),
    ]


def test_a_zitadel_that_fails_is_no_fault_of_the_api(asker: Asker) -> None:
    reports = {report.case.id: report for report in examine(bench(asker, Broken("p" * 30, "v" * 30)))}
    accepts = reports["correct.accepts"]
    assert (accepts.mark, accepts.verdict.seen) == (Mark.UNASKED, "not asked: ZITADEL does not answer")
    assert reports["correct.no_token"].mark is Mark.PASS


@pytest.mark.parametrize(
    ("seconds", "gone", "why"),
    [(-1.0, "", "not asked: -1 s were over"), (60.0, "api ended (exit code 3)", "not asked: api ended (exit code 3)")],
)
def test_what_was_not_asked_says_why(asker: Asker, seconds: float, gone: str, why: str) -> None:
    reports = list(examine(bench(asker, ConfiguredIssuer("", ""), seconds=seconds, gone=gone)))
    first = next(report for report in reports if report.case.id == "safe.no_token")
    assert (first.mark, first.verdict.seen) == (Mark.UNASKED, why)
    assert {report.mark for report in reports if report.case.needs is Needs.NOTHING} <= {Mark.UNASKED, Mark.SKIP}
