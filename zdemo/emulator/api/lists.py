"""Lists. As in ZITADEL, totals are counted and pages are cut before rows that the caller cannot see are left out."""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from zdemo.emulator.api import fields as t
from zdemo.emulator.api.service import AUTHENTICATED, Answer, Call, Service
from zdemo.emulator.api_errors import InvalidArgument
from zdemo.emulator.entities import Entity
from zdemo.emulator.world import World

Row = TypeVar("Row", bound=Entity)
Getter = Callable[[World, Any], Any] | str  # a function of a row, or a path for ``value_of``
Test = Callable[[World, Any, Any], bool]  # world, row, the filter's content

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
TEXT_TESTS: dict[str, Callable[..., bool]] = {
    "EQUALS": operator.eq,
    "STARTS_WITH": str.startswith,
    "CONTAINS": operator.contains,
    "ENDS_WITH": str.endswith,
}
TIME_TESTS: dict[str, Callable[..., bool]] = {
    "EQUALS": operator.eq,
    "AFTER": operator.gt,
    "AFTER_OR_EQUALS": operator.ge,
    "BEFORE": operator.lt,
    "BEFORE_OR_EQUALS": operator.le,
}
TESTS = TEXT_TESTS | TIME_TESTS
TEXT_METHODS = [f"{method}{case}" for method in TEXT_TESTS for case in ("", "_IGNORE_CASE")]
TEXT_METHOD = t.enum("TEXT_FILTER_METHOD", *TEXT_METHODS)
QUERY_METHOD = t.enum("TEXT_QUERY_METHOD", *TEXT_METHODS)
TIME_METHOD = t.enum("TIMESTAMP_FILTER_METHOD", *TIME_TESTS)
UNIQUE_IDS = t.Repeated(t.ID, unique=True)
PAGE = {"offset": t.COUNT, "limit": t.COUNT, "asc": t.FLAG}


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


@dataclass(frozen=True)
class Filter:
    """A filter: the type of its content, and whether a row passes."""

    content: t.FieldType
    test: Test


def is_match(value: Any, wanted: Any, method: str | None) -> bool:
    """Return whether a text, one of several, or a time matches by a method of ZITADEL; without one, if it is equal."""
    if isinstance(value, list):
        return any(is_match(member, wanted, method) for member in value)
    word = (method or "METHOD_EQUALS").split("METHOD_", 1)[1]
    if word.endswith("_IGNORE_CASE"):
        value, wanted, word = value.lower(), wanted.lower(), word.removesuffix("_IGNORE_CASE")
    return TESTS[word](value, wanted)


def _filter(name: str, of: Getter, test: Callable[[Any, Answer], bool], /, **fields: t.FieldType) -> Filter:
    return Filter(t.Sub(t.Message(name, **fields)), lambda world, row, content: test(value_of(world, row, of), content))


def text_filter(
    name: str, field: str, of: Getter, least: int = 0, most: int = 200, methods: t.Enum = TEXT_METHOD
) -> Filter:
    """Make the filter ``{field, method}`` for a text of a row."""
    fields: dict[str, t.FieldType] = {field: t.Text(least, most), "method": methods}
    return _filter(name, of, lambda text, f: is_match(text, f.get(field, ""), f.get("method")), **fields)


text_query = partial(text_filter, least=1, methods=QUERY_METHOD)  # of the older lists


def equal_filter(name: str, field: str, content: t.FieldType, of: Getter) -> Filter:
    """Make the filter ``{field}`` for a value of a row."""
    return _filter(name, of, lambda value, f: value == f.get(field), **{field: content})


def id_filter(name: str, of: Getter, field: str = "id") -> Filter:
    """Make the filter ``{id}`` for an ID of a row."""
    return equal_filter(name, field, t.Text(1, 200), of)


def ids_filter(of: Getter, name: str = "InIDsFilter", field: str = "ids", ids: t.Repeated = UNIQUE_IDS) -> Filter:
    """Make the filter ``{ids}`` for an ID of a row, which must be one of them."""
    return _filter(name, of, lambda value, f: value in f.get(field, ()), **{field: ids})


