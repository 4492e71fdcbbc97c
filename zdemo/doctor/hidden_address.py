"""Failures of checks that come from a ``ZITADEL_DOMAIN`` which hides another one, at which a ZITADEL answers."""

from collections.abc import Iterable
from dataclasses import replace

from zdemo.config.address import INTERNAL_URL, ISSUER, unused_internal_url
from zdemo.config.environment import HiddenValue
from zdemo.config.settings import Settings
from zdemo.diagnosis import Evidence, Finding, Probe, finding_for_hidden, zitadels_signs
from zdemo.doctor.check import Check, Outcome, Result, from_finding
from zdemo.doctor.context import DoctorContext
from zdemo.errors import SettingsError
from zdemo.investigation import Prober

ADDRESS = ISSUER


def explained_by_hidden_address(checks: Iterable[Check[DoctorContext]]) -> tuple[Check[DoctorContext], ...]:
    """Return the same checks; one that fails looks first whether the hidden address is the right one."""
    return tuple(replace(check, examine=_Explained(check)) for check in checks)


class _Explained:
    """Examines as a check does, and explains its failure."""

    def __init__(self, check: Check[DoctorContext]) -> None:
        self._check = check

    def __call__(self, context: DoctorContext) -> Result:
        result = self._check.examine(context)
        hidden = context.environment.hidden.get(ADDRESS)
        if result.outcome is not Outcome.FAIL or hidden is None:
            return result
        finding = _answers(context, hidden)
        return from_finding(finding) if finding else result


def _answers(context: DoctorContext, hidden: HiddenValue) -> Finding | None:
    """Return the finding if a ZITADEL answers at the hidden address; no secret and no token is sent there."""
    there = context.environment.unhidden([ADDRESS])
    values = {**there, "CLIENT_ID": "0", "CLIENT_SECRET": "0", "PAT": ""}
    if unused_internal_url(there):
        del values[INTERNAL_URL]
    try:
        settings = replace(Settings.from_env(values), timeout_seconds=context.step_seconds)
        with Prober(settings, "") as prober:
            replies = prober.ask(Probe.DISCOVERY)
    except SettingsError:
        return None
    signs = zitadels_signs(Evidence(replies=replies))
    return finding_for_hidden("zitadel", [hidden], f"a ZITADEL answers there ({signs})") if signs else None
