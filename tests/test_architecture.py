"""The order of the house: imports point down, each library has one home, and what decides is pure.

Imports inside functions and under ``TYPE_CHECKING`` count as much as those at the top of a module.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import processes

PACKAGE = Path(__file__).parents[1] / "zdemo"

# A folder imports those of the rows above its own, never of its own row or below.
# ``http.response`` is a leaf that errors carry, ``processes.forks`` one that all rooms use, so they have their own row.
ORDER: tuple[tuple[str, ...], ...] = (
    ("http.response", "processes.forks"),
    ("errors", "serving", "processes"),
    ("config",),
    ("http",),
    ("introspection", "client"),
    ("authorization", "management"),
    ("diagnosis", "provisioning", "guard", "emulator"),
    ("server", "asgi"),
    ("investigation", "demo"),
    ("verify", "page"),
    ("doctor", "testing"),
    ("pytest_plugin",),
    ("cli",),
    ("__main__",),
)

ROOT_MODULES = {"__init__", "__main__", "errors", "authorization", "client", "guard", "pytest_plugin", "testing"}

# Only these import it; a name without a dot stands for all that is in the package.
HOMES: dict[str, set[str]] = {
    "flask": {"server", "emulator", "page"},
    "werkzeug": {"server", "emulator", "page", "serving"},
    "starlette": {"asgi"},
    "anyio": {"asgi"},
    "fastapi": {"asgi.dependency"},
    "pytest": {"pytest_plugin"},
    "rich": {"cli.screen"},
    "typer": {"cli"},
    "click": set(),
    "dotenv": {"config.dotenv_file"},
    "prometheus_client": {"server"},
    "msgspec": {"emulator.seed_file"},
    "granian": {"serving"},
    "setproctitle": {"serving"},
    "redis": {"introspection.shared.redis_store"},
    "uwsgidecorators": {"processes.forks"},
    "requests": {"http.transport", "http.deadline", "http.failures"},
    "urllib3": {"http.transport", "http.deadline", "http.failures"},
}

# Importing one of these loads none of what talks to the network, directly or through another module.
PURE = (
    "authorization",
    "introspection.model",
    "introspection.refusals",
    "management.model",
    "provisioning.conflicts",
    "provisioning.plan",
    "diagnosis",
)
NETWORK = {"requests", "urllib3", "socket", "flask"}

# They look at no clock, no environment and no chance either: what they need to know is handed to them.
WITHOUT_WORLD = ("authorization", "diagnosis", "errors", "introspection.model", "introspection.refusals")
WORLD = {"time", "datetime", "os", "socket", "random", "secrets", "subprocess", "threading"}

# What outsiders of a package import of it: the package itself, or, of these, any of its modules. Those of serving, demo
# and provisioning are doors so that one part is not loaded for the sake of another.
OPEN_PACKAGES = {
    "config",
    "demo",
    "diagnosis",
    "doctor",
    "http",
    "introspection",
    "investigation",
    "management",
    "processes",
    "provisioning",
    "serving",
    "verify",
}

GUARD_LOADS = {"errors", "config", "http", "introspection", "authorization", "guard", "processes"}
GUARDS = {  # what each loads besides, and what belongs to the other
    "server": ({"server", "serving"}, {"starlette", "anyio", "fastapi"}),
    "asgi": ({"asgi"}, {"flask", "werkzeug"}),
}


def modules() -> dict[str, Path]:
    """Return every module by its name below ``zdemo``; a package's own module has the package's name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()
NAMES = sorted(name for name in MODULES if name)


@functools.cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


@functools.cache
def imports(name: str) -> frozenset[str]:
    """Return the full names of the modules that a module imports."""
    path = MODULES[name]
    package = ["zdemo", *name.split(".")] if path.name == "__init__.py" else ["zdemo", *name.split(".")[:-1]]
    found: set[str] = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                is_module = whole.removeprefix("zdemo.") in MODULES and alias.name not in face(source)
                found.add(whole if is_module else source)
    return frozenset(found)


def face(package: str) -> set[str]:
    """Return the names in a package's ``__all__``; one may be called as the module that it comes from."""
    name = package.removeprefix("zdemo.")
    if name not in MODULES or MODULES[name].name != "__init__.py" or package == "zdemo":
        return set()
    named = (node for node in tree_of(name).body if isinstance(node, ast.Assign))
    lists = (node.value for node in named if getattr(node.targets[0], "id", "") == "__all__")
    return {str(ast.literal_eval(item)) for value in lists if isinstance(value, ast.List) for item in value.elts}


def of_zdemo(name: str) -> set[str]:
    """Return the modules of zdemo that a module imports, by their names below ``zdemo``."""
    below = {found.removeprefix("zdemo.") for found in imports(name) if found.startswith("zdemo.")}
    return {found for found in below if found in MODULES}


def top(name: str) -> str:
    return name.split(".")[0]


