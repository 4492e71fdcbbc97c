"""The documentation is true: its consoles print what the program prints, and nothing is undocumented or invented."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.support import processes, supported
from tests.support.processes import ROOT
from tests.support.readme import PAGES, README, WITH_CONSOLES, Command, commands, consoles, essence, pages, run, stage
from tests.test_architecture import MODULES, ORDER, belongs, words_of
from zdemo.cli.app import COMMANDS as TABLE
from zdemo.cli.app import load, program
from zdemo.config.dotenv_file import valid_dotenv
from zdemo.config.settings import ClientSettings, Settings
from zdemo.config.variables import BY_NAME
from zdemo.diagnosis.checks import CHECKS
from zdemo.emulator import seed
from zdemo.errors import ExitCode
from zdemo.guard.instruments import Counters
from zdemo.server.metrics import Metrics
from zdemo.testing import ZitadelEmulator
from zdemo.verify.cases import CASES
from zdemo.verify.conformance import API_CHECKS

DOCS = ROOT / "docs"
TEXT = README.read_text(encoding="utf-8")
LARGEST_README_BYTES = 8_500
INTERRUPTED = 130
SECURITY = ROOT / "SECURITY.md"
WITH_LINKS = [
    *PAGES,
    *sorted((DOCS / "guides").glob("*.md")),
    ROOT / "AGENTS.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    SECURITY,
]
VARIABLE = re.compile(r"(?:ZDEMO|ZITADEL)_[A-Z_]+|CLIENT_ID|CLIENT_SECRET|PAT")


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of the same level."""
    level = heading.split(" ")[0]
    _, there, rest = f"\n{text}".partition(f"\n{heading}\n")
    assert there, f"there is no heading {heading}"
    return re.split(rf"^{level} ", rest, flags=re.MULTILINE)[0]


def first_cells(text: str) -> list[str]:
    """Return the first cell of each row of the tables in a text, heads left out."""
    rows = re.findall(r"^\| (.*?) \|", re.sub(r"(?m)^\|.*\|\n\| ---.*\|$", "", text), re.MULTILINE)
    return [row.replace("\\|", "|") for row in rows]


def names_in(cells: list[str]) -> set[str]:
    """Return what stands in backticks in some cells."""
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


SUBCOMMANDS = {name: getattr(load(name), "commands", {}) for name in TABLE}
# what does something, as its words: the program itself, commands, and commands of a group
COMMANDS: list[tuple[str, ...]] = [(), *((name,) for name, words in SUBCOMMANDS.items() if not words)]
COMMANDS += [(name, word) for name, words in SUBCOMMANDS.items() for word in words]


@pytest.mark.parametrize("page", WITH_CONSOLES, ids=lambda page: page.name)
def test_the_consoles_print_what_the_page_shows(page: Path) -> None:
    with stage(page) as place:
        for console in consoles(page):
            for command in commands(console):
                now: Command = run(command, place)
                assert essence(now.output) == essence(command.output), f"$ {command.line}\n{now.output}"


def test_every_console_with_output_is_run() -> None:
    rows = [(path, row) for path in WITH_LINKS for console in consoles(path) for row in commands(console) if row.output]
    not_run = {path.name for path, row in rows if not (row.runs and path in WITH_CONSOLES)}
    assert not_run == {"verify.md"}  # tests/cli/test_verify.py runs that one, which takes 20 s


def test_the_readme_is_short_begins_with_the_demo_and_ends_with_the_tests() -> None:
    assert len(TEXT.encode()) <= LARGEST_README_BYTES
    first, last = re.findall(r"^    (python3 -m venv .*)$", TEXT, re.MULTILINE)
    assert first.endswith(" && .venv/bin/zdemo demo")
    assert last.endswith(" && .venv/bin/python -m pytest -q -n auto")
    assert TEXT.index(first) < min(TEXT.index(other) for other in ("```", "$ zdemo", "activate"))


def test_the_page_for_agents_is_short_and_installs_what_the_readme_installs() -> None:
    text = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    installation = re.findall(r"^    (python3 -m venv .*)$", text, re.MULTILINE)
    assert len(installation) == 1
    assert f"    {installation[0]} && " in TEXT


def test_the_readme_leads_to_every_page() -> None:
    assert {f"docs/{path.name}" for path in DOCS.glob("*.md")} <= set(re.findall(r"\]\((docs/\w[\w-]*\.md)\)", TEXT))


