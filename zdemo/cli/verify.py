"""``zdemo verify``: grade any API that takes bearer tokens, in any language."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from zdemo.cli.exports import check_command, check_extra
from zdemo.cli.help import OUTPUT_GROUP
from zdemo.cli.junit import STANDARD_OUTPUT, check_report, junit, junit_of_error, write_report
from zdemo.cli.options import Json
from zdemo.cli.screen import Screen
from zdemo.cli.suggestions import typed_again
from zdemo.cli.verify_run import GradedApi, emulated_bench
from zdemo.cli.verify_screen import (
    MOST_IN_FULL,
    as_document,
    reported_cases,
    show_all,
    show_failures,
    show_grades,
    show_list,
    show_skipped,
    show_summary,
)
from zdemo.client import ROLE
from zdemo.config.names import did_you_mean
from zdemo.config.origins import is_loopback
from zdemo.errors import ExitCode, UsageError, ZdemoError
from zdemo.verify.case import CaseReport, Group, Mark
from zdemo.verify.cases import CASES
from zdemo.verify.run import examine, requested

HOST = r"[A-Za-z0-9.-]+"
PATH = r"/[!-\"$-~]*"  # ASCII without blanks, and without a fragment
LOCAL = "localhost"
EXAMPLE = "zdemo verify --path /messages -- flask --app app run --port {port}"


def _ids(incomplete: str) -> list[tuple[str, str]]:
    names = [(group.value, f"all cases of the group {group.value}") for group in Group]
    return [row for row in (*names, *((case.id, case.asked) for case in CASES)) if row[0].startswith(incomplete)]


def verify(  # noqa: PLR0913, PLR0917  # Typer makes each option an argument
    ctx: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="Start the API with this command, which listens on {port}."),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="A path that requires a token with the role.", show_default=False),
    ] = None,
    role: Annotated[str, typer.Option(metavar="ROLE", help="The role that the path requires.")] = ROLE,
    public: Annotated[
        str | None, typer.Option(metavar="PATH", help="A path that requires no token.", show_default=False)
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            metavar="NAME=TEXT",
            help="Export a variable to COMMAND too, for example OIDC_ISSUER={domain}. Repeatable.",
            show_default=False,
        ),
    ] = None,
    external_domain: Annotated[
        str,
        typer.Option(metavar="NAME", help="The host name in ZITADEL's issuer. It must lead to this machine."),
    ] = LOCAL,
    window: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0, max=600, help="How long a deleted token or removed role may still pass."
        ),
    ] = 10,
    start_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=600, help="How long the API may take to start.")
    ] = 30,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID|GROUP",
            help="Ask this case or group, and the cases that it builds on. Repeatable.",
            show_default=False,
            autocompletion=_ids,
        ),
    ] = None,
    list_cases: Annotated[bool, typer.Option("--list", help="List the cases: their IDs, and what is asked.")] = False,
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", help="Show every case with what was seen.", rich_help_panel=OUTPUT_GROUP),
    ] = False,
    as_json: Json = False,
    junit_file: Annotated[
        str | None,
        typer.Option(
            "--junit",
            metavar="FILE",
            help="Write a JUnit report for CI; - is standard output.",
            show_default=False,
            rich_help_panel=OUTPUT_GROUP,
        ),
    ] = None,
) -> int:
    """Grade any API that takes bearer tokens, in any language.

    Runs the API against a ZITADEL emulator, asks some 70 questions about safety, correctness, robustness and
    politeness, and shows what was seen, what must be, and how to fix it. COMMAND gets ZITADEL_DOMAIN, CLIENT_ID,
    CLIENT_SECRET, ZITADEL_PROJECT_ID and PORT. In COMMAND and in the text of --env, {port}, {domain}, {client_id},
    {project_id} and {key_file} stand for their values, and in --env also {client_secret}.

    Examples:
      zdemo verify --path /messages -- flask --app app run --port {port}
      zdemo verify --path /messages --role reader --env ISSUER={domain} -- npm start
      zdemo verify --path /messages --only robust -- uvicorn app:app --port {port}
      zdemo verify --list

    Exit codes: 0 all is as it must be; 1 something is not; 2 wrong command line; 4 the API did not start, or ended, or
    there was not enough time for all questions

    More: docs/verify.md
    """
    screen: Screen = ctx.obj
    names = tuple(only or ())
    _check_names(names)
    if list_cases:
        show_list(screen, requested(CASES, names), as_json=as_json)
        return ExitCode.YES
    target = GradedApi(
        command=command or [],
        env=env or [],
        path=path or "",
        public=public or "",
        role=role,
        external_domain=external_domain,
        window_seconds=window,
        start_seconds=start_seconds,
    )
    _check(ctx, target)
    if junit_file is not None:
        check_report(junit_file, "verify", as_json=as_json)
    started = time.monotonic()
    starting = emulated_bench(screen, target)
    with _errors_reported(screen, junit_file), starting as bench, screen.waiting("asking") as wait:
        reports = list(examine(bench, names, tell=lambda at, of, case: wait(f"{at} of {of}: {case.asked}")))
        printed = bench.about_refusal
        screen.hide(*bench.api.told)
    seconds = time.monotonic() - started
    if junit_file:
        _report(screen, junit_file, junit("verify", reported_cases(reports), seconds, screen.redaction))
    if as_json:
        screen.document(as_document(reports, seconds))
    elif junit_file != STANDARD_OUTPUT:
        _show(screen, reports, seconds, printed, verbose=verbose)
    return exit_code(reports, names)


@contextmanager
def _errors_reported(screen: Screen, junit_file: str | None) -> Iterator[None]:
    """Write a report also of an error in the block, such as an API that does not start."""
    started = time.monotonic()
    try:
        yield
    except ZdemoError as error:
        if junit_file:
            report = junit_of_error("verify", error, time.monotonic() - started, screen.redaction)
            _report(screen, junit_file, report)
        raise


def _report(screen: Screen, name: str, report: str) -> None:
    if name == STANDARD_OUTPUT:
        screen.document(report)
    else:
        write_report(name, report)


def _leads_here(name: str) -> bool:
    """Return whether the API will find the emulator, which listens on IPv4's loopback, by this name."""
    if not re.fullmatch(HOST, name):
        return False
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET)
    except (OSError, UnicodeError):
        return False
    return any(is_loopback(str(address[0])) for *_, address in found)


