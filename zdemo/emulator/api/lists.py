"""Lists. As in ZITADEL, totals are counted and pages are cut before rows that the caller cannot see are left out."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from zdemo.emulator.api import fields as t
from zdemo.emulator.api.service import Answer, Call, Service
from zdemo.emulator.api_errors import InvalidArgument, unsupported
from zdemo.emulator.entities import Entity
from zdemo.emulator.world import World

Row = TypeVar("Row", bound=Entity)
Getter = Callable[[World, Any], Any] | str  # a function of a row, or a path for ``value_of``
Test = Callable[[World, Any, Any], bool]  # world, row, the filter's content

TESTS: dict[str, Callable[..., bool]] = {  # by the methods of filters, for texts and for times
    "EQUALS": operator.eq,
    "STARTS_WITH": str.startswith,
    "CONTAINS": operator.contains,
    "ENDS_WITH": str.endswith,
    "AFTER": operator.gt,
    "AFTER_OR_EQUALS": operator.ge,
    "BEFORE": operator.lt,
    "BEFORE_OR_EQUALS": operator.le,
}
PREFIX = re.compile("[A-Z_]+_(FIELD_NAME|SORT_BY)_")  # of a sorting column
COLUMNS = {  # whose values have other names
    **dict.fromkeys(("", "UNSPECIFIED", "CREATION_DATE", "CREATED_DATE"), "created"),
    **dict.fromkeys(("CHANGE_DATE", "CHANGED_DATE"), "changed"),
    **dict.fromkeys(("EXPIRATION", "EXPIRATION_DATE", "KEY_EXPIRATION_DATE"), "expires"),
}


def value_of(world: World, row: Any, get: Getter) -> Any:
    """Return a value of a row, else of the user, the application or the project whose part it is, or by a path."""
    if not isinstance(get, str):
        return get(world, row)
    *owners, name = get.split(".")
    for owner in owners:
        row = getattr(world, f"{owner}s")[getattr(row, f"{owner}_id")]
    for whole in ("user", "application", "project"):
        if not hasattr(row, name) and (id := getattr(row, f"{whole}_id", "")):
            row = getattr(world, f"{whole}s")[id]
    return getattr(row, name)


def row_of(**values: Getter) -> Callable[[World, Any], Answer]:
    """Return a function that shows an object: its attributes, and these values."""
    return lambda world, row: t.attributes(row) | {name: value_of(world, row, get) for name, get in values.items()}


def readable(permission: str, *organization_ids: str) -> Callable[[Call, Any], bool]:
    """Return a test of whether a caller has a permission for a row's project, or in one of its organizations."""

    def visible(call: Call, row: Any) -> bool:
        owners = (value_of(call.world, row, name) for name in ("organization_id", *organization_ids))
        return any(call.may(permission, owner, value_of(call.world, row, "project_id")) for owner in owners)

    return visible


# --- filters ---


def is_match(value: Any, wanted: Any, method: str | None) -> bool:
    """Return whether a text, one of several, or a time matches by a method of ZITADEL; without one, if it is equal."""
    if isinstance(value, list):
        return any(is_match(member, wanted, method) for member in value)
    word = (method or "METHOD_EQUALS").split("METHOD_", 1)[1]
    if word.endswith("_IGNORE_CASE"):
        value, wanted, word = value.lower(), wanted.lower(), word.removesuffix("_IGNORE_CASE")
    return TESTS[word](value, wanted)


def _fits(get: Getter, world: World, row: Any, content: Any) -> bool:
    """Return whether a row's value fits a filter: it equals a value, matches it by a ``method``, or is in a list."""
    fields = content if isinstance(content, dict) else {"": content}
    value, method = value_of(world, row, get), fields.get("method")
    wanted = next((wanted for name, wanted in fields.items() if name != "method"), 0.0 if type(value) is float else "")
    return value in wanted if isinstance(wanted, list) else is_match(value, wanted, method)


def filters_of(*names: str, **values: Getter) -> dict[str, Test]:
    """Return filters by the values of rows that they look at, which for ``names`` are those of the sorting columns."""
    columns = {name: re.sub("([A-Z])", r"_\1", re.sub("Filter|Query", "", name)).upper() for name in names}
    values |= {name: COLUMNS.get(column, column.lower()) for name, column in columns.items()}
    return {name: partial(_fits, get) for name, get in values.items()}


# --- the two forms of lists ---


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[Row]):
    """A ``List...`` method as data; ``columns`` has the values of sorting columns whose names differ from the word.

    In the older form, requests have ``query`` and ``queries``, answers ``details``, pages all rows without a limit, and
    totals only what the caller can see, unless it ``counts_all``.
    """

    rows: Callable[[Call], Iterable[Row]]
    show: Callable[[World, Row], Answer]
    visible: Callable[[Call, Row], bool] = lambda *_: True
    filters: Mapping[str, Test] = field(default_factory=dict)
    columns: Mapping[str, Getter] = field(default_factory=dict)
    counts_all: bool = False

    def passes(self, world: World, row: Row, query: Mapping[str, Any]) -> bool:
        """Return whether a row passes one filter of a request."""
        if ignored := query.keys() - self.filters.keys():
            raise unsupported(f"the filter {ignored.pop()}")
        return all(self.filters[choice](world, row, content) for choice, content in query.items())

    def serve(self, service: Service, name: str, permission: str = "") -> None:
        """Add the method to a service."""
        service.method(name, permission=permission)(self.answer)

    def answer(self, call: Call) -> Answer:
        """Return the answer of the method, whose messages say which form it has."""
        fields = t.message_of(call.method.row.answer).fields
        older = "details" in fields
        names = ("query", "queries") if older else ("pagination", "filters")
        page, filters = (call.body.get(name, {}) for name in names)
        rows = [row for row in self.rows(call) if all(self.passes(call.world, row, query) for query in filters)]
        limit = page.get("limit", 0) or (len(rows) if older else 100)
        if limit > 1000 and not older:
            raise InvalidArgument("Limit exceeded", "QUERY-4M0fs")
        if older and not self.counts_all:
            rows = [row for row in rows if self.visible(call, row)]
        offset = page.get("offset", 0)
        ascending = page.get("asc", ".v1." in call.method.name)  # v1 has no order by default
        word = PREFIX.sub("", call.body.get("sortingColumn", ""))
        by = self.columns.get(word) or COLUMNS.get(word, word.lower())
        order = [(value_of(call.world, row, by), place) for place, row in enumerate(rows)]
        cut = [rows[place] for _, place in sorted(order, reverse=not ascending)][offset : offset + limit]
        now, total = call.world.now(), len(rows) if cut else 0
        result = next(name for name, field in fields.items() if field.row.label == "[]")
        return {
            "pagination": {"totalResult": total, "appliedLimit": limit},
            "details": {"totalResult": total, "timestamp": now, "viewTimestamp": now},
            result: [self.show(call.world, row) for row in cut if self.visible(call, row)],
        }
