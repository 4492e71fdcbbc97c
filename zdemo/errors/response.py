"""An HTTP response, read to the end."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

GATEWAY_STATUSES = (502, 503, 504)  # of proxies that get no answer, and of an API that gets none from ZITADEL
MOST_NESTED = 100  # objects and lists in JSON; ZITADEL has five, and each takes some calls to show
MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,31}/[a-z0-9!#$&^_.+-]{1,31}")  # RFC 6838 §4.2, but shorter


def json_decoder(object_pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> json.JSONDecoder:
    """Return a decoder that refuses ``NaN``, which is not JSON, and numbers that are too large (RFC 8259 §6: 1e999)."""
    return json.JSONDecoder(object_pairs_hook=object_pairs, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _items(part: Any) -> Iterable[Any]:
    return part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()


DECODER = json_decoder()


@dataclass(frozen=True, kw_only=True)
class Response:
    """An HTTP response, read to the end."""

    status: int
    headers: Mapping[str, str]  # names are in lower case
    body: bytes = field(repr=False)
    seconds: float
    url: str
    received_at: float = 0.0  # epoch seconds; 0 where it is unknown
    proxy: str = ""  # the host of the environment's proxy that it came through, which may have written it
    setting: str = "ZITADEL_DOMAIN"  # the variable or option that gave the address that answered
    issuer: str = ""  # ZITADEL's, if the request went to ``ZITADEL_INTERNAL_URL`` in its place
    issuer_setting: str = "ZITADEL_DOMAIN"  # the variable or option that gave ZITADEL's own address

    @property
    def emulator(self) -> str:
        """The name of zdemo's emulator if that answered, and else empty."""
        name = self.headers.get("x-zdemo-emulator", "")
        return name if re.fullmatch(r"[a-z]{1,16}-[a-z]{1,16}-[0-9]{1,4}", name) else ""

    @property
    def media_type(self) -> str:
        """``Content-Type`` without parameters, in lower case; empty when it is missing or not valid."""
        text = self.headers.get("content-type", "").split(";")[0].strip().lower()
        return text if MEDIA_TYPE.fullmatch(text) else ""

    @property
    def date(self) -> float | None:
        """``Date`` in epoch seconds, without fractions of a second; ``None`` when it is missing or not valid."""
        from email.utils import parsedate_to_datetime  # here, because it loads socket

        try:
            return parsedate_to_datetime(self.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError, OSError):
            return None

    @property
    def text(self) -> str:
        """The body as text, without a byte-order mark; bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8-sig", "replace")

    def decoded(self, decoder: json.JSONDecoder = DECODER) -> Any:
        """Decode the body as JSON in UTF-8, or raise ValueError (RFC 8259 §8.1; a byte-order mark may be ignored)."""
        with suppress(RecursionError):
            level = [value := decoder.decode(self.body.decode("utf-8-sig"))]
            for _ in range(MOST_NESTED):
                level = [item for part in level for item in _items(part)]
                if not level:
                    return value
        raise ValueError("it is nested too deep")

    def json(self) -> Any:
        """Return the body as JSON, or ``None`` when it is not JSON."""
        try:
            return self.decoded()
        except ValueError:
            return None

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object; empty when it is anything else."""
        value = self.json()
        return value if isinstance(value, dict) else {}
