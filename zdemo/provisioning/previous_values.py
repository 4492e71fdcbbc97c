"""Whose the values in ``.env`` are: setup's, or a person's, which setup keeps when it puts its own there.

A module of its own because the plan, the file and teardown must judge alike. Pure: from the file's variables to what is
to be changed in them. A person's value goes to a line of its own in the same step in which setup's takes its place, so
no moment is without it, and no other file holds secrets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from zdemo.provisioning.names import BEFORE, SETTINGS, WROTE

MARK_DIGITS = 8  # of SHA-256: enough to see that a value was changed, and nothing to guess a secret from


def _get(values: Mapping[str, str], name: str) -> str:
    return values.get(name, "").strip()


def _mark(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:MARK_DIGITS]


def written(values: Mapping[str, str]) -> set[str]:
    """The settings whose values are setup's; one that was changed since is a person's."""
    marks = dict(item.partition(":")[::2] for item in _get(values, WROTE).split(",") if item)
    return {name for name, mark in marks.items() if mark in ("", _mark(_get(values, name)))}  # once it was names alone


def with_marks(values: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str | None]:
    """The changes with what they entail: a person's values that they would replace are kept, setup's are marked.

    A person's line is emptied, not taken out, so that its place and its comment stay.
    """
    out = dict(changes)
    ours = written(values)
    for name in (n for n in SETTINGS if n in changes and n in values):
        if name not in ours and (slot := _slot(values, name)):
            out[slot] = _get(values, name)
        if name not in ours or _kept(values, name):
            out[name] = changes[name] or ""
    ours = (ours - set(changes)) | {name for name in SETTINGS if changes.get(name)}
    marks = {name: changes.get(name) or _get(values, name) for name in SETTINGS if name in ours}
    out[WROTE] = ",".join(f"{name}:{_mark(value)}" for name, value in marks.items()) or None
    return out


def given_back(values: Mapping[str, str], lines: Iterable[str]) -> dict[str, str | None]:
    """The changes by which lines are taken out, and the values that stood there before setup's come back."""
    changes: dict[str, str | None] = {name: None for name in lines if name in values}
    for name in SETTINGS:
        kept = _kept(values, name)
        if kept and (name in changes or not _get(values, name)):
            changes |= {name: values[kept[-1]], kept[-1]: None}
    return changes


def _kept(values: Mapping[str, str], name: str) -> list[str]:
    """The lines that hold a person's values of a setting, the latest last."""
    slots = [f"{BEFORE}{name}"]
    while slots[-1] in values:
        slots.append(f"{BEFORE}{name}_{len(slots) + 1}")
    return slots[:-1]


def _slot(values: Mapping[str, str], name: str) -> str:
    """Where a value is to be kept: one put there by hand after a first gets another line. Empty: it need not be."""
    kept, value = _kept(values, name), _get(values, name)
    if not kept:
        return f"{BEFORE}{name}"
    known = not value or value == _get(values, kept[-1])  # empty: setup has emptied it
    return "" if known else f"{BEFORE}{name}_{len(kept) + 1}"
