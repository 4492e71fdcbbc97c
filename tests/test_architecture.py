"""The order of the house: imports point down, each library has one home, and what decides is pure.

Imports inside functions and under ``TYPE_CHECKING`` count as much as those at the top of a module.
"""

import ast
import functools
import re
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from tests.support import processes

PACKAGE = Path(__file__).parents[1] / "zdemo"

# A folder imports those of the rows above its own, never of its own row or below.
ORDER: tuple[tuple[str, ...], ...] = (
    ("errors", "serving", "text"),
    ("config", "emulator"),
    ("http", "testing"),
    ("zitadel", "pytest_plugin"),
    ("guard", "setup"),
    ("server", "asgi", "diagnosis"),
    ("demo", "page", "verify"),
    ("cli",),
    ("__main__",),
)

ROWS = {room: number for number, rooms in enumerate(ORDER) for room in rooms}

# Only these import it; a name without a dot stands for all that is in the package.
HOMES: dict[str, set[str]] = {
    "flask": {"guard.flask_guard", "server", "emulator", "page"},
    "werkzeug": {"guard.flask_guard", "server", "emulator", "page", "serving"},
    "starlette": {"guard.asgi"},
    "anyio": {"guard.asgi"},
    "fastapi": {"guard.asgi.dependency"},
    "pytest": {"pytest_plugin"},
    "typer": {"cli"},
    "click": {"guard.guard"},
    "rich": {"cli.screen"},
    "dotenv": {"config.dotenv_file"},
    "prometheus_client": {"server"},
    "msgspec": {"emulator.seed_file", "page.app", "setup.state_file", "zitadel.records"},
    "granian": {"serving"},
    "setproctitle": {"serving"},
    "redis": {"guard.shared.redis_store"},
    "mcp": {"cli.commands.mcp"},
    "grpc": {"emulator.grpc.server"},
    "grpc_reflection": {"emulator.grpc.server"},
    "google": {"emulator.messages.protobuf"},
    "uwsgidecorators": {"serving.forks"},
    "requests": {"http.transport", "http.deadline", "http.failures"},
    "urllib3": {"http.transport", "http.deadline", "http.failures"},
}

# Importing one of these loads none of what talks to the network, directly or through another module.
PURE = (
    "guard.authorization",
    "zitadel.introspection_answer",
    "zitadel.introspection_response",
    "zitadel.records",
    "setup.plan",
    "diagnosis.rules",
)
NETWORK = {"requests", "urllib3", "socket", "flask"}

# They look at no clock, no environment and no chance either: what they need to know is handed to them.
WITHOUT_WORLD = (
    "errors",
    "guard.authorization",
    "zitadel.introspection_answer",
    "zitadel.introspection_response",
    "diagnosis.evidence",
    "diagnosis.finding",
    "diagnosis.wording",
    "diagnosis.rules",
)
WORLD = {"time", "datetime", "os", "socket", "random", "secrets", "subprocess", "threading"}


PATHS = {path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path for path in PACKAGE.rglob("*.py")}
MODULES = {name.removesuffix("__init__").rstrip("."): path for name, path in PATHS.items()}
NAMES = sorted(name for name in MODULES if name)


class Function(NamedTuple):
    place: str
    name: str
    returns: str
    lines: int  # of its body, without the docstring


class Words(NamedTuple):
    imports: set[str]  # full names: of a package, its module or what its ``__init__`` offers
    classes: list[str]
    attributes: set[str]
    texts: set[str]
    functions: list[Function]
    indexed: set[tuple[str, str]]  # functions, and calls of them with an index


def function_of(module: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    first, last = node.body[ast.get_docstring(node) is not None :][:1], node.body[-1]
    lines = (last.end_lineno or 0) - first[0].lineno + 1 if first else 0
    place = f"{module}:{node.lineno} {node.name}"
    return Function(place, node.name, ast.unparse(node.returns) if node.returns else "", lines)


@functools.cache
def words_of(name: str) -> Words:
    words = Words(set(), [], set(), set(), [], set())
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                words.imports.update(alias.name for alias in node.names)
            case ast.ImportFrom():
                assert not node.level, f"{name} imports by a relative name"
                words.imports.update(f"{node.module}.{alias.name}" for alias in node.names)
            case ast.ClassDef():
                words.classes.append(node.name)
            case ast.Attribute():
                words.attributes.add(node.attr)
            case ast.Constant(value=str(text)):
                words.texts.add(text)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                words.functions.append(function_of(name, node))
            case ast.Subscript(
                value=ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)), slice=ast.Constant()
            ):
                words.indexed.add((called, ast.unparse(node)))
    return words


@functools.cache
def of_zdemo(name: str) -> frozenset[str]:
    """Return the modules of zdemo that a module imports, by their names below ``zdemo``."""
    below = [target.removeprefix("zdemo.") for target in words_of(name).imports if target.startswith("zdemo.")]
    return frozenset(target if target in MODULES else target.rpartition(".")[0] for target in below) & {*NAMES}


