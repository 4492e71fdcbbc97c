"""``zdemo doctor``: what is wrong, from the settings to the API, and how to fix it."""

import re
import shlex
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from zdemo.cli import reports
from zdemo.cli.common_options import AdminKey, AdminPat, EnvFile, Json, Junit, check_address, split_url
from zdemo.cli.repairs import can_repair, repair
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import hide_secrets, tell_mixed_sources, with_admin, with_issued_token
from zdemo.cli.usage import PAGES, check_excludes, check_needs, completing, flag, option, unknown_id, verbose_flag
from zdemo.config.address import ADMIN_PAT, admin_option
from zdemo.config.parsers import CACHE_URL
from zdemo.diagnosis.checks import CHECKS
from zdemo.diagnosis.checks.check import Check, CheckReport, examine
from zdemo.diagnosis.checks.doctor_context import DoctorContext
from zdemo.diagnosis.finding import Outcome
from zdemo.diagnosis.settings_first import settings_problems, with_settings_first
from zdemo.diagnosis.view import document, in_full
from zdemo.errors import ExitCode, IntrospectionError, UsageError, ZdemoError
from zdemo.errors.steps import Command, Repair, in_lines
from zdemo.text.printable import printable
from zdemo.verify.conformance import API_CHECKS, Target

INDENT = " " * 4
EVERY_CHECK: Sequence[Check[Any]] = (*CHECKS, *API_CHECKS)
ONLY = "Run this check or group, and the checks that it builds on. Repeatable."
EXPLAIN = "Explain this check, and how to fix what it finds."
IDS = {check.id: check.what for check in EVERY_CHECK}


def _names(checks: Sequence[Check[Any]]) -> dict[str, str]:
    return {check.id: check.what for check in checks} | {check.group: "all checks of this group" for check in checks}


def doctor(
    ctx: typer.Context,
    as_json: Json = False,
    verbose: Annotated[bool, verbose_flag("Show every check, and everything known about what failed.")] = False,
    only: Annotated[list[str] | None, option("ID|GROUP", ONLY, autocompletion=completing(_names(CHECKS)))] = None,
    list_checks: Annotated[bool, flag("List the checks by group: their IDs, and what they check.", "--list")] = False,
    api: Annotated[str | None, option("URL", "Check any API that takes bearer tokens, at this URL.")] = None,
    explained: Annotated[str | None, option("ID", EXPLAIN, "--explain", autocompletion=completing(IDS))] = None,
    fix: Annotated[bool, flag("Show what can be fixed here, ask, change it, and check again.", "--fix")] = False,
    yes: Annotated[bool, flag("With --fix, do not ask.", "--yes")] = False,
    junit_file: Junit = None,
    admin_pat: AdminPat = None,
    admin_key: AdminKey = None,
    env_file: EnvFile = None,
) -> int:
    """Find out what is wrong, and how to fix it.

    Checks everything from the settings and the network to the token, its role, and the API.

    Examples:
      zdemo doctor
      zdemo doctor --explain token.active
      zdemo doctor --fix
      zdemo doctor --api http://127.0.0.1:5000/api/private

    Variables: all of zdemo's, see docs/settings.md

    Exit codes: 0 no check failed; 1 one failed, or one that --only names could not run; 2 no such check

    More: docs/troubleshooting.md
    """
    screen: Screen = ctx.obj
    if explained is not None:
        return show_explanation(screen, explained, as_json=as_json)
    check_needs(ctx, "fix", "yes")
    check_excludes(ctx, "fix", "as_json", "junit_file", "api")
    checks: Sequence[Check[Any]] = CHECKS if api is None else API_CHECKS
    names = _ids_of(tuple(only or ()), checks)
    if list_checks:
        rows = [{name: getattr(check, name) for name in ("id", "group", "what", "needs", "anchor")} for check in checks]
        return reports.show_list(screen, "checks", rows, "what", as_json=as_json)
    if junit_file is not None:
        reports.check_report(junit_file, "doctor", as_json=as_json)
    is_report = junit_file == reports.STANDARD_OUTPUT
    output = "document" if as_json else "report" if is_report else "checks" if verbose else "groups"
    examination = _Examination(screen, checks, names, api, env_file, output, junit_file, fixes=fix)
    tried = set[Repair]()
    while True:
        context = DoctorContext(env_file)
        hide_secrets(screen, context.environment)
        try:
            context.environment = with_admin(screen, context.environment, admin_pat, admin_key)
        except IntrospectionError as error:  # the checks say why
            screen.note(f"--admin-key was not used: {error.message}")
        if admin_pat:  # it is asked for only once
            admin_pat = context.environment["ZITADEL_ADMIN_PAT"]
        code, done = examination.run(context)
        if not fix or not repair(ctx, done, context.environment, tried, yes=yes):
            return code
        screen.say()


