"""What is left to say of a dead token that is no JWT: its form tells the kind, the kind what it can be."""

from __future__ import annotations

from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.token_form import OPAQUE_LENGTH, PAT_LENGTH, SECRET_LENGTH, TokenForm, TokenKind

JWE_PARTS = 5  # RFC 7516 §3.1
SHORTEST_TOKEN = 48  # characters; 16 bytes of IV, an 18-digit token ID, ":", one character of a user ID
EVERYBODY = "ZITADEL cannot read its tokens (its database), if good ones of other users are refused as well"

Lines = tuple[tuple[str, str], ...]


def finding_for_dead(form: TokenForm, issuer: str, evidence: Evidence, seen: Lines) -> Finding:
    """The finding by the form alone, with all that it can be."""
    doubts = _doubts(form, evidence)
    if form.kind is TokenKind.PAT:
        return _pat(issuer, evidence, doubts, seen)
    if form.kind is TokenKind.OPAQUE:
        return _opaque(issuer, doubts, seen)
    return _not_whole(form, evidence, seen) or _secret(form, seen) or _unknown(issuer, doubts, seen)


def _doubts(form: TokenForm, evidence: Evidence) -> tuple[str, ...]:
    """What could not be ruled out because a question got no answer."""
    doubts = []
    if evidence.administrator_is_active is False:
        doubts.append(
            "ZITADEL_ADMIN_PAT is inactive as well: both may be another (or a recreated) ZITADEL's, or ZITADEL cannot "
            "read its tokens"
        )
    if not evidence.token_is_dead and form.kind is not TokenKind.PAT:
        doubts.append("it is alive, and not meant for this API (userinfo did not tell)")
    if evidence.status(Probe.MADE_UP_CLIENT) != 400:
        doubts.append("ZITADEL's database is in trouble (that could not be ruled out)")
    return tuple(doubts)


def _pat(issuer: str, evidence: Evidence, doubts: tuple[str, ...], seen: Lines) -> Finding:
    return Finding(
        id="token.dead",
        cause="the PAT is not valid here, and ZITADEL gives no reason",
        certainty=Certainty.OPEN,
        candidates=(
            "the PAT was deleted, or has expired",
            "its user was deactivated or locked, even if switched on again since, or was removed",
            f"it belongs to another ZITADEL than {issuer}",
            "a character of it was changed",
            *doubts,
            EVERYBODY,
        ),
        seen=seen,
        fix=(
            "create a new PAT for the user (reactivate or unlock the user first if need be); that mends all of them",
            "to know which it is: the user's page in ZITADEL shows the user's state and the PATs there are",
            _ask_administrator(evidence),
        ),
    )


def _opaque(issuer: str, doubts: tuple[str, ...], seen: Lines) -> Finding:
    return Finding(
        id="token.ended",
        cause="the token has ended or was never an access token here, and ZITADEL gives no reason",
        certainty=Certainty.OPEN,
        candidates=(
            "it has expired (access tokens live 12 hours unless set otherwise), or its session was ended or revoked",
            "its user was deactivated, locked or removed since it was issued",
            "it is a refresh token: these have the same form, and no API takes them",
            f"it belongs to another ZITADEL than {issuer}",
            *doubts,
            EVERYBODY,
        ),
        seen=seen,
        fix=(
            "request a new access token, with the same client credentials; what comes tells which it was "
            "(200: the old one had run out; 400 Errors.User.NotActive: its user is deactivated or locked; "
            "client not found: its user was removed, or it is another ZITADEL's)",
        ),
    )


def _ask_administrator(evidence: Evidence) -> str:
    """The next step to know which it is; with such a PAT at hand, what it lacks is the user."""
    if evidence.with_administrator and evidence.with_ids:
        return "ZITADEL_ADMIN_PAT did not tell it: its user may not see the token's user; that of an IAM_OWNER sees all"
    if evidence.with_administrator:
        return "zdemo doctor tells it, with ZDEMO_PAT_USER_ID (the user) beside PAT, if ZITADEL_ADMIN_PAT may see them"
    return "zdemo doctor tells it, with ZITADEL_ADMIN_PAT, and ZDEMO_PAT_USER_ID (the user) beside PAT"


