"""Each row of the catalogue of faults has a test with its number in ``tests/catalogue``."""

import re
from pathlib import Path

ROWS = (
    *(1, 2, 3, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23, 25, 27, 28, 30, 31, 33, 34, 35, 37, 38),
    *(40, 41, 43, 44, 45, 47, 48, 49, 50, 52, 54, 55, 56, 57, 58, 59, 60, 63, 64, 67),
)


def test_each_row_is_a_test() -> None:
    tests = "".join(path.read_text() for path in (Path(__file__).parents[1] / "catalogue").glob("test_*.py"))
    named = re.findall(r"^def test_((?:\d\d[a-z]?_)+)", tests, re.MULTILINE)
    numbers = {int(number[:2]) for name in named for number in name.rstrip("_").split("_")}
    assert sorted(set(ROWS) - numbers) == []
