"""``zdemo setup``: its options, and which ZITADEL it works on."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer

from zdemo.cli.commands.setup_environment import refuse_other_internal_url, setup_environment
from zdemo.cli.commands.setup_run import SetupRun
from zdemo.cli.commands.setup_tables import teardown_document
from zdemo.cli.common_options import EnvFile, Json, token_text
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import tell_warnings
from zdemo.cli.usage import SETTINGS_GROUP, option
from zdemo.client import ROLE
from zdemo.config.settings import AdminSettings
from zdemo.errors import ExitCode, IntrospectionError, ManagementError, UsageError
from zdemo.setup.current import SetupOptions
from zdemo.setup.setup_files import SetupFiles, only_setup_in_folder
from zdemo.setup.teardown import Teardown
from zdemo.zitadel.management import TOO_OLD, ManagementClient
from zdemo.zitadel.records import Auth

CREATED = "What is created"


def setup(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Never replaces a secret in use.")] = False,
    teardown: Annotated[bool, typer.Option("--teardown", help="Remove what setup created, and nothing else.")] = False,
    rotate_secret: Annotated[
        bool, typer.Option("--rotate-secret", help="Create a new client secret or key; the old one stops working.")
    ] = False,
    domain: Annotated[str | None, option("URL", "Your ZITADEL. Default: ZITADEL_DOMAIN.", panel=SETTINGS_GROUP)] = None,
    admin_pat: Annotated[
        str | None,
        option(
            "TEXT",
            "An administrator's token. - reads it from standard input; a bare --admin-pat at the end of the line "
            "asks for it. Default: ZITADEL_ADMIN_PAT.",
            "--admin-pat",
            panel=SETTINGS_GROUP,
            callback=token_text,
        ),
    ] = None,
    auth: Annotated[
        Literal["basic", "private-key-jwt"] | None,
        option(
            "METHOD",
            "How the application authenticates: basic or private-key-jwt. Default: as it does now, else basic.",
            panel=CREATED,
        ),
    ] = None,
    pat_days: Annotated[
        int, typer.Option(metavar="DAYS", min=1, max=3650, help="How long the PATs are valid.", rich_help_panel=CREATED)
    ] = 30,
    project_name: Annotated[str, typer.Option(metavar="NAME", help="The project.", rich_help_panel=CREATED)] = "zdemo",
    role: Annotated[str, typer.Option(metavar="KEY", help="The role's key.", rich_help_panel=CREATED)] = ROLE,
    app_name: Annotated[
        str, typer.Option(metavar="NAME", help="The API application.", rich_help_panel=CREATED)
    ] = "zdemo-api",
    reader_name: Annotated[
        str, typer.Option(metavar="NAME", help="The service account with the role.", rich_help_panel=CREATED)
    ] = "zdemo-reader",
    visitor_name: Annotated[
        str, typer.Option(metavar="NAME", help="The service account without the role.", rich_help_panel=CREATED)
    ] = "zdemo-visitor",
    env_file: EnvFile = None,
    as_json: Json = False,
) -> int:
    """Connect zdemo to your ZITADEL, and write .env.

    Creates or finds project, role, application, users and PATs; shows the plan first.

    Examples:
      zdemo setup --dry-run
      zdemo setup --domain https://my-instance-abc123.zitadel.cloud --admin-pat
      zdemo setup --yes --auth private-key-jwt
      zdemo setup --teardown

    Exit codes: 0 done, or declined at the question; 1 refused, or not permitted; 2 changes to confirm, but no one to
    ask; 3 a setting is missing or wrong; 4 no answer from ZITADEL

    More: docs/setup.md
    """
    options = SetupOptions(
        project_name=project_name,
        role=role,
        app_name=app_name,
        reader_name=reader_name,
        visitor_name=visitor_name,
        auth=Auth(auth) if auth else None,
        pat_hours=pat_days * 24,
        rotate_secret=rotate_secret,
    )
    options.check()
    if teardown and (rotate_secret or auth):
        option = "--rotate-secret" if rotate_secret else "--auth"
        raise UsageError(f"{option} cannot be combined with --teardown", hint=f"leave out {option}")
    screen: Screen = ctx.obj
    path = env_file or Path(".env")
    with nullcontext() if dry_run else only_setup_in_folder(path):
        files = SetupFiles(path)
        if teardown and not files.state.zitadel:
            if as_json:
                screen.document(teardown_document(Teardown(), dry_run=dry_run))
            else:
                screen.say(f"nothing to remove: .zdemo/setup.json records nothing that setup created for {files.path}")
            return ExitCode.YES
        environment = setup_environment(screen, files, domain, admin_pat, may_ask=not yes)
        if not teardown:
            refuse_other_internal_url(environment)
        settings = AdminSettings.from_env(environment)
        tell_warnings(screen, settings)
        with _management(settings) as client:
            run = SetupRun(screen=screen, files=files, client=client, dry_run=dry_run, yes=yes, as_json=as_json)
            return run.tear_down() if teardown else run.set_up(options)


@contextmanager
def _management(settings: AdminSettings) -> Iterator[ManagementClient]:
    """Give a client of the management API; what keeps ZITADEL from answering is explained by the diagnosis."""
    client = ManagementClient(settings.zitadel, settings.admin_pat, timeout_seconds=settings.timeout_seconds)
    try:
        yield client
    except IntrospectionError as error:
        if (reply := error.answer) and error.status == 502 and reply.status in (404, 501) and "/zitadel." in reply.url:
            raise ManagementError(TOO_OLD[0], hint=TOO_OLD[1], answer=reply) from error  # a service is missing
        from zdemo.diagnosis.rules.unusable_response import finding_for_error  # here, since it is rarely needed

        finding = finding_for_error(error)
        can_be = f" (it can be: {'; '.join(finding.candidates)})" if finding.candidates else ""
        hint = "; ".join(filter(None, finding.steps)) or error.hint
        raise type(error)(finding.sentence + can_be, hint=hint, answer=error.answer, failure=error.failure) from error
    finally:
        client.close()
