"""What the emulator supports, as one table in docs/emulator.md: its own tables beside the methods of ZITADEL's SDK.

``python -m tests.support.readme`` writes it. A method is supported in part if it has no test for a filter that the
table of messages has, or if ``PARTS`` says so.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from tests.support.processes import ROOT
from zdemo.emulator.api import SERVICES, fields
from zdemo.emulator.api.lists import Listing
from zdemo.emulator.api.service import Method
from zdemo.emulator.app import HEALTH
from zdemo.emulator.oidc import DISCOVERY, ENDPOINTS

SDK = distribution("zitadel-client")
FILES = Path(str(SDK.locate_file("zitadel_client")))
PAGE = ROOT / "docs" / "emulator.md"
PARTS = {  # what is missing, besides filters
    "/oauth/v2/authorize": "the implicit flow, `form_post`, request objects, patterns in redirect URIs",
    "/oidc/v1/end_session": "back-channel logout",
    "CreateSession": "other checks than user and password",
    "SetSession": "other checks than user and password",
    **dict.fromkeys(("CreateApplication", "UpdateApplication"), "`samlConfiguration`"),
    "SetInstanceFeatures": "`improvedPerformance`, `loginV2`",
    **dict.fromkeys((f"{verb}Administrator" for verb in ("Create", "Delete", "Update")), "`projectGrant`"),
    "ListAdministrators": "`projectGrant`",
    "CreateCallback": "`errorUri`",
    "AddOrganization": "`admins`, `orgId`",
    "AddProject": "`admins`",
    "SetSecuritySettings": "`embeddedIframe`",
    "AddHumanUser": "`hashedPassword`, `idpLinks`, `orgDomain`, `totpSecret`",
    "CreateUser": "`hashedPassword`, `idpLinks`, `totpSecret`",
    **dict.fromkeys(("UpdateHumanUser", "UpdateUser"), "`hashedPassword`, `verificationCode`"),
    "CreateWebKey": "`bits`, `curve`, `hasher`",
}
MOST_NAMED = 8  # methods in one cell


def page() -> str:
    """Return docs/emulator.md with the table and the version that it should have."""
    text = PAGE.read_text(encoding="utf-8")
    text = re.sub(r"(?<=`zitadel-client` )[\d.]+\d", SDK.version, text)
    return re.sub(r"(?:^\|.*\n)+", lambda _: table(), text, count=1, flags=re.MULTILINE)


def table() -> str:
    rows: list[tuple[str, ...]] = [("API", "yes", "in part", "no"), ("---",) * 4]
    endpoints = [DISCOVERY, *(path for path, _ in ENDPOINTS.values())]
    rows.append(row("OAuth 2.0 and OpenID Connect", {path: PARTS.get(path, "") for path in endpoints}, []))
    others = []
    for name, known in sorted(sdk_methods().items()):
        short = name.rpartition(".")[2]
        if service := SERVICES.get(name):
            absent = [method for method in known if method not in service.methods]
            missing = {method: ignored(service.methods[method]) for method in sorted(service.methods)}
            star = " *" if any(method.row.path for method in service.methods.values()) else ""
            rows.append(row(f"`{short}`{star}", missing, absent))
        elif "beta" not in name:
            others.append(short)
    rows.append(row("other v2 services", {}, [*others, "v2beta"]))
    for name in sorted(name for name in SERVICES if ".v1." in name):
        missing = {method: ignored(SERVICES[name].methods[method]) for method in sorted(SERVICES[name].methods)}
        methods = ", ".join(f"`{method}`" for method in missing if not missing[method])
        parts = row("", {method: part for method, part in missing.items() if part}, [])[2]
        rows.append((f"`{name.rpartition('.')[2]}` (v1) *", methods, parts, "all others"))
    rows.append(row("health", {path: "" for path in HEALTH if path.startswith("/debug")}, []))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def row(name: str, present: Mapping[str, str], absent: list[str]) -> tuple[str, ...]:
    """Return the cells of one API, whose methods have what they miss.

    Of a long list of what is there, or not there, only the number is shown.
    """
    held: dict[str, list[str]] = {"": []}
    for method, missing in present.items():
        held.setdefault(missing, []).append(f"`{method}`")
    whole = held.pop("")
    parts = [f"{', '.join(methods)} without {missing}" for missing, methods in held.items()]
    return name, _named(whole, absent), "; ".join(parts), _named([f"`{method}`" for method in absent], whole + parts)


def ignored(method: Method) -> str:
    """Name what a method ignores or refuses of its requests."""
    named = PARTS.get(method.name.rpartition("/")[2], "")
    listing, request = getattr(method.answer, "__self__", None), fields.message_of(method.row.request).fields
    filters = request.keys() & {"filters", "queries"}
    if isinstance(listing, Listing) and filters:
        known = fields.message_of(request[filters.pop()].row.type).fields.keys()
        named = ", ".join(
            sorted({*named.split(", ")} - {""} | {f"`{name}`" for name in known - listing.filters.keys()})
        )
    return named


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
