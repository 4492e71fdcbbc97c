"""Judgments of what an API shows that it should not."""

from collections.abc import Sequence
from dataclasses import dataclass

from zdemo.verify.asked import Asked, in_words
from zdemo.verify.case import Verdict, bad, good, unless

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
