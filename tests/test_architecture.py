"""The order of the house: imports point down, and each library is known in one place only.

Imports inside functions count; those under ``TYPE_CHECKING`` do not, since they load nothing.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "zdemo"

# A module or package imports those of the rows above its own, never of its own row or below.
ORDER: tuple[tuple[str, ...], ...] = (
    ("errors", "serving", "deadline", "places", "route", "tally", "opening", "setup_names", "proxy", "near_names"),
    ("values", "dotenv_file", "probe", "trust", "key_file"),
    ("environment", "failures", "client_assertion"),
    ("config", "client_settings"),
    ("transport",),
    ("unknown_host",),
    ("introspection",),
    ("flight", "authorization", "client", "zitadel"),
    ("breaker", "cache", "assignments"),
    ("protection", "diagnosis"),
    ("introspectors", "questions", "administration"),
    ("investigation", "provisioning"),
    ("explanation",),
    ("server", "emulator"),
    ("doctor", "demo", "pytest_plugin"),
    ("cli",),
    ("__main__",),
)

# Only these import it; a name without a dot stands for all that is in the package.
KNOWN_ONLY_TO: dict[str, set[str]] = {
    "flask": {"server", "emulator"},
    "werkzeug": {"server", "emulator"},
    "pytest": {"pytest_plugin"},
    "rich": {"cli.render"},
    "typer": {"cli"},
    "click": set(),
    "dotenv": {"dotenv_file"},
    "prometheus_client": {"server"},
    "cachetools": {"cache"},
    "cheroot": {"serving"},
    "granian": {"serving", "server"},
    "requests": {"transport", "deadline", "failures"},
    "urllib3": {"transport", "deadline", "failures"},
}

# Pure: what they need to know of the world they are handed.
PURE = ("authorization", "diagnosis", "errors", "introspection")
THE_WORLD = {"time", "datetime", "os", "socket", "random", "secrets", "subprocess", "threading"}


def modules() -> dict[str, Path]:
    """Every module by its name below ``zdemo``; a package's own module has the package's name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                yield other
                yield from statements(other)
            continue
        yield node
        yield from statements(node)


@functools.cache
def imports(name: str) -> frozenset[str]:
    """The full names of the modules that a module imports."""
    path = MODULES[name]
    package = ["zdemo", *name.split(".")] if path.name == "__init__.py" else ["zdemo", *name.split(".")[:-1]]
    found: set[str] = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module or "") if part)
            named = {alias.name: f"{source}.{alias.name}" for alias in node.names}
            found.update(whole if whole.removeprefix("zdemo.") in MODULES else source for whole in named.values())
    return frozenset(found)


def of_zdemo(name: str) -> set[str]:
    """The modules of zdemo that a module imports, by their names below ``zdemo``."""
    below = {found.removeprefix("zdemo.") for found in imports(name) if found.startswith("zdemo.")}
    return {found for found in below if found in MODULES}


def top(name: str) -> str:
    return name.split(".")[0]


def place(name: str) -> int:
    rows = [number for number, row in enumerate(ORDER) if top(name) in row]
    assert len(rows) == 1, f"zdemo.{top(name)} has no place, or two, in ORDER: say what it may know"
    return rows[0]


def belongs(name: str, places: set[str]) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in places)


NAMES = sorted(name for name in MODULES if name)


@pytest.mark.parametrize("name", NAMES)
def test_imports_point_down(name: str) -> None:
    upward = {found for found in of_zdemo(name) if top(found) != top(name) and place(found) >= place(name)}
    assert upward == set()


def test_the_package_itself_imports_nothing() -> None:
    assert imports("") <= {"__future__"}


def test_there_are_no_cycles_inside_packages_either() -> None:
    """A package's ``__init__`` counts as what it is: a module that its members may not need."""
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " imports ".join((*way[way.index(name) :], name))
        if name not in done:
            for found in of_zdemo(name):
                visit(found, (*way, name))
            done.add(name)

    for name in NAMES:
        visit(name, ())


def known_to(package: str) -> set[str]:
    """What a package as a whole imports of zdemo, itself left out."""
    members = (name for name in NAMES if top(name) == package)
    return {top(found) for name in members for found in of_zdemo(name)} - {package}


def test_the_emulator_knows_of_zdemo_only_how_to_serve() -> None:
    assert known_to("emulator") == {"serving"}


def test_the_server_and_the_emulator_meet_over_http() -> None:
    assert "emulator" not in known_to("server")


@pytest.mark.parametrize("library", KNOWN_ONLY_TO)
def test_a_library_is_known_in_its_place_only(library: str) -> None:
    users = {name for name in NAMES if library in {found.split(".")[0] for found in imports(name)}}
    assert {name for name in users if not belongs(name, KNOWN_ONLY_TO[library])} == set()


@pytest.mark.parametrize("name", [name for name in NAMES if top(name) in PURE])
def test_what_decides_looks_at_no_clock_and_no_environment(name: str) -> None:
    assert {found.split(".")[0] for found in imports(name)} & THE_WORLD == set()


def test_every_import_is_of_python_or_of_a_dependency() -> None:
    """What only comes along with another package is not relied on."""
    foreign = {found.split(".")[0] for name in NAMES for found in imports(name)} - set(sys.stdlib_module_names)
    assert foreign <= {"zdemo", "__future__", *KNOWN_ONLY_TO, "jwt", "cryptography"}


def test_imports_are_seen_in_all_their_forms() -> None:
    """What the tests above rest on, against modules whose imports are known."""
    assert {"errors", "deadline"} <= of_zdemo("failures")
    assert "transport" not in of_zdemo("errors"), "it is under TYPE_CHECKING"
    assert "dotenv_file" in of_zdemo("environment"), "it is inside a function"