def _show(screen: Screen, reports: list[CaseReport], seconds: float, printed: list[str], *, verbose: bool) -> None:
    if verbose:
        show_all(screen, reports)
    show_grades(screen, reports)
    show_failures(screen, reports, printed, most=None if verbose else MOST_IN_FULL)
    show_skipped(screen, reports)
    show_summary(screen, reports, seconds)


def exit_code(reports: list[CaseReport], only: tuple[str, ...]) -> ExitCode:
    """Return no when a case failed, or when one that was requested by name could not be asked."""
    marks = {report.mark for report in reports}
    by_name = any(report.mark is Mark.SKIP and report.case.id in only for report in reports)
    if Mark.FAIL in marks or by_name:
        return ExitCode.NO
    return ExitCode.NO_ANSWER if Mark.UNASKED in marks else ExitCode.YES


def _check_names(only: tuple[str, ...]) -> None:
    known = [*(group.value for group in Group), *(case.id for case in CASES)]
    for name in only:
        if name not in known:
            near = did_you_mean(name, known)
            hint = f"did you mean {near}?" if near else "zdemo verify --list shows the IDs"
            raise UsageError(f"unknown case: {name}", hint=hint)


def _check(ctx: typer.Context, target: GradedApi) -> None:
    """Raise UsageError for what is missing or wrong, before anything is started."""
    for option, text in (("--path", target.path), ("--public", target.public)):
        if text and not re.fullmatch(PATH, text):
            example = f"{option} /{text}" if re.fullmatch(PATH, f"/{text}") else f"{option} /messages"
            raise UsageError(f"{option} is not a path: {text}", hint=f"for example {example}")
    if not target.path:
        raise UsageError("--path is missing: which path requires a token?", hint=EXAMPLE)
    if not target.command:
        raise UsageError("the command that starts the API is missing", hint=EXAMPLE)
    if "://" in target.command[0]:
        raise UsageError(
            f"zdemo verify starts the API itself, and this is not a command: {target.command[0]}",
            hint=f"give the command that starts it: {typed_again(ctx, command=['COMMAND'])}",
        )
    if not target.role.strip():
        raise UsageError("--role is empty", hint=f"for example --role {ROLE}")
    if not _leads_here(target.external_domain):
        raise UsageError(
            f"--external-domain does not lead to this machine: {target.external_domain}",
            hint=f"add this line to /etc/hosts: 127.0.0.1 {target.external_domain}",
        )
    check_command(target.command)
    check_extra(target.env)
