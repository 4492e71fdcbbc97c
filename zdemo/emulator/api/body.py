"""From the bytes of a request to its message, and what protobuf says about bytes that are none."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import Any, NoReturn

from flask import Request

from zdemo.emulator.api.kinds import ABSENT, UnreadableError
from zdemo.emulator.api.schema import Message
from zdemo.emulator.api.values import json_object
from zdemo.emulator.bodies import LARGEST_MESSAGE_BYTES
from zdemo.emulator.errors import InvalidArgument, ResourceExhausted, Unimplemented

DEEPEST = 128
"""Levels of JSON, far above the 20 levels of queries that ZITADEL takes; protobuf itself would read 10,000."""


def content_of(request: Request) -> bytes:
    """The body, unpacked when it is gzipped.

    Raises:
        ZitadelError: another compression, no gzip, or more than a message may have.
    """
    coding = request.headers.get("Content-Encoding", "identity") or "identity"
    if coding not in ("identity", "gzip"):
        raise Unimplemented(f'unknown compression "{coding}": supported encodings are gzip')
    content = _small_enough(request.get_data())
    if coding == "identity" or not content:
        return content
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as unpacked:  # a small one may hold gigabytes
            return _small_enough(unpacked.read(LARGEST_MESSAGE_BYTES + 1))
    except (OSError, EOFError, zlib.error):
        raise InvalidArgument("decompress: gzip: invalid header") from None


def _small_enough(content: bytes) -> bytes:
    if len(content) > LARGEST_MESSAGE_BYTES:
        raise ResourceExhausted(f"message is larger than configured max {LARGEST_MESSAGE_BYTES}")
    return content


def parse(content: bytes) -> tuple[Any, str]:
    """The JSON value and its text.

    Raises:
        InvalidArgument: it is no JSON; the text is protobuf's.
    """
    try:
        text = content.decode()
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=json_object)
        _check_depth(value)
        return value, text
    except UnicodeDecodeError:
        raise InvalidArgument("proto: syntax error (line 1:1): invalid UTF-8 in string") from None
    except json.JSONDecodeError as broken:
        if broken.pos >= len(broken.doc.rstrip()) or "Unterminated" in broken.msg:
            raise InvalidArgument("proto: unexpected EOF") from None
        rest = broken.doc[broken.pos :].split(maxsplit=1)
        where = f"(line {broken.lineno}:{broken.colno})"
        raise InvalidArgument(f"proto: syntax error {where}: invalid value {rest[0][:32]}") from None
    except RecursionError:
        raise InvalidArgument("proto: exceeded max recursion depth") from None
    except ValueError:  # a number of thousands of digits
        raise InvalidArgument("proto: syntax error (line 1:1): invalid value") from None


def _check_depth(value: object) -> None:
    """What is read later calls itself for each level, and shall not end in the middle."""
    layer = [value]
    for _ in range(DEEPEST):
        layer = [inner for outer in layer for inner in _inside(outer)]
        if not layer:
            return
    raise RecursionError


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse(word: str) -> NoReturn:
    raise json.JSONDecodeError(word, word, 0)  # Infinity and NaN, which Python would take


def read(message: Message, value: Any, text: str) -> dict[str, Any]:
    """The message in a JSON value.

    Raises:
        InvalidArgument: a value has another type; the text is protobuf's, with its place.
    """
    try:
        return message.read(value)
    except UnreadableError as wrong:
        if not wrong.field:
            raise InvalidArgument(f"proto: syntax error (line 1:1): {wrong.what}") from None
        culprit = "" if wrong.value is ABSENT or wrong.what.startswith("unexpected") else f": {_token(wrong.value)}"
        kind = "syntax error " if wrong.what.startswith("unexpected") else ""
        place = _place(text, wrong.field, wrong.value)
        raise InvalidArgument(f"proto: {kind}{place}: {wrong.what}{culprit}") from None


def _token(value: object) -> str:
    if isinstance(value, dict | list):
        return "{" if isinstance(value, dict) else "["
    return json.dumps(value, ensure_ascii=False)


def _place(text: str, field: str, value: object) -> str:
    """Line and column of a field's value, or of its name when the name is the trouble."""
    pattern = re.escape(json.dumps(field)) + (r"()\s*:" if value is ABSENT else r"\s*:\s*()")
    found = re.search(pattern, text)
    at = (found.start() if value is ABSENT else found.end()) if found else 0
    line = text.count("\n", 0, at) + 1
    return f"(line {line}:{at - (text.rfind(chr(10), 0, at) + 1) + 1})"
