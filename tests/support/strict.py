"""Answers of the API held against the table of messages, as strictly as protobuf reads JSON."""

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import requests

from zdemo.emulator.api import SERVICES
from zdemo.emulator.messages.table import FieldRow, field_rows, words_of


def _matches(pattern: str, value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


FRACTION = r"(\.(\d{3}|\d{6}|\d{9}))?"
FITS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "bytes": partial(_matches, r"([\w+/]{4})*([\w+/]{2}==|[\w+/]{3}=)?"),
    "uint32": lambda value: type(value) is int and 0 <= value < 2**32,
    **dict.fromkeys(("int64", "uint64"), partial(_matches, r"0|-?[1-9]\d{0,19}")),
    "google.protobuf.Timestamp": partial(_matches, rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d{FRACTION}Z"),
    "google.protobuf.Duration": partial(_matches, rf"-?\d+{FRACTION}s"),
    "google.protobuf.Struct": lambda value: isinstance(value, dict),
}


def deviations(message: str, value: Any, at: str = "") -> Iterator[str]:
    """Say what an object has that a message of the table does not allow."""
    if not isinstance(value, dict):
        yield f"{at} is not an object: {value!r}"
        return
    rows = {
        re.sub("_(.)", lambda letter: letter[1].upper(), row.name): row for row in field_rows(message) if row.number
    }
    chosen = [rows[name].choice for name in value if name in rows and rows[name].choice]
    if len(chosen) != len(set(chosen)):
        yield f"{at} has fields that exclude each other: {', '.join(value)}"
    for name, content in value.items():
        yield from _of_field(rows[name], content, f"{at}.{name}") if name in rows else [f"{at}.{name} is unknown"]


def _of_field(row: FieldRow, value: Any, at: str) -> Iterator[str]:
    if (row.label == "[]") != isinstance(value, list) or (row.label == "{}" and not isinstance(value, dict)):
        yield f"{at} is not a {'list' if row.label == '[]' else 'single value'}: {value!r}"
        return
    for item in value if row.label == "[]" else value.values() if row.label == "{}" else [value]:
        if row.type in FITS or words_of(row.type):
            if not (FITS[row.type](item) if row.type in FITS else item in words_of(row.type)):
                yield f"{at} is not a {row.type}: {item!r}"
        else:
            yield from deviations(row.type, item, at)


@cache
def _methods() -> list[tuple[str, str, str]]:
    """Return verb, pattern of the path, and message of the answer of all calls."""
    methods = [method for service in SERVICES.values() for method in service.methods.values()]
    paths = {m: re.sub(r"{\w+}", "[^/]+", m.row.path).replace("{role_key=**}", ".+") for m in methods if m.row.path}
    rest = [(m.row.verb, path, m.row.answer) for m, path in paths.items()]
    return [*rest, *(("POST", f"/{re.escape(m.name)}", m.row.answer) for m in methods)]


def hold(response: requests.Response) -> None:
    """Fail the test that sees an answer which is not as the table says."""
    request, path = response.request, response.request.path_url.partition("?")[0]
    for verb, pattern, message in _methods():
        if response.status_code == 200 and request.method == verb and re.fullmatch(pattern, path):
            if deviating := "; ".join(deviations(message, response.json())):
                raise AssertionError(f"{verb} {path}: {deviating}")
            return
