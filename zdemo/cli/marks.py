"""Marks for outcomes: signs where the terminal can show them, words in ASCII elsewhere."""

import os
import re
from collections.abc import Mapping
from typing import IO

from zdemo.doctor import Outcome

SIGNS = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.WARN: "!", Outcome.SKIP: "-"}
WORDS = {Outcome.PASS: "ok  ", Outcome.FAIL: "FAIL", Outcome.WARN: "warn", Outcome.SKIP: "skip"}
COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.WARN: "yellow", Outcome.SKIP: "bright_black"}
WITH_SIGNS = re.compile(r"utf-?8", re.IGNORECASE)


def marks(stream: IO[str]) -> Mapping[Outcome, str]:
    """Return the mark of each outcome, all of one width.

    ``LC_CTYPE`` does not count: Python sets it itself where ``LANG`` is ``C``.
    """
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or "utf-8"
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return SIGNS if WITH_SIGNS.search(locale) and WITH_SIGNS.fullmatch(encoding) else WORDS
