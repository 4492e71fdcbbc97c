"""``zdemo doctor``: what is wrong, from the settings to the API, and how to fix it."""

import re
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from zdemo.cli import reports
from zdemo.cli.common_options import AdminKey, AdminPat, EnvFile, Json, Junit, check_address
from zdemo.cli.emulator_env_file import with_env_file
from zdemo.cli.layout import step
from zdemo.cli.repairs import can_repair, repair
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import hide_secrets, tell_mixed_sources, with_admin
from zdemo.cli.usage import completing, flag, option
from zdemo.config.address import ADMIN_PAT, admin_option
from zdemo.config.environment import DEFAULT, steps_with_env_file
from zdemo.config.names import did_you_mean
from zdemo.config.parsers import CACHE_URL
from zdemo.diagnosis.checks import CHECKS
from zdemo.diagnosis.checks.check import TROUBLESHOOTING, Check, CheckReport, examine
from zdemo.diagnosis.checks.doctor_context import DoctorContext
from zdemo.diagnosis.finding import Outcome, Repair
from zdemo.errors import ExitCode, IntrospectionError, UsageError
from zdemo.text.printable import printable
from zdemo.verify.conformance import API_CHECKS, Target

LINK = r"\[([^\]]+)\]\(([^)]+)\)"
INDENT = " " * 4
LABEL_WIDTH = 8
EVERY_CHECK: Sequence[Check[Any]] = (*CHECKS, *API_CHECKS)
IDS = {check.id: check.what for check in EVERY_CHECK}


def _names(checks: Sequence[Check[Any]]) -> dict[str, str]:
    """Return the IDs and the groups of checks, each with its description."""
    return {check.id: check.what for check in checks} | {check.group: "all checks of this group" for check in checks}


