"""Client IDs that are nearly right: rounded by a program that took them for numbers, or mistyped."""

import re
from collections.abc import Collection
from decimal import Decimal

from zdemo.config.names import did_you_mean

NEAR_ID = 0.85  # of 1: two of 18 digits may differ
E_NOTATION = re.compile(r"(\d)[.,]?(\d*)[eE]\+?(\d{2})")
SPREADSHEET_DIGITS = 15  # significant ones, which is all that Excel and others keep


def is_rounded(text: str) -> bool:
    """Return whether a text is a large number without its last digits, as programs write one that is too long."""
    return E_NOTATION.fullmatch(text) is not None


def rounds_to(client_id: str, text: str) -> bool:
    """Return whether a text is what a spreadsheet or JSON makes of a client ID."""
    if not client_id.isascii() or not client_id.isdigit():
        return False
    if found := E_NOTATION.fullmatch(text):
        kept = len(found[1] + found[2])
        return f"{found[1]}.{found[2]}e+{found[3]}" == f"{Decimal(client_id):.{kept - 1}e}"
    as_double = float(client_id)
    rounded = f"{Decimal(client_id):.{SPREADSHEET_DIGITS - 1}e}"
    cut = client_id[:SPREADSHEET_DIGITS].ljust(len(client_id), "0")
    return text in (f"{as_double:.0f}", f"{Decimal(repr(as_double)):f}", f"{Decimal(rounded):f}", cut)


def meant_id(text: str, client_ids: Collection[str]) -> str:
    """Return the client ID that a wrong one most likely stands for: a near one, or the only one; else empty."""
    rounded = [client_id for client_id in client_ids if rounds_to(client_id, text)]
    if len(rounded) == 1:
        return rounded[0]
    only = next(iter(client_ids)) if len(client_ids) == 1 else ""
    return did_you_mean(text.partition("@")[0], client_ids, least=NEAR_ID) or only
