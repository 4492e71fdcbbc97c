"""Values that do not fit their variables: swapped, of another kind, or pasted with something around them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from zdemo.config.settings import USER_SECRET
from zdemo.diagnosis.token_form import BASE64, ID_DIGITS, OLD_CLIENT_ID, PAIR, TokenKind, paste_error, token_form

SECRET, PAT = TokenKind.CLIENT_SECRET, TokenKind.PAT
SAME = (  # two variables, why they differ, and whether nothing works when they do not
    ("CLIENT_SECRET", "PAT", "a client secret is not a token", True),
    ("CLIENT_SECRET", "ZITADEL_ADMIN_PAT", "a client secret is not a token", True),
    ("CLIENT_SECRET", USER_SECRET, "one is the API application's, the other a service account's", False),
    ("CLIENT_ID", "CLIENT_SECRET", "a client ID is not its secret", True),
    ("CLIENT_ID", "PAT", "a client ID is not a token", True),
    ("CLIENT_ID", "ZITADEL_PROJECT_ID", "a client ID is not a project's ID", False),
    ("PAT", "ZITADEL_ADMIN_PAT", "the calls would be an administrator's, not a caller's", False),
)


@dataclass(frozen=True, kw_only=True)
class OddValue:
    """What is odd about a value, without the value; ``names`` are the variables that cannot work with it."""

    what: str
    fix: str
    names: tuple[str, ...] = ()


SWAPPED = OddValue(
    what="CLIENT_ID holds what looks like a secret, and CLIENT_SECRET holds an ID: they are swapped",
    fix="exchange the values of CLIENT_ID and CLIENT_SECRET",
    names=("CLIENT_ID", "CLIENT_SECRET"),
)
TOKEN_SWAPPED = OddValue(
    what="CLIENT_SECRET holds what looks like a personal access token, and PAT a client secret: they are swapped",
    fix="exchange the values of CLIENT_SECRET and PAT",
    names=("CLIENT_SECRET", "PAT"),
)


def odd_values(values: Mapping[str, str]) -> tuple[OddValue, ...]:
    """Return all that is odd about the values of these variables."""
    stripped = {name: value.strip() for name, value in values.items() if value.strip()}
    return tuple(_odd(stripped))


def _kind(values: Mapping[str, str], name: str) -> TokenKind | None:
    return token_form(values[name]).kind if name in values else None


def are_token_and_secret_swapped(token: TokenKind | None, secret: str) -> bool:
    """Return whether a token and the client secret stand in each other's variables."""
    return token is SECRET and token_form(secret).kind is PAT


def _odd(values: Mapping[str, str]) -> Iterator[OddValue]:
    swapped = _kind(values, "CLIENT_SECRET") is TokenKind.ID_NUMBER and _kind(values, "CLIENT_ID") is SECRET
    if swapped:
        yield SWAPPED
    if are_token_and_secret_swapped(_kind(values, "PAT"), values.get("CLIENT_SECRET", "")):
        yield TOKEN_SWAPPED
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        error = paste_error(values.get(name, ""))
        if error.startswith(BASE64) and "ZITADEL_KEY_FILE" not in values:
            half = f"; {name} is the part {'before' if name == 'CLIENT_ID' else 'after'} the colon"
            fix = f"decode {name} first: base64 -d{half if error == PAIR else ''}"
            yield OddValue(what=f"{name} {error}", fix=fix, names=(name,))
        elif error:
            yield OddValue(what=f"{name} {error}", fix=f"set {name} to the value itself, and nothing else")
    for one, other, why, fatal in SAME:
        if one in values and values[one] == values.get(other):
            what = f"{one} and {other} hold the same value: {why}"
            yield OddValue(what=what, fix=f"correct {one} or {other}", names=(one, other) if fatal else ())
    client_id, kind = values.get("CLIENT_ID", ""), _kind(values, "CLIENT_ID")
    usual = not client_id or ID_DIGITS.fullmatch(client_id) or OLD_CLIENT_ID.fullmatch(client_id)
    same = client_id in [value for name, value in values.items() if name != "CLIENT_ID"]
    if not (usual or same or paste_error(client_id) or swapped):
        fatal = kind in (PAT, SECRET)
        other = "does not look like a client ID (18 digits): perhaps it is a service account's login name"
        yield OddValue(
            what=f"CLIENT_ID {f'has the form of a {kind}' if fatal else other}",
            fix="set CLIENT_ID to the API application's client ID, from the application's page in ZITADEL",
            names=("CLIENT_ID",) if fatal else (),
        )
    text = values.get("CLIENT_SECRET")
    named_above = _kind(values, "PAT") is SECRET or text in (values.get("PAT"), values.get("ZITADEL_ADMIN_PAT"))
    if _kind(values, "CLIENT_SECRET") is PAT and not named_above:
        yield OddValue(
            what="CLIENT_SECRET has the form of a personal access token",
            fix="set CLIENT_SECRET to the client secret, 64 letters and digits, from where it is kept",
            names=("CLIENT_SECRET",),
        )
    if "ZITADEL_PROJECT_ID" in values and not values["ZITADEL_PROJECT_ID"].isdigit():
        what = "ZITADEL_PROJECT_ID is not a number, as ZITADEL's IDs are: perhaps it is the project's name"
        yield OddValue(what=what, fix="copy the ID (Resource ID) from the project's page")
    same = values.get("ZITADEL_ADMIN_PAT") == values.get("CLIENT_SECRET")
    if _kind(values, "ZITADEL_ADMIN_PAT") in (SECRET, TokenKind.ID_NUMBER) and not same:
        what = "ZITADEL_ADMIN_PAT does not look like a token but like a client secret or an ID"
        yield OddValue(what=what, fix="set ZITADEL_ADMIN_PAT to the personal access token of an administrator")
    if "ZITADEL_KEY_FILE" in values and "CLIENT_SECRET" in values:
        yield OddValue(
            what="ZITADEL_KEY_FILE and CLIENT_SECRET are both set: the key file is used, the secret is not",
            fix="remove the one that the application does not use",
        )