def doctor(
    ctx: typer.Context,
    as_json: Json = False,
    verbose: Annotated[
        bool, flag("Show every check, and everything known about what failed.", "-v", "--verbose")
    ] = False,
    only: Annotated[
        list[str] | None,
        option(
            "ID|GROUP",
            "Run this check or group, and the checks that it builds on. Repeatable.",
            autocompletion=completing(_names(CHECKS)),
        ),
    ] = None,
    list_checks: Annotated[
        bool, flag("List the checks by group, with their IDs and what they check.", "--list")
    ] = False,
    api: Annotated[str | None, option("URL", "Check any API that takes bearer tokens, at this URL.")] = None,
    explained: Annotated[
        str | None,
        option("ID", "Explain this check, and how to fix what it finds.", "--explain", autocompletion=completing(IDS)),
    ] = None,
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
      zdemo doctor --only token.active
      zdemo doctor --explain token.active
      zdemo doctor --fix
      zdemo doctor --api http://127.0.0.1:5000/api/private

    Variables: all of zdemo's, see docs/settings.md

    Exit codes: 0 no check failed; 1 one failed, or one that --only names could not run; 2 no such check

    More: docs/troubleshooting.md
    """
    screen: Screen = ctx.obj
    if explained is not None:
        found = next((check for check in EVERY_CHECK if check.id == explained), None)
        if found is None:
            raise _unknown(explained, IDS, "IDs")
        explain(screen, found, as_json=as_json)
        return ExitCode.YES
    if (yes and not fix) or (fix and (as_json or junit_file or api)):
        raise UsageError("--yes needs --fix, which takes neither --json, --junit nor --api", hint="zdemo doctor --fix")
    checks: Sequence[Check[Any]] = CHECKS if api is None else API_CHECKS
    names = _ids_of(tuple(only or ()), checks)
    if list_checks:
        _show_list(screen, checks, as_json=as_json)
        return ExitCode.YES
    if junit_file is not None:
        reports.check_report(junit_file, "doctor", as_json=as_json)
    output = "document" if as_json else "checks" if verbose else "groups"
    if not as_json and junit_file == reports.STANDARD_OUTPUT:
        output = "report"
    tried = set[Repair]()
    while True:
        context = DoctorContext(env_file)
        hide_secrets(screen, context.environment)
        try:
            context.environment = with_admin(screen, context.environment, admin_pat, admin_key)
        except IntrospectionError as error:  # the checks say why
            screen.tell(f"note: --admin-key was not used: {error.message}")
        if admin_pat:  # which is asked for once
            admin_pat = context.environment["ZITADEL_ADMIN_PAT"]
        code, done = _run(screen, checks, names, api, context, env_file, output, junit_file, fix)
        if not fix or not repair(ctx, done, context.environment, tried, yes=yes):
            return code
        screen.say()


def _unknown(name: str, known: Iterable[str], listed: str) -> UsageError:
    near = did_you_mean(name, known)
    hint = f"did you mean {near}?" if near else f"zdemo doctor --list shows the {listed}"
    return UsageError(f"unknown check: {name}", hint=hint)


def _ids_of(names: tuple[str, ...], checks: Sequence[Check[Any]]) -> tuple[str, ...]:
    """Return the IDs of checks that are named by their ID or by their group, in any case of letters."""
    ids: list[str] = []
    for name in names:
        found = [check.id for check in checks if name.lower() in (check.id, check.group.lower())]
        if not found:
            raise _unknown(name, _names(checks), "groups and IDs")
        ids += found
    return tuple(dict.fromkeys(ids))


def _show_list(screen: Screen, checks: Sequence[Check[Any]], *, as_json: bool) -> None:
    if as_json:
        facts = ("id", "group", "what", "needs", "anchor")
        screen.document({"checks": [{name: getattr(check, name) for name in facts} for check in checks]})
        return
    for name, members in groupby(checks, key=lambda check: check.group):
        screen.say(name)
        for check in members:
            screen.behind(f"  {check.id:<{reports.CHECK_WIDTH}}", check.what)


def explain(screen: Screen, check: Check[Any], *, as_json: bool) -> None:
    """Print what a check means and how to fix what it finds."""
    package = files("zdemo")  # in a wheel, it has a copy of the page (``force-include`` in pyproject.toml)
    copy = package / "texts" / "troubleshooting.md"
    page = (copy if copy.is_file() else Path(str(package)).parent / TROUBLESHOOTING).read_text(encoding="utf-8")
    _, _, rest = page.partition(f'<a id="{check.id}"></a>\n### {check.id}\n')
    text = re.split(r"^(?:<a id=|#{1,3} )", rest, maxsplit=1, flags=re.MULTILINE)[0].strip("\n")
    if as_json:
        screen.document({"id": check.id, "what": check.what, "text": text})
        return
    screen.behind(f"{check.id}  ", check.what)
    screen.say()
    for block in re.split(r"\n{2,}", text):
        _show_block(screen, block)
        screen.say()
    related = dict.fromkeys(target[1:] for _, target in re.findall(LINK, text) if target.startswith("#"))
    commands = [("see also", f"zdemo doctor --explain {name}") for name in related]
    api = "" if check.id in {own.id for own in CHECKS} else "--api URL "
    screen.pairs([*commands, ("check it", f"zdemo doctor {api}--only {check.id}")], label_width=LABEL_WIDTH)


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
    return re.sub(r"`|\*\*|\\(?=\|)", "", re.sub(LINK, r"\1", text))


OF_STORE = "cache."  # how the IDs of checks begin that apply only where a store is set, or are asked for by name
WHY_NOT = ("settings.complete", "settings.wellformed")  # where a check that says "not set" or "not usable" is explained


def _run(
    screen: Screen,
    checks: Sequence[Check[Any]],
    only: tuple[str, ...],
    api: str | None,
    context: DoctorContext,
    env_file: Path | None,
    output: str,
    junit_file: str | None,
    fix: bool,
) -> tuple[ExitCode, Sequence[CheckReport]]:
    """Run the checks; ``output`` is a document, a report, all checks, or groups."""
    started, environment = time.monotonic(), context.environment
    has_store = CACHE_URL in environment or any(name.startswith(OF_STORE) for name in only)
    checks = [check for check in checks if has_store or not check.id.startswith(OF_STORE)]
    command = f"{with_env_file('zdemo doctor', env_file or DEFAULT)} -v"
    subject: DoctorContext | Target = context
    if api is None:
        for token in ("PAT", "ZITADEL_ADMIN_PAT"):
            tell_mixed_sources(screen, environment, token, "ZITADEL_DOMAIN")
    else:
        typed = re.split(r"(?<![:/])/|[?#]", api, maxsplit=1)[0]  # not by urlsplit, which raises errors of its own
        origin = check_address("--api", typed, environment, example="http://127.0.0.1:5000/api/private")
        path, token = api.removeprefix(typed).partition("#")[0].removeprefix("/"), environment.get("PAT", "").strip()
        is_sent = token.isascii() and token.isprintable()
        subject = Target(origin=origin, path=f"/{path}", token=token if is_sent else "")
        command += f" --api {shlex.quote(api)}"
    with closing(subject):
        examined = _examined(checks, subject, only, env_file)
        done = list(reports.stream_groups(screen, checks, examined, only, show=output))
    failed = any(one.result.outcome is Outcome.FAIL for one in done)
    if api is None and only and not failed and any(not one.result.satisfied for one in done):
        why_not = _examined(CHECKS, context, WHY_NOT, env_file)
        done = [*(one for one in why_not if one.requested and one.result.outcome is Outcome.FAIL), *done]
    seconds = time.monotonic() - started
    if output == "document":
        screen.document(_as_document(done, seconds))
    elif output != "report":
        reports.show_checks(screen, done, seconds, command, verbose=output == "checks")
        if not fix and can_repair(done, environment):
            given = admin_option(environment) if ADMIN_PAT in environment else ""
            step = f"{with_env_file('zdemo doctor --fix', env_file or DEFAULT)}{given}  (asks first)"
            screen.pairs([("fix it", step)], label_width=reports.HEADING_WIDTH)
    if junit_file is not None:
        reports.write_report(screen, junit_file, "doctor", reports.reported_checks(done), seconds=seconds)
    failed = any(one.result.outcome is Outcome.FAIL or (only and not one.result.satisfied) for one in done)
    return ExitCode.NO if failed else ExitCode.YES, done


def _examined(
    checks: Sequence[Check[Any]], subject: Any, only: tuple[str, ...], env_file: Path | None
) -> Iterator[CheckReport]:
    for report in examine(checks, subject, only):
        yield replace(report, result=steps_with_env_file(report.result, env_file))


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
