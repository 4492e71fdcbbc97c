"""A guard in an environment that has only the packages which docs/api.md names for it."""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.processes import ROOT, run_python
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, emulate
from zdemo.emulator.seed import add_key_files, known_start

PACKAGES = dict(
    re.findall(r"^\| (.+?) \| (?:also )?`([a-z -]+)` \|$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
)
FLASK, STARLETTE, WITH_KEY = (PACKAGES[row] for row in ("Flask", "FastAPI or Starlette", "`ZITADEL_KEY_FILE`"))
IMPORT = """
try:
    import {}
    print(True)
except ImportError:
    print(False)
"""
WITHOUT_OTHERS = """
import json, sys
missing, tokens = json.loads(sys.argv[1]), sys.argv[2:]
sys.modules.update(dict.fromkeys(missing))  # as if they were not installed
"""
IN_FLASK = """
from flask import Flask, g
from zdemo.server import protect, requires_token
app = Flask("api")
app.add_url_rule("/messages", view_func=requires_token(role="read:messages")(lambda: g.introspection.text("username")))
client = protect(app).test_client()
for token in tokens:
    print(client.get("/messages", headers={"Authorization": f"Bearer {token}"}).status_code)
"""
IN_STARLETTE = """
import asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from zdemo.asgi import protect, requires_token
guard = requires_token(role="read:messages")
async def endpoint(request):
    return PlainTextResponse((await guard(request)).text("username"))
app = protect(Starlette(routes=[Route("/messages", endpoint)]))
async def receive():
    return {"type": "http.request"}
async def send(message):
    if message["type"] == "http.response.start":
        print(message["status"])
for token in tokens:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/messages", "query_string": b"", "headers": headers}
    asyncio.run(app(scope, receive, send))
"""


distributions = cache(packages_distributions)  # it reads the files of every package


def required(names: Iterator[str]) -> Iterator[str]:
    """Yield packages and those that they require."""
    for name in names:
        yield canonicalize_name(name)
        needs = map(Requirement, requires(name) or [])
        yield from required(need.name for need in needs if not need.marker or need.marker.evaluate({"extra": ""}))


def missing(names: str) -> str:
    """Return the modules that would not be there if only these packages and zdemo were installed."""
    kept = {*required(iter(names.split())), "zdemo"}
    owners = distributions().items()
    return json.dumps([module for module, by in owners if kept.isdisjoint(map(canonicalize_name, by))])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("script", "names", "key_file"), [(IN_FLASK, FLASK, False), (IN_STARLETTE, f"{STARLETTE} {WITH_KEY}", True)]
)
def test_a_guard_works_with_the_packages_that_its_page_names(
    script: str, names: str, key_file: bool, tmp_path: Path
) -> None:
    start = known_start()
    client = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
    if key_file:
        client = {"ZITADEL_KEY_FILE": str(tmp_path / "api.json")}
        (tmp_path / "api.json").write_text(add_key_files(start)[0])
    tokens = (READER.pat, VISITOR.pat)
    with emulate(start.world) as emulator:
        settings = {"ZITADEL_DOMAIN": emulator.url, "ZITADEL_PROJECT_ID": PROJECT_ID, **client}
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        assert run_python(WITHOUT_OTHERS + script, missing(names), *tokens, folder=tmp_path) == "200\n401\n"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("row", "module"),
    [("`ZDEMO_CACHE_URL`", "zdemo.guard.shared.answers"), ("`create_app(open_metrics=True)`", "zdemo.server.metrics")],
)
def test_what_an_option_loads_is_in_the_packages_that_its_row_adds(row: str, module: str) -> None:
    for names, loads in ((f"{FLASK} {PACKAGES[row]}", True), (FLASK, False)):
        assert run_python(WITHOUT_OTHERS + IMPORT.format(module), missing(names)) == f"{loads}\n"
