"""What setup remembers of one ``.env``: the IDs it chose, the credentials it issued, the values it replaced.

``provisioning/state_file.py`` keeps it on the disk. Here is its form, which is read back strictly: only what setup
itself writes is accepted. Pure.
"""

from __future__ import annotations  # the readers of fields are found by the names of their types

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from zdemo.config.dotenv_statements import UnusualTextError, check_usual
from zdemo.http.response import json_decoder
from zdemo.management.model import LAST_MOMENT

VERSION = 1
DIGEST_DIGITS = 12  # of SHA-256: enough to recognize a value, too few to recover a secret from
ZITADEL_EPOCH = 1_556_496_000  # 2019-04-29T00:00:00Z, where the time in ZITADEL's IDs begins (epoch seconds)
UNITS_PER_SECOND = 100
MARK_BITS = 24  # below the time: ZITADEL puts a sequence and its machine there
LONGEST_ID = 20  # digits: more than any ID that setup chooses
ID_FIELDS = ("project_id", "application_id", "reader_id", "visitor_id")


@dataclass(frozen=True, kw_only=True)
class IssuedCredential:
    """A PAT or a key that setup creates; recorded before ZITADEL is asked for it.

    ``expires`` (milliseconds since 1970) is unique, so that one whose answer was lost can be found. ``digest`` is that
    of the PAT, or of the key's ID, once it is known; ``id`` is set when it has been written where it is used.
    """

    owner_id: str
    expires: int
    digest: str = ""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class SetupState:
    """What setup remembers of one ``.env``. The IDs are those that setup chose, written before each creation.

    They are made from ``seed``, for objects in the organization ``organization_id``. ``shared_project_id`` is a project
    that setup uses and did not create. ``added_roles`` are in that project, or in setup's own; ``assignment_…`` is the
    latest assignment that setup made. ``secret_written``: the application's client secret was in ``.env``.
    ``rotating``: a person allowed a new one. ``unfinished``: a run is at work, or was interrupted. ``previous`` holds
    the assignments that setup replaced, as they were written, and ``written`` the digests of setup's own values.
    """

    zitadel: str = ""
    seed: str = field(default="", repr=False)
    organization_id: str = ""
    project_id: str = ""
    application_id: str = ""
    reader_id: str = ""
    visitor_id: str = ""
    shared_project_id: str = ""
    added_roles: tuple[str, ...] = ()
    assignment_id: str = ""
    assignment_role: str = ""
    secret_written: bool = False
    rotating: bool = False
    unfinished: bool = False
    created_file: bool = False
    reader_pats: tuple[IssuedCredential, ...] = ()
    visitor_pats: tuple[IssuedCredential, ...] = ()
    keys: tuple[IssuedCredential, ...] = ()
    previous: Mapping[str, str] = field(default_factory=dict, repr=False)
    written: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def owns(self, object_id: str) -> bool:
        """Return whether setup chose this ID: it is recorded, and was made from the seed, not by ZITADEL."""
        return object_id != "" and any(self.own(field) == object_id for field in ID_FIELDS)

    def own(self, field: str) -> str:
        """Return the ID in a field of the state; empty when it was not made for that field."""
        object_id: str = getattr(self, field)
        units = units_in(object_id)
        return object_id if units is not None and object_id == _marked(self.seed, field, units) else ""

    def wrote(self, name: str, value: str) -> bool:
        """Return whether a setting has a value that setup gave it."""
        return digest(value) in self.written.get(name, ())


EMPTY = SetupState()


def digest(text: str) -> str:
    """Return the digest that is recorded instead of a text; empty for an empty text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_DIGITS] if text else ""


def lost_credentials(
    issued: Iterable[IssuedCredential], listed: Mapping[str, int | None], in_use: str
) -> tuple[str, ...]:
    """Return the IDs of listed PATs or keys that setup created and that never reached the file where they are used.

    ``listed`` maps IDs to times of expiry; ``in_use`` is the text that is in the file now.
    """
    lost = {c.expires for c in issued if not c.id and not (c.digest and c.digest == digest(in_use))}
    return tuple(found for found, expires in listed.items() if expires in lost)


def new_id(seed: str, field: str, clock: Callable[[], float], *, last: str = "") -> str:
    """Return an ID in ZITADEL's own form, 18 digits: 10 ms since 2019-04-29, then 24 bits.

    ZITADEL's own bits count; those here come from the seed, and tell the IDs that setup chose from all others. An ID
    is never chosen twice: the time in it is later than the one in ``last``, the latest for the field.
    """
    units = int((clock() - ZITADEL_EPOCH) * UNITS_PER_SECOND)
    return _marked(seed, field, max(units, (units_in(last) or 0) + 1))


def _marked(seed: str, field: str, units: int) -> str:
    mark = hashlib.sha256(f"{seed} {field} {units}".encode()).digest()
    return str(units << MARK_BITS | int.from_bytes(mark) >> (len(mark) * 8 - MARK_BITS))


def units_in(object_id: str) -> int | None:
    """Return the time in an ID of ZITADEL's form, in 10 ms since 2019-04-29; ``None`` for an ID of another form."""
    is_number = object_id.isascii() and object_id.isdecimal() and len(object_id) <= LONGEST_ID
    return int(object_id) >> MARK_BITS if is_number else None


