"""Values that are not what their variables are for: swapped, of another kind, two of which one is enough. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from zdemo.diagnosis import TokenKind, token_form
from zdemo.diagnosis.token_form import OLD_CLIENT_ID, paste_leftover

SECRET, PAT = TokenKind.CLIENT_SECRET, TokenKind.PAT


@dataclass(frozen=True, kw_only=True)
class Oddity:
    """What is odd, what to do, and whether it cannot work."""

    what: str
    fix: str
    fatal: bool = False


def oddities(values: Mapping[str, str]) -> list[Oddity]:
    """All that is odd about the values of the settings; never with a value."""
    stripped = {name: value.strip() for name, value in values.items() if value.strip()}
    return [odd for look in _LOOKS for odd in look(stripped)]


def _kind(values: Mapping[str, str], name: str) -> TokenKind | None:
    return token_form(values[name]).kind if name in values else None


def _swapped(values: Mapping[str, str]) -> Iterator[Oddity]:
    if _kind(values, "CLIENT_SECRET") is TokenKind.ID_NUMBER and _kind(values, "CLIENT_ID") is SECRET:
        yield Oddity(
            what="CLIENT_ID holds what looks like a secret and CLIENT_SECRET an ID: they are swapped",
            fix="exchange the values of CLIENT_ID and CLIENT_SECRET",
            fatal=True,
        )
    if _secret_is_in_pat(values):
        yield Oddity(
            what="CLIENT_SECRET holds what looks like a personal access token and PAT a client secret: they are "
            "swapped",
            fix="exchange the values of CLIENT_SECRET and PAT",
            fatal=True,
        )


def _secret_is_in_pat(values: Mapping[str, str]) -> bool:
    return _kind(values, "CLIENT_SECRET") is PAT and _kind(values, "PAT") is SECRET


def _pasted(values: Mapping[str, str]) -> Iterator[Oddity]:
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        if leftover := paste_leftover(values.get(name, "")):
            yield Oddity(what=f"{name} was not pasted alone: {leftover}", fix=f"set {name} to the bare value")


def _same(values: Mapping[str, str]) -> Iterator[Oddity]:
    pairs = (
        ("CLIENT_SECRET", "PAT", "a client secret and a token are two things", True),
        ("CLIENT_SECRET", "ZITADEL_ADMIN_PAT", "a client secret and a token are two things", True),
        ("CLIENT_ID", "CLIENT_SECRET", "a client ID and its secret are two things", True),
        ("CLIENT_ID", "ZITADEL_PROJECT_ID", "a client ID and a project's ID are two things", True),
        ("PAT", "ZITADEL_ADMIN_PAT", "the calls would be an administrator's, not a caller's", False),
    )
    for one, other, why, fatal in pairs:
        if one in values and values[one] == values.get(other):
            what = f"{one} and {other} hold the same: {why}"
            yield Oddity(what=what, fix=f"correct {one} or {other}", fatal=fatal)


def _may_be_client_id(text: str) -> bool:
    """Of those of which something else is said already, no more is to be said."""
    usual = token_form(text).kind in (TokenKind.ID_NUMBER, SECRET) or OLD_CLIENT_ID.fullmatch(text)
    return bool(usual or paste_leftover(text))


def _of_another_kind(values: Mapping[str, str]) -> Iterator[Oddity]:
    page = "the application's page in ZITADEL"
    other = not _secret_is_in_pat(values) and values.get("CLIENT_SECRET") != values.get("PAT")
    if _kind(values, "CLIENT_SECRET") is PAT and other:
        what = "CLIENT_SECRET has the form of a personal access token (71 characters)"
        yield Oddity(what=what, fix=f"set CLIENT_SECRET to the client secret that {page} gives (64 characters)")
    if _kind(values, "CLIENT_ID") is PAT:
        yield Oddity(what="CLIENT_ID has the form of a personal access token", fix=f"take the client ID from {page}")
    elif "CLIENT_ID" in values and not _may_be_client_id(values["CLIENT_ID"]):
        yield Oddity(
            what="CLIENT_ID is no number of 18 digits, as ZITADEL's client IDs are: a service user's login name?",
            fix=f"set CLIENT_ID to the client ID of the API application, from {page}",
        )
    if "ZITADEL_PROJECT_ID" in values and not values["ZITADEL_PROJECT_ID"].isdigit():
        what = "ZITADEL_PROJECT_ID is not a number, as ZITADEL's IDs are: the project's name?"
        yield Oddity(what=what, fix="copy the ID (Resource ID) from the project's page")
    if _kind(values, "ZITADEL_ADMIN_PAT") in (SECRET, TokenKind.ID_NUMBER):
        what = "ZITADEL_ADMIN_PAT does not look like a token but like a client secret or an ID"
        yield Oddity(what=what, fix="set ZITADEL_ADMIN_PAT to the personal access token of an administrator")


def _two_proofs(values: Mapping[str, str]) -> Iterator[Oddity]:
    if "ZITADEL_KEY_FILE" in values and "CLIENT_SECRET" in values:
        yield Oddity(
            what="ZITADEL_KEY_FILE and CLIENT_SECRET are both set: the key file wins, the secret is not used",
            fix="remove the one that the application does not use",
        )


_LOOKS: tuple[Callable[[Mapping[str, str]], Iterator[Oddity]], ...] = (
    _swapped,
    _pasted,
    _same,
    _of_another_kind,
    _two_proofs,
)
