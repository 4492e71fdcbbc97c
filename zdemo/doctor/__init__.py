"""Ordered checks of everything that an API needs to check ZITADEL's tokens, each with evidence and a fix.

The checks are data: an ID, what they build on, and a function from the case to a result. The sentences are those of
``diagnosis`` and ``failures``; what is here only decides which of them belongs to which check.
"""

from zdemo.doctor import administrator, api, settings, token, way, zitadel
from zdemo.doctor.bearer import CHECKS as API_CHECKS
from zdemo.doctor.bearer import Target
from zdemo.doctor.case import Case, Read
from zdemo.doctor.check import Check, Outcome, Result
from zdemo.doctor.run import Done, examine, required

CHECKS: tuple[Check[Case], ...] = (
    *settings.CHECKS,
    *way.CHECKS,
    *zitadel.CHECKS,
    *token.CHECKS,
    *administrator.CHECKS,
    *api.CHECKS,
)

__all__ = [
    "API_CHECKS",
    "CHECKS",
    "Case",
    "Check",
    "Done",
    "Outcome",
    "Read",
    "Result",
    "Target",
    "examine",
    "required",
]
