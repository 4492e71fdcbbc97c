"""``zdemo setup``: its options, and which ZITADEL it works on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from zdemo.cli.commands.setup_run import SetupRun, teardown_document
from zdemo.cli.common_options import ASK, AdminKey, AdminPat, EnvFile, Json
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import at_terminal, hide_secrets, tell_mixed_sources, tell_warnings, typed_line, with_admin
from zdemo.cli.usage import SETTINGS_GROUP, flag, option
from zdemo.config.address import ADMIN_PAT, INTERNAL_URL, ISSUER
from zdemo.config.environment import COMMAND_LINE, EXPORTED, Environment
from zdemo.config.new_dotenv import are_emulators, usable_at
from zdemo.config.parsers import EXAMPLE_DOMAIN
from zdemo.config.settings import AdminSettings
from zdemo.config.variables import is_public
from zdemo.errors import ExitCode, IntrospectionError, ManagementError, SettingsError, UsageError
from zdemo.http.example_api import ROLE
from zdemo.setup.current import SetupOptions
from zdemo.setup.setup_files import SetupFiles, only_setup_in_folder
from zdemo.setup.teardown import Teardown
from zdemo.zitadel.management import TOO_OLD, ManagementClient
from zdemo.zitadel.records import Auth

CREATED = "What is created"
_created = partial(option, panel=CREATED, shows_default=True)


def setup(
    ctx: typer.Context,
    dry_run: Annotated[bool, flag("Show the plan and change nothing.", "--dry-run")] = False,
    yes: Annotated[bool, flag("Do not ask. Never replaces a secret in use.", "--yes", "-y")] = False,
    teardown: Annotated[bool, flag("Remove what setup created, and nothing else.", "--teardown")] = False,
    rotate_secret: Annotated[
        bool, flag("Create a new client secret or key; the old one stops working.", "--rotate-secret")
    ] = False,
    app: Annotated[bool, flag("Also create an application for people: zdemo token --login.", "--app")] = False,
    domain: Annotated[str | None, option("URL", "Your ZITADEL. Default: ZITADEL_DOMAIN.", panel=SETTINGS_GROUP)] = None,
    admin_pat: AdminPat = None,
    admin_key: AdminKey = None,
    auth: Annotated[
        Literal["basic", "private-key-jwt"] | None,
        option(
            "METHOD",
            "How the application authenticates: basic or private-key-jwt. Default: as it does now, else basic.",
            panel=CREATED,
        ),
    ] = None,
    pat_days: Annotated[int, _created("DAYS", "How long the PATs are valid.", min=1, max=3650)] = 30,
    project_name: Annotated[str, _created("NAME", "The project.")] = "zdemo",
    role: Annotated[str, _created("KEY", "The role's key.")] = ROLE,
    app_name: Annotated[str, _created("NAME", "The API application.")] = "zdemo-api",
    reader_name: Annotated[str, _created("NAME", "The service account with the role.")] = "zdemo-reader",
    visitor_name: Annotated[str, _created("NAME", "The service account without the role.")] = "zdemo-visitor",
    org: Annotated[
        str | None, option("ID", "The organization. Default: the administrator's own.", panel=CREATED)
    ] = None,
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
        login_app_name="zdemo-login" if app else "",
    )
    options.check()
    if teardown and (rotate_secret or auth):
        named = "--rotate-secret" if rotate_secret else "--auth"
        raise UsageError(f"{named} cannot be combined with --teardown", hint=f"leave out {named}")
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
        asks = at_terminal() and admin_pat != "-" and not yes
        environment = setup_environment(screen, files, domain, asks=asks)
        if asks and ADMIN_PAT not in environment and admin_pat is None and admin_key is None:
            admin_pat = ASK
        environment = with_admin(screen, environment, admin_pat, admin_key)
        tell_mixed_sources(screen, environment, ADMIN_PAT, ISSUER)
        place = environment.source(INTERNAL_URL)
        if not teardown and ISSUER in environment.shadowed and place == environment.shadowed[ISSUER]:
            what = f"{INTERNAL_URL} in {place} is for another ZITADEL than {environment.setting(ISSUER)} names"
            hint = f"remove {INTERNAL_URL} from {place}, or name another file with --env-file"
            raise SettingsError([what], hint=hint)
        settings = AdminSettings.from_env(environment)
        tell_warnings(screen, settings)
        with _management(settings) as client:
            client.organization_id = org or ""
            run = SetupRun(screen=screen, files=files, client=client, dry_run=dry_run, yes=yes, as_json=as_json)
            return run.tear_down() if teardown else run.set_up(options)


@contextmanager
def _management(settings: AdminSettings) -> Iterator[ManagementClient]:
    """Give a client of the management API; what keeps ZITADEL from answering is explained by the diagnosis."""
    client = ManagementClient(settings.zitadel, settings.admin_pat, timeout_seconds=settings.timeout_seconds)
    try:
        yield client
    except IntrospectionError as error:
        message, hint = TOO_OLD
        if (reply := error.answer) and error.status == 502 and reply.status in (404, 501) and "/zitadel." in reply.url:
            raise ManagementError(message, hint=hint, answer=reply) from error  # a service is missing
        raise
    finally:
        client.close()


def setup_environment(screen: Screen, files: SetupFiles, domain: str | None, *, asks: bool) -> Environment:
    """Merge option, environment and ``.env``; ask for what is missing if a person is at a terminal.

    Raises UsageError where no one can be asked which ZITADEL is meant.
    """
    given, options = ({}, {}) if domain is None else ({ISSUER: domain}, {ISSUER: "--domain"})
    environment = _layers(given, options, files)
    hide_secrets(screen, environment)
    is_from_file = environment.source("ZITADEL_DOMAIN") == str(files.path)
    if is_from_file and not files.state.zitadel and are_emulators(files.values):
        emulator, what = environment["ZITADEL_DOMAIN"], f"{files.path} has the emulator's settings"
        if not asks:
            hint = f"add --domain, for example --domain {EXAMPLE_DOMAIN}; the emulator is --domain {emulator}"
            raise UsageError(f"{what}, so it is not clear which ZITADEL to set up", hint=hint)
        question = f"{what}. Which ZITADEL do you want to set up? [{emulator}] "
        given["ZITADEL_DOMAIN"] = typed_line(question) or emulator
    elif asks and "ZITADEL_DOMAIN" not in environment:
        given["ZITADEL_DOMAIN"] = typed_line(f"ZITADEL_DOMAIN (e.g. {EXAMPLE_DOMAIN}): ")
    environment = _layers(given, options, files)
    address = environment.get("ZITADEL_DOMAIN", "")
    if address and ADMIN_PAT not in environment and is_public(files.get(ADMIN_PAT)):
        screen.note(f"the emulator's {ADMIN_PAT} in {files.path} is not for another ZITADEL")
    return environment


def _layers(given: dict[str, str], options: dict[str, str], files: SetupFiles) -> Environment:
    """Merge them, without the emulator's administrator's PAT where that cannot be used."""
    layers = {COMMAND_LINE: given, EXPORTED: os.environ, str(files.path): files.values}
    address = Environment(layers).get("ZITADEL_DOMAIN", "")
    used = {
        place: {name: value for name, value in values.items() if name != ADMIN_PAT or usable_at(address, value)}
        for place, values in layers.items()
    }
    return Environment(used, options=options, file=files.path)
