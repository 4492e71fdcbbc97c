"""What the text of a token shows by itself: its kind, and what was pasted along with it."""

import base64
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from zdemo.config.parsers import IS_NAME, MASKED, VALUE_ITSELF, VARIABLE, is_masked, is_placeholder
from zdemo.diagnosis.finding import Finding
from zdemo.errors.response import DECODER
from zdemo.errors.steps import Command, Shell, Step
from zdemo.text.masking import B64TOKEN

JWE_START = "eyJhbGciOiJBMjU2R0NNS1ci"  # {"alg":"A256GCMKW"
JWE_ALGORITHMS = ("A256GCMKW", "A256GCM")  # alg and enc of opaque tokens since ZITADEL v4.14
JWE_PARTS = 5  # RFC 7516 §3.1
JWE_SHAPES = ((142, 50), (120, 83))  # of a PAT and an access token: characters of the header and of the content
JWE_TAG = 22  # characters of its last part; key and IV have 43 and 16
SIGNATURES = {"R": (342, 512, 683), "P": (342, 512, 683), "E": (86, 128, 176)}  # characters, by the first of ``alg``
PAT_LENGTH, OPAQUE_LENGTH = 71, 104  # of the older form: 16 bytes of IV and what is sealed, base64url without padding
TWO_TOKENS = (2 * PAT_LENGTH, PAT_LENGTH + OPAQUE_LENGTH, 2 * OPAQUE_LENGTH)
JSON_START = "eyJhbGci"  # {"alg, with which every JWT and JWE begins
LENGTHS = "a PAT usually has 277, an access token 288 (before v4.14: 71, 104)"
IV_BYTES = 16
SECRET_LENGTH = 64
SHORTEST_TOKEN = 48  # characters; 16 bytes of IV, an 18-digit token ID, ":", one character of a user ID
ID_DIGITS = re.compile(r"[0-9]{15,20}")
OLD_CLIENT_ID = re.compile(r"[0-9]{15,20}@.+")  # ZITADEL before v2.50
BASE64URL = re.compile(r"[A-Za-z0-9_.-]+")  # of one or more parts
CURLY_QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb"
COPY = "copy the whole token, and nothing else"
SEND_ANOTHER = "send the access_token of the token endpoint's answer, or a PAT"
EMPTY = "token.empty"
ID_FIRST = r"\A\d{17,19}(@[\w-]+)?:(?=[\w-]{20})"
QUOTE_NAMES = {"'": "quotes", '"': "quotes", "`": "backticks"} | dict.fromkeys(CURLY_QUOTES, "curly quotes")


@dataclass(frozen=True)
class PasteError:
    """What is wrong with a pasted text: a predicate, and what to do where the text should be a token."""

    text: str
    fix: Step = "give the token alone: letters, digits, -, _ and ."


NEW_TOKEN = Command("setup", does="creates a user's token, if you have none to put there")
EXAMPLE = PasteError("is the example's value", NEW_TOKEN)
HIDDEN = PasteError(MASKED, "put the token itself there, from where it is kept")
BASE64 = PasteError("is base64-encoded, as in a Kubernetes secret", Shell("base64 -d", does="decodes it"))
PAIR = PasteError("is an ID and a secret in base64", "decode it with base64 -d, and take what follows the colon")
NO_VALUE = PasteError("is a word for no value, such as null", "check in the caller's code why it has no token there")
PERCENT = PasteError('has "%" at the end', "leave out the %: zsh prints it after a text that has no line end")
PATH = PasteError(
    "is the path of a file instead of its content",
    "end the line with --pat - < FILE, or --admin-pat - < FILE",
)


class TokenKind(StrEnum):
    """The kind of a token by its form; the value is its name in a sentence."""

    PAT = "personal access token"
    ACCESS = "opaque access token"
    REFRESH = "refresh token"
    OPAQUE = "opaque access or refresh token"  # before v4.14 they look the same
    SESSION_API = "Session API token"
    CODE = "authorization code"
    CLIENT_SECRET = "client secret"  # noqa: S105  # a kind, not a secret
    ID_NUMBER = "ID"
    JWT = "JWT"
    CUT = "token that was cut off"
    CHANGED = "token that was changed in one place"
    UNUSUAL = "token of unusual length"  # of a user whose ID was chosen by hand; or a piece of one
    DOUBLED = "row of several tokens"
    DAMAGED = "text that is not a token of ZITADEL"
    UNKNOWN = "text of an unknown form"

    @property
    def with_article(self) -> str:
        """The kind in a sentence."""
        return f"{'an' if self[0] in 'aeiouI' else 'a'} {self}"