def time_filter(of: Getter) -> Filter:
    """Make the filter ``{timestamp, method}`` for a time of a row."""
    fields: dict[str, t.FieldType] = {"timestamp": t.TIME, "method": TIME_METHOD}
    return _filter(
        "TimestampFilter", of, lambda when, f: is_match(when, f.get("timestamp", 0.0), f.get("method")), **fields
    )


def columns(prefix: str, words: str, **of: Getter) -> dict[str, Getter]:
    """Return the sorting columns by their words, in order; the values of rows have the same words unless given."""
    dates = {"CREATION_DATE": "created", "CHANGE_DATE": "changed"}
    return {f"{prefix}_{word}": of.get(word) or dates.get(word, word.lower()) for word in words.split()}


# --- the two forms of lists ---


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[Row]):
    """A ``List...`` method as data; ``columns`` are the sorting columns in the order of their numbers.

    Columns count from 1 on, or from 0 on with ``zero_is_a_column``. The older form has no ``filter_name``: its requests
    have ``query`` and ``queries``, its answers ``details``, its pages all rows without a limit, and its totals only
    what the caller can see, unless it ``counts_all``.
    """

    rows: Callable[[Call], Iterable[Row]]
    visible: Callable[[Call, Row], bool]
    show: Callable[[World, Row], Answer]
    filters: Mapping[str, Filter]
    columns: Mapping[str, Getter]
    result: str = "result"
    filter_name: str = ""
    zero_is_a_column: bool = False
    counts_all: bool = False

    def filter_message(self) -> t.Message:
        """Return the message of one filter of a request."""
        contents = {name: filter.content for name, filter in self.filters.items()}
        name, choice = (self.filter_name, "Filter") if self.filter_name else ("SearchQuery", "Query")
        return t.Message(name, t.OneOf(choice, tuple(contents), required=True), **contents)

    def passes(self, world: World, row: Row, query: Mapping[str, Any]) -> bool:
        """Return whether a row passes one filter of a request."""
        return all(self.filters[choice].test(world, row, content) for choice, content in query.items())

    def serve(
        self, service: Service, name: str, permission: str = AUTHENTICATED, rest: str = "", **fields: t.FieldType
    ) -> None:
        """Add the method to a service; ``fields`` precede those of every list in its request."""
        page, filters = self._names
        content = t.Sub(t.Message("PaginationRequest" if self.filter_name else "ListQuery", **PAGE))
        parts = {page: content, filters: t.Repeated(t.Sub(self.filter_message()))}
        columns = t.Enum((*(() if self.zero_is_a_column else ("",)), *self.columns))
        service.method(name, permission=permission, rest=rest, **fields, sortingColumn=columns, **parts)(self.answer)

    @property
    def _names(self) -> tuple[str, str]:
        """The fields of a request that hold its page and its filters."""
        return ("pagination", "filters") if self.filter_name else ("query", "queries")

    def answer(self, call: Call) -> Answer:
        """Return the answer of the method."""
        page, filters = (call.body.get(name, {}) for name in self._names)
        rows = [row for row in self.rows(call) if all(self.passes(call.world, row, query) for query in filters)]
        limit = page.get("limit", 0) or (DEFAULT_LIMIT if self.filter_name else len(rows))
        if self.filter_name and limit > MAX_LIMIT:
            raise InvalidArgument("Limit exceeded", "QUERY-4M0fs")
        if not (self.filter_name or self.counts_all):
            rows = [row for row in rows if self.visible(call, row)]
        offset = page.get("offset", 0)
        cut = self._sorted(call, rows, page)[offset : offset + limit]
        total = {"totalResult": str(len(rows))} if cut else {}
        visible = [self.show(call.world, row) for row in cut if self.visible(call, row)]
        result = {self.result: visible} if visible else {}
        if self.filter_name:
            return {"pagination": {**total, "appliedLimit": str(limit)}, **result}
        return {"details": {**total, "timestamp": t.moment(call.world.now())}, **result}

    def _sorted(self, call: Call, rows: list[Row], page: Mapping[str, Any]) -> list[Row]:
        """Return the rows in the order of the request, the newest first by default."""
        by = self.columns.get(call.body.get("sortingColumn", ""), "created")
        key = [(value_of(call.world, row, by), place) for place, row in enumerate(rows)]
        return [rows[place] for _, place in sorted(key, reverse=not page.get("asc", False))]
