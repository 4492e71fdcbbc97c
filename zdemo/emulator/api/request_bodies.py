"""From the bytes of a request to its message, with protobuf's errors about bytes that are not a message."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import Any, NoReturn

from flask import Request

from zdemo.emulator.api.json_values import JsonObject
from zdemo.emulator.api.messages import ABSENT, Message, UnreadableError, opening
from zdemo.emulator.bodies import LARGEST_BODY_BYTES, TOO_LARGE
from zdemo.emulator.errors import InvalidArgument, ResourceExhausted, Unimplemented, ZitadelError

MOST_VALUES = 5000  # the emulator's own limit: a list of filters is compared with each row
DEEPEST = 128  # levels of JSON, far above the 20 levels of queries that ZITADEL takes; protobuf itself reads 10,000


def content_of(request: Request) -> bytes:
    """Return the body, unpacked when it is gzipped.

    Raises ZitadelError if the compression is another one or broken, or the message is too large.
    """
    coding = request.headers.get("Content-Encoding", "identity") or "identity"
    if coding not in ("identity", "gzip"):
        raise Unimplemented(f'unknown compression "{coding}": supported encodings are gzip')
    if request.environ.get(TOO_LARGE):
        raise _too_large()
    content = request.get_data()
    if coding == "gzip" and content:
        content = _unpacked(content)
    if sum(content.count(mark) for mark in b",[{") > MOST_VALUES:
        raise ResourceExhausted(f"message has more than {MOST_VALUES} values")
    return content


def _unpacked(content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as packed:  # a small one may hold gigabytes
            unpacked = packed.read(LARGEST_BODY_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise InvalidArgument("decompress: gzip: invalid header") from None
    if len(unpacked) > LARGEST_BODY_BYTES:
        raise _too_large()
    return unpacked


def _too_large() -> ZitadelError:
    return ResourceExhausted(f"message is larger than configured max {LARGEST_BODY_BYTES}")  # gRPC's words


def parse(content: bytes) -> tuple[Any, str]:
    """Return the JSON value and its text. Raises InvalidArgument if it is not JSON; the text is protobuf's."""
    try:
        text = content.decode()
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=JsonObject)
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
    """Refuse deep nesting here, since the readers below call themselves once per level."""
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
    """Return the message in a JSON value.

    Raises InvalidArgument if a value has the wrong type; the text is protobuf's, with the place.
    """
    try:
        return message.read(value)
    except UnreadableError as wrong:
        if not wrong.field:
            raise InvalidArgument(f"proto: syntax error (line 1:1): {wrong}") from None
        syntax = "syntax error " if str(wrong).startswith("unexpected") else ""
        culprit = "" if wrong.value is ABSENT or syntax else f": {opening(wrong.value)}"
        place = _place(text, wrong.field, wrong.value)
        raise InvalidArgument(f"proto: {syntax}{place}: {wrong}{culprit}") from None


def _place(text: str, field: str, value: object) -> str:
    """Return line and column of a field's value, or of its name when the value is ``ABSENT``."""
    pattern = re.escape(json.dumps(field)) + (r"()\s*:" if value is ABSENT else r"\s*:\s*()")
    match = re.search(pattern, text)
    at = (match.start() if value is ABSENT else match.end()) if match else 0
    line = text.count("\n", 0, at) + 1
    return f"(line {line}:{at - (text.rfind(chr(10), 0, at) + 1) + 1})"
