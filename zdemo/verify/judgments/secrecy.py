"""Judgments of what an API shows that it should not."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from zdemo.verify.asker import Asked, in_words
from zdemo.verify.case import Verdict, bad, good, unless
from zdemo.zitadel.introspection_client import basic_credentials

LIKE_A_TRACE = ("Traceback (most recent call last)", "\tat ", "goroutine ", "panicked at", "System.Exception")


def stayed_here(sent: Sequence[str]) -> Verdict:
    """Judge what of the token and the credentials arrived at the address that a redirect of ZITADEL named."""
    followed = f"the API followed the redirect and sent {' and '.join(sent)} there"
    return unless(followed if sent else "", "nothing secret went there")


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """Texts in which a token or secret of this run was found, by what it was."""

    where: str
    found: tuple[str, ...]
    looked_at: str


def nothing_leaked(leaks: Leaks) -> Verdict:
    """Judge whether a text shows tokens or secrets."""
    seen = f"none in {leaks.looked_at}"
    return unless(f"{' and '.join(leaks.found)} in {leaks.where}" if leaks.found else "", seen)


def no_trace(asked: Sequence[Asked]) -> Verdict:
    """Judge whether an answer shows the API's inside."""
    wrong = [one for one in asked if any(sign in one.text for sign in LIKE_A_TRACE)]
    return unless(f"a stack trace in the answer: {in_words(wrong)}" if wrong else "", "no stack trace")


def kept_private(asked: Asked) -> Verdict:
    """Judge whether shared caches may keep what a token was needed for (RFC 9111 §3.5)."""
    directives = _directives(asked)
    found = [name for name in ("public", "s-maxage", "must-revalidate") if name in directives]
    allowed = "" if not found or _forbids_storing(directives) else f"Cache-Control: {asked.header('cache-control')}"
    return unless(allowed, asked.header("cache-control") or "no Cache-Control")


def say_private(asked: Sequence[Asked]) -> Verdict:
    """Judge whether each answer says that it must not be kept, or depends on the token."""
    wrong = [one for one in asked if not (_forbids_storing(_directives(one)) or _depends_on_token(one))]
    said = (wrong[0].header("cache-control") or "no Cache-Control") if wrong else ""
    return unless(f"{in_words(wrong)}: {said}" if wrong else "", "each does")


def _depends_on_token(asked: Asked) -> bool:
    fields = [field.strip().lower() for field in asked.header("vary").split(",")]
    return "authorization" in fields or "*" in fields


def _forbids_storing(directives: dict[str, str]) -> bool:
    return any(name in directives for name in ("no-store", "private", "no-cache"))


def _directives(asked: Asked) -> dict[str, str]:
    parts = (part.strip().partition("=") for part in asked.header("cache-control").lower().split(","))
    return {name.strip(): value.strip() for name, _, value in parts if name}


def no_borrowed_rights(asked: Sequence[Asked]) -> Verdict:
    """Judge CORS: a foreign origin must not be let in together with a browser's credentials."""
    for one in asked:
        origin = one.header("access-control-allow-origin")
        if origin and one.header("access-control-allow-credentials").lower() == "true":
            return bad(f"any origin is allowed together with credentials: Access-Control-Allow-Origin: {origin[:60]}")
    return good("a foreign origin gets no credentials")


# --- tokens and secrets in a text

LEAST = 20  # characters of a text that is looked for; shorter ones occur by chance
LEAST_DIFFERENT = 8  # of them; fewer make a line of equals signs, not a part of a token
LIKE_A_TOKEN = re.compile(rf"[\w.~+/=-]{{{LEAST},}}", re.ASCII)


def leaks_in(text: str, tokens: Iterable[str], secrets: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of the tokens and secrets, which have names, a text holds.

    A part of a token counts too, except a JWT's header, which is no secret.
    """
    parts = {part for token in tokens for part in _parts(token.partition(".")[2] or token)}
    leaked = any(not parts.isdisjoint(_parts(found[0])) for found in LIKE_A_TOKEN.finditer(text))
    found = ["a token"] if leaked else []
    found += [name for name, secret in secrets.items() if len(secret) >= LEAST and secret in text]
    return tuple(found)


def _parts(text: str) -> Iterator[str]:
    """Yield what could be a part of a token, of the length that is looked for."""
    pieces = (text[start : start + LEAST] for start in range(len(text) - LEAST + 1))
    return (piece for piece in pieces if len(set(piece)) >= LEAST_DIFFERENT)


def secrets_of(client_id: str, client_secret: str) -> dict[str, str]:
    """Return the forms in which a client's secret travels, by their names (RFC 6749 §2.3.1)."""
    basic = basic_credentials(client_id, client_secret).removeprefix("Basic ")
    return {"the client secret": client_secret, "the client credentials": basic}
