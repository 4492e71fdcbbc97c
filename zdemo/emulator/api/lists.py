"""Lists. As in ZITADEL, totals are counted and pages are cut before rows that the caller cannot see are left out."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from zdemo.emulator.api import fields as t
from zdemo.emulator.api.service import Answer, Call, Service
from zdemo.emulator.api_errors import InvalidArgument, unsupported
from zdemo.emulator.entities import Entity
from zdemo.emulator.world import World

Row = TypeVar("Row", bound=Entity)
Getter = Callable[[World, Any], Any] | str  # a function of a row, or a path for ``value_of``
Test = Callable[[World, Any, Any], bool]  # world, row, the filter's content

V1 = "viewTimestamp"
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
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
    """Return a value of a row: ``project.name`` is the name of the project whose ID is the row's ``project_id``."""
    if not isinstance(get, str):
        return get(world, row)
    *owners, name = get.split(".")
    for owner in owners:
        row = getattr(world, f"{owner}s")[getattr(row, f"{owner}_id")]
    return getattr(row, name)


def time_of(name: str) -> Getter:
    """Return a getter for a time of a row, as text."""
    return lambda _, row: t.moment(getattr(row, name))


def state_of(prefix: str) -> Getter:
    """Return a getter for the state of a row, as ZITADEL's word with this prefix."""
    return lambda _, row: f"{prefix}_{row.state}"


def row_of(**values: Getter) -> Callable[[World, Any], Answer]:
    """Return a function that shows these values of an object, without those that protobuf's JSON leaves out."""
    return lambda world, row: t.without_defaults({name: value_of(world, row, get) for name, get in values.items()})


DATES = {"creationDate": time_of("created"), "changeDate": time_of("changed")}  # the first values of most rows


def readable(permission: str, project_id: str, *organization_ids: str) -> Callable[[Call, Any], bool]:
    """Return a test of whether a caller has a permission for a row's project, or in one of its organizations."""

    def visible(call: Call, row: Any) -> bool:
        owners = (value_of(call.world, row, path) for path in organization_ids)
        return any(call.may(permission, owner, value_of(call.world, row, project_id)) for owner in owners)

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


def match_filter(of: Getter, field: str, absent: Any = "") -> Test:
    """Return the test of a filter ``{field, method}``, for a text or a time of a row."""
    return lambda world, row, f: is_match(value_of(world, row, of), f.get(field, absent), f.get("method"))


def equal_filter(of: Getter, field: str = "id") -> Test:
    """Return the test of a filter ``{field}``, for a value of a row."""
    return lambda world, row, f: value_of(world, row, of) == f.get(field)


def ids_filter(of: Getter, field: str = "ids") -> Test:
    """Return the test of a filter ``{ids}``, for an ID of a row, which must be one of them."""
    return lambda world, row, f: value_of(world, row, of) in f.get(field, ())


# --- the two forms of lists ---


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[Row]):
    """A ``List...`` method as data; ``columns`` has the values of sorting columns whose names differ from the word.

    In the older form, requests have ``query`` and ``queries``, answers ``details`` with the time by the name ``older``,
    pages all rows without a limit, and totals only what the caller can see, unless it ``counts_all``.
    """

    rows: Callable[[Call], Iterable[Row]]
    show: Callable[[World, Row], Answer]
    visible: Callable[[Call, Row], bool] = lambda *_: True
    filters: Mapping[str, Test]
    columns: Mapping[str, Getter] = field(default_factory=dict)
    result: str = "result"
    older: str = ""
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
        """Return the answer of the method."""
        names = ("query", "queries") if self.older else ("pagination", "filters")
        page, filters = (call.body.get(name, {}) for name in names)
        rows = [row for row in self.rows(call) if all(self.passes(call.world, row, query) for query in filters)]
        limit = page.get("limit", 0) or (len(rows) if self.older else DEFAULT_LIMIT)
        if limit > MAX_LIMIT and not self.older:
            raise InvalidArgument("Limit exceeded", "QUERY-4M0fs")
        if self.older and not self.counts_all:
            rows = [row for row in rows if self.visible(call, row)]
        offset = page.get("offset", 0)
        cut = self._sorted(call, rows, page)[offset : offset + limit]
        total = {"totalResult": str(len(rows))} if cut else {}
        visible = [self.show(call.world, row) for row in cut if self.visible(call, row)]
        result = {self.result: visible} if visible else {}
        if not self.older:
            return {"pagination": {**total, "appliedLimit": str(limit)}, **result}
        return {"details": {**total, self.older: t.moment(call.world.now())}, **result}

    def _sorted(self, call: Call, rows: list[Row], page: Mapping[str, Any]) -> list[Row]:
        """Return the rows in the order of the request, else the newest first, or last in v1, which has no order."""
        word = PREFIX.sub("", call.body.get("sortingColumn", ""))
        by = self.columns.get(word) or COLUMNS.get(word, word.lower())
        key = [(value_of(call.world, row, by), place) for place, row in enumerate(rows)]
        return [rows[place] for _, place in sorted(key, reverse=not page.get("asc", self.older == V1))]