# --- the form of the state file


class DamagedState(ValueError):
    """Text that is not what setup writes; the message says what is wrong with it, and repeats nothing of it."""


class NewerState(ValueError):
    """What a newer zdemo wrote."""


@dataclass(frozen=True, kw_only=True)
class StateDocument:
    """What is in a state file: the entries by the name of their ``.env``, and who wrote them for which folder."""

    folder: str
    entries: Mapping[str, SetupState]
    signature: str

    def is_signed(self, key: bytes) -> bool:
        """Return whether this key signed it."""
        return hmac.compare_digest(self.signature.encode(), signature(key, self.folder, self.entries).encode())


def signature(key: bytes, folder: str, entries: Mapping[str, SetupState]) -> str:
    """Return what proves that the owner of the key wrote these entries for this folder."""
    text = json.dumps([folder, {name: asdict(entry) for name, entry in entries.items()}], sort_keys=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def encode(entries: Mapping[str, SetupState], folder: str, key: bytes) -> str:
    """Return the text of a state file; the entries are by the name of their ``.env``."""
    document = {
        "version": VERSION,
        "folder": folder,
        "files": {name: asdict(entry) for name, entry in entries.items()},
        "signature": signature(key, folder, entries),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def decode(content: bytes) -> StateDocument:
    """Return what is in a state file. Raises DamagedState or NewerState."""
    try:
        document = DECODER.decode(content.decode())
    except (ValueError, RecursionError):
        raise DamagedState("it is not JSON") from None
    version = document.get("version") if isinstance(document, dict) else None
    if type(version) is int and version > VERSION:
        raise NewerState
    if type(version) is not int or document.keys() - {"folder", "signature"} != {"version", "files"}:
        raise DamagedState("it does not have a version and files")
    if version != VERSION:
        raise DamagedState("its version is unknown")
    return StateDocument(
        folder=_text(document.get("folder", ""), "folder"),
        entries={name: _object(SetupState, entry, "an entry") for name, entry in _members(document["files"], "files")},
        signature=_text(document.get("signature", ""), "signature"),
    )


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError
    return dict(pairs)


DECODER = json_decoder(_without_repetition)


def _members(value: Any, where: str) -> Iterable[tuple[str, Any]]:
    if not isinstance(value, dict) or not all(name.isprintable() for name in value):
        raise DamagedState(f"{where} is not an object with names")
    return value.items()


def _object(kind: type[SetupState] | type[IssuedCredential], value: Any, where: str) -> Any:
    """Return a JSON object as a dataclass, which must have exactly its fields."""
    given, types = dict(_members(value, where)), {f.name: str(f.type) for f in fields(kind)}
    if missing := sorted(types.keys() - given.keys()):
        raise DamagedState(f"{where} does not have {missing[0]}")
    if given.keys() - types.keys():
        raise DamagedState(f"{where} has an unknown field")
    return kind(**{name: READERS[types[name]](given[name], name) for name in types})


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise DamagedState(f"{where} is not a printable text")
    return value


def _setting(value: Any, where: str) -> str:
    """Return the former value of a setting, which may have any characters that a file can hold."""
    try:
        check_usual(value.encode().decode())
        return str(value)
    except UnusualTextError:
        raise DamagedState(f"{where} has a value that no .env can hold") from None
    except (AttributeError, ValueError):
        raise DamagedState(f"{where} has a value that is not a text") from None


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise DamagedState(f"{where} is neither true nor false")
    return value


def _moment(value: Any, where: str) -> int:
    if type(value) is not int or not 0 <= value <= LAST_MOMENT:
        raise DamagedState(f"{where} is not a time in milliseconds")
    return value


def _items(value: Any, where: str, read: Callable[[Any, str], Any]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise DamagedState(f"{where} is not a list")
    return tuple(read(item, where) for item in value)


READERS: Mapping[str, Callable[[Any, str], Any]] = {  # by the annotations of the fields
    "str": _text,
    "bool": _flag,
    "int": _moment,
    "tuple[str, ...]": lambda value, where: _items(value, where, _text),
    "tuple[IssuedCredential, ...]": lambda value, where: _items(
        value, where, lambda item, of: _object(IssuedCredential, item, of)
    ),
    "Mapping[str, str]": lambda value, where: {name: _setting(v, where) for name, v in _members(value, where)},
    "Mapping[str, tuple[str, ...]]": lambda value, where: {
        name: _items(digests, where, _text) for name, digests in _members(value, where)
    },
}
