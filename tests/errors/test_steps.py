"""What a person can paste: a shell takes each line as it stands, and zdemo's command line each of its commands."""

import ast
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import typer

from tests.support.processes import ROOT, run_program
from zdemo.cli.app import COMMANDS, load
from zdemo.cli.app import program as PROGRAM
from zdemo.cli.common_options import ASK
from zdemo.cli.usage import NAMED, SECRET_OPTIONS, other_words
from zdemo.config.new_dotenv import with_env_file
from zdemo.config.variables import BY_NAME
from zdemo.errors.steps import Command, Shell, in_words, usable
from zdemo.text.spelling import did_you_mean

ANY = "1"  # stands for a value that is known at run time only: a number is also a name
KNOWN = {"action": "grant", "api": "", "where": "", "_at_port": "", "method": "POST"}  # an option, or nothing
OTHER_PROGRAMS = ("base64", "chmod", "curl", "df", "export", "jq", "ls", "mkdir", "mv", "openssl", "pip", "unset")


def text_of(node: ast.expr | None) -> str:
    """Return a text of the source as it can be at run time; an option that may be there is."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(map(text_of, values))
        case ast.FormattedValue(value=ast.IfExp() | ast.JoinedStr() as value):
            return text_of(value)
        case ast.IfExp(body=body):
            return text_of(body)
        case ast.FormattedValue(value=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
            return KNOWN.get(name, ANY)
    return ANY


def steps() -> Iterator[tuple[str, Command | Shell]]:
    """Yield each command that zdemo proposes, and its place in the code."""
    for path in sorted((ROOT / "zdemo").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for call in ast.walk(ast.parse(text)) if re.search(r"\b(Command|Shell)\(", text) else ():
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
                continue
            if call.func.id not in ("Command", "Shell") or (text := text_of(call.args[0])).startswith(ANY):
                continue
            given = dict(zip(("text", "names", "option"), call.args, strict=False))
            given |= {str(keyword.arg): keyword.value for keyword in call.keywords}
            names, option = given.get("names"), text_of(given["option"]) if "option" in given else ""
            words = tuple(map(text_of, names.elts)) if isinstance(names, ast.Tuple) else ()
            command = Command(text, words, option.removeprefix(ANY), uses_settings="uses_settings" not in given)
            yield f"{path.relative_to(ROOT)}:{call.lineno}", Shell(text) if call.func.id == "Shell" else command


def words_of(line: str) -> list[str]:
    """Return the words of a line, which the shell must take as one simple command."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    assert not [word for word in words if set(word) <= set("();<>|&")], f"the shell would take a sign of: {line}"
    return shlex.split(line, comments=True)


def is_of_a_command(line: str) -> bool:
    """Return whether a line calls another program, or a command of zdemo with options that it has."""
    program, *arguments = words_of(line)
    if program != "zdemo":
        return program in OTHER_PROGRAMS
    if arguments[-1] in SECRET_OPTIONS:
        arguments[-1] += f"={ASK}"
    assert not set(SECRET_OPTIONS) & set(arguments), "an option that asks for a token must be the last one"
    with suppress(typer.Exit):  # --help, --version
        context = PROGRAM.make_context("zdemo", arguments[:1])
        name, command, arguments = PROGRAM.resolve_command(context, arguments)
        while hasattr(command, "resolve_command"):
            name, command, arguments = command.resolve_command(context, arguments)
        command.make_context(name, arguments, parent=context)
    return True


def test_no_command_with_a_masked_word_is_proposed() -> None:
    steps = Command("role grant", ("x", "secret")), "not secret", Command("doctor")
    assert usable(steps, lambda text: text.replace("secret", "…")) == ("not …", Command("doctor"))


def taken(command: str) -> set[str]:
    """Return the options and commands that may stand behind the name of a command or a group."""
    group = PROGRAM
    for name in command.split():
        group = load(name) if group is PROGRAM else group.commands[name]
    words = (word for param in group.params for word in param.opts if word[0] == "-")
    return {*words, *getattr(group, "commands", ())}


def test_a_line_to_paste_is_nothing_but_a_valid_command() -> None:
    """With the option that names a ``.env``, where a command takes it."""
    file = Path("my folder/my.env")
    lines = [(in_words(with_env_file(step, file)), place, isinstance(step, Command)) for place, step in steps()]
    assert len(lines) > 100
    parsed = run_program("bash", "-n", "-c", "\n".join(line for line, _, _ in lines))
    assert (parsed.returncode, parsed.stderr) == (0, "")
    for line, place, is_command in lines:
        try:
            assert is_command is line.startswith("zdemo "), line
            assert is_of_a_command(line), line
        except Exception as error:
            error.add_note(f"{place} proposes {line}")
            raise


def test_another_word_means_what_exists_and_no_word_of_zdemo_is_a_misspelling() -> None:
    table = other_words()
    forms = " ".join(table.pop("forms").values()).split()
    by_command = {command: taken(command) for command in {*COMMANDS, *table} - {"*"}}
    everything = set[str]().union(*by_command.values())
    assert everything.issuperset(forms)
    for command, rows in table.items():
        own = by_command.get(command, everything)
        for meant, words in rows.items():
            assert not own.intersection(words.split()) or command == "*", f"{command} has one of {words}"
            if meant.startswith("zdemo "):
                assert is_of_a_command(meant), meant
            else:
                assert {*own, *BY_NAME}.issuperset(re.findall(NAMED, meant)), f"{command}: {meant}"
    for command, own in by_command.items():
        named = " ".join(table.get(command, {}).values()).split()
        near = {word: did_you_mean(word, own) for word in everything.difference(own, named)}
        misread = {word: other for word, other in near.items() if word[:1] == other[:1]}
        assert not misread, f"{command} takes what another command has for a misspelling"
