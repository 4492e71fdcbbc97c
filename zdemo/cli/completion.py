"""Completion in bash, zsh and fish: what may stand at a place of the command line, and how to install it.

The shell's function runs ``zdemo`` with ``_ZDEMO_COMPLETE`` set, and with the line up to the cursor as its argument.
"""

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from zdemo.config.printable import printable
from zdemo.errors import UsageError, ZdemoError

HELP_COMMAND = ("help", "Show the help of a command.")
HELP = ("--help", "Show the help.")
SHELLS = ("bash", "zsh", "fish")
SCRIPTS = {
    "bash": """\
_zdemo_completion() {
    local IFS=$'\\n'
    COMPREPLY=($(_ZDEMO_COMPLETE=bash COMP_WORDBREAKS="$COMP_WORDBREAKS" "$1" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
}
complete -o bashdefault -o default -F _zdemo_completion zdemo
""",
    "zsh": """\
#compdef zdemo
_zdemo() {
    local line
    local -a lines found
    lines=("${(@f)$(_ZDEMO_COMPLETE=zsh "${words[1]}" "${(j: :)${(@)words[1,CURRENT-1]}} $PREFIX" 2>/dev/null)}")
    for line in $lines; do
        found+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}")
    done
    if (( $#found )); then _describe -V zdemo found; else _files; fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
if [[ ${funcstack[1]} == _zdemo ]]; then _zdemo "$@"; else compdef _zdemo zdemo; fi
""",
    "fish": """\
function __zdemo_completion
    set -l found (env _ZDEMO_COMPLETE=fish zdemo (commandline -cp | string collect) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command zdemo --no-files --arguments '(__zdemo_completion)'
""",
}


# --- what may stand there


def complete(program: Any, shell: str, line: str) -> str:
    """Return what may follow, one candidate per line; zsh and fish get its meaning too, behind a tab."""
    words, incomplete = _words(line)
    found = {printable(value): printable(meaning) for value, meaning in candidates(program, words[1:], incomplete)}
    if shell != "bash":
        return "".join(f"{value}\t{' '.join(meaning.split())}\n" for value, meaning in found.items())
    breaks = [c for c in os.environ.get("COMP_WORDBREAKS", "") if c in ":="]
    before = max((incomplete.rfind(c) + 1 for c in breaks), default=0)  # for bash, these begin another word
    return "".join(f"{value[before:]}\n" for value in found)


def _words(line: str) -> tuple[list[str], str]:
    """Return the whole words of a line, and the one that is not typed to its end."""
    for end in ("", "'", '"'):  # a quote may be open
        with suppress(ValueError):
            words = shlex.split(line + end)
            return (words, "") if line[-1:].isspace() and not end else (words[:-1], words[-1] if words else "")
    return [], ""


def candidates(program: Any, words: Sequence[str], incomplete: str) -> list[tuple[str, str]]:
    """Return the values that may stand behind some words and begin with ``incomplete``, and what they mean."""
    is_help = list(words[:1]) == ["help"]
    command, rest = _called(program, words[1:] if is_help else words)
    if command is None:
        return []
    if is_help:
        begun = list(_commands(command)) if not rest else []
    else:
        begun = list(_candidates(command, rest, incomplete))
        begun += [HELP_COMMAND] if command is program and not rest else []
    return [(value, meaning) for value, meaning in begun if value.startswith(incomplete)]


def _called(program: Any, words: Sequence[str]) -> tuple[Any, list[str]]:
    """Return the command that the words call, if there is such a command, and the words behind it."""
    command, rest = program, []
    for number, word in enumerate(words):
        if not hasattr(command, "list_commands"):
            return command, list(words[number:])
        if word.startswith("-"):
            rest.append(word)
        elif inner := command.get_command(None, word):
            command, rest = inner, []
        else:
            return None, []
    return command, rest


def _commands(group: Any) -> Iterator[tuple[str, str]]:
    if hasattr(group, "list_commands"):
        yield from (row for rows in group.command_groups(None).values() for row in rows)


def _candidates(command: Any, words: list[str], incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield what may stand behind the options and arguments of a command: a value, an option, or an argument."""
    options = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    by_name = {name: option for option in options for name in option.opts}
    arguments = iter([param for param in command.params if param.param_type_name == "argument"])
    ctx, waiting = typer.Context(command, resilient_parsing=True), None
    for word in words:
        name, has_value, value = word.partition("=")
        if waiting:
            waiting = None
        elif option := by_name.get(name):
            ctx.params[option.name] = value
            waiting = None if option.is_flag or has_value else option
        else:
            next(arguments, None)
    name, has_value, part = incomplete.partition("=")
    if waiting:
        yield from _values(waiting, ctx, incomplete)
    elif has_value and (option := by_name.get(name)):
        yield from ((f"{name}={value}", meaning) for value, meaning in _values(option, ctx, part))
    elif incomplete.startswith("-"):
        free = [option for option in options if option.multiple or option.name not in ctx.params]
        yield from ((name, option.help) for option in free for name in option.opts if name.startswith("--"))
        yield HELP
    elif hasattr(command, "list_commands"):
        yield from _commands(command)
    elif argument := next(arguments, None):
        yield from _values(argument, ctx, incomplete)


def _values(param: Any, ctx: Any, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the values that an option or an argument may have, where they are known."""
    for item in param.shell_complete(ctx, incomplete):
        if item.type == "plain":
            yield str(item.value), item.help or ""


# --- the scripts


def script(shell: str | None) -> tuple[str, str]:
    """Return a shell, by default the person's, and its script. Raises UsageError for another shell."""
    name = Path(shell or os.environ.get("SHELL", "")).name
    if name not in SCRIPTS:
        what = f"unknown shell: {name}" if name else "the variable SHELL does not name your shell"
        raise UsageError(what, hint=f"name one of {', '.join(SHELLS)}: zdemo --show-completion bash")
    return name, SCRIPTS[name]


def install(shell: str | None) -> list[str]:
    """Write the script where the shell finds it, and return what was done; a start-up file only gets one more line."""
    name, text = script(shell)
    home = Path.home()
    if name == "fish":
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "fish", "completions")
        return [f"wrote {_write(folder / 'zdemo.fish', text)}", "it works in the next fish that you start"]
    folder = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share", "zdemo")
    path = _write(folder / f"completion.{name}", text)
    start = Path(os.environ.get("ZDOTDIR") or home, ".zshrc") if name == "zsh" else home / ".bashrc"
    line = f"source {shlex.quote(str(path))}"
    done = f"added to {start}: {line}" if _add_line(start, line) else f"{start} has it already: {line}"
    return [f"wrote {path}", done, f"it works in the next {name} that you start"]


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _add_line(path: Path, line: str) -> bool:
    """Add a line at the end of a file, unless it has that line; return whether it was added."""
    try:
        before = path.read_bytes() if path.exists() else b""
        if line.encode() in before.splitlines():
            return False
        with path.open("ab") as file:
            file.write((b"" if before.endswith(b"\n") or not before else b"\n") + line.encode() + b"\n")
    except OSError as error:
        raise _unwritable(path, error) from error
    return True


def _unwritable(path: Path, error: OSError) -> ZdemoError:
    hint = "zdemo --show-completion prints the script, to put it where your shell reads it"
    return ZdemoError(f"{path} cannot be written: {error.strerror}", hint=hint)
