"""Values that do not fit their variables: swapped, of another kind, or pasted with something around them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from zdemo.config.settings import USER_SECRET, Settings
from zdemo.diagnosis.evidence import ID_LENGTH
from zdemo.diagnosis.token_form import (
    BASE64,
    BASE64_PAIR,
    ID_DIGITS,
    OLD_CLIENT_ID,
    SECRET_LENGTH,
    TokenKind,
    paste_error,
    token_form,
)
from zdemo.errors.problem import Problem, ProblemKind
from zdemo.errors.steps import SetVariable, Shell, Step, sentence

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

COPY_SECRET = SetVariable("CLIENT_SECRET", advice="copy CLIENT_SECRET again from where it is kept (64 characters)")
CERTAINLY_COPY_SECRET = replace(COPY_SECRET, certain=True)


def odd(text: str, step: Step, *names: str, fatal: bool = False) -> Problem:
    """Return what is odd about the values of some variables, without the values; ``fatal``: they cannot work."""
    return Problem(text=text, kind=ProblemKind.ODD, names=names, steps=(step,), blocks=names if fatal else ())


SWAPPED = odd(
    "CLIENT_ID holds what looks like a secret, and CLIENT_SECRET holds an ID: they are swapped",
    "exchange the values of CLIENT_ID and CLIENT_SECRET",
    "CLIENT_ID",
    "CLIENT_SECRET",
    fatal=True,
)
TOKEN_SWAPPED = odd(
    "CLIENT_SECRET holds what looks like a personal access token, and PAT a client secret: they are swapped",
    "exchange the values of CLIENT_SECRET and PAT",
    "CLIENT_SECRET",
    "PAT",
    fatal=True,
)


def odd_values(values: Mapping[str, str]) -> tuple[Problem, ...]:
    """Return all that is odd about the values of these variables."""
    stripped = {name: value.strip() for name, value in values.items() if value.strip()}
    return tuple(_odd(stripped))


def odd_credentials(settings: Settings) -> Iterator[Problem]:
    """Yield what is odd about the client ID and the secret, by their form alone."""
    client_id, secret, project = settings.client_id, settings.client_secret, settings.project_id or ""
    values = {"CLIENT_ID": client_id, "CLIENT_SECRET": secret, "ZITADEL_PROJECT_ID": project}
    yield from (value for value in odd_values(values) if value.names != ("ZITADEL_PROJECT_ID",))
    if token_form(secret).kind not in (TokenKind.CLIENT_SECRET, TokenKind.PAT) and not paste_error(secret):
        what = f"CLIENT_SECRET has {len(secret)} characters, and ZITADEL's have {SECRET_LENGTH}, letters and digits"
        yield odd(what, CERTAINLY_COPY_SECRET, "CLIENT_SECRET")
    if ID_DIGITS.fullmatch(client_id) and len(client_id) != ID_LENGTH:
        what = f"CLIENT_ID has {len(client_id)} digits, and ZITADEL's have {ID_LENGTH}"
        yield odd(what, "copy CLIENT_ID again from the application's page in ZITADEL", "CLIENT_ID")


def _kind(values: Mapping[str, str], name: str) -> TokenKind | None:
    return token_form(values[name]).kind if name in values else None


def are_token_and_secret_swapped(token: TokenKind | None, secret: str) -> bool:
    """Return whether a token and the client secret stand in each other's variables."""
    return token is SECRET and token_form(secret).kind is PAT


def _odd(values: Mapping[str, str]) -> Iterator[Problem]:
    swapped = _kind(values, "CLIENT_SECRET") is TokenKind.ID_NUMBER and _kind(values, "CLIENT_ID") is SECRET
    if swapped:
        yield SWAPPED
    if are_token_and_secret_swapped(_kind(values, "PAT"), values.get("CLIENT_SECRET", "")):
        yield TOKEN_SWAPPED
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        error = paste_error(values.get(name, ""))
        if error in (BASE64, BASE64_PAIR) and "ZITADEL_KEY_FILE" not in values:
            half = f", and take the part {'before' if name == 'CLIENT_ID' else 'after'} the colon"
            first = f"decode {name} first{half if error == BASE64_PAIR else ''}:"
            yield odd(f"{name} {error}", sentence(first, Shell("base64 -d")), name, fatal=True)
        elif error:
            yield odd(f"{name} {error}", f"set {name} to the value itself, and nothing else", name)
    for name, other, why, fatal in SAME:
        if name in values and values[name] == values.get(other):
            what = f"{name} and {other} hold the same value: {why}"
            yield odd(what, f"correct {name} or {other}", name, other, fatal=fatal)
    client_id, kind = values.get("CLIENT_ID", ""), _kind(values, "CLIENT_ID")
    usual = not client_id or ID_DIGITS.fullmatch(client_id) or OLD_CLIENT_ID.fullmatch(client_id)
    same = client_id in [value for name, value in values.items() if name != "CLIENT_ID"]
    if not (usual or same or paste_error(client_id) or swapped):
        fatal = kind in (PAT, SECRET)
        form = f"has the form of a {kind}"
        unusual = "does not look like a client ID (18 digits): perhaps it is a service account's login name"
        fix = "set CLIENT_ID to the API application's client ID, from the application's page in ZITADEL"
        yield odd(f"CLIENT_ID {form if fatal else unusual}", fix, "CLIENT_ID", fatal=fatal)
    text = values.get("CLIENT_SECRET")
    named_above = _kind(values, "PAT") is SECRET or text in (values.get("PAT"), values.get("ZITADEL_ADMIN_PAT"))
    if _kind(values, "CLIENT_SECRET") is PAT and not named_above:
        fix = "set CLIENT_SECRET to the client secret, 64 letters and digits, from where it is kept"
        yield odd("CLIENT_SECRET has the form of a personal access token", fix, "CLIENT_SECRET", fatal=True)
    if "ZITADEL_PROJECT_ID" in values and not values["ZITADEL_PROJECT_ID"].isdigit():
        what = "ZITADEL_PROJECT_ID is not a number, as ZITADEL's IDs are: perhaps it is the project's name"
        yield odd(what, "copy the ID (Resource ID) from the project's page", "ZITADEL_PROJECT_ID")
    same = values.get("ZITADEL_ADMIN_PAT") == values.get("CLIENT_SECRET")
    if _kind(values, "ZITADEL_ADMIN_PAT") in (SECRET, TokenKind.ID_NUMBER) and not same:
        what = "ZITADEL_ADMIN_PAT does not look like a token but like a client secret or an ID"
        fix = "set ZITADEL_ADMIN_PAT to the personal access token of an administrator"
        yield odd(what, fix, "ZITADEL_ADMIN_PAT")
    if "ZITADEL_KEY_FILE" in values and "CLIENT_SECRET" in values:
        what = "ZITADEL_KEY_FILE and CLIENT_SECRET are both set: the key file is used, the secret is not"
        fix = "remove the one that the application does not use"
        yield odd(what, fix, "ZITADEL_KEY_FILE", "CLIENT_SECRET")
