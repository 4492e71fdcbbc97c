"""The commands: their options, their help, and nothing else; what they do is in ``commands``."""

from pathlib import Path
from typing import Annotated

import typer

from zdemo import __version__
from zdemo.cli.options import (
    DEFAULT_THREADS,
    EMULATOR_PORT,
    Auth,
    EnvFile,
    Expose,
    Host,
    Json,
    Only,
    Pat,
    Port,
    RoleArgument,
    UserArgument,
)
from zdemo.route import Route

app = typer.Typer(
    name="zdemo",
    help="See, test and debug how an API checks ZITADEL access tokens.\n\nFirst: zdemo demo",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: it comes in half the time, and needs no frames to be read
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
role_app = typer.Typer(
    help="Show and change who has which role in the project.\n\nExample: zdemo role list",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(role_app, name="role")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zdemo {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[  # Typer calls the callback; there is nothing left to do here
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """See, test and debug how an API checks ZITADEL access tokens.

    First: zdemo demo
    """


@app.command()
def demo(
    as_json: Json = False,
    live: Annotated[
        bool, typer.Option("--live", help="At the configured ZITADEL, with objects that are removed at the end.")
    ] = False,
    env_file: EnvFile = None,
) -> int:
    """See it all work, with nothing configured.

    The API and an emulated ZITADEL, eleven requests over real HTTP, and why each was answered so.

    Example: zdemo demo
    """
    from zdemo.cli.demo_command import run_demo

    return run_demo(as_json=as_json, live=live, env_file=env_file)


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 5000,
    threads: Annotated[
        int, typer.Option(metavar="COUNT", min=4, max=1024, help="Threads of each worker.")
    ] = DEFAULT_THREADS,
    workers: Annotated[int, typer.Option(metavar="COUNT", min=1, max=64, help="Worker processes.")] = 1,
    emulator: Annotated[bool, typer.Option("--emulator", help="Run an emulated ZITADEL beside it.")] = False,
    expose_emulator: Expose = False,
    json_logs: Annotated[bool, typer.Option("--json-logs", help="Log one JSON object a line.")] = False,
    open_metrics: Annotated[bool, typer.Option("--open-metrics", help="Let other machines read /metrics.")] = False,
    env_file: EnvFile = None,
) -> int:
    """Run the API: three routes, guarded by token introspection.

    Example: zdemo serve --emulator
    """
    from zdemo.cli.serving_commands import Served, run_serve

    served = Served(
        host=host, port=port, threads=threads, workers=workers, json_logs=json_logs, open_metrics=open_metrics
    )
    return run_serve(served, with_emulator=emulator, expose=expose_emulator, env_file=env_file)


@app.command()
def call(
    route: Annotated[Route, typer.Argument(metavar="ROUTE", help="public, private or scoped.", show_default=False)],
    pat: Pat = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where the API is. Default: ZDEMO_API_URL.", show_default=False),
    ] = None,
    as_json: Json = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the exchange, the token masked.")] = False,
    expect: Annotated[
        int | None,
        typer.Option(metavar="STATUS", min=100, max=599, help="Succeed when this status comes.", show_default=False),
    ] = None,
    curl: Annotated[
        bool, typer.Option("--curl", help="Print the curl command instead of sending; $PAT in it is the token.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Repeat until the answer changes; with --expect, until that status comes.")
    ] = False,
    env_file: EnvFile = None,
) -> int:
    """Send one request to the API, and explain what comes back.

    Example: zdemo call scoped --pat
    """
    from zdemo.cli.call_command import Asked, run_call

    asked = Asked(pat=pat, url=url, json=as_json, verbose=verbose, expect=expect, curl=curl, env_file=env_file)
    return run_call(route, asked, watch=watch)


@app.command()
def introspect(
    pat: Pat = None,
    as_json: Annotated[bool, typer.Option("--json", help="ZITADEL's answer, untouched.")] = False,
    require: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Succeed only if the token has this role.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Answer by exit code alone.")] = False,
    env_file: EnvFile = None,
) -> int:
    """Ask ZITADEL about a token, and explain the answer.

    Who, which roles, what the API would say to it on each route, and why not.

    Example: zdemo introspect --pat
    """
    from zdemo.cli.introspect_command import run_introspect

    return run_introspect(pat=pat, as_json=as_json, require=require, quiet=quiet, env_file=env_file)


@app.command()
def doctor(
    as_json: Json = False,
    only: Only = None,
    list_checks: Annotated[bool, typer.Option("--list", help="Show the IDs and what they check.")] = False,
    api: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Check any API that wants bearer tokens, by one URL of it.", show_default=False
        ),
    ] = None,
    env_file: EnvFile = None,
) -> int:
    """Find out what is wrong, and what mends it.

    From the settings and the way to ZITADEL to the token, its role, and the API.

    Example: zdemo doctor
    """
    from zdemo.cli.doctor_command import Wanted, run_doctor

    return run_doctor(Wanted(only=tuple(only or ()), json=as_json, list=list_checks, api=api, env_file=env_file))


