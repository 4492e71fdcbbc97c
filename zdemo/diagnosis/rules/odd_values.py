"""Values that do not fit their variables: swapped, of another kind, or pasted with something around them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from zdemo.config.environment import GIVEN_BY_EMULATOR, Environment
from zdemo.config.settings import USER_SECRET, Settings
from zdemo.diagnosis.evidence import ID_LENGTH
from zdemo.diagnosis.finding import LEAST_SECRET
from zdemo.diagnosis.token_form import (
    BASE64,
    ID_DIGITS,
    NOT_WHOLE,
    OLD_CLIENT_ID,
    PAIR,
    SECRET_LENGTH,
    TokenKind,
    paste_error,
    token_form,
)
from zdemo.diagnosis.wording import span
from zdemo.errors.problem import Problem, ProblemKind
from zdemo.errors.steps import SetVariable, Step

SECRET, PAT = TokenKind.CLIENT_SECRET, TokenKind.PAT
LONG_WINDOW_SECONDS = 3600
ADMIN_PAT = "ZITADEL_ADMIN_PAT"
COPY_ID = "set CLIENT_ID to the API application's client ID, from the application's page in ZITADEL"
SAME = (  # two variables, why they differ, and whether nothing works when they do not
    ("CLIENT_SECRET", "PAT", "a client secret is not a token", True),
    ("CLIENT_SECRET", ADMIN_PAT, "a client secret is not a token", True),
    ("PAT", USER_SECRET, "a client secret is not a token", True),
    ("CLIENT_SECRET", USER_SECRET, "one is the API application's, the other a service account's", False),
    ("CLIENT_ID", "CLIENT_SECRET", "a client ID is not its secret", True),
    ("CLIENT_ID", "PAT", "a client ID is not a token", True),
    ("CLIENT_ID", "ZITADEL_PROJECT_ID", "a client ID is not a project's ID", False),
    ("PAT", ADMIN_PAT, "one is a caller's, the other an administrator's", False),
    ("PAT", "ZDEMO_VISITOR_PAT", "one user has the role, the other does not", False),
    ("ZDEMO_VISITOR_PAT", ADMIN_PAT, "one is a caller's, the other an administrator's", False),
)
FORMS = {"CLIENT_ID": (PAT, SECRET), "CLIENT_SECRET": (PAT,), ADMIN_PAT: (SECRET, TokenKind.ID_NUMBER)}  # impossible
COPY_SECRET = SetVariable("CLIENT_SECRET", advice="copy CLIENT_SECRET again from where it is kept (64 characters)")
CERTAINLY_COPY_SECRET = replace(COPY_SECRET, certain=True)


def odd(text: str, step: Step, *names: str, fatal: bool = False) -> Problem:
    """Return what is odd about the values of some variables, without the values; ``fatal``: they cannot work."""
    return Problem(text=text, kind=ProblemKind.ODD, names=names, steps=(step,), blocks=names if fatal else ())


def _swapped(text: str, name: str, other: str) -> Problem:
    return odd(f"{text}: they are swapped", f"exchange the values of {name} and {other}", name, other, fatal=True)


SWAPPED = _swapped("CLIENT_ID holds what looks like a secret, and CLIENT_SECRET an ID", "CLIENT_ID", "CLIENT_SECRET")
TOKEN_SWAPPED = _swapped("CLIENT_SECRET holds what looks like a PAT, and PAT a client secret", "CLIENT_SECRET", "PAT")


def odd_values(values: Mapping[str, str]) -> tuple[Problem, ...]:
    """Return all that is odd about the values of these variables."""
    stripped = {name: value.strip() for name, value in values.items() if value.strip()}
    setting = values.setting if isinstance(values, Environment) else str  # the option, where one gives the value
    problems = [*_odd(stripped, setting)]
    named = {name for problem in problems for name in problem.names}
    others = {name: value for name, value in stripped.items() if name not in named}
    return (*problems, *_of_another_form(others, setting))


def changed_tokens(environment: Environment) -> Iterator[Problem]:
    """Yield that a token is not whole, or is one of those that are set with more, fewer or other letters."""
    admin_pat, token = environment.get(ADMIN_PAT, "").strip(), environment.get("PAT", "").strip()
    if admin_pat and token_form(admin_pat).kind in NOT_WHOLE and not paste_error(admin_pat):
        text = f"{ADMIN_PAT} is not a whole token: it has {token_form(admin_pat).size}"
        yield odd(text, f"copy the whole token to {ADMIN_PAT}", ADMIN_PAT)
    for place, values in environment.layers.items():
        for name in ("PAT", "ZDEMO_VISITOR_PAT", ADMIN_PAT):
            known = values.get(name, "").strip()
            shorter, longer = sorted((known.lower(), token.lower()), key=len)
            if known != token and len(shorter) >= LEAST_SECRET and shorter in longer and not paste_error(token):
                how = f"{len(token)} instead of {len(known)} characters" if longer != shorter else "other letters"
                text, step = f"the token is nearly {name} of {place}: it has {how}", f"use {name} of {place} as it is"
                yield Problem(text=text, kind=ProblemKind.MALFORMED, names=("PAT",), steps=(step,))


def odd_credentials(settings: Settings) -> Iterator[Problem]:
    """Yield what is odd about the client ID and the secret, by their form alone."""
    client_id, secret, project = settings.client_id, settings.client_secret, settings.project_id or ""
    values = {"CLIENT_ID": client_id, "CLIENT_SECRET": secret, "ZITADEL_PROJECT_ID": project}
    yield from (value for value in odd_values(values) if value.names != ("ZITADEL_PROJECT_ID",))
    if token_form(secret).kind not in (TokenKind.CLIENT_SECRET, TokenKind.PAT) and not paste_error(secret):
        what = f"CLIENT_SECRET has {token_form(secret).size}, and ZITADEL's have {SECRET_LENGTH}, letters and digits"
        yield odd(what, CERTAINLY_COPY_SECRET, "CLIENT_SECRET")
    if OLD_CLIENT_ID.fullmatch(client_id):
        yield odd("CLIENT_ID has @ and a name", SetVariable("CLIENT_ID", client_id.partition("@")[0]), "CLIENT_ID")
    if ID_DIGITS.fullmatch(client_id) and len(client_id) != ID_LENGTH:
        what = f"CLIENT_ID has {len(client_id)} digits, and ZITADEL's have {ID_LENGTH}"
        yield odd(what, COPY_ID, "CLIENT_ID")


def _kind(values: Mapping[str, str], name: str) -> TokenKind | None:
    return token_form(values[name]).kind if name in values else None


def _odd(values: Mapping[str, str], setting: Callable[[str], str]) -> Iterator[Problem]:
    if _kind(values, "CLIENT_SECRET") is TokenKind.ID_NUMBER and _kind(values, "CLIENT_ID") is SECRET:
        yield SWAPPED
    if _kind(values, "PAT") is SECRET and _kind(values, "CLIENT_SECRET") is PAT:
        yield TOKEN_SWAPPED
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        error = paste_error(values.get(name, ""))
        if error in (BASE64, PAIR) and "ZITADEL_KEY_FILE" not in values:
            yield odd(f"{name} {error.text}", error.fix, name, fatal=True)
        elif error:
            yield odd(f"{name} {error.text}", f"set {name} to the value itself, and nothing else", name)
    for name, other, why, fatal in SAME:
        if name in values and values[name] == values.get(other):
            what = f"{setting(name)} and {setting(other)} hold the same value: {why}"
            yield odd(what, f"correct {setting(name)} or {setting(other)}", name, other, fatal=fatal)
    if (ttl := values.get("ZDEMO_CACHE_TTL", "")).isdigit() and int(ttl) > LONG_WINDOW_SECONDS:
        what = f"ZDEMO_CACHE_TTL is {span(int(ttl))}: a role that is removed can pass for so long"
        yield odd(what, "give ZDEMO_CACHE_TTL in seconds, such as 5", "ZDEMO_CACHE_TTL")
    if values.keys() >= {"ZITADEL_KEY_FILE", "CLIENT_SECRET"} and GIVEN_BY_EMULATOR not in values:
        what = "ZITADEL_KEY_FILE and CLIENT_SECRET are both set: the key file is used, the secret is not"
        yield odd(what, "remove the one that the application does not use", "ZITADEL_KEY_FILE", "CLIENT_SECRET")


def _of_another_form(values: Mapping[str, str], setting: Callable[[str], str]) -> Iterator[Problem]:
    for name, kinds in FORMS.items():
        if (kind := _kind(values, name)) and kind in kinds:
            what = f"{setting(name)} has the form of {kind.with_article}"
            yield odd(what, f"set {setting(name)} to its own value, from where it is kept", name, fatal=True)
    client_id, project = values.get("CLIENT_ID", "0" * ID_LENGTH), values.get("ZITADEL_PROJECT_ID", "0")
    is_usual = ID_DIGITS.fullmatch(client_id) or OLD_CLIENT_ID.fullmatch(client_id)
    if not is_usual and _kind(values, "CLIENT_ID") not in (PAT, SECRET):
        what = "does not look like a client ID (18 digits): perhaps it is a service account's login name"
        yield odd(f"CLIENT_ID {what}", COPY_ID, "CLIENT_ID")
    if not project.isdigit():
        what = "ZITADEL_PROJECT_ID is not a number, as ZITADEL's IDs are: perhaps it is the project's name"
        yield odd(what, "copy the ID (Resource ID) from the project's page", "ZITADEL_PROJECT_ID")
