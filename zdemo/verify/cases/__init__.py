"""The cases: data, in the order in which they are shown."""

from zdemo.verify.case import Case
from zdemo.verify.cases import correct, polite, robust, safe, safe_answers

CASES: tuple[Case, ...] = (*safe.CASES, *safe_answers.CASES, *correct.CASES, *robust.CASES, *polite.CASES)
