"""Ordered checks of everything that an API needs to check ZITADEL's tokens, each with evidence and a fix.

The checks are data: an ID, what they build on, and a function from the context to a result. The sentences are those
of ``diagnosis`` and ``http.failures``; the checks only decide which of them belongs to which check.
"""

from zdemo.doctor import api, cache, credentials, network, settings, zitadel
from zdemo.doctor.check import Check, CheckReport, Outcome, Result, examine, required, selected
from zdemo.doctor.conformance import CHECKS as API_CHECKS
from zdemo.doctor.conformance import Target
from zdemo.doctor.context import DoctorContext
from zdemo.doctor.groups import explains, group_of, line_of, outcome_of

CHECKS: tuple[Check[DoctorContext], ...] = (
    *settings.CHECKS,
    *network.CHECKS,
    *zitadel.CHECKS,
    *credentials.CHECKS,
    *cache.CHECKS,
    *api.CHECKS,
)

__all__ = [
    "API_CHECKS",
    "CHECKS",
    "Check",
    "CheckReport",
    "DoctorContext",
    "Outcome",
    "Result",
    "Target",
    "examine",
    "explains",
    "group_of",
    "line_of",
    "outcome_of",
    "required",
    "selected",
]