def _unknown(name: str, known: Collection[str]) -> UsageError:
    listing = Command("doctor --list" if "token.active" in known else "doctor --api URL --list")
    return unknown_id("check", name, known, listing)


def _ids_of(names: tuple[str, ...], checks: Sequence[Check[Any]]) -> tuple[str, ...]:
    """Return the IDs of checks that are named by their ID or by their group, in any case of letters."""
    ids: list[str] = []
    for name in names:
        named = [check.id for check in checks if name.lower() in (check.id, check.group.lower())]
        if not named:
            raise _unknown(name, _names(checks))
        ids += named
    return tuple(dict.fromkeys(ids))


def show_explanation(screen: Screen, name: str, *, as_json: bool) -> ExitCode:
    """Print what a check means and how to fix what it finds. Raises UsageError for an unknown ID."""
    check = next((check for check in EVERY_CHECK if check.id == name), None)
    if check is None:
        raise _unknown(name, IDS)
    page = (PAGES / "troubleshooting.md").read_text(encoding="utf-8")
    _, _, rest = page.partition(f'<a id="{check.id}"></a>\n### {check.id}\n')
    text = re.split(r"^(?:<a id=|#{1,3} )", rest, maxsplit=1, flags=re.MULTILINE)[0].strip("\n")
    if as_json:
        screen.document({"id": check.id, "what": check.what, "text": text})
        return ExitCode.YES
    screen.behind(f"{check.id}  ", check.what)
    screen.say()
    for block in re.split(r"\n{2,}", text):
        _show_block(screen, block)
        screen.say()
    api = "" if check.id in {own.id for own in CHECKS} else "--api URL "
    screen.steps("check it", [Command(f"doctor {api}--only {check.id}")], label_width=8)
    return ExitCode.YES


def _show_block(screen: Screen, block: str) -> None:
    """Print a paragraph, a heading, a command or a table: the parts of Markdown that the page has."""
    if block.startswith(INDENT):
        for line in block.splitlines():
            screen.say(line, whole=True)
    elif block.startswith("|"):
        for row in block.splitlines()[2:]:  # below the head
            cells = re.split(r" *(?<!\\)\| *", row.strip("| "))
            screen.behind("", _plain(cells[0]))
            screen.behind(INDENT, _plain("; ".join(cells[1:])))
    else:
        screen.behind("", _plain(" ".join(block.lstrip("# ").split())))


def _plain(text: str) -> str:
    """Return the text without Markdown's marks."""
    return re.sub(r"`|\*\*|\\(?=\|)", "", re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text))


OF_STORE = "cache."  # how the IDs of checks begin that apply only where a store is set, or are asked for by name
WHY_NOT = ("settings.complete", "settings.wellformed")  # where a check that says "not set" or "not usable" is explained


