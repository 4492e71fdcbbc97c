"""Ordered checks of everything that an API needs to check ZITADEL's tokens, each with evidence and a fix."""

from zdemo.diagnosis.checks import api_checks, credential_checks, settings_checks, zitadel_checks
from zdemo.diagnosis.checks.check import Check
from zdemo.diagnosis.checks.doctor_context import DoctorContext

CHECKS: tuple[Check[DoctorContext], ...] = (
    *settings_checks.CHECKS,
    *zitadel_checks.CHECKS,
    *credential_checks.CHECKS,
    *api_checks.CHECKS,
)