@pytest.mark.parametrize("page", WITH_LINKS, ids=lambda page: page.name)
def test_every_link_leads_somewhere_and_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", re.sub(r"(?ms)^```.*?^```$", "", text)):
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), f"{page.name} links to {target}"
    names = re.findall(r"`((?:[\w.-]+/)*[a-z_]\w*(?:/|\.py))`", text)
    missing = {name for name in names if not (ROOT / name).exists() and not (ROOT / "zdemo" / name).exists()}
    assert missing - {"server.py", "messages.py"} == set()  # in ZITADEL's example, and the reader's own


def anchors(text: str) -> set[str]:
    """Return the anchors of a page: its headings, as GitHub makes them, and those that it sets itself."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def test_every_command_has_a_section_and_nothing_else_has() -> None:
    headings = re.findall(r"^## (zdemo.*)$", page("commands.md"), re.MULTILINE)
    assert sorted(headings) == sorted(" ".join(("zdemo", *path)) for path in COMMANDS if path)


def options(path: tuple[str, ...]) -> dict[str, str]:
    """Return the options of a command, each with its help."""
    command: Any = load(path[0]) if path else program
    for word in path[1:]:
        command = command.commands[word]
    params = [param for param in command.params if param.param_type_name == "option"]
    return {name: param.help for param in params for name in (*param.opts, *param.secondary_opts)}


def test_every_option_has_a_help_and_no_page_invents_one() -> None:
    helps = {name: text for path in COMMANDS for name, text in options(path).items()}
    assert [name for name, text in helps.items() if not text] == []
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    spans = re.findall(r"`(zdemo [^`]+)`", text) + re.findall(r"`(-[^`]+)`", page("commands.md"))
    named = {word for span in spans for word in re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", span.partition(" -- ")[0])}
    assert named - helps.keys() - {"--help", "-h"} == set()


def test_the_readme_names_every_command_and_no_other() -> None:
    cells = names_in(first_cells(section(TEXT, "## Commands")))
    named = {(*cell.split()[1:-1], last) for cell in cells for last in cell.split()[-1].split("|")}
    assert {words for words in named if words[0] != "call"} | {("call",)} == {path for path in COMMANDS if path}


def test_every_exit_code_is_documented_and_nothing_else_is() -> None:
    codes = first_cells(section(page("commands.md"), "## Exit codes"))
    assert [int(code) for code in codes] == [*(code.value for code in ExitCode), INTERRUPTED]


def test_the_code_reads_every_setting_and_names_no_other() -> None:
    words = [words_of(name) for name in MODULES if not belongs(name, {"emulator", "config.variables"})]
    names = {text for module in words for text in module.texts if VARIABLE.fullmatch(text)}
    assert names <= BY_NAME.keys()
    used = {name for module in words for name in module.attributes}
    known = {field.name for kind in (Settings, ClientSettings) for field in fields(kind)}
    by_field = {f"ZDEMO_{name.removesuffix('_seconds')}".upper(): name in used for name in known}
    assert {name for name in names if name not in by_field} | {n for n in by_field if by_field[n]} >= BY_NAME.keys()


@pytest.mark.parametrize("path", pages(), ids=str)
def test_what_is_written_about_the_settings_is_what_their_table_says(path: Path) -> None:
    """``python -m tests.support.readme`` writes it."""
    assert path.read_text(encoding="utf-8") == pages()[path]


def test_the_table_of_what_the_emulator_supports_is_that_of_its_methods() -> None:
    """``python -m tests.support.readme`` writes it."""
    assert supported.PAGE.read_text(encoding="utf-8") == supported.page()


def test_every_check_is_documented_and_nothing_else_is() -> None:
    documented = re.findall(r'^<a id="([^"]+)"></a>\n### (\S+)$', page("troubleshooting.md"), re.MULTILINE)
    assert all(anchor == heading for anchor, heading in documented)
    assert {anchor for anchor, _ in documented} == {
        *(check.id for check in CHECKS),
        *(check.id for check in API_CHECKS),
    }


def test_every_case_of_verify_is_documented_and_nothing_else_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (`.*) \|$", page("verify.md"), re.MULTILINE)
    documented = [f"{group}.{name}" for group, names in rows for name in re.findall(r"`(\w+)`", names)]
    assert documented == [case.id for case in CASES]


def test_every_metric_is_documented_and_nothing_else_is() -> None:
    metrics = Metrics(Counters())
    metrics.observe("api.public", "ok", 0.001)
    samples = set(re.findall(r"^(zdemo_\w+)", metrics.text().decode(), re.MULTILINE))
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in samples if not name.endswith("_created")}
    assert {name for name in names_in(first_cells(page("api.md"))) if name.startswith("zdemo_")} == names


def test_the_emulators_constants_are_documented() -> None:
    cells = re.findall(r"`([^`]+)`", section(page("emulator.md"), "## Users, tokens and credentials"))
    users = [(user.username, user.pat) for user in (seed.READER, seed.VISITOR, seed.ADMIN)]
    others = {seed.READER.secret, seed.CLIENT_ID, seed.CLIENT_SECRET, seed.PROJECT_ID, *seed.PROJECT_ROLES}
    assert {*sum(users, ()), *others} <= set(cells)


OVERWRITING = re.compile(r"\b(?:cp|mv|tee|curl -o)\b[^\n|]*\.env\b|> ?\.env\b")


def test_nothing_suggests_to_overwrite_a_dotenv() -> None:
    files = [*PAGES, *(ROOT / "zdemo").rglob("*.py")]
    assert [path for path in files if OVERWRITING.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.thorough
def test_json_documents_have_the_keys_that_are_documented() -> None:
    rows = re.findall(r"^\| `zdemo ([^`]+)` \| (`.*) \|$", section(page("commands.md"), "## JSON"), re.MULTILINE)
    with stage(DOCS / "commands.md") as place:
        domain = valid_dotenv(place.folder / ".env").values["ZITADEL_DOMAIN"]
        for words, keys in rows:
            if not words.startswith(("emulator", "init")):
                # setup does not guess which ZITADEL is meant where .env has the emulator's settings
                meant = f" --domain {domain}" if words.startswith("setup") else ""
                lines = run(Command(line=f"zdemo {words}{meant}", output=""), place).output.splitlines()
                document = next(line for line in lines if line.startswith("{"))
                assert list(json.loads(document)) == re.findall(r"`([^`]+)`", keys), words


PYTHON = re.compile(r"(?<=^```python\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
PATIENT = {"ZDEMO_TIMEOUT": "30"}  # on a busy machine
REQUEST = """
response = app.test_client().get("/messages", headers={"Authorization": f"Bearer {__import__('sys').argv[1]}"})
print(response.status_code, response.json)
"""
ASGI_REQUEST = """
from starlette.testclient import TestClient
with TestClient(app) as client:
    response = client.get("/messages", headers={"Authorization": f"Bearer {__import__('sys').argv[1]}"})
