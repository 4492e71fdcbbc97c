"""``zdemo doctor``: what is wrong, from the settings to the API, and how to fix it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from zdemo.cli.doctor_screen import first_to_explain, reported_cases, show_details, show_summary, stream_groups
from zdemo.cli.env_file import with_env_file
from zdemo.cli.explain import explain
from zdemo.cli.junit import STANDARD_OUTPUT, check_report, junit, write_report
from zdemo.cli.layout import step
from zdemo.cli.options import EnvFile, Json, check_address
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import hide_secrets, tell_mixed_sources
from zdemo.config.cache_address import CACHE_URL
from zdemo.config.env_file import DEFAULT, steps_with_env_file
from zdemo.config.environment import Environment
from zdemo.config.names import did_you_mean
from zdemo.config.printable import printable
from zdemo.doctor import API_CHECKS, CHECKS, Check, CheckReport, DoctorContext, Outcome, Target, examine, group_of
from zdemo.errors import ExitCode, UsageError

ID_WIDTH = 20
OF_STORE = "cache."  # how the IDs of checks begin that apply only where a store is set, or are asked for by name
EVERY_CHECK: Sequence[Check[Any]] = (*CHECKS, *API_CHECKS)
WHY_NOT = ("settings.complete", "settings.wellformed")  # where a check that says "not set" or "not usable" is explained
FINDINGS = {  # what follows the group in the ID of a finding: the check that explains it
    "administrators_token": "role.granted",
    "hidden": "settings.shadowed",
    "misplaced": "settings.wellformed",
    "swapped": "settings.wellformed",
    "swapped_tokens": "role.granted",
    "swapped_with_token": "settings.wellformed",
}


def _names(checks: Sequence[Check[Any]]) -> list[str]:
    """Return the IDs of checks, and the groups that they are in."""
    return [*(check.id for check in checks), *dict.fromkeys(group_of(check.id) for check in checks)]


def _check_names_that_fit(incomplete: str) -> list[tuple[str, str]]:
    what = {check.id: check.what for check in CHECKS}
    return [
        (name, what.get(name, "all checks of this group")) for name in _names(CHECKS) if name.startswith(incomplete)
    ]


def _all_ids(incomplete: str) -> list[tuple[str, str]]:
    return [(check.id, check.what) for check in EVERY_CHECK if check.id.startswith(incomplete)]


def doctor(
    ctx: typer.Context,
    as_json: Json = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show every check, and everything known about what failed.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID|GROUP",
            help="Run this check or group, and the checks that it builds on. Repeatable.",
            show_default=False,
            autocompletion=_check_names_that_fit,
        ),
    ] = None,
    list_checks: Annotated[
        bool, typer.Option("--list", help="List the checks by group, with their IDs and what they check.")
    ] = False,
    api: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Check any API that takes bearer tokens, at this URL.", show_default=False),
    ] = None,
    explained: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="ID",
            help="Explain this check, and how to fix what it finds.",
            show_default=False,
            autocompletion=_all_ids,
        ),
    ] = None,
    junit_file: Annotated[
        str | None,
        typer.Option(
            "--junit", metavar="FILE", help="Write a JUnit report for CI; - is standard output.", show_default=False
        ),
    ] = None,
    env_file: EnvFile = None,
) -> int:
    """Find out what is wrong, and how to fix it.

    Checks everything from the settings and the network to the token, its role, and the API.

    Examples:
      zdemo doctor
      zdemo doctor --only token.active
      zdemo doctor --explain token.active
      zdemo doctor --api http://127.0.0.1:5000/api/private

    Variables: all of zdemo's, see docs/settings.md

    Exit codes: 0 no check failed; 1 one failed, or one that --only names could not run; 2 no such check

    More: docs/troubleshooting.md
    """
    screen: Screen = ctx.obj
    if explained is not None:
        _check_id(explained)
        explain(screen, next(check for check in EVERY_CHECK if check.id == explained), as_json=as_json)
        return ExitCode.YES
    checks: Sequence[Check[Any]] = CHECKS if api is None else API_CHECKS
    names = _ids_of(tuple(only or ()), checks)
    if list_checks:
        _show_list(screen, checks, as_json=as_json)
        return ExitCode.YES
    if junit_file is not None:
        check_report(junit_file, "doctor", as_json=as_json)
    output = "document" if as_json else "report" if junit_file == STANDARD_OUTPUT else "checks" if verbose else "groups"
    return _Examination(screen, checks, names, api, env_file).run(output, junit_file)


def _exit_code(done: list[CheckReport], *, by_name: bool) -> ExitCode:
    """Return no when a check failed, or when one that was requested by name could not run."""
    no = any(one.result.outcome is Outcome.FAIL or (by_name and not one.result.satisfied) for one in done)
    return ExitCode.NO if no else ExitCode.YES


def _check_id(name: str) -> None:
    known = [check.id for check in EVERY_CHECK]
    if name in known:
        return
    if check := FINDINGS.get(name.partition(".")[2]):
        raise UsageError(f"{name} is a cause, not a check", hint=f"zdemo doctor --explain {check}")
    near = did_you_mean(name, known)
    hint = f"did you mean {near}?" if near else "zdemo doctor --list shows the IDs"
    raise UsageError(f"unknown check: {name}", hint=hint)


def _ids_of(names: tuple[str, ...], checks: Sequence[Check[Any]]) -> tuple[str, ...]:
    """Return the IDs of checks that are named by their ID or by their group, in any case of letters."""
    ids: list[str] = []
    for name in names:
        found = [check.id for check in checks if name.lower() in (check.id, group_of(check.id).lower())]
        if not found:
            near = did_you_mean(name, _names(checks))
            hint = f"did you mean {near}?" if near else "zdemo doctor --list shows the groups and IDs"
            raise UsageError(f"unknown check: {name}", hint=hint)
        ids += found
    return tuple(dict.fromkeys(ids))


class _Examination:
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
                if token not in self.context.environment.shadowed:  # settings.shadowed says it
                    tell_mixed_sources(screen, self.context.environment, token, "ZITADEL_DOMAIN")

    def run(self, output: str, junit_file: str | None) -> ExitCode:
        """Run the checks; ``output`` is a document, a report, all checks, or groups."""
        reports = self._examined(self.checks, self.subject, self.only)
        with closing(self.subject) if isinstance(self.subject, Target) else nullcontext():
            done = list(stream_groups(self.screen, self.checks, reports, self.only, show=output))
        done = [*self._why_not(done), *done]
        seconds = time.monotonic() - self.started
        if output == "document":
            self.screen.document(_as_document(done, seconds))
        elif output != "report":
            also = show_details(self.screen, done, verbose=output == "checks")
            more = self._more(done, verbose=output == "checks")
            show_summary(self.screen, done, seconds, also=also, more=more)
        if junit_file is not None:
            text = junit("doctor", reported_cases(done), seconds, self.screen.redaction)
            self.screen.document(text) if output == "report" else write_report(junit_file, text)
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

    def _more(self, done: list[CheckReport], *, verbose: bool) -> list[str]:
        name = first_to_explain(done)
        return [*([] if verbose else [self.verbose_command]), f"zdemo doctor --explain {name}"] if name else []


def _target(environment: Environment, url: str) -> Target:
    """Return the API at a URL."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme else parts.netloc
    origin = check_address("--api", origin, environment, example="http://127.0.0.1:5000/api/private")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    token = environment.get("PAT", "").strip()
    return Target(origin=origin, path=path, token=token if token.isascii() and token.isprintable() else "")


