"""One run of ``zdemo doctor``: which checks run, on what, and what is shown of them."""

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zdemo.cli.common_options import check_address
from zdemo.cli.emulator_env_file import with_env_file
from zdemo.cli.layout import step
from zdemo.cli.reports import junit, reported_checks, show_checks, stream_groups, write_report
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import hide_secrets, tell_mixed_sources
from zdemo.config.cache_address import CACHE_URL
from zdemo.config.environment import DEFAULT, Environment, steps_with_env_file
from zdemo.diagnosis.checks import CHECKS
from zdemo.diagnosis.checks.check import Check, CheckReport, examine
from zdemo.diagnosis.checks.doctor_context import DoctorContext
from zdemo.diagnosis.finding import Outcome
from zdemo.errors import ExitCode
from zdemo.text.printable import printable
from zdemo.verify.conformance import Target

OF_STORE = "cache."  # how the IDs of checks begin that apply only where a store is set, or are asked for by name
WHY_NOT = ("settings.complete", "settings.wellformed")  # where a check that says "not set" or "not usable" is explained


def _exit_code(done: list[CheckReport], *, by_name: bool) -> ExitCode:
    """Return no when a check failed, or when one that was requested by name could not run."""
    no = any(one.result.outcome is Outcome.FAIL or (by_name and not one.result.satisfied) for one in done)
    return ExitCode.NO if no else ExitCode.YES


class DoctorRun:
    """One run of the checks, and what is shown of it."""

    def __init__(
        self,
        screen: Screen,
        checks: Sequence[Check[Any]],
        only: tuple[str, ...],
        api: str | None,
        env_file: Path | None,
    ) -> None:
        self.screen, self.only, self.env_file = screen, only, env_file
        self.started = time.monotonic()
        self.context = DoctorContext(env_file)
        has_store = CACHE_URL in self.context.environment or any(name.startswith(OF_STORE) for name in only)
        self.checks = [check for check in checks if has_store or not check.id.startswith(OF_STORE)]
        hide_secrets(screen, self.context.environment)
        self.subject = self.context if api is None else _target(self.context.environment, api)
        self.command = with_env_file("zdemo doctor", env_file or DEFAULT)
        self.verbose_command = f"{self.command} -v" if api is None else f"{self.command} -v --api {shlex.quote(api)}"
        if api is None:
            for token in ("PAT", "ZITADEL_ADMIN_PAT"):
                tell_mixed_sources(screen, self.context.environment, token, "ZITADEL_DOMAIN")

    def run(self, output: str, junit_file: str | None) -> ExitCode:
        """Run the checks; ``output`` is a document, a report, all checks, or groups."""
        reports = self._examined(self.checks, self.subject, self.only)
        with closing(self.subject):
            done = list(stream_groups(self.screen, self.checks, reports, self.only, show=output))
        done = [*self._why_not(done), *done]
        seconds = time.monotonic() - self.started
        if output == "document":
            self.screen.document(_as_document(done, seconds))
        elif output != "report":
            show_checks(self.screen, done, seconds, self.verbose_command, verbose=output == "checks")
        if junit_file is not None:
            text = junit("doctor", reported_checks(done), seconds, self.screen.redaction)
            write_report(self.screen, junit_file, text)
        return _exit_code(done, by_name=bool(self.only))

    def _examined(self, checks: Sequence[Check[Any]], subject: Any, only: tuple[str, ...]) -> Iterator[CheckReport]:
        for report in examine(checks, subject, only):
            yield replace(report, result=steps_with_env_file(report.result, self.env_file))

    def _why_not(self, done: list[CheckReport]) -> list[CheckReport]:
        """Return the failed checks of settings that stand in the way of those that were asked for by name."""
        stuck = self.only and any(not one.result.satisfied for one in done)
        if not stuck or self.subject is not self.context or any(one.result.outcome is Outcome.FAIL for one in done):
            return []
        reports = self._examined(CHECKS, self.context, WHY_NOT)
        return [one for one in reports if one.requested and one.result.outcome is Outcome.FAIL]


def _target(environment: Environment, url: str) -> Target:
    """Return the API at a URL."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme else parts.netloc
    origin = check_address("--api", origin, environment, example="http://127.0.0.1:5000/api/private")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    token = environment.get("PAT", "").strip()
    return Target(origin=origin, path=path, token=token if token.isascii() and token.isprintable() else "")


def _as_document(done: Sequence[CheckReport], seconds: float) -> dict[str, Any]:
    """Return the document for programs; ``fix`` is one text, empty where nothing needs a fix."""
    return {
        "passed": not any(one.result.outcome is Outcome.FAIL for one in done),
        "summary": {outcome.value: sum(one.result.outcome is outcome for one in done) for outcome in Outcome},
        "seconds": round(seconds, 3),
        "checks": [
            {
                "id": one.id,
                "group": one.check.group,
                "outcome": one.result.outcome.value,
                "evidence": printable(one.result.text),
                "fix": step("; ".join(one.result.steps)),
                "certainty": one.result.certainty.value,
                "candidates": [printable(text) for text in one.result.candidates],
                "seen": [printable(f"{label}: {text}") for label, text in one.result.seen],
                "anchor": one.check.anchor,
            }
            for one in done
        ],
    }