print(response.status_code, response.json())
"""


def test_the_page_on_the_api_shows_the_guard_of_the_readme() -> None:
    assert PYTHON.findall(page("api.md"))[0] == PYTHON.findall(TEXT)[0]


@pytest.mark.thorough
def test_each_guard_works() -> None:
    """Flask's and FastAPI's, in one process, because each start takes a second."""
    guards = zip(PYTHON.findall(page("api.md")), (REQUEST, ASGI_REQUEST), strict=True)
    script = "".join(code + request for code, request in guards)
    with stage(README) as place:
        answers = processes.run_python(script, seed.READER.pat, environment=PATIENT, folder=place.folder)
    assert answers == 2 * f"200 {{'for': '{seed.READER.id}'}}\n"


def test_the_fixture_of_the_readme_works(zitadel_emulator: ZitadelEmulator) -> None:
    names: dict[str, Any] = {}
    exec(PYTHON.findall(TEXT)[1], names)  # noqa: S102  # the code stands in the README
    names["test_messages"](zitadel_emulator)


def test_the_plan_has_every_folder_and_root_module_in_the_order_that_is_tested() -> None:
    plan = section(page("architecture.md"), "## Folders")
    package = ROOT / "zdemo"
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    modules = {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    assert set(re.findall(r"^([a-z_]+(?:/|\.py))  ", plan, re.MULTILINE)) == folders | modules
    assert folders <= {f"{path.name}/" for path in (ROOT / "tests").iterdir()}, "tests/ has the same folders"
    block = re.findall(r"```text\n(.*?)```", section(page("architecture.md"), "## Order of imports"), re.DOTALL)[0]
    rows = [tuple(line.split()) for line in block.splitlines()]
    assert rows[::-1] == [row for row in ORDER if row != ("__main__",)]


def test_every_test_that_the_page_on_security_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", SECURITY.read_text(encoding="utf-8")))
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert named - set(re.findall(r"def (test_\w+)\(", tests)) == set()


FAULT_ROWS = (
    *(1, 2, 3, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23, 25, 27, 28, 30, 31, 33, 34, 35, 37, 38),
    *(40, 41, 43, 44, 45, 47, 48, 49, 50, 52, 54, 55, 56, 57, 58, 59, 60, 63, 64, 67),
)


def test_each_row_of_the_catalogue_of_faults_is_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "catalogue").glob("test_*.py"))
    named = re.findall(r"^def test_((?:\d\d[a-z]?_)+)", tests, re.MULTILINE)
    numbers = {int(number[:2]) for name in named for number in name.rstrip("_").split("_")}
    assert sorted(set(FAULT_ROWS) - numbers) == []