def _show_list(screen: Screen, checks: Sequence[Check[Any]], *, as_json: bool) -> None:
    """Show the IDs of checks and what they check."""
    if as_json:
        screen.document(
            {
                "checks": [
                    {
                        "id": check.id,
                        "group": group_of(check.id),
                        "what": check.what,
                        "needs": list(check.needs),
                        "anchor": check.anchor,
                    }
                    for check in checks
                ]
            }
        )
        return
    for name, members in groupby(checks, key=lambda check: group_of(check.id)):
        screen.say(name)
        for check in members:
            screen.behind(f"  {check.id:<{ID_WIDTH}}", check.what)


def _as_document(done: Sequence[CheckReport], seconds: float) -> dict[str, Any]:
    """Return the document for programs; ``fix`` is one text, empty where nothing needs a fix."""
    return {
        "passed": not any(one.result.outcome is Outcome.FAIL for one in done),
        "summary": {outcome.value: sum(one.result.outcome is outcome for one in done) for outcome in Outcome},
        "seconds": round(seconds, 3),
        "checks": [
            {
                "id": one.id,
                "group": group_of(one.id),
                "outcome": one.result.outcome.value,
                "evidence": printable(one.result.text),
                "fix": step("; ".join(one.result.steps)),
                "certainty": one.result.certainty.value,
                "candidates": [printable(text) for text in one.result.candidates],
                "seen": [printable(f"{label}: {text}") for label, text in one.result.seen],
                "anchor": one.anchor,
            }
            for one in done
        ],
    }