def _not_whole(form: TokenForm, evidence: Evidence, seen: Lines) -> Finding | None:
    if form.kind is TokenKind.DOUBLED:
        return _finding("token.doubled", "the token stands there twice, one behind the other", Certainty.CERTAIN, seen)
    if form.kind is TokenKind.DAMAGED:
        return _not_zitadels(form, seen)
    if form.length < SHORTEST_TOKEN and form.kind is not TokenKind.CLIENT_SECRET:
        what = f"it is too short: {form.size}, where a PAT has {PAT_LENGTH}"
        return _finding("token.too_short", f"this is no whole token of ZITADEL: {what}", Certainty.CERTAIN, seen)
    if form.kind is TokenKind.CUT:
        return _cut(form, evidence, seen)
    if OPAQUE_LENGTH - 6 <= form.length < OPAQUE_LENGTH:
        what = f"{form.length} characters instead of {OPAQUE_LENGTH}, the length of an access token"
        return _finding("token.cut", f"the token is cut off (incomplete): {what}", Certainty.LIKELY, seen)
    return None


def _not_zitadels(form: TokenForm, seen: Lines) -> Finding:
    what = (
        "it is encrypted (a JWE, five parts), and ZITADEL issues none"
        if form.parts == JWE_PARTS
        else "it has characters that they do not have, and is no JWT that can be read"
    )
    return Finding(
        id="token.damaged",
        cause=f"this is none of ZITADEL's tokens: {what}; it is another issuer's, or was damaged",
        seen=seen,
        fix=(
            "use a token that this ZITADEL has issued: a PAT, or what its token endpoint gives out",
            "if it is one: copy the whole token once more",
        ),
    )


def _cut(form: TokenForm, evidence: Evidence, seen: Lines) -> Finding:
    length = form.length
    if length > PAT_LENGTH:
        what = f"none has {length} characters: one is missing, something was added, or it is another issuer's"
        return _finding("token.cut", f"this is no whole token of ZITADEL: {what}", Certainty.CERTAIN, seen)
    if length % 4 == 1:  # no base64url text has such a length (RFC 4648 §5)
        cause = f"the token is cut off (incomplete): {length} characters instead of {PAT_LENGTH}, the length of a PAT"
        return _finding("token.cut", cause, Certainty.CERTAIN, seen)
    return Finding(
        id="token.cut",
        cause=f"the token is dead, and its length is unusual: {length} characters instead of {PAT_LENGTH}",
        certainty=Certainty.OPEN,
        candidates=(
            "it is cut off (incomplete)",
            "it is the whole PAT of a user whose ID was chosen by hand and is shorter, and does not live any more",
        ),
        seen=seen,
        fix=(
            "copy the whole token once more; if it is the whole one, create a new PAT for the user",
            _ask_administrator(evidence),
        ),
    )


def _finding(name: str, cause: str, certainty: Certainty, seen: Lines) -> Finding:
    fix = ("copy the whole token, and nothing else", "if it is not at hand any more: create a new one")
    return Finding(id=name, cause=cause, certainty=certainty, seen=seen, fix=fix)


def _secret(form: TokenForm, seen: Lines) -> Finding | None:
    if form.kind is not TokenKind.CLIENT_SECRET:
        return None
    return Finding(
        id="token.client_secret",
        cause=f"this looks like a client secret ({SECRET_LENGTH} letters and digits), not like a token",
        certainty=Certainty.LIKELY,
        seen=seen,
        fix=(
            "give a token: a PAT, or an access token that the token endpoint gives out for this secret",
            "if it is a PAT, it is cut off: copy the whole of it",
        ),
    )


def _unknown(issuer: str, doubts: tuple[str, ...], seen: Lines) -> Finding:
    return Finding(
        id="token.unknown",
        cause="the token is not valid here, and its form is none that ZITADEL's tokens usually have",
        certainty=Certainty.OPEN,
        candidates=(
            "something is missing or was added when it was copied",
            f"it is a token of another issuer than {issuer}",
            "it has expired, was deleted or revoked, or its user was deactivated, locked or removed",
            *doubts,
        ),
        seen=seen,
        fix=("copy the whole token once more; if it is the whole one, request or create a new one",),
    )
