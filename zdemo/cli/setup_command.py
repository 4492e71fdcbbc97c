"""``zdemo setup``: look, show the plan, ask, carry it out, prove it; or take it all back."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from zdemo.cli.screen import Screen
from zdemo.cli.setup_screen import (
    SHOWN_ONCE,
    agreed,
    hidden_variables,
    plan_document,
    show_plan,
    show_proof,
    show_teardown,
    teardown_document,
)
from zdemo.cli.token_input import at_terminal, given_token, hide_secrets, mixed_sources, typed_secret
from zdemo.config.environment import Environment
from zdemo.config.settings import AdminSettings
from zdemo.errors import ExitCode, IntrospectionError, SettingsError, UsageError, ZdemoError
from zdemo.management.client import ManagementClient
from zdemo.provisioning import (
    EnvFile,
    Plan,
    Rotation,
    SetupOptions,
    Teardown,
    alone,
    carry_out,
    git_warning,
    knows_nothing,
    look,
    make_plan,
    plan_teardown,
    prove,
    tear_down,
)
from zdemo.provisioning.names import SETTINGS

NOTHING_CHANGED = "nothing was changed"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options that are no wishes."""

    domain: str | None
    admin_pat: str | None
    dry_run: bool
    yes: bool
    json: bool
    env_file: Path | None

    @property
    def path(self) -> Path:
        """The ``.env`` to write; it need not be there."""
        return self.env_file or Path(".env")


def run_setup(asked: Asked, wishes: SetupOptions, *, teardown: bool) -> int:
    """``zdemo setup``."""
    screen = Screen()
    wishes.check()
    if teardown and (wishes.rotate_secret or wishes.auth):
        option = "--rotate-secret" if wishes.rotate_secret else "--auth"
        raise UsageError(f"--teardown makes nothing, and {option} has no place beside it", hint=f"leave {option} away")
    with nullcontext() if asked.dry_run else alone(asked.path):
        return _run(screen, asked, wishes, teardown=teardown)


def _run(screen: Screen, asked: Asked, wishes: SetupOptions, *, teardown: bool) -> int:
    env = EnvFile(asked.path)
    if teardown and knows_nothing(env):
        return _nothing_to_remove(screen, asked)
    environment = _environment(screen, asked, env)
    settings = AdminSettings.from_env(environment)
    if note := mixed_sources(environment, "ZITADEL_DOMAIN", name="ZITADEL_ADMIN_PAT"):
        screen.tell(f"note: {note}")
    client = ManagementClient(settings.issuer, settings.admin_pat, timeout_seconds=settings.timeout_seconds)
    try:
        with _told_why():
            if teardown:
                return _tear_down(screen, asked, wishes, env, client, settings)
            return _set_up(screen, asked, wishes, env, client, settings)
    finally:
        client.close()


def _environment(screen: Screen, asked: Asked, env: EnvFile) -> Environment:
    """Option, environment, ``.env``; what is missing is asked for, if somebody is there."""
    options = {"ZITADEL_DOMAIN": asked.domain, "ZITADEL_ADMIN_PAT": given_token("--admin-pat", asked.admin_pat)}
    given = {name: value for name, value in options.items() if value is not None}
    environment = _layers(given, env)
    hide_secrets(screen, environment)
    if at_terminal() and asked.admin_pat != "-" and not asked.yes:
        if "ZITADEL_DOMAIN" not in environment:
            given["ZITADEL_DOMAIN"] = _typed_domain(
                "ZITADEL_DOMAIN (e.g. https://my-instance-abc123.zitadel.cloud): ", environment
            )
        if "ZITADEL_ADMIN_PAT" not in environment:
            given["ZITADEL_ADMIN_PAT"] = typed_secret("ZITADEL_ADMIN_PAT (an administrator's token, not shown): ")
        environment = _layers(given, env)
        hide_secrets(screen, environment)
    return environment


def _layers(given: dict[str, str], env: EnvFile) -> Environment:
    place = str(env.path)
    layers = {"the command line": given, "the environment": os.environ, place: env.values}
    return Environment(layers, folders={place: env.path.parent})


def _typed_domain(prompt: str, environment: Environment) -> str:
    """Asked for until it can be one, so that no token is typed for what is no address; nothing typed is nothing."""
    while True:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        try:
            text = sys.stdin.readline().strip()
        except KeyboardInterrupt:
            sys.stderr.write("\n")  # the shell's prompt shall not go on behind ours
            raise
        problem = _domain_problem(text, environment) if text else ""
        if not problem:
            return text
        sys.stderr.write(f"{problem}\n")


def _domain_problem(text: str, environment: Environment) -> str:
    try:
        AdminSettings.from_env({**environment, "ZITADEL_DOMAIN": text})
    except SettingsError as error:
        return next((problem for problem in error.problems if problem.startswith("ZITADEL_DOMAIN")), "")
    return ""


