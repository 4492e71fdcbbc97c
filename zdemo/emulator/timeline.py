"""The way of a world from its beginning: it can be made older, and put back as it was."""

import copy
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from zdemo.emulator.entities import NEVER, User
from zdemo.emulator.world import World

AGING = ("created", "changed", "expires", "expiration", "auth_time")  # fields that hold a time


class Timeline:
    """Keeps the beginning of a world. ``advanced`` is how much older the world has been made since."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._first = copy.deepcopy(self._state())
        self.advanced = timedelta()

    def _state(self) -> list[dict[str, Any]]:
        """Return all that changes, of the world and of its history."""
        parts = (self._world, self._world.history)
        return [{k: v for k, v in vars(part).items() if isinstance(v, dict | list | set)} for part in parts]

    def reset(self) -> None:
        """Put everything back as it was at the beginning."""
        with self._world.lock:
            for part, state in zip((self._world, self._world.history), copy.deepcopy(self._first), strict=True):
                vars(part).update(state)
            self.advanced = timedelta()

    def advance(self, duration: timedelta) -> None:
        """Make all objects older, as if this time had passed; the clock stays, since clients live in the same time."""
        seconds = duration.total_seconds()
        with self._world.lock:
            for fields in {id(fields): fields for fields in self._fields()}.values():
                _make_older(fields, seconds)
            for id_ in self._world.history.removed:
                self._world.history.removed[id_] -= seconds
            self.advanced += duration

    def _fields(self) -> Iterator[dict[str, Any]]:
        """Yield the fields of all objects; those of a token that has ended but is still listed come twice."""
        world, history = self._world, self._world.history
        owners = (world.projects, world.applications, world.users)
        for owner in (owner for group in owners for owner in group.values()):
            for inner in ("roles", "grants", "keys", "pats", "metadata"):
                yield from map(vars, getattr(owner, inner, {}).values())
        for group in (*owners, world.organizations, world.authorizations, world.administrators, world.session_tokens):
            yield from map(vars, group.values())
        for event in history.events:
            yield from (vars(event), event.payload)
        yield from (vars(ended.token) for ended in history.tokens.values())

    def restore_pats(self, user_id: str) -> None:
        """Give a user the personal access tokens of the beginning. Raises KeyError if the user was not there then."""
        first: dict[str, User] = self._first[0]["users"]
        with self._world.lock:
            user, pats = self._world.users[user_id], copy.deepcopy(first[user_id].pats)
            for pat in pats.values():
                _make_older(vars(pat), self.advanced.total_seconds())
                self._world.history.tokens.pop(pat.id, None)
                self._world.history.log(
                    user, "user.pat.added", tokenId=pat.id, expiration=pat.expires, scopes=pat.scopes
                )
            user.pats |= pats


def _make_older(fields: dict[str, Any], seconds: float) -> None:
    for name in AGING:
        if fields.get(name, NEVER) != NEVER:
            fields[name] -= seconds
