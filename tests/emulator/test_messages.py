"""The table of ZITADEL's messages: each entry is in use, and each filter of a list has a test for rows."""

import json
import re
from pathlib import Path

import pytest

from zdemo.emulator.api import SERVICES, fields, v1
from zdemo.emulator.api.lists import Listing

TABLES = json.loads(Path(fields.__file__).with_name("messages.json").read_text())
ALL = {service.name: service for service in (*SERVICES.values(), v1.MANAGEMENT, v1.AUTH, v1.ADMIN)}
METHODS = {name: method for service in ALL.values() for name, method in service.methods.items()}
LISTS = {name: getattr(method.answer, "__self__", None) for name, method in METHODS.items()}


def words(name: str, table: dict[str, object]) -> set[str]:
    """Return the names of an entry and of all that it is made of."""
    known, new = set[str](), {name}
    while new:
        known |= new
        new = set(re.findall(r"\w+", json.dumps([table[name] for name in new]))) & table.keys() - known
    return known


def test_each_entry_is_of_a_request_that_a_method_has() -> None:
    used = set[str]()
    for name, service in ALL.items():
        table = TABLES[""] | TABLES[name]
        own = {word for method in service.methods for word in words(f"{method}Request", table)}
        assert own >= TABLES[name].keys(), name
        used |= own
    assert used >= TABLES[""].keys()
    assert ALL.keys() | {""} == TABLES.keys()


@pytest.mark.parametrize("name", [name for name, listing in LISTS.items() if listing])
def test_each_filter_of_a_list_has_a_test_for_its_rows(name: str) -> None:
    listing, request = LISTS[name], METHODS[name].request.fields
    filters = request.get("queries") or request["filters"]
    assert isinstance(listing, Listing)
    assert isinstance(filters, fields.Repeated)
    assert isinstance(filters.of, fields.Sub)
    assert listing.filters.keys() == filters.of.message().fields.keys()
