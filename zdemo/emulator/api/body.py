"""From the bytes of a request to its message, and what protobuf says about bytes that are none."""

import gzip
import json
import re
import zlib
from typing import Any, NoReturn

from flask import Request

from zdemo.emulator.api.kinds import ABSENT, UnreadableError
from zdemo.emulator.api.schema import Message
from zdemo.emulator.api.values import json_object
from zdemo.emulator.errors import InvalidArgument, Unimplemented


def content_of(request: Request) -> bytes:
    """The body, unpacked when it is gzipped."""
    coding = request.headers.get("Content-Encoding", "identity") or "identity"
    if coding not in ("identity", "gzip"):
        raise Unimplemented(f'unknown compression "{coding}": supported encodings are gzip')
    content = request.get_data()
    if coding == "identity" or not content:
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        raise InvalidArgument("decompress: gzip: invalid header") from None


def parse(content: bytes) -> tuple[Any, str]:
    """The JSON value and its text.

    Raises:
        InvalidArgument: it is no JSON; the text is protobuf's.
    """
    try:
        text = content.decode()
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=json_object), text
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