@dataclass(frozen=True)
class _Examination:
    """Which checks are run, and what is shown of them: a ``document``, a ``report``, all ``checks``, or ``groups``."""

    screen: Screen
    checks: Sequence[Check[Any]]
    only: tuple[str, ...]
    api: str | None
    env_file: Path | None
    output: str
    junit_file: str | None
    fixes: bool

    def run(self, context: DoctorContext) -> tuple[ExitCode, Sequence[CheckReport]]:
        started, screen, environment = time.monotonic(), self.screen, context.environment
        subject: DoctorContext | Target = context
        if self.api is None:
            for token in ("PAT", "ZITADEL_ADMIN_PAT"):
                tell_mixed_sources(screen, environment, token, "ZITADEL_DOMAIN")
        else:
            typed, path = split_url(self.api)
            origin = check_address("--api", typed, environment, path=path if path != "/" else "")
            with suppress(ZdemoError):  # then PAT is sent, and zdemo token says why
                context.environment = with_issued_token(screen, environment)
            subject = Target.at(origin, path.partition("#")[0], context)
        with closing(subject.api if isinstance(subject, Target) else subject):
            examined = self._examined(self._applying(context), subject, self.only)
            done = list(reports.stream_groups(screen, self._applying(context), examined, self.only, show=self.output))
        if self.api is None and self.only and not _failed(done) and any(not report.result.satisfied for report in done):
            why_not = self._examined(CHECKS, context, WHY_NOT)
            done = [*(report for report in why_not if report.requested and _failed([report])), *done]
        seconds = time.monotonic() - started
        if self.output == "document":
            screen.document(_as_document(done, seconds))
        elif self.output != "report":
            api = f" --api {shlex.quote(self.api)}" if self.api else ""
            command = Command(f"doctor -v{api}", env_file=self.env_file)
            reports.show_checks(screen, done, seconds, command, verbose=self.output == "checks")
            if not self.fixes and can_repair(done, context.environment):
                option = admin_option(context.environment) if ADMIN_PAT in context.environment else ""
                fix = Command("doctor --fix", option=option, env_file=self.env_file)
                screen.steps("fix it", [fix], label_width=reports.HEADING_WIDTH)
        if self.junit_file is not None:
            reports.write_report(screen, self.junit_file, "doctor", reports.reported_checks(done), seconds=seconds)
        fails = _failed(done) or (bool(self.only) and any(not report.result.satisfied for report in done))
        return ExitCode.NO if fails else ExitCode.YES, done

    def _applying(self, context: DoctorContext) -> list[Check[Any]]:
        """Return the checks without those of a store that is not set."""
        has_store = CACHE_URL in context.environment or any(name.startswith(OF_STORE) for name in self.only)
        return [check for check in self.checks if has_store or not check.id.startswith(OF_STORE)]

    def _examined(self, checks: Sequence[Check[Any]], subject: Any, only: tuple[str, ...]) -> Iterator[CheckReport]:
        known = settings_problems(subject.environment) if isinstance(subject, DoctorContext) else ()
        for report in examine(checks, subject, only):
            result = report.result
            if report.check.group != "settings" and result.outcome is Outcome.FAIL:
                result = with_settings_first(result, known, report.id)
            yield replace(report, result=result.with_env_file(self.env_file))


def _failed(done: Sequence[CheckReport]) -> bool:
    return any(report.result.outcome is Outcome.FAIL for report in done)


def _as_document(done: Sequence[CheckReport], seconds: float) -> dict[str, Any]:
    """Return the document for programs; ``fix`` is one text, empty where nothing needs a fix."""
    return {
        "passed": not _failed(done),
        "summary": {outcome.value: sum(report.result.outcome is outcome for report in done) for outcome in Outcome},
        "seconds": round(seconds, 3),
        "checks": [
            {
                "id": report.id,
                **document(report.result),
                "group": report.check.group,
                "outcome": report.result.outcome.value,
                "evidence": printable(in_full(report.result)),
                "fix": printable("\n".join(map(in_lines, report.result.steps))),
                "seen": [printable(f"{label}: {text}") for label, text in report.result.seen],
                "anchor": report.check.anchor,
            }
            for report in done
        ],
    }
