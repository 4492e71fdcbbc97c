"""JWTs by which an application or a service user proves who it is (RFC 7523)."""

from typing import Any

from zdemo.emulator.signing import BadSignature, verify_with
from zdemo.emulator.world import PublicKey

ALGORITHMS = ["RS256", "ES256", "PS256"]
OLDEST_SECONDS = 3600
OFFSET_SECONDS = 1  # how far the issuer's clock may be ahead


class BadAssertion(ValueError):
    """An assertion that proves nothing; the message is ZITADEL's cause."""


def check_assertion(
    assertion: str, claims: dict[str, Any], keys: dict[str, PublicKey], issuer: str, now: float
) -> None:
    """Check an assertion and its claims in the order in which ZITADEL does.

    Raises:
        BadAssertion: audience, times, subject, key or signature are not right.
    """
    audience = claims.get("aud")
    if issuer not in (audience if isinstance(audience, list) else [audience]):
        raise BadAssertion(f'audience is not valid: Audience must contain client_id "{issuer}"')
    _check_times(claims, now)
    if claims.get("iss") != claims.get("sub"):
        raise BadAssertion("delegation not allowed, issuer and sub must be identical")
    good = {key.id: key.pem for key in keys.values() if key.expires > now}
    try:
        verify_with(good, assertion, ALGORITHMS)
    except BadSignature as error:
        raise BadAssertion(str(error)) from error


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires, issued = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
    if expires <= now + OFFSET_SECONDS:
        raise BadAssertion("token has expired")
    if not issued:
        raise BadAssertion("issuedAt of token is missing")
    if issued > int(now) + OFFSET_SECONDS:
        raise BadAssertion(f"issuedAt of token is in the future: (iat: {issued}, now with offset: {int(now) + 1})")
    if issued < int(now) - OLDEST_SECONDS:
        raise BadAssertion(f"issuedAt of token is to old: (iat: {issued})")


def _seconds(value: Any) -> int:
    """A time claim; 0 when it is missing or no number of seconds."""
    try:
        return int(value) if isinstance(value, int | float) else 0
    except (ValueError, OverflowError):  # JSON as Python reads it knows NaN and Infinity
        return 0