def top(name: str) -> str:
    return name.split(".")[0]


def subfolder(name: str) -> str:
    """Return the folder inside a room in which a module is, or an empty text."""
    folder = ".".join(name.split(".")[:2])
    return folder if folder != top(name) and MODULES[folder].name == "__init__.py" else ""


def belongs(name: str, places: set[str]) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in places)


def test_imports_point_down() -> None:
    pairs = {(name, target) for name in NAMES for target in of_zdemo(name) if top(target) != top(name)}
    assert {("http.transport", "errors.response"), ("testing", "emulator")} <= pairs, (
        "imports are seen in all their forms"
    )
    assert {(name, target) for name, target in pairs if ROWS[top(target)] >= ROWS[top(name)]} == set()
    assert not any(target.startswith("zdemo.") for target in words_of("").imports)


def test_there_are_no_cycles() -> None:
    TopologicalSorter({name: of_zdemo(name) for name in NAMES}).prepare()  # names the cycle, if there is one


def test_the_subfolders_of_a_room_do_not_import_each_other_in_a_circle() -> None:
    pairs = {
        (subfolder(name), subfolder(other)) for name in NAMES for other in of_zdemo(name) if top(name) == top(other)
    }
    assert ("emulator.oidc", "emulator.incoming") in pairs, "an import between two subfolders is seen"
    below: dict[str, set[str]] = {}
    for importer, imported in pairs:
        if "" not in (importer, imported) and importer != imported:
            below.setdefault(importer, set()).add(imported)
    TopologicalSorter(below).prepare()


def test_a_library_has_one_home_and_what_comes_along_with_another_is_not_relied_on() -> None:
    pairs = {(name, target.split(".")[0]) for name in NAMES for target in words_of(name).imports}
    assert {(name, target) for name, target in pairs if target in HOMES and not belongs(name, HOMES[target])} == set()
    assert {target for _, target in pairs} <= {"zdemo", *sys.stdlib_module_names, *HOMES, "jwt", "cryptography"}


def test_what_is_pure_loads_no_network_and_what_decides_looks_at_no_clock_and_no_environment() -> None:
    script = f"import sys; {'; '.join(f'import zdemo.{name}' for name in PURE)}; print(*sys.modules)"
    assert NETWORK.isdisjoint(processes.run_python(script).split())
    deciding = [name for name in NAMES if belongs(name, set(WITHOUT_WORLD))]
    assert deciding
    assert {
        (name, target) for name in deciding for target in words_of(name).imports if target.split(".")[0] in WORLD
    } == set()


def test_the_server_and_the_emulator_meet_over_http() -> None:
    pairs = {(top(name), top(target)) for name in NAMES for target in of_zdemo(name)}
    assert {target for room, target in pairs if room == "emulator"} == {"emulator", "serving"}
    assert ("server", "emulator") not in pairs


def test_a_public_class_name_occurs_once_outside_the_emulator() -> None:
    classes = (word for name in NAMES if top(name) != "emulator" for word in words_of(name).classes)
    counted = Counter(word for word in classes if not word.startswith("_"))
    assert {word for word, count in counted.items() if count > 1} == set()


NAMELESS = "one|found|shown|made|said"
STORED = re.compile(  # as a variable, which parsing makes sure of
    rf"(?m)(?:^ *|[(\[,*=:] *|\b(?:for|as|lambda|case) )(?:{NAMELESS})(?:$| *(?:[]}}:=,)]|[-+*/|&]=|in\b|if\b))"
)


def test_a_variable_is_named_for_what_it_holds() -> None:
    places, folders = [], ("zdemo", "tests", "benchmarks", "docs")
    for path in (path for folder in folders for path in sorted((PACKAGE.parent / folder).rglob("*.py"))):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if STORED.search(text) else ():
            match node:
                case (
                    ast.Name(id=name, ctx=ast.Store())
                    | ast.arg(arg=name)
                    | ast.ExceptHandler(name=name)
                    | ast.MatchAs(name=name)
                    | ast.alias(asname=name)
                ):
                    if name in NAMELESS.split("|"):
                        places.append(f"{path.relative_to(PACKAGE.parent)}:{node.lineno} {name}")
    assert not places, "\n".join(places)


def test_the_parts_of_a_tuple_that_a_function_returns_have_names() -> None:
    kinds = {function.name: function.returns for name in MODULES for function in words_of(name).functions}
    tuples = {name for name, kind in kinds.items() if kind.startswith("tuple[") and not kind.endswith(", ...]")}
    assert {pair for name in MODULES for pair in words_of(name).indexed if pair[0] in tuples} == set()


def test_a_function_is_short_enough_to_be_read_at_once() -> None:
    functions = [
        (function, 45 if top(name) == "cli" else 60) for name in MODULES for function in words_of(name).functions
    ]
    assert [f"{function.place}: {function.lines} lines" for function, most in functions if function.lines > most] == []
