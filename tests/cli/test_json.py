"""JSON documents: one style of names, and numbers without noise."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cli import Shell

DOCUMENTS = (
    *("call private", "call scoped --pat nobody", "call nonsense", "role list", "role grant visitor read:messages"),
    *("doctor", "doctor --list", "doctor --explain net.tls", "setup --dry-run", "setup --teardown --dry-run"),
)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Return the objects in a document."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(item)


@pytest.mark.parametrize("line", DOCUMENTS)
def test_names_have_one_style_and_numbers_say_what_was_measured_and_no_more(own_shell: Shell, line: str) -> None:
    for found in objects(own_shell(*line.split(), "--json").document):
        for key, value in found.items():
            assert re.fullmatch("[a-z_]+", key), key
            digits = 1 if "milliseconds" in key.lower() else 3
            assert not isinstance(value, float) or value == round(value, digits), key