def room(name: str) -> str:
    """Return what stands for a module in ``ORDER``."""
    return name if any(name in row for row in ORDER) else top(name)


def row(name: str) -> int:
    rows = [number for number, rooms in enumerate(ORDER) if room(name) in rooms]
    assert len(rows) == 1, f"zdemo.{room(name)} has no place, or two, in ORDER: say what it may know"
    return rows[0]


def belongs(name: str, places: set[str]) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in places)


def test_imports_point_down() -> None:
    pairs = ((name, found) for name in NAMES for found in of_zdemo(name) if room(found) != room(name))
    assert {(name, found) for name, found in pairs if row(found) >= row(name)} == set()


def test_the_root_holds_what_is_public_and_folders() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} <= ROOT_MODULES


def test_the_package_itself_imports_nothing() -> None:
    assert imports("") <= {"__future__"}


def test_there_are_no_cycles() -> None:
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


def test_a_library_has_one_home() -> None:
    pairs = ((name, found.split(".")[0]) for name in NAMES for found in imports(name))
    assert {(name, found) for name, found in pairs if found in HOMES and not belongs(name, HOMES[found])} == set()


def test_every_import_is_of_python_or_of_a_dependency() -> None:
    """What only comes along with another package is not relied on."""
    foreign = {found.split(".")[0] for name in NAMES for found in imports(name)} - set(sys.stdlib_module_names)
    assert foreign <= {"zdemo", "__future__", *HOMES, "jwt", "cryptography"}


def loaded_by(*names: str) -> set[str]:
    """Return the modules that importing each ``zdemo.NAME`` loads in a new process."""
    imported = ", ".join(f"zdemo.{name}" for name in names)
    script = f"import sys; import {imported}; import json; print(json.dumps(sorted(sys.modules)))"
    return set(json.loads(processes.run_python(script)))


def test_what_is_pure_loads_nothing_that_talks_to_the_network() -> None:
    assert loaded_by(*PURE) & NETWORK == set()


def test_what_decides_looks_at_no_clock_and_no_environment() -> None:
    deciding = [name for name in NAMES if belongs(name, set(WITHOUT_WORLD))]
    assert deciding
    assert {(name, found) for name in deciding for found in imports(name) if found.split(".")[0] in WORLD} == set()


def test_outsiders_come_in_by_a_packages_door() -> None:
    foreign = {(name, found) for name in NAMES for found in of_zdemo(name) if top(found) != top(name)}
    inner = {(name, found) for name, found in foreign if "." in found and top(found) in MODULES}
    assert {(name, found) for name, found in inner if top(found) not in OPEN_PACKAGES} == set()


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_loads_only_what_it_needs_and_its_own_framework(name: str) -> None:
    own, foreign = GUARDS[name]
    loaded = loaded_by(name)
    assert {found.split(".")[1] for found in loaded if found.startswith("zdemo.")} <= GUARD_LOADS | own
    assert loaded & foreign == set()


def test_a_public_class_name_occurs_once_outside_the_emulator() -> None:
    names = Counter(
        node.name
        for name in NAMES
        if top(name) != "emulator"
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, count in names.items() if count > 1} == set()


def known_to(package: str) -> set[str]:
    """Return what a package as a whole imports of zdemo, itself left out."""
    members = (name for name in NAMES if top(name) == package)
    return {top(found) for name in members for found in of_zdemo(name)} - {package}


MANAGEMENT_PATHS = re.compile(r"zitadel\.[a-z_]+\.v2\b|/(?:auth|admin|management)/v1/")


def test_only_management_knows_the_paths_of_zitadels_management_api() -> None:
    """The emulator answers them."""
    knowing = {name for name in NAMES if MANAGEMENT_PATHS.search(MODULES[name].read_text(encoding="utf-8"))}
    assert {top(name) for name in knowing} == {"management", "emulator"}


def test_the_emulator_knows_of_zdemo_only_how_to_serve() -> None:
    assert known_to("emulator") == {"serving"}


def test_the_server_and_the_emulator_meet_over_http() -> None:
    assert "emulator" not in known_to("server")


def docstrings(name: str) -> Iterator[str]:
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            yield text


def test_docstrings_are_sentences_and_people_have_no_gender() -> None:
    assert [(name, text) for name in MODULES for text in docstrings(name) if len(text.split()) < 3] == []
    gendered = re.compile(r"\b(?:he|his|him)\b", re.IGNORECASE)
    assert [name for name, path in MODULES.items() if gendered.search(path.read_text(encoding="utf-8"))] == []


def test_imports_are_seen_in_all_their_forms() -> None:
    """What the tests above rest on, against modules whose imports are known."""
    assert {"errors", "http.deadline"} <= of_zdemo("http.failures")
    assert "emulator" in of_zdemo("testing"), "it is inside a function or under TYPE_CHECKING"
    assert "config.dotenv_file" in of_zdemo("config.environment"), "it is inside a function"