@app.command()
def emulator(
    host: Host = "127.0.0.1",
    port: Port = EMULATOR_PORT,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document when ready; then serve.")] = False,
    expose_emulator: Expose = False,
) -> int:
    """Run the emulated ZITADEL alone.

    For other programs and languages; --json says where it is, and which tokens it has.

    Example: zdemo emulator --json
    """
    from zdemo.cli.serving_commands import run_emulator

    return run_emulator(host=host, port=port, as_json=as_json, expose=expose_emulator)


@app.command()
def setup(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing. Never makes a new secret.")] = False,
    teardown: Annotated[bool, typer.Option("--teardown", help="Remove what setup made, and nothing else.")] = False,
    rotate_secret: Annotated[
        bool, typer.Option("--rotate-secret", help="Make a new client secret; the old one stops working.")
    ] = False,
    domain: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Your ZITADEL. Default: ZITADEL_DOMAIN.", show_default=False),
    ] = None,
    admin_pat: Annotated[
        str | None,
        typer.Option(
            "--admin-pat",
            metavar="TEXT",
            help="An administrator's token. - reads it from standard input; bare at the end of the line it is asked "
            "for. Default: ZITADEL_ADMIN_PAT.",
            show_default=False,
        ),
    ] = None,
    auth: Auth = None,
    pat_days: Annotated[int, typer.Option(metavar="DAYS", min=1, max=3650, help="Days that the PATs are valid.")] = 30,
    project_name: Annotated[str, typer.Option(metavar="NAME", help="The project.")] = "zdemo",
    role: Annotated[str, typer.Option(metavar="KEY", help="The role's key.")] = "read:messages",
    app_name: Annotated[str, typer.Option(metavar="NAME", help="The API application.")] = "zdemo-api",
    reader_name: Annotated[str, typer.Option(metavar="NAME", help="The service user with the role.")] = "zdemo-reader",
    visitor_name: Annotated[str, typer.Option(metavar="NAME", help="The service user without.")] = "zdemo-visitor",
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", metavar="FILE", help="Use this file instead of .env.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """Connect a ZITADEL, and write .env.

    Makes or finds project, role, application, users and PATs; shows the plan first.

    Example: zdemo setup --dry-run
    """
    from zdemo.cli.setup_command import Asked, run_setup
    from zdemo.management.model import Auth as Method
    from zdemo.provisioning import SetupOptions

    asked = Asked(domain=domain, admin_pat=admin_pat, dry_run=dry_run, yes=yes, json=as_json, env_file=env_file)
    wishes = SetupOptions(
        project_name=project_name,
        role=role,
        app_name=app_name,
        reader_name=reader_name,
        visitor_name=visitor_name,
        auth=Method(auth) if auth else None,
        pat_days=pat_days,
        rotate_secret=rotate_secret,
    )
    return run_setup(asked, wishes, teardown=teardown)


@role_app.command("list")
def role_list(
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help="Login name or ID; all users without.", show_default=False)
    ] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> int:
    """Show who has which role in the project.

    Example: zdemo role list reader
    """
    from zdemo.cli.role_commands import run_role_list

    return run_role_list(user, as_json=as_json, env_file=env_file)


@role_app.command("grant", short_help="Give a user a role in the project.")
def role_grant(user: UserArgument, role: RoleArgument, as_json: Json = False, env_file: EnvFile = None) -> int:
    """Give a user a role in the project, and wait until ZITADEL shows it.

    Example: zdemo role grant visitor read:messages
    """
    from zdemo.cli.role_commands import run_role_change

    return run_role_change("grant", user, role, as_json=as_json, env_file=env_file)


@role_app.command("revoke", short_help="Take a role from a user in the project.")
def role_revoke(user: UserArgument, role: RoleArgument, as_json: Json = False, env_file: EnvFile = None) -> int:
    """Take a role from a user in the project, and wait until ZITADEL shows it.

    Example: zdemo role revoke reader read:messages
    """
    from zdemo.cli.role_commands import run_role_change

    return run_role_change("revoke", user, role, as_json=as_json, env_file=env_file)
