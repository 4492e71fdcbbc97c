"""Turn a command line into an exit code, and every error into ``error:`` and ``hint:``."""

import errno
import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import TextIO, cast

import typer

from zdemo.cli.app import program
from zdemo.cli.common_options import ASK
from zdemo.cli.screen import Screen, drop
from zdemo.cli.usage import SECRET_OPTIONS, CommandLineError
from zdemo.config.file_io import deleted_folder
from zdemo.config.new_dotenv import with_env_file
from zdemo.errors import ConnectionFailed, ExitCode, IntrospectionError, UsageError, ZdemoError
from zdemo.text.masking import could_be_secret, secret_query_values

INTERRUPTED = 130  # what shells report for a program ended by SIGINT
IN_BRACES = re.compile(r"(?<![^\s/:=@$]){[A-Za-z_]{1,20}}(?![^\s/:=@])")  # not a secret, so messages may name it
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def run(arguments: Sequence[str]) -> int:
    """Run one command line, and return its exit code."""
    # streams that are closed (``>&-``): writing to standard output fails, standard error is dropped
    if cast("TextIO | None", sys.stdout) is None:
        sys.stdout = _null(os.O_RDONLY)
    if cast("TextIO | None", sys.stderr) is None:
        sys.stderr = _null(os.O_WRONLY)
    screen = Screen()
    words = [word for argument in arguments for word in _secret_words(argument)]
    screen.redaction.hide_words(*words, *(word.lstrip("-") for word in words))
    as_json = "--json" in takewhile(lambda word: word != "--", arguments)  # the others are another program's
    try:
        return _run(screen, arguments)
    except (typer.Abort, KeyboardInterrupt):  # at a question of Typer's, and before Typer runs
        screen.interrupted()
        return INTERRUPTED
    except ZdemoError as error:
        if screen.environment and (error.finding or isinstance(error, IntrospectionError | ConnectionFailed)):
            from zdemo.diagnosis.ask.failed_command import name_cause  # here, since most commands do not fail

            name_cause(error, screen.environment, screen.told)
        because = [problem.text for problem in error.because]
        more = {"finding": error.finding, "because": because} if error.finding else None
        fix = [with_env_file(step, getattr(screen.environment, "file", None)) for step in error.steps]
        screen.failure(*error.lines, steps=fix, as_json=as_json, more=more)
        return int(error.exit_code)
    except BrokenPipeError:  # the reader of the answer has left, which needs no message
        drop(sys.stdout)
    except Exception as fault:
        if isinstance(fault, OSError) and fault.filename is None and fault.errno in UNWRITABLE:
            why = fault.strerror or "it is closed"
            screen.error(f"the answer cannot be written: {why}", steps=["check where standard output goes"])
        else:
            steps = deleted_folder() or ("this is likely a bug in zdemo: report this line",)
            screen.failure(f"unexpected error: {_unforeseen(fault)}", steps=steps, as_json=as_json)
        drop(sys.stdout)
    return int(ExitCode.NO)


def _secret_words(argument: str) -> Iterable[str]:
    """Return the parts of an argument that must not be repeated: all of it, or the values in a path's query."""
    if re.match("https?://|/", argument) and not could_be_secret(argument.partition("?")[0]):
        return secret_query_values(argument)
    if not could_be_secret(IN_BRACES.sub("", argument)):
        return ()
    # messages escape what cannot be printed, and name a path without // and ./
    printed = [] if argument.isprintable() else "".join(c if c.isprintable() else "=" for c in argument).split("=")
    pieces = (*argument.split("=", 1), *re.split(r"[/:\s'\"]", argument))
    parts = [piece for piece in pieces if could_be_secret(IN_BRACES.sub("", piece))]
    # steps quote an argument for the shell, which changes a quote inside it
    return (argument, shlex.quote(argument).strip("'"), *printed, *parts)


def _null(mode: int) -> TextIO:
    return open(os.open(os.devnull, mode), "w", encoding="utf-8", closefd=False)


def _run(screen: Screen, arguments: Sequence[str]) -> int:
    arguments = [*arguments[1:], "--help"] if arguments[:1] == ["help"] else list(arguments)
    if "--" not in arguments and arguments[-1:] and arguments[-1] in SECRET_OPTIONS:
        arguments[-1] += f"={ASK}"  # Typer has no optional values
    if arguments[1:] and arguments[0].endswith("-completion"):  # Typer would ignore the name of another shell
        raise UsageError(f"{arguments[0]} takes no value", hint="run it alone, in the shell that you mean")
    try:
        result = program(args=arguments, prog_name="zdemo", standalone_mode=False, obj=screen)
    except CommandLineError:  # without a command, Typer has shown the help
        return int(ExitCode.USAGE)
    if result == INTERRUPTED:  # how Typer reports Ctrl-C
        screen.interrupted()
    return int(result) if isinstance(result, int) else int(ExitCode.YES)


def _unforeseen(fault: Exception) -> str:
    """Return what is known of a bug, without the error's text, which may hold a token."""
    folder, place = f"{os.sep}zdemo{os.sep}", "zdemo"
    for frame in traceback.extract_tb(fault.__traceback__):
        if folder in frame.filename:
            place = f"{frame.filename.rpartition(folder)[2]}, line {frame.lineno}"
    system = getattr(fault, "strerror", None)
    return f"{type(fault).__name__} at {place}" + (f": {system}" if isinstance(system, str) else "")