# An opaque token seals "tokenID:userID": its kind by the number of these bytes, where the IDs have 18 digits.
WITH_KEY_ID = {37: TokenKind.PAT, 62: TokenKind.REFRESH, 42: TokenKind.SESSION_API}
WITHOUT_KEY_ID = {62: TokenKind.ACCESS, 21: TokenKind.CODE}
BEFORE_JWE = {37: TokenKind.PAT, 62: TokenKind.OPAQUE, 42: TokenKind.SESSION_API}
ACCESS_TOKENS = (TokenKind.PAT, TokenKind.ACCESS, TokenKind.OPAQUE, TokenKind.JWT)
NOT_WHOLE = TokenKind.CUT, TokenKind.CHANGED, TokenKind.UNUSUAL, TokenKind.DOUBLED, TokenKind.DAMAGED, TokenKind.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class TokenForm:
    """The form of a token."""

    kind: TokenKind
    length: int
    problem: PasteError | None = None
    sendable: bool = True  # whether it can stand in an Authorization header field (RFC 6750 §2.1)
    whole: str = LENGTHS  # the lengths of whole tokens
    sealed_bytes: int = 0  # the length of the IDs in an opaque token
    header: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of a JWT or JWE, unverified
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of a JWT, unverified

    @property
    def is_clean(self) -> bool:
        """Whether nothing was pasted along with it, so that it can be sent."""
        return self.sendable and not self.problem

    @property
    def is_id_token(self) -> bool:
        """Whether a JWT is an ID token: it has ``at_hash`` or ``azp``, but no ``jti`` (ZITADEL)."""
        return "jti" not in self.claims and ("at_hash" in self.claims or "azp" in self.claims)

    @property
    def is_assertion(self) -> bool:
        """Whether a JWT proves who asks for a token (RFC 7523 §3): its issuer, which has no URL, is its subject."""
        issuer = self.claims.get("iss")
        return isinstance(issuer, str) and "://" not in issuer and issuer == self.claims.get("sub")

    @property
    def audience(self) -> list[object]:
        """The audience that a JWT names."""
        audience = self.claims.get("aud")
        return audience if isinstance(audience, list) else [audience] if audience else []

    def may_be_of(self, issuer: str) -> bool:
        """Return whether it may be an access token of this ZITADEL: only then does a refusal say something."""
        return self.is_access_token and (self.kind is not TokenKind.JWT or self.claims.get("iss") == issuer)

    @property
    def size(self) -> str:
        """The length in words."""
        return f"{self.length} character{'s' * (self.length != 1)}"

    @property
    def is_access_token(self) -> bool:
        """Whether it has the form of a token that APIs accept."""
        return self.kind in ACCESS_TOKENS and not (self.is_id_token or self.is_assertion)

    @property
    def is_opaque(self) -> bool:
        """Whether only ZITADEL can read it: APIs that verify JWTs refuse it."""
        return self.kind in ACCESS_TOKENS and self.kind is not TokenKind.JWT

    @property
    def name(self) -> str:
        """The name of a token that ZITADEL accepts, whatever its form."""
        return self.kind if self.kind in ACCESS_TOKENS else "opaque token"

    @property
    def fix(self) -> str:
        """What to do about a text that has another form than access tokens."""
        return COPY if self.kind in NOT_WHOLE else SEND_ANOTHER

    @property
    def described(self) -> str:
        """The form in words, for a line of evidence."""
        if self.problem:
            return f"{self.size}: {self.problem.text}"
        if self.kind is TokenKind.UNUSUAL:
            return f"{self.size}: cut off, or of a user whose ID was chosen by hand"
        if self.kind in NOT_WHOLE:
            return f"{self.size}: a {self.kind}; {self.whole}"
        if self.kind is TokenKind.JWT:
            return "a JWT: an ID token" if self.is_id_token else "a JWT: an assertion" if self.is_assertion else "a JWT"
        return f"{self.size}: the form of {self.kind.with_article}"


def token_form(token: str) -> TokenForm:
    """Return the form of a token; what ZITADEL ignores does not change its kind: line ends, and all blanks in a JWE."""
    text = token.strip("\r\n")
    sendable = bool(B64TOKEN.fullmatch(text))
    problem = paste_error(text)
    joined = re.sub(r"\s" if "." in text else "[\r\n]", "", text)
    if not sendable and joined != text:  # a client cannot send it, ZITADEL takes it
        return replace(token_form(joined), problem=problem, sendable=False)
    if problem:
        return TokenForm(kind=TokenKind.DAMAGED, length=len(text), problem=problem, sendable=sendable)
    return replace(_form(text), sendable=sendable)


