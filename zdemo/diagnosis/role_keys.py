"""Role keys that are nearly the same: misspelled, or in another case."""

import re


def near_miss(role: str, others: frozenset[str] | tuple[str, ...]) -> str:
    """Return a key that most likely means the same: it differs in case or by one edit; empty when there is none."""
    return next((other for other in sorted(others) if other != role and _near(role, other)), "")


def _near(one: str, other: str) -> bool:
    first, second = one.casefold(), other.casefold()
    if re.sub(r"[\W_]", "", first) == re.sub(r"[\W_]", "", second):
        return True
    while first and second and first[0] == second[0]:
        first, second = first[1:], second[1:]
    while first and second and first[-1] == second[-1]:
        first, second = first[:-1], second[:-1]
    return max(len(first), len(second)) <= 1 or (len(first) == 2 and first == second[::-1])
