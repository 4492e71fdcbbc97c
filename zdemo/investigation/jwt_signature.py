"""Whether a key of this ZITADEL has signed a JWT."""

from zdemo.diagnosis import Probe, TokenForm, TokenKind
from zdemo.http.response import Response
from zdemo.investigation.probes import Replies

# algorithms of a JWT that are checked; a public key must never be used as a shared secret (RFC 8725 §3.1)
SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")


def signature_fits(token: str, form: TokenForm, replies: Replies) -> bool | None:
    """Return whether the key of this ZITADEL that a JWT names has signed it; ``None`` when that is unknown."""
    answer = replies.get(Probe.KEYS)
    keys = answer.json_object().get("keys") if isinstance(answer, Response) else None
    algorithm = form.header.get("alg")
    if form.kind is not TokenKind.JWT or not isinstance(keys, list) or algorithm not in SIGNATURES:
        return None
    key = next((k for k in keys if isinstance(k, dict) and k.get("kid") == form.header.get("kid")), None)
    if key is None:
        return None
    import jwt  # here, because it loads cryptography, which is slow to import

    try:
        jwt.PyJWS().decode(token.strip(), jwt.PyJWK.from_dict(key), algorithms=[algorithm])
    except jwt.InvalidSignatureError:
        return False
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return True
