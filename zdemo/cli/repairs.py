"""What ``zdemo doctor --fix`` does: show a change as a diff, ask, keep the file as it was, and change it."""

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path

import typer

from zdemo.cli.screen import Screen
from zdemo.cli.token_input import agreed, at_terminal, typed_secret
from zdemo.config.address import ADMIN_PAT
from zdemo.config.dotenv_file import Dotenv, load_dotenv
from zdemo.config.environment import Environment
from zdemo.config.file_io import check_writable, create_file, not_written, replace_file
from zdemo.config.variables import SECRETS
from zdemo.diagnosis.checks.check import CheckReport
from zdemo.diagnosis.finding import Outcome
from zdemo.errors import SettingsError
from zdemo.errors.steps import Command, GrantRole, RenameVariable, Repair, SetVariable, TightenMode
from zdemo.setup.state_file import FOLDER, make_folder
from zdemo.text.masking import could_be_secret, without_tokens

COLOURS = {"-": "red", "+": "green"}


def can_repair(done: Sequence[CheckReport], environment: Environment) -> bool:
    """Return whether zdemo can make the repair of a finding here."""
    return any(report.result.repair and not _why_not(report.result.repair, environment) for report in done)


def _why_not(wanted: Repair, environment: Environment) -> str:
    if isinstance(wanted, TightenMode):
        return ""  # the warning is given only where this user's chmod has an effect
    if isinstance(wanted, GrantRole):
        return "" if ADMIN_PAT in environment else f"it needs {ADMIN_PAT}, or --admin-pat at the end of the line"
    if isinstance(wanted, SetVariable) and not wanted.value and not at_terminal():
        return f"it asks for {wanted.name} at a terminal"
    place = environment.source(wanted.name)
    if place != str(environment.file):
        return f"{wanted.name} comes from {place}, not from a file"
    if isinstance(wanted, RenameVariable) and wanted.right in load_dotenv(Path(place)).repeated:
        return f"{wanted.right} is set twice in {place}"
    return ""


def repair(
    ctx: typer.Context, done: Sequence[CheckReport], environment: Environment, tried: set[Repair], *, yes: bool
) -> bool:
    """Make the repairs that were not ``tried`` and that the person agrees to; return whether there was one."""
    screen: Screen = ctx.obj
    has_changed = False
    for report in done:
        wanted = report.result.repair
        if wanted is None or wanted in tried:
            continue
        tried.add(wanted)
        if why := _why_not(wanted, environment):
            screen.note(f"--fix cannot repair {report.id}: {why}")
            continue
        screen.say()
        if isinstance(wanted, SetVariable) and not wanted.value:
            wanted = SetVariable(wanted.name, typed_secret(f"{wanted.name}, not shown (Enter to skip): ").strip())
            screen.hide(wanted.value)
            if not wanted.value:
                continue
        lines, make = _planned(ctx, wanted, environment)
        for line in lines:
            screen.behind(f"{line[0]} ", without_tokens(line[2:]), colour=COLOURS[line[0]])
        if not yes and not at_terminal():
            screen.tell("nothing was changed: there is no terminal to ask on; --yes makes this change")
        elif yes or agreed("Make this change?"):
            try:
                make()
            except OSError as error:  # a mode that cannot be changed: secrets are often mounted read-only
                raise not_written(Path(error.filename), error) from None
            has_changed = True
    if not has_changed and any(r.result.outcome is Outcome.FAIL and r.result.repair is None for r in done):
        screen.note("--fix cannot do the rest: it changes only what is certain")
    return has_changed


def _planned(ctx: typer.Context, wanted: Repair, environment: Environment) -> tuple[list[str], Callable[[], object]]:
    """Return the lines of a diff for a repair, and what makes it."""
    if isinstance(wanted, GrantRole):
        from zdemo.cli.commands.role import grant_role  # here, since most repairs change a file

        grant = partial(grant_role, ctx, wanted.user_id, wanted.role, admin_pat=environment[ADMIN_PAT])
        return [f"+ {wanted.user}  {wanted.role}"], partial(grant, env_file=environment.file)
    if isinstance(wanted, TightenMode):
        path, mode = wanted.path, stat.S_IMODE(wanted.path.stat().st_mode)
        right = mode & stat.S_IRWXU
        return [f"- {mode:04o} {path}", f"+ {right:04o} {path}"], partial(path.chmod, right)
    path, value = Path(environment.source(wanted.name)), environment[wanted.name]
    if (target := Path(os.path.realpath(path))).parent != Path(os.path.realpath(path.parent)):
        hint = Command("doctor --fix", env_file=target)
        raise SettingsError([f"{path} is a link to {target}, which others may use; nothing was changed"], hint=hint)
    check_writable(path)
    before, after = load_dotenv(path), load_dotenv(path)
    name, new = (wanted.name, wanted.value) if isinstance(wanted, SetVariable) else (wanted.right, value)
    if name == wanted.name:
        after.set_value(name, new)
    else:
        after.rename(wanted.name, name)
    lines = [f"- {before.statement(wanted.name)}", f"+ {after.statement(name)}"]
    if name in SECRETS or could_be_secret(value) or could_be_secret(new):
        lines = [f"- {wanted.name}=…", f"+ {name}=…"]
    return lines, partial(_write, ctx.obj, path, before, after)


def _write(screen: Screen, path: Path, before: Dotenv, after: Dotenv) -> None:
    """Replace ``.env``, and keep a copy of it, unless somebody changed it."""
    if load_dotenv(path).text != before.text:
        raise SettingsError([f"{path} has changed meanwhile; nothing was changed"], hint=Command("doctor --fix"))
    make_folder(path.parent / FOLDER)
    for copy in (path.parent / FOLDER / f"{path.name}.{number}" for number in count(1)):
        with suppress(FileExistsError):
            create_file(copy, before.text)
            break
    replace_file(path, after.text, like=before.status)
    screen.say(f"changed {path}; the old one is in {copy}")