def _decoded(text: str, *, altchars: bytes = b"+/") -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=altchars, validate=True).decode()
    except ValueError:
        return ""


def _json_part(part: str) -> dict[str, Any]:
    try:
        value = DECODER.decode(_decoded(part, altchars=b"-_"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _form(text: str) -> TokenForm:
    length, half = len(text), len(text) // 2
    is_twice = length > OPAQUE_LENGTH and text[:half] == text[half:]
    is_row = is_twice or text.count(JSON_START) > 1 or (length in TWO_TOKENS and not re.search(r"\.|\AeyJ", text))
    sealed = length * 3 // 4 - IV_BYTES
    kind = BEFORE_JWE.get(sealed, TokenKind.UNKNOWN)
    if not BASE64URL.fullmatch(text):
        kind = TokenKind.DAMAGED
    elif is_row:
        kind = TokenKind.DOUBLED
    elif "." in text or text.startswith(JWE_START) or (kind is TokenKind.UNKNOWN and text.startswith("eyJ")):
        return _form_of_parts(text)
    elif ID_DIGITS.fullmatch(text):
        kind = TokenKind.ID_NUMBER
    elif length == SECRET_LENGTH and text.isalnum():
        kind = TokenKind.CLIENT_SECRET
    elif length >= SHORTEST_TOKEN and length % 4 == 1:  # as no base64url text
        kind = TokenKind.CUT
    elif length >= SHORTEST_TOKEN and kind is TokenKind.UNKNOWN:
        kind = TokenKind.UNUSUAL
    return TokenForm(kind=kind, length=length, sealed_bytes=sealed)


def _form_of_parts(text: str) -> TokenForm:
    parts = text.split(".")
    header = _json_part(parts[0])
    claims = _json_part(parts[1]) if len(parts) == 3 else {}
    form = TokenForm(kind=TokenKind.DAMAGED, length=len(text), header=header, claims=claims)
    if header and claims:
        size = len(parts[2])
        nearest = min(SIGNATURES.get(str(header.get("alg"))[:1], (size,)), key=lambda length: abs(length - size))
        whole = f"its signature has {size} of {nearest} characters"
        return replace(form, kind=TokenKind.CUT if size < nearest else TokenKind.JWT, whole=whole)
    if _is_whole(parts, header):
        sealed, with_key_id = len(parts[3]) * 3 // 4, "kid" in header
        usual = (WITH_KEY_ID if with_key_id else WITHOUT_KEY_ID).get(sealed)
        unusual = TokenKind.CHANGED if sealed in WITH_KEY_ID and not with_key_id else TokenKind.UNUSUAL
        return replace(form, kind=usual or unusual, sealed_bytes=sealed)
    if _is_changed(text):
        return replace(form, kind=TokenKind.CHANGED)
    is_foreign = "enc" in header and header.get("alg") != JWE_ALGORITHMS[0]
    is_piece = text.startswith(JWE_START) or (len(parts[-1]) == JWE_TAG and len(parts) <= JWE_PARTS and not is_foreign)
    return replace(form, kind=TokenKind.CUT) if is_piece or (text.startswith("eyJ") and len(parts) < 3) else form


def _is_whole(parts: list[str], header: Mapping[str, Any]) -> bool:
    """Return whether all parts of an opaque token have their length, and so do IV and tag of its header."""
    names, sizes = (header.get("alg"), header.get("enc")), [len(str(header.get(name))) for name in ("iv", "tag")]
    lengths = [len(part) for part in parts[1:]]
    fits = [*sizes, *lengths[:2], *lengths[3:]] == [16, 22, 43, 16, JWE_TAG]
    return names == JWE_ALGORITHMS and fits and lengths[2] % 4 != 1  # as no base64url text (RFC 4648 §5)


def _is_changed(text: str) -> bool:
    """Return whether a text has the length of a PAT or an access token, and its dots, except for at most one."""
    dots = {place for place, character in enumerate(text) if character == "."}
    shapes = ((size, size + 44, size + 61, size + 62 + content) for size, content in JWE_SHAPES)
    return any(
        len(text) == places[-1] + 1 + JWE_TAG and len(dots.symmetric_difference(places)) <= 1 for places in shapes
    )


def paste_error(text: str) -> PasteError | None:
    """Return the first thing that is wrong with a pasted value, or ``None``."""
    error = next((error for look in _LOOKS if (error := look(text))), None)
    return PasteError(error) if isinstance(error, str) else error


def _base64(text: str) -> PasteError | None:
    """Recognize base64 of a token or an ID: other texts do not decode to the characters of these by chance."""
    decoded = _decoded(text).strip() if re.fullmatch(r"[A-Za-z0-9+/]{20,}={0,2}", text) else ""
    if re.match(ID_FIRST, decoded):
        return PAIR
    return BASE64 if (ID_DIGITS if len(text) < 64 else B64TOKEN).fullmatch(decoded) else None


def _json(text: str) -> PasteError | str:
    if not re.match(r'\s*\{\s*"', text):
        return ""
    if name := re.search(r'"((?:access_)?token)"\s*:', text):
        alone = Shell(f"jq -r .{name[1]}", does="takes that value out of the answer")
        return PasteError(f"is a whole JSON answer instead of its {name[1]}", alone)
    return "is JSON instead of the value alone"


def _word_in_front(text: str) -> str:
    if word := re.match(
        r"\W*(?:authorization:?\s*)?(bearer|basic|token|authorization)(?:[\s:]|(?=[\w-]{60}))", text, re.I
    ):
        return f'has "{word[1]}" in front of it'
    name = re.match(r"(?:export\s+|set\s+)?([A-Za-z_][A-Za-z0-9_]{1,30})=.", text)
    return "has its variable's name in front of it" if name and not text.endswith("=") else ""


def _quotes(text: str) -> str:
    if text.startswith(("<", "[", "(", "{")):
        return f'has "{text[0]}" in front of it'
    quotes = next((QUOTE_NAMES[c] for c in text if c in QUOTE_NAMES), "")
    return f"has {quotes} around it" if text[:1] in QUOTE_NAMES else f"has {quotes} inside" if quotes else ""


def _odd_characters(text: str) -> str:
    for where, part in (("in front", text[:1]), ("at the end", text[-1:]), ("inside", text)):
        for character in part:
            if character in "\r\n\u2028\u2029":
                return f"has a line end {where}"
            if character.isspace():
                return f"has a {unicodedata.name(character, 'tab').lower()} {where}"
            if unicodedata.category(character) in ("Cf", "Cc", "Cn", "Co", "Cs"):
                return f"has an invisible character (U+{ord(character):04X})"
            if not character.isascii():
                return f"has a character that tokens do not have (U+{ord(character):04X})"
    return ""


Look = Callable[[str], PasteError | str | None]  # a text is an error with the usual fix


def _matching(pattern: str, error: PasteError | str) -> Look:
    return lambda text: error if re.search(pattern, text) else None


_LOOKS: tuple[Look, ...] = (
    lambda text: HIDDEN if is_masked(text.strip("\"'` ")) else None,
    lambda text: EXAMPLE if is_placeholder(text.strip("\"'` ")) else None,
    _json,
    _matching("-----BEGIN", "is a key or a certificate (PEM)"),
    _matching(r"(?i)\A(null|none|nil|undefined|\[object Object\])\Z", NO_VALUE),
    _matching(rf"\A({VARIABLE})\Z", PasteError(IS_NAME, VALUE_ITSELF)),
    _base64,
    _matching(ID_FIRST, 'has an ID and ":" in front of it'),
    _matching(r"\A(@|file://|~/|\.{1,2}/|/[\w.-]+/)[\w./ ~-]*\Z|\A[\w./-]+\.(txt|pat|token|json)\Z", PATH),
    _matching(r"\A\w+://", "is an address, such as that of a secret store, instead of the token itself"),
    _matching(r"\n(PAT|CLIENT_ID)=", PasteError("is a whole .env", "leave out --pat: zdemo reads .env by itself")),
    _matching(r"…|\.\.\.", 'has "…" inside: it was shortened for display'),
    _word_in_front,
    _quotes,
    _matching(r"\\", "has a backslash inside"),
    _odd_characters,
    _matching(r"\A[^%]+%\Z", PERCENT),
    _matching("%", 'has "%" inside: it is encoded for a URL'),
    lambda text: f'has "{text[-1]}" at the end' if text.endswith((",", ";", "=")) else "",
)


def paste_problem(token: str) -> Finding | None:
    """Return why a text must not be sent as a token; ``None`` when it can be sent."""
    form = token_form(token)
    if form.is_clean:
        return None
    if not token.strip():
        return Finding(id=EMPTY, cause="the token is empty", fix=("set PAT in the environment or in .env",))
    error = form.problem or PasteError(next(f'has "{c}" inside' for c in token.strip() if not B64TOKEN.fullmatch(c)))
    return Finding(
        id="token.pasted",
        cause=f"the token {error.text}",
        seen=() if form.problem else (("form", form.described),),  # the description is the cause again
        fix=(SEND_ANOTHER if error is PAIR else error.fix,),
    )
