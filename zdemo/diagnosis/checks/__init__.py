"""Ordered checks of everything that an API needs to check ZITADEL's tokens, each with evidence and a fix.

The checks are data: an ID, what they build on, and a function from the context to a result. The sentences are those
of ``diagnosis`` and ``http.failures``; the checks only decide which of them belongs to which check.
"""

from zdemo.diagnosis.checks import api, credentials, settings, zitadel
from zdemo.diagnosis.checks.check import Check
from zdemo.diagnosis.checks.context import DoctorContext

CHECKS: tuple[Check[DoctorContext], ...] = (*settings.CHECKS, *zitadel.CHECKS, *credentials.CHECKS, *api.CHECKS)
