"""What the text of a token shows by itself: its kind, and what was pasted along with it."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from zdemo.authorization import B64TOKEN
from zdemo.config.environment import HiddenValue
from zdemo.config.placeholders import MASKED, is_masked, is_placeholder
from zdemo.diagnosis.finding import Finding
from zdemo.http.response import DECODER

PAT_LENGTH = 71  # ZITADEL v4: 16 bytes of IV and 37 of "tokenID:userID", base64url without padding
OPAQUE_LENGTH = 104  # access tokens and refresh tokens
SESSION_API_LENGTH = 78
SECRET_LENGTH = 64
SHORTEST_CUT = 40  # characters; a shorter text does not look like a PAT that was cut off
ID_DIGITS = re.compile(r"[0-9]{15,20}")
OLD_CLIENT_ID = re.compile(r"[0-9]{15,20}@.+")  # ZITADEL before v2.50
BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
LETTERS_AND_DIGITS = re.compile(r"[A-Za-z0-9]+")
CURLY_QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb"
ENCODED = re.compile(r"[A-Za-z0-9+/]{64,}={0,2}")
BASE64 = "is base64-encoded, as in a Kubernetes secret"
PATH = "is the path of a file instead of its content"
LINE_END_INSIDE = "has a line end inside"
EXAMPLE = "is the example's value"
COMMAND = "is a command that was not run"
ZSH = 'has "%" at the end, as zsh marks an output without a line end'
ANSWERS = {name: f'is a whole answer in JSON, which has the token as "{name}"' for name in ("token", "access_token")}
FIXES = {
    **{problem: f'take the value of "{name}" alone' for name, problem in ANSWERS.items()},
    COMMAND: "put the token itself there: single quotes and .env do not run commands",
    MASKED: "put the token itself there, from where it is kept",
    EXAMPLE: "put a user's token there; zdemo setup creates one",
    BASE64: "decode it first: base64 -d",
    PATH: "give the content of the file, e.g. PAT=$(cat FILE)",
}
ALONE = "give the token alone: letters, digits, - and _"
LONGEST_SHOWN = 11  # characters of a name; longer pieces of what may be a secret are hidden on every screen
QUOTE_NAMES = {"'": "quotes", '"': "quotes", "`": "backticks"} | dict.fromkeys(CURLY_QUOTES, "curly quotes")
BLANK_NAMES = {" ": "a space", "\t": "a tab", "\u00a0": "a no-break space"}


class TokenKind(StrEnum):
    """The kind of a token by its form; the value is its name in a sentence."""

    PAT = "personal access token"
    OPAQUE = "opaque access or refresh token"
    SESSION_API = "Session API token"
    CLIENT_SECRET = "client secret"  # noqa: S105  # a kind, not a secret
    ID_NUMBER = "ID"
    JWT = "JWT"
    CUT = "token that is incomplete"
    DOUBLED = "token that was pasted twice"
    DAMAGED = "text that is not a token of ZITADEL"
    UNKNOWN = "text of an unknown form"


@dataclass(frozen=True, kw_only=True)
class TokenForm:
    """The form of a token.

    ``problem`` is a predicate that says what is wrong with the text ("has quotes around it"), or empty.
    ``sendable``: it can stand in an Authorization header field (RFC 6750 §2.1). ``parts`` counts the parts between
    dots. ``header`` and ``claims`` are a JWT's, unverified.
    """

    kind: TokenKind
    length: int
    problem: str = ""
    sendable: bool = True
    parts: int = 1
    header: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_id_token(self) -> bool:
        """Whether a JWT is an ID token: it has ``at_hash`` or ``azp``, but no ``jti`` (ZITADEL)."""
        return "jti" not in self.claims and ("at_hash" in self.claims or "azp" in self.claims)

    @property
    def size(self) -> str:
        """The length in words."""
        return "1 character" if self.length == 1 else f"{self.length} characters"

    @property
    def described(self) -> str:
        """The form in words, for a line of evidence."""
        if self.problem:
            return f"{self.size}: {self.problem}"
        if self.kind is TokenKind.CUT and self.length < PAT_LENGTH and self.length % 4 != 1:
            return f"{self.size}: cut off, or the PAT of a user with a short ID; a PAT usually has {PAT_LENGTH}"
        if self.kind in (TokenKind.CUT, TokenKind.DOUBLED, TokenKind.DAMAGED, TokenKind.UNKNOWN):
            return f"{self.size}: a {self.kind}; a personal access token has {PAT_LENGTH}"
        if self.kind is TokenKind.JWT:
            return "a JWT: an ID token" if self.is_id_token else "a JWT"
        return f"{self.size}: the form of {'an' if self.kind[0] in 'aeiouI' else 'a'} {self.kind}"


def token_form(token: str) -> TokenForm:
    """Return the form of a token; line ends do not change its kind, because ZITADEL ignores them."""
    text = token.strip("\r\n")
    sendable = bool(B64TOKEN.fullmatch(text))
    problem = paste_error(text)
    if not sendable and (joined := re.sub("[\r\n]", "", text)) != text:  # a client cannot send it, ZITADEL takes it
        return replace(token_form(joined), problem=problem, sendable=False)
    if problem:
        return TokenForm(kind=TokenKind.DAMAGED, length=len(text), problem=problem, sendable=sendable)
    if text.count(".") == 2:
        header, claims = (_json_part(part) for part in text.split(".")[:2])
        if header and claims:
            return TokenForm(kind=TokenKind.JWT, length=len(text), sendable=sendable, header=header, claims=claims)
    return TokenForm(kind=_opaque_kind(text), length=len(text), sendable=sendable, parts=text.count(".") + 1)


def _json_part(part: str) -> dict[str, Any]:
    try:
        decoded = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True).decode()
        value = DECODER.decode(decoded)
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _opaque_kind(text: str) -> TokenKind:
    length = len(text)
    half = length // 2
    kinds = (
        (ID_DIGITS.fullmatch(text), TokenKind.ID_NUMBER),
        (not BASE64URL.fullmatch(text), TokenKind.DAMAGED),
        (length > OPAQUE_LENGTH and text[:half] == text[half:], TokenKind.DOUBLED),
        (length == SECRET_LENGTH and LETTERS_AND_DIGITS.fullmatch(text), TokenKind.CLIENT_SECRET),
        (length == PAT_LENGTH, TokenKind.PAT),
        (length == OPAQUE_LENGTH, TokenKind.OPAQUE),
        (length == SESSION_API_LENGTH, TokenKind.SESSION_API),
        (SHORTEST_CUT <= length < PAT_LENGTH, TokenKind.CUT),
        (length >= SHORTEST_CUT and length % 4 == 1, TokenKind.CUT),
    )
    return next((kind for fits, kind in kinds if fits), TokenKind.UNKNOWN)


def paste_error(text: str) -> str:
    """Return the first thing that is wrong with a pasted value, as a predicate; empty when nothing is."""
    return next((name for look in _LOOKS if (name := look(text))), "")


def _base64(text: str) -> str:
    """Recognize base64 of a token: other texts do not decode to the characters of tokens by chance."""
    if not ENCODED.fullmatch(text):
        return ""
    try:
        inner = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (ValueError, binascii.Error):
        return ""
    return BASE64 if B64TOKEN.fullmatch(inner.strip()) else ""


def _answer(text: str) -> str:
    """Recognize the JSON in which ZITADEL gives a token."""
    members = re.findall(r'"(token|access_token)"\s*:\s*"', text) if text.startswith("{") else []
    return ANSWERS[members[0]] if members else ""


def _word_in_front(text: str) -> str:
    word = re.match(r"\W*(authorization:?\s*)?(bearer|basic|token|authorization)[\s:]", text, re.IGNORECASE)
    if word and word[1]:  # the name is as long as a piece of a secret, and would be hidden
        return f'has the header field\'s name and "{word[2]}" in front of it'
    if word:
        return f'has "{word[2]}" in front of it'
    if re.fullmatch(r"(?i:bearer)[A-Za-z0-9_-]{71}", text):
        return f'has "{text[:6]}" in front of it'
    name = re.match(r"(?:export\s+|set\s+)?([A-Za-z_][A-Za-z0-9_]{1,30})=.", text)
    if not name or text.endswith("="):
        return ""
    what = f'"{name[1]}="' if len(name[1]) < LONGEST_SHOWN else "its variable's name"
    return f"has {what} in front of it"


def _quotes(text: str) -> str:
    for character in (text[:1], text[-1:]):
        if character in QUOTE_NAMES:
            return f"has {QUOTE_NAMES[character]} around it"
    if text.startswith(("<", "[", "(", "{")):
        return f'has "{text[0]}" in front of it'
    return next((f"has {QUOTE_NAMES[c]} inside" for c in text if c in QUOTE_NAMES), "")


def _white_space(text: str) -> str:
    for where, part in (("in front", text[:1]), ("at the end", text[-1:]), ("inside", text)):
        for character in part:
            if character in "\r\n\u2028\u2029":
                return f"has a line end {where}"
            if character.isspace():
                name = BLANK_NAMES.get(character, f"an unusual space (U+{ord(character):04X})")
                return f"has {name} {where}"
    return ""


def _strange(text: str) -> str:
    for character in text:
        if unicodedata.category(character) in ("Cf", "Cc", "Cn", "Co", "Cs"):
            return f"has an invisible character (U+{ord(character):04X})"
        if not character.isascii():
            return f"has a character that tokens do not have (U+{ord(character):04X})"
    return ""


def _matching(pattern: str, problem: str) -> Callable[[str], str]:
    return lambda text: problem if re.search(pattern, text) else ""


_LOOKS = (
    lambda text: MASKED if is_masked(text.strip("\"'` ")) else "",
    lambda text: EXAMPLE if is_placeholder(text.strip("\"'` ")) else "",
    _matching(r"\A(\$\{?\w+\}?|%\w+%)\Z", "is the name of a variable instead of its value"),
    _matching(r"\A(\$\(.+\)|`.+ .+`)\Z", COMMAND),
    _base64,
    _answer,
    _matching(r"\A(file://|~/|\.{1,2}/|/[\w.-]+/)[\w./ -]*\Z", PATH),
    _matching(r"…|\.\.\.", 'has "…" inside: it was shortened for display'),
    _word_in_front,
    _quotes,
    _matching(r"\A[^\\]+\\\Z", 'has "\\" at the end, as a shell has it before a line end'),
    _matching(r"\\", "has a backslash inside, as a line end that was written out"),
    _white_space,
    _strange,
    _matching(r"\A[^%]+%\Z", ZSH),
    _matching("%", 'has "%" inside: it is encoded for a URL'),
    lambda text: f'has "{text[-1]}" at the end' if text.endswith((",", ";", "=")) else "",
)


def paste_problem(token: str, hidden: HiddenValue | None = None) -> Finding | None:
    """Return why a text must not be sent as a token; ``None`` when it can be sent.

    ``hidden`` is a value that the text hides: one that could be sent is to count instead.
    """
    form = token_form(token)
    if not form.problem and form.sendable:
        return None
    if not token.strip():
        return Finding(id="token.empty", cause="the token is empty", fix=("set PAT in the environment or in .env",))
    problem = form.problem or "has a character that tokens do not have"
    hides = hidden is not None and not hidden.joined and paste_problem(hidden.value.strip()) is None
    return Finding(
        id="token.pasted",
        cause=f"the token {problem}{f'; it hides {hidden.described}' if hidden and hides else ''}",
        seen=() if form.problem else (("form", form.described),),  # the description is the cause again
        fix=(hidden.step if hidden and hides else FIXES.get(problem, ALONE),),
    )
