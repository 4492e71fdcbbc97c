"""Run a command against an emulator of its own, and give other programs what they need to use one."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from zdemo.cli.common_options import port_explained
from zdemo.cli.screen import Screen
from zdemo.cli.usage import PAGES, as_typed, is_quoted, option
from zdemo.config.environment import GIVEN_BY_EMULATOR
from zdemo.config.file_io import create_file, read_file
from zdemo.errors import SettingsError, UsageError, ZdemoError
from zdemo.errors.steps import Command
from zdemo.text.masking import without_tokens
from zdemo.text.printable import utf8_text
from zdemo.text.spelling import did_you_mean

if TYPE_CHECKING:
    from zdemo.emulator.seed import Start

GIVEN = (  # the variables of a command
    *("ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_PROJECT_ID", "PAT", "ZDEMO_VISITOR_PAT"),
    *("ZITADEL_ADMIN_PAT", "ZITADEL_KEY_FILE", "ZDEMO_USER_KEY_FILE", "ZDEMO_APP_CLIENT_ID"),
)
PLACEHOLDERS = {re.sub("^(ZITADEL|ZDEMO)_", "", name).lower(): name for name in GIVEN}  # for their values, in --env
SECRETS = ("client_secret", "pat", "visitor_pat", "admin_pat")  # placeholders that no command line may show
NAMES = (*PLACEHOLDERS, "host", "port")  # the last two are parts of the domain
PLACEHOLDER = re.compile(f"{{(?:{'|'.join(NAMES)})}}")
WITHDRAWN = re.compile("ZITADEL_|ZDEMO_USER_|ZDEMO_CACHE_URL$")  # these too may lead to a real ZITADEL
EXPORT = f"Export another variable to COMMAND. Placeholders: {', '.join(f'{{{name}}}' for name in NAMES)}."
Env = Annotated[list[str] | None, option("NAME=TEXT", EXPORT, "--env")]
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LARGEST_SEED_BYTES = 4 << 20  # some 12,000 users
SEED_DOCS = f"{PAGES}/emulator.md has an example"
DOMAIN = re.compile(r"(?i)[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?")
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as shells report it


def new_start(port: int, seed: Path | None, domains: Sequence[str], person: str) -> Start:
    """Return a new world: that of a file, one of its own for a free port, or the known one; it logs ``person`` in."""
    from zdemo.emulator.seed import SeedError, known_start, random_start
    from zdemo.emulator.seed_file import seeded_start
    from zdemo.emulator.sessions import people, set_auto_login

    for domain in domains:
        if not DOMAIN.fullmatch(domain):
            hint = "give NAME or NAME:PORT, for example zitadel:8484"
            raise UsageError(f"invalid value for --external-domain (ZDEMO_EXTERNAL_DOMAIN): {domain}", hint=hint)
    if seed is None:
        start = random_start() if port == 0 else known_start()
    else:
        try:
            start = seeded_start(_seed_text(seed), seed.name)
        except SeedError as error:  # a secret may stand in a wrong field
            raise SettingsError([without_tokens(str(error))], hint=(without_tokens(error.hint), SEED_DOCS)) from None
    start.world.other_domains = tuple(dict.fromkeys(domain.lower() for domain in domains))
    try:
        set_auto_login(start.world, person or start.world.auto_login)
    except KeyError:
        known = ", ".join(user.username for user in people(start.world)) or "none"
        raise UsageError(f"unknown person: {person}", hint=f"known: {known}") from None
    return start


def _seed_text(path: Path) -> str:
    if path.suffix not in (".toml", ".json"):
        raise UsageError(f"invalid value for --seed: {path} (a .toml or .json file)", hint=SEED_DOCS)
    try:
        content, _ = read_file(path, LARGEST_SEED_BYTES)
        if len(content) > LARGEST_SEED_BYTES:
            raise ValueError(f"is larger than {LARGEST_SEED_BYTES >> 20} MiB")
        return utf8_text(content)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else f"it {error}"
        raise UsageError(f"cannot read {path}: {problem}", hint=SEED_DOCS) from None


@contextmanager
def exported(start: Start) -> Iterator[dict[str, str]]:
    """Yield the variables that a client of a new world needs; the key files are in a folder of this user."""
    from zdemo.emulator.seed import add_key_files

    application, user = add_key_files(start)
    contents = {"ZITADEL_KEY_FILE": application, "ZDEMO_USER_KEY_FILE": user}
    try:
        temporary = TemporaryDirectory(prefix="zdemo-emulator-")
    except OSError as error:
        hint = "set TMPDIR to a folder that this user can write to"
        raise ZdemoError(f"the key files cannot be written: {error.strerror}", hint=hint) from None
    with temporary as folder:
        values = {variable: getattr(start, name, "") for name, variable in PLACEHOLDERS.items()}
        for name, text in contents.items():
            if text:
                create_file(path := Path(folder, f"{name}.json"), text)
                values[name] = str(path)
        yield {name: value for name, value in values.items() if value}


def stop_when_stdin_closes() -> None:
    """Send this process SIGTERM when standard input ends."""

    def wait() -> None:
        try:
            while os.read(0, 65536):
                pass
        finally:  # also when it cannot be read, or is closed already
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="stdin", daemon=True).start()


def run_with_emulator(
    ctx: typer.Context, command: Sequence[str], others: Sequence[str], new: Start, *, host: str, port: int
) -> int:
    """Run a command to its end with the variables of an emulator and with ``others``; return its exit code."""
    from zdemo.emulator import emulate
    from zdemo.serving.programs import run
    from zdemo.serving.signals import left_by_signals
    from zdemo.serving.unrunnable import why_not_run

    screen: Screen = ctx.obj
    with ExitStack() as stack:
        stack.enter_context(left_by_signals())
        values = stack.enter_context(exported(new))
        with port_explained(host, port):
            running = stack.enter_context(emulate(new.world, host=host, port=port))
        values["ZITADEL_DOMAIN"] = running.url
        screen.tell(f"ZITADEL (emulator {new.world.name}) on {running.url}, for {command[0]}")
        environment = command_environment(screen, "the command", {**values, **variables(others, values, running.port)})
        try:
            return run(expanded(command, values, running.port), environment)
        except OSError as error:
            why, fix = why_not_run(command, error)
            screen.error(why, steps=[fix])
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE


def expanded(words: Iterable[str], values: Mapping[str, str], port: int) -> list[str]:
    """Return words with placeholders replaced by the ``values`` of variables; other braces stay as they are."""
    known = {name: values.get(variable, "") for name, variable in PLACEHOLDERS.items()}
    known |= {"host": "localhost", "port": str(port)}
    return [PLACEHOLDER.sub(lambda match: known[match[0][1:-1]], word) for word in words]


def check_command(words: Sequence[str], texts: Iterable[str], *, instead: Command) -> None:
    """Raise UsageError for a wrong text of ``--env``, and for a command that cannot be run, or would show a secret.

    Everybody can read the list of processes. ``instead`` is what to do on Windows.
    """
    if os.name != "posix":
        raise UsageError("a command can be run on Linux and macOS only", hint=instead)
    variables(texts, {}, 0)
    if is_quoted(words):
        raise UsageError(f"the command is in quotes: {words[0]}", hint=f"write it like this: -- {as_typed(words)}")
    for word in (word for word in words if not re.search(r"\s", word)):  # a script's braces are its own
        check_placeholders("the command", word)
    if words[-1] == "--port":
        raise UsageError("the command ends with --port, without a value", hint="write --port {port}, without $")
    for name in SECRETS:
        if any(f"{{{name}}}" in word for word in words):
            hint = f"export it instead: --env {PLACEHOLDERS[name]}={{{name}}}"
            raise UsageError(f"{{{name}}} would show a secret in the list of processes", hint=hint)


def check_placeholders(what: str, text: str, *, misspelled: bool = False) -> None:
    """Raise UsageError for a placeholder in capitals, for a setting's name in its place and for a misspelled one."""
    for word in re.findall(r"(?<![${]){(\w+)}", text):  # ${NAME} is a shell's
        bare = re.sub("^(ZITADEL|ZDEMO)_", "", word).lower()
        meant = bare if bare in NAMES else did_you_mean(word, NAMES) if misspelled else ""
        if meant and word not in NAMES:
            raise UsageError(f"{what}: unknown placeholder: {{{word}}}", hint=f"did you mean {{{meant}}}?")


