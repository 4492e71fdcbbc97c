"""What could be a secret, and how much of one may be shown."""

import re
from itertools import pairwise

B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # what an Authorization header can hold (RFC 6750 §2.1)
LEAST_MASKED = 20  # characters; eight of a shorter token would be too much to show
LEAST_TOKEN_LIKE = 32  # characters; ZITADEL's shortest tokens have some 50, its client secrets 64
LEAST_RANDOM = 20  # characters that look random and may therefore be a token of another server
LEAST_DIGITS = 4  # of a key in small letters or capitals; names have fewer, and IDs of ZITADEL have nothing else
LEAST_MIXED = 16  # characters with small letters, capitals and digits: no route, host or check has such a name
LONGEST_SEARCHED = 10_000  # characters of a text, unless its caller shows fewer; the time grows with their square
RANDOM_CHANGES = 0.4  # of all neighbours; they are of different kinds in 0.64 of base64, in 0.35 of CamelCaseWords
QUOTES = "\"'`\u2018\u2019\u201c\u201d"
SEPARATORS = rf"\s=:@,;?&<>{QUOTES}"
EMAIL = r"[\w.+-]+@(localhost|[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,})"  # login names look so too
SENSITIVE_FIELD = "(?i)pass|pwd|secret|token|key|code|sig|auth|session|otp|pin"  # of a field in a query
TOKEN_LIKE = rf"(?a:eyJ[\w-]+(?:\.[\w-]+)+\.[\w-]*|[A-Za-z0-9_~+-]{{{LEAST_TOKEN_LIKE},}}=*)"  # compiled when needed
JWT_START = r"(?a:eyJ[\w-]+\.[\w.-]*)"  # its end may be cut off


def masked(token: str) -> str:
    """Return what may be shown of a token to tell it apart: four characters at each end, of long tokens only."""
    return f"{token[:4]}…{token[-4:]}" if len(token) >= LEAST_MASKED else "(too short to show a part of it)"


def masked_unknown(text: str) -> str:
    """Return what may be shown of a text that came as a token, but may be a password: nothing below 32 characters."""
    return masked(text if len(text) >= LEAST_TOKEN_LIKE else "")


def could_be_secret(text: str) -> bool:
    """Return whether a text must not be repeated: it holds what could be a token, a key, a password or a query."""
    pieces = re.split(f"[{SEPARATORS}/.]+", text)
    is_key = any(len(piece) >= LEAST_MIXED and set(map(_kind, piece)) >= {"a", "A", "0"} for piece in pieces)
    is_odd = re.search("[@?#{}\n]", text) and not re.fullmatch(EMAIL, text)
    return is_key or bool(is_odd) or holds_token(text)


def holds_token(text: str) -> bool:
    """Return whether a part of a text could be a token, or all that follows a URL's scheme (base64 has slashes)."""
    return bool(token_like(text) or token_like(text.partition("://")[2]))


def token_like(text: str) -> list[str]:
    """Return the parts of a text that could be a token; long names of folders could not."""
    if len(text) < LEAST_RANDOM and "eyJ" not in text:
        return []
    tokens = [piece for piece in re.split(f"[{SEPARATORS}/]+", text) if re.fullmatch(TOKEN_LIKE, piece)]
    if "/" in text and "://" not in text:
        tokens = [piece for piece in tokens if set(map(_kind, piece)) >= {"a", "A", "0"}]
    pieces = [piece for piece in re.split(f"[{SEPARATORS}/.]+", text) if len(piece) >= LEAST_RANDOM]
    known = {part for whole in tokens for part in whole.split(".")}
    tokens += [piece for piece in pieces if piece not in known and looks_random(piece)]
    if tokens:
        return tokens
    # base64 has slashes, and some tokens have dots: the pieces are too short
    wholes = re.split(f"[{SEPARATORS}/]+" if "://" in text else f"[{SEPARATORS}]+", text)
    return [whole for whole in wholes if len(whole) >= LEAST_TOKEN_LIKE and looks_random(re.sub("[/.]", "", whole))]


def secret_query_values(address: str) -> list[str]:
    """Return the values in the query of a path or a URL that could be secret: all but words, numbers and dates."""
    fields = [field.partition("=") for field in re.split("[&;]", address.partition("?")[2])]
    return [value for name, _, value in fields if value and (re.search(SENSITIVE_FIELD, name) or not _is_plain(value))]


def _is_plain(value: str) -> bool:
    bare = re.sub("[-_.,:+]", "", value)
    return len(value) < LEAST_TOKEN_LIKE and (not bare or bare.isdigit() or (bare.isascii() and bare.isalpha()))


def without_secret_query(address: str) -> str:
    """Return a path or a URL without the values in its query that could be secret."""
    path, mark, query = address.partition("?")
    for value in sorted(secret_query_values(address), key=len, reverse=True):
        query = query.replace(value, "…")
    return f"{path}{mark}{query}"


def without_tokens(text: str, longest: int = LONGEST_SEARCHED) -> str:
    """Return at most ``longest`` characters of a part of a request, with what could be a token or a key masked.

    What follows is not looked at, apart from what tells whether a token begins just before.
    Keys of one kind of letters count here alone: the words of a command may name a folder by such a digest, and must
    stay what can be pasted.
    """
    excerpt = re.sub(JWT_START, lambda jwt: masked(jwt[0]), text[: longest + LEAST_TOKEN_LIKE])
    for find in (_long_keys, token_like):  # the latter may take a key and the names around it for one token
        for token in find(excerpt):
            excerpt = excerpt.replace(token, masked(token))
    if len(text) > longest + LEAST_TOKEN_LIKE:  # too little of a token may be left at the cut to look like one
        end = 1 - LEAST_TOKEN_LIKE
        excerpt = excerpt[:end] + re.sub(rf"[^{SEPARATORS}…]+\Z", "", excerpt[end:])
    return excerpt[:longest]


def _long_keys(text: str) -> list[str]:
    """Return the parts of a text that have digits and only one kind of letters."""
    runs = re.findall(rf"[A-Za-z0-9]{{{LEAST_TOKEN_LIKE},}}", text)
    return [run for run in runs if (run.islower() or run.isupper()) and sum(map(str.isdigit, run)) >= LEAST_DIGITS]


def looks_random(text: str) -> bool:
    """Return whether small letters, capitals and digits alternate as they never do in a name."""
    kinds = [_kind(character) for character in text]
    changes = sum(kind != other for kind, other in pairwise(kinds))
    return set(kinds) >= {"a", "A", "0"} and changes >= RANDOM_CHANGES * len(text)


def _kind(character: str) -> str:
    return "0" if character.isdigit() else "a" if character.islower() else "A" if character.isupper() else "-"
