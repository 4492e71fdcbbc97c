"""The cases: data, in the order in which they are shown: of a group, the worst first."""

from zdemo.verify.case import Case, Group
from zdemo.verify.cases import correct, mcp, polite, proxy, robust, safe, safe_answers

_ALL = (*safe.CASES, *safe_answers.CASES, *correct.CASES, *robust.CASES, *polite.CASES, *mcp.CASES, *proxy.CASES)
CASES: tuple[Case, ...] = tuple(case for group in Group for case in _ALL if case.group is group)
