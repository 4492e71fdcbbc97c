"""Lists: filters, order, pages, and what of a page the caller may see.

As in ZITADEL, totals are counted and pages cut before the permission filter; a page beyond the end has no total.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from zdemo.emulator.api.call import Answer, Call
from zdemo.emulator.api.kinds import Count, Enum, Flag, Kind, Repeated, Text, Time
from zdemo.emulator.api.schema import Message, OneOf, Sub
from zdemo.emulator.entities import Entity
from zdemo.emulator.errors import InvalidArgument
from zdemo.emulator.world import World

Row = TypeVar("Row", bound=Entity)
Test = Callable[[World, Any, Any], bool]  # world, row, the filter's content

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
TEXT_METHODS = (
    "EQUALS",
    "EQUALS_IGNORE_CASE",
    "STARTS_WITH",
    "STARTS_WITH_IGNORE_CASE",
    "CONTAINS",
    "CONTAINS_IGNORE_CASE",
    "ENDS_WITH",
    "ENDS_WITH_IGNORE_CASE",
)
TIME_METHODS = ("EQUALS", "AFTER", "AFTER_OR_EQUALS", "BEFORE", "BEFORE_OR_EQUALS")
TEXT_METHOD = Enum(tuple(f"TEXT_FILTER_METHOD_{m}" for m in TEXT_METHODS))
TIME_METHOD = Enum(tuple(f"TIMESTAMP_FILTER_METHOD_{m}" for m in TIME_METHODS))
PAGINATION = Message("PaginationRequest", offset=Count(), limit=Count(32), asc=Flag())


@dataclass(frozen=True)
class Filter:
    """One choice of a filter: the type of its content, and whether a row passes."""

    kind: Kind
    test: Test


def text_filter(name: str, field: str, of: Callable[[World, Any], str], least: int = 0) -> Filter:
    """``{field, method}`` about one text of a row."""
    message = Message(name, **{field: Text(least, 200), "method": TEXT_METHOD})
    return Filter(Sub(message), lambda world, row, f: text_matches(of(world, row), f.get(field, ""), f.get("method")))


def id_filter(name: str, of: Callable[[World, Any], str], field: str = "id") -> Filter:
    """``{id}`` about one ID of a row."""
    message = Message(name, **{field: Text(1, 200)})
    return Filter(Sub(message), lambda world, row, f: of(world, row) == f.get(field))


def ids_filter(of: Callable[[World, Any], str]) -> Filter:
    """``{ids}``: one of these."""
    message = Message("InIDsFilter", ids=Repeated(Text(1, 200), unique=True))
    return Filter(Sub(message), lambda world, row, f: of(world, row) in f.get("ids", ()))


def time_filter(of: Callable[[Any], float]) -> Filter:
    """``{timestamp, method}`` about one time of a row."""
    message = Message("TimestampFilter", timestamp=Time(), method=TIME_METHOD)
    return Filter(Sub(message), lambda _, row, f: time_matches(of(row), f.get("timestamp", 0.0), f.get("method")))


def text_matches(text: str, wanted: str, method: str | None) -> bool:
    """``method`` is ZITADEL's word with any prefix; absent means equal."""
    word = (method or "METHOD_EQUALS").split("METHOD_", 1)[1]
    if word.endswith("_IGNORE_CASE"):
        text, wanted, word = text.lower(), wanted.lower(), word.removesuffix("_IGNORE_CASE")
    tests: Mapping[str, Callable[[str, str], bool]] = {
        "EQUALS": str.__eq__,
        "STARTS_WITH": str.startswith,
        "ENDS_WITH": str.endswith,
        "CONTAINS": str.__contains__,
    }
    return tests[word](text, wanted)


def time_matches(when: float, wanted: float, method: str | None) -> bool:
    """``method`` is ZITADEL's word; absent means equal."""
    word = (method or "METHOD_EQUALS").split("METHOD_", 1)[1]
    return {
        "AFTER": when > wanted,
        "AFTER_OR_EQUALS": when >= wanted,
        "BEFORE": when < wanted,
        "BEFORE_OR_EQUALS": when <= wanted,
    }.get(word, when == wanted)


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """A ``List...`` method as data. ``columns`` are the sorting columns in the order of their numbers, from 1 on; 0
    is none, which is by creation. With ``zero_is_a_column`` they begin at 0."""

    rows: Callable[[Call], Iterable[Row]]
    visible: Callable[[Call, Row], bool]
    show: Callable[[World, Row], Answer]
    result: str
    filter_name: str
    filters: Mapping[str, Filter]
    columns: Mapping[str, Callable[[World, Row], Any]] = field(default_factory=dict)
    zero_is_a_column: bool = False
    page_last: bool = False  # whether the answer has its pagination behind the rows

    def request(self, name: str, **fields: Kind) -> Message:
        """The request message, with fields of its own in front."""
        kinds = {choice: f.kind for choice, f in self.filters.items()}
        one = Message(self.filter_name, OneOf("Filter", tuple(kinds), required=True), **kinds)
        columns = sorting(self.columns if self.zero_is_a_column else ("", *self.columns))
        return Message(name, **fields, pagination=Sub(PAGINATION), sortingColumn=columns, filters=Repeated(Sub(one)))

    def answer(self, call: Call) -> Answer:
        """The answer of the method."""
        page = call.body.get("pagination", {})
        limit = page.get("limit", 0) or DEFAULT_LIMIT
        if limit > MAX_LIMIT:
            raise InvalidArgument("Limit exceeded", "QUERY-4M0fs")
        found = [row for row in self.rows(call) if self._passes(call, row)]
        column = self.columns.get(call.body.get("sortingColumn", ""))
        ordered = in_order(call.world, found, column, page.get("asc", False))
        offset = page.get("offset", 0)
        cut = ordered[offset : offset + limit]
        pagination = {"totalResult": str(len(found))} if cut else {}
        head: Answer = {"pagination": {**pagination, "appliedLimit": str(limit)}}
        shown = [self.show(call.world, row) for row in cut if self.visible(call, row)]
        rows: Answer = {self.result: shown} if shown else {}
        return {**rows, **head} if self.page_last else {**head, **rows}

    def _passes(self, call: Call, row: Row) -> bool:
        return all(
            self.filters[choice].test(call.world, row, content)
            for one in call.body.get("filters", ())
            for choice, content in one.items()
        )


def sorting(words: Iterable[str]) -> Enum:
    """The type of ``sortingColumn``: what is unknown is ignored."""
    return Enum(tuple(words), lenient=True)


def in_order(
    world: World, rows: Sequence[Row], column: Callable[[World, Row], Any] | None, ascending: bool
) -> list[Row]:
    """Newest first unless asked otherwise; rows that are equal in the column go by their creation."""
    by = column or (lambda _, row: row.created)
    ranked = sorted(enumerate(rows), key=lambda pair: (by(world, pair[1]), pair[0]), reverse=not ascending)
    return [row for _, row in ranked]