def command_environment(screen: Screen, whose: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command, and tell which of the user's variables it does not get.

    Proxies stay, since a command may need them to reach the internet, but requests to this machine go past them.
    """
    withdrawn = {name for name in os.environ if WITHDRAWN.match(name) or name in GIVEN}
    if lacking := sorted(withdrawn - given.keys()):
        screen.note(f"{whose} does not get your {', '.join(lacking)}")
    without_proxy = ",".join(filter(None, (os.environ.get("no_proxy"), os.environ.get("NO_PROXY"), *LOOPBACK)))
    past_proxies = dict.fromkeys(("no_proxy", "NO_PROXY"), without_proxy)
    kept = {name: value for name, value in os.environ.items() if name not in withdrawn}
    return {**kept, **past_proxies, GIVEN_BY_EMULATOR: " ".join(given), **given}


def variables(texts: Iterable[str], values: Mapping[str, str], port: int) -> dict[str, str]:
    """Return the variables that ``--env`` gives a command, with what its placeholders stand for."""
    given = {}
    for text in texts:
        name, equals, template = text.partition("=")
        if not equals or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            hint = "for example: --env ZITADEL_ISSUER={domain}"
            raise UsageError(f"invalid value for --env: {text} (NAME=TEXT)", hint=hint)
        if shells := re.search(rf"\$({PLACEHOLDER.pattern})", template):
            raise UsageError(f"--env {name}: {shells[0]} is a shell's variable", hint=f"write {shells[1]}")
        check_placeholders(f"--env {name}", template, misspelled=True)
        if (alone := re.fullmatch(r"{([a-z_]+)}([/:]\S*)?", template)) and alone[1] not in NAMES:
            raise UsageError(f"--env {name}: unknown placeholder: {{{alone[1]}}}", hint=f"known: {', '.join(NAMES)}")
        given[name] = expanded([template], values, port)[0]
    return given