@contextmanager
def _told_why() -> Iterator[None]:
    """What keeps ZITADEL from answering is told in the words of the diagnosis."""
    try:
        yield
    except IntrospectionError as error:
        from zdemo.diagnosis import finding_for_error  # here, since it is rarely needed

        finding = finding_for_error(error)
        can_be = f" (it can be: {'; '.join(finding.candidates)})" if finding.candidates else ""
        error.message, error.hint = finding.said + can_be, "; ".join(filter(None, finding.fix)) or error.hint
        raise


def _set_up(
    screen: Screen, asked: Asked, wishes: SetupOptions, env: EnvFile, client: ManagementClient, settings: AdminSettings
) -> int:
    with screen.waiting(f"looking at {settings.issuer}"):
        situation = look(client, env, wishes, issuer=settings.issuer, timeout_seconds=settings.timeout_seconds)
    plan = make_plan(situation, env.values, file=env.path.name)
    if not asked.json:
        show_plan(screen, plan)
    if warning := git_warning(env.path):
        screen.tell(f"warning: {warning}")
    if asked.dry_run:
        return _dry(screen, asked, plan)
    if plan.changes:
        _ask(screen, asked, plan)
    start = time.monotonic()
    if plan.changes:
        carry_out(client, env, plan, screen)
    with screen.waiting("waiting until introspection shows it"):
        shown = prove(env, wishes.role, issuer=settings.issuer, timeout_seconds=settings.timeout_seconds)
    if asked.json:
        screen.document(plan_document(plan, dry_run=False, seconds=shown))
    else:
        show_proof(screen, plan, time.monotonic() - start, changed=plan.changes)
    _tell_hidden(screen, env)
    return ExitCode.YES


def _dry(screen: Screen, asked: Asked, plan: Plan) -> int:
    if asked.json:
        screen.document(plan_document(plan, dry_run=True, seconds=None))
    if plan.asks_rotation:
        screen.tell(f"note: {plan.asks_rotation}; that takes --rotate-secret, or a typed yes")
    screen.tell("--dry-run: nothing was changed" if plan.changes else "nothing to change")
    return ExitCode.YES


def _ask(screen: Screen, asked: Asked, plan: Plan) -> None:
    """Raises ZdemoError unless the person agrees. A new secret in place of a lost one takes more than --yes."""
    if plan.rotation:
        _ask_rotation(screen, asked, plan.rotation, plan.wishes.app_name)
    if asked.yes:
        return
    if not at_terminal():
        raise UsageError(
            "there are changes to make, and no terminal to ask at", hint="--yes makes them, --dry-run shows them only"
        )
    if not agreed(screen, "Make these changes?"):
        raise ZdemoError(NOTHING_CHANGED)


def _ask_rotation(screen: Screen, asked: Asked, rotation: Rotation, application: str) -> None:
    hint = (
        "--rotate-secret makes a new one, and the old one stops working wherever it is in use; or "
        f"{rotation.instead}, or choose another --app-name; {NOTHING_CHANGED}"
    )
    if asked.yes or not at_terminal():
        raise ZdemoError(rotation.why, hint=hint)
    screen.tell(f"{rotation.why}.\n{SHOWN_ONCE}: a new one is made, and the old one stops working.")
    if not agreed(screen, f"A new {rotation.what} for {application}?", word="yes"):
        raise ZdemoError(rotation.why, hint=hint)


def _tell_hidden(screen: Screen, env: EnvFile) -> None:
    for name in hidden_variables(env.values, dict(os.environ), SETTINGS):
        screen.tell(f"warning: {name} in the environment hides the one in {env.path}: unset {name}")


def _nothing_to_remove(screen: Screen, asked: Asked) -> int:
    if asked.json:
        screen.document(teardown_document(Teardown(removals=(), lines=frozenset()), dry_run=asked.dry_run))
    else:
        screen.say(f"nothing to remove: {asked.path} knows of nothing that setup made")
    return ExitCode.YES


def _tear_down(
    screen: Screen, asked: Asked, wishes: SetupOptions, env: EnvFile, client: ManagementClient, settings: AdminSettings
) -> int:
    with screen.waiting(f"looking at {settings.issuer}"):
        teardown = plan_teardown(client, env, wishes, issuer=settings.issuer)
    if not asked.json:
        show_teardown(screen, teardown, env.path)
    if asked.dry_run:
        screen.tell("--dry-run: nothing was changed")
    else:
        _ask_teardown(screen, asked)
        tear_down(client, env, teardown, screen)
    if asked.json:
        screen.document(teardown_document(teardown, dry_run=asked.dry_run))
    elif not asked.dry_run:
        screen.say("removed; zdemo setup makes it again")
    return ExitCode.YES


def _ask_teardown(screen: Screen, asked: Asked) -> None:
    if asked.yes:
        return
    if not at_terminal():
        raise UsageError("there is no terminal to ask at", hint="--yes removes it, --dry-run shows it only")
    if not agreed(screen, "Remove this?"):
        raise ZdemoError(NOTHING_CHANGED)
