"""What the emulator supports, as one table in docs/emulator.md: its own tables beside those of ZITADEL's Python SDK.

``python -m tests.support.readme`` writes it. A method is supported in part if the emulator ignores fields that its
request has in the SDK, or if ``PARTS`` says so.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from tests.support.processes import ROOT
from zdemo.emulator.api import SERVICES
from zdemo.emulator.api.fields import FieldType, Map, Message, Repeated, Sub
from zdemo.emulator.api.service import REST
from zdemo.emulator.app import HEALTH
from zdemo.emulator.oidc import DISCOVERY, ENDPOINTS

SDK = distribution("zitadel-client")
FILES = Path(str(SDK.locate_file("zitadel_client")))
PAGE = ROOT / "docs" / "emulator.md"
PARTS = {  # what is missing, besides fields
    "/oauth/v2/authorize": "the implicit flow, `form_post`, request objects, patterns in redirect URIs",
    "/oidc/v1/end_session": "back-channel logout",
    "CreateSession": "other checks than user and password",
    "SetSession": "other checks than user and password",
    "CreateUser": "`hashedPassword`, `idpLinks`, `totpSecret`",  # the SDK mixes its message up with UpdateUser's
}
FIELD = re.compile(r"^    (\w+): (.+?)(?: = (.*))?$", re.MULTILINE)  # of a model of the SDK: name, type, description
MOST_NAMED = 8  # methods in one cell


def page() -> str:
    """Return docs/emulator.md with the table and the version that it should have."""
    text = PAGE.read_text(encoding="utf-8")
    text = re.sub(r"(?<=`zitadel-client` )[\d.]+\d", SDK.version, text)
    return re.sub(r"(?:^\|.*\n)+", lambda _: table(), text, count=1, flags=re.MULTILINE)


def table() -> str:
    paths = [re.sub(r"<(\w+)>", r"{\1}", f"{verb} {path}") for verb, path, _ in REST if "/v1/" in path]
    rows: list[tuple[str, ...]] = [("API", "yes", "in part", "no"), ("---",) * 4]
    rows.append(row("OAuth 2.0 and OpenID Connect", [DISCOVERY, *(path for path, _ in ENDPOINTS.values())], []))
    others = []
    for name, known in sorted(sdk_methods().items()):
        short = name.rpartition(".")[2]
        if service := SERVICES.get(name):
            absent = [method for method in known if method not in service.methods]
            rows.append(row(f"`{short}`{' *' if service.path else ''}", sorted(service.methods), absent))
        elif "beta" not in name:
            others.append(short)
    rows.append(row("other v2 services", [], [*others, "v2beta"]))
    rows.append(("v1 (REST)", ", ".join(f"`{path}`" for path in paths), "", "all others"))
    rows.append(row("health", [path for path in HEALTH if path.startswith("/debug")], []))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def row(name: str, present: Iterable[str], absent: list[str]) -> tuple[str, ...]:
    """Return the cells of one API. Of a long list of what is there, or not there, only the number is shown."""
    held: dict[str, list[str]] = {"": []}
    for method in present:
        held.setdefault(PARTS.get(method) or ", ".join(ignored(method)), []).append(f"`{method}`")
    whole = held.pop("")
    parts = [f"{', '.join(methods)} without {missing}" for missing, methods in held.items()]
    return name, _named(whole, absent), "; ".join(parts), _named([f"`{method}`" for method in absent], whole + parts)


def _named(methods: list[str], others: list[str]) -> str:
    counted = len(methods) > max(MOST_NAMED, len(others))
    return f"the other {len(methods)}" if counted else ", ".join(methods)


# --- ZITADEL's SDK ---


@cache
def sdk_methods() -> dict[str, list[str]]:
    services: dict[str, list[str]] = {}
    for file in sorted((FILES / "api").glob("*.py")):
        for service, name in re.findall(r"'/(zitadel[\w.]+)/(\w+)'", file.read_text(encoding="utf-8")):
            services.setdefault(service, []).append(name)
    return services


@cache
def models() -> dict[str, str]:
    text = (FILES / "models" / "__init__.py").read_text(encoding="utf-8")
    return {name: module for module, name in re.findall(r"models\.(\w+) import (\w+)", text)}


def fields(model: str) -> dict[str, str]:
    """Return the fields of a model that have an effect, each with its type."""
    text = (FILES / "models" / f"{models()[model]}.py").read_text(encoding="utf-8")
    described = [(*field, re.findall(r'alias="(\w+)"', field[2])) for field in FIELD.findall(text)]
    useful = (field for field in described if "ClassVar" not in field[1] and "no effect" not in field[2])
    return {(alias or [name])[0]: kind for name, kind, _, alias in useful}


def ignored(method: str) -> Iterator[str]:
    """Name the fields of a method's request that the emulator does not know."""
    for name, service in SERVICES.items():
        model = f"{name.rpartition('.')[2]}{method}Request"
        if method in service.methods and model in models():
            yield from sorted({f"`{field}`" for field in _ignored(service.methods[method].request, model, ())})


def _ignored(message: Message, model: str, above: tuple[str, ...]) -> Iterator[str]:
    for field, kind in fields(model).items():
        held: FieldType | None = message.fields.get(field)
        if held is None:
            yield field
        while isinstance(held, Repeated | Map):
            held = held.of
        inner = next((name for name in re.findall(r"\w+", kind) if name in models()), "")
        if isinstance(held, Sub) and inner and inner not in above:
            yield from _ignored(held.message(), inner, (*above, model))
