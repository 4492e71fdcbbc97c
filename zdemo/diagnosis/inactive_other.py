"""What the form of an inactive token says, when nothing else decides: the kind, and what can have happened to it."""

from collections.abc import Callable, Mapping

from zdemo.diagnosis.cases import InactiveCase
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.token_form import COPY, JWE_ALGORITHMS, LENGTHS, SECRET_LENGTH, TokenKind

SETUP = "zdemo setup  (it made this PAT, and creates a new one where that is not valid)"
NEW_PAT = "create a new PAT for the user (reactivate or unlock the user first if needed); that fixes each cause"
USERS_PAGE = "to find out which it is: the user's page in ZITADEL shows the user's state and PATs"
ALL_TOKENS = "ZITADEL cannot read its tokens (its database), if good tokens of other users are refused as well"


def finding_by_form(case: InactiveCase) -> Finding:
    """Return the finding by the form alone, with all that it can be."""
    too_short = f"this is not a whole token of ZITADEL: {case.form.size}; {LENGTHS}"
    decide = _BY_KIND.get(case.form.kind)
    return decide(case) if decide else _copy("token.too_short", too_short)


def _doubts(case: InactiveCase) -> tuple[str, ...]:
    """Return what could not be ruled out because a probe got no answer."""
    doubts = []
    if case.evidence.administrator_is_active is False:
        doubts.append(
            "ZITADEL_ADMIN_PAT is inactive as well: both may belong to another (or a recreated) ZITADEL, or ZITADEL "
            "cannot read its tokens"
        )
    if not case.evidence.token_is_dead and case.form.kind is not TokenKind.PAT:
        doubts.append("it is alive, but not meant for this API (userinfo did not show it)")
    if case.evidence.status(Probe.MADE_UP_CLIENT) != 400:
        doubts.append("ZITADEL's database is in trouble (that could not be ruled out)")
    return tuple(doubts)


def _elsewhere(case: InactiveCase) -> str:
    unread = ", or this one is older than v4.14 and cannot read it" if case.form.header else ""
    return f"it belongs to another ZITADEL than {case.settings.issuer}{unread}"


def _pat(case: InactiveCase) -> Finding:
    return Finding(
        id="token.dead",
        cause="the PAT is not valid here, and ZITADEL never says why",
        candidates=(
            "the PAT was deleted, or has expired",
            "its user was deactivated or locked (even if reactivated since), or removed",
            _elsewhere(case),
            "a character of it was changed or is missing",
            *_doubts(case),
            ALL_TOKENS,
        ),
        fix=(SETUP,) if case.evidence.from_setup else (NEW_PAT, _ask_administrator(case.evidence)),
        otherwise=() if case.evidence.from_setup else (USERS_PAGE,),
    )


def _opaque(case: InactiveCase) -> Finding:
    refresh = "it is a refresh token: it has the same form, and no API accepts it"
    return Finding(
        id="token.ended",
        cause="the token has ended, or was never an access token here, and ZITADEL never says why",
        candidates=(
            "it has expired (access tokens live 12 hours by default), or its session was ended or revoked",
            "its user was deactivated, locked or removed since it was issued",
            *((refresh,) if case.form.kind is TokenKind.OPAQUE else ()),
            _elsewhere(case),
            *_doubts(case),
            ALL_TOKENS,
        ),
        fix=("request a new access token with the same client credentials; the answer shows which it was",),
        otherwise=(
            "(200: the old one had expired or ended; 400 Errors.User.NotActive: its user is deactivated or locked; "
            "client not found: its user was removed, or belongs to another ZITADEL)",
        ),
    )


def _ask_administrator(evidence: Evidence) -> str:
    if evidence.unusable_admin_pat:
        return evidence.unusable_admin_pat
    if not evidence.with_administrator:
        return "set ZITADEL_ADMIN_PAT, and ZDEMO_PAT_USER_ID to the token's user; then zdemo doctor shows which"
    if not evidence.with_ids:
        what = "set ZDEMO_PAT_USER_ID to the token's user"
        return f"{what}; then zdemo doctor shows which, if ZITADEL_ADMIN_PAT can see it"
    return "ZITADEL_ADMIN_PAT did not show which: only an IAM_OWNER sees the users of all organizations"


def _not_zitadels(case: InactiveCase) -> Finding:
    what = "it has neither the form of ZITADEL's tokens nor that of a JWT; it is another issuer's, or was damaged"
    alg, enc = (quoted(case.form.header.get(name), 40) for name in ("alg", "enc"))
    if alg and enc and (alg, enc) != JWE_ALGORITHMS:
        what = f"it is another issuer's JWE, encrypted with {alg} and {enc}; ZITADEL's are with A256GCMKW and A256GCM"
    return Finding(
        id="token.damaged",
        cause=f"this is not a token of ZITADEL: {what}",
        fix=("use a token that this ZITADEL has issued: a PAT, or a token from its token endpoint",),
        otherwise=("if this ZITADEL did issue it: copy the whole token again",),
    )


def _cut(case: InactiveCase) -> Finding:
    form = case.form
    if form.missing:
        likely = "." in case.token and not case.token.startswith("eyJ")  # another issuer's tokens may look so, too
        return _copy("token.cut", f"the token is cut off (incomplete): {form.size}, {form.missing}", likely=likely)
    return Finding(
        id="token.cut",
        cause=f"the token is not valid, and its length is unusual: {form.size}; {LENGTHS}",
        candidates=(
            "it is cut off (incomplete), or something was added",
            "it is the whole token of a user whose ID was chosen by hand, and it is no longer valid",
            f"it was issued by another issuer than {case.settings.issuer}",
            *_doubts(case),
        ),
        fix=(
            "copy the whole token again; if it is complete, create or request a new one",
            _ask_administrator(case.evidence),
        ),
    )


def _copy(name: str, cause: str, *, likely: bool = False) -> Finding:
    otherwise = ("if you no longer have it: create a new one",)
    return Finding(id=name, cause=cause, likely=likely, fix=(COPY,), otherwise=otherwise)


_SECRET = Finding(
    id="token.client_secret",
    cause=f"this looks like a client secret ({SECRET_LENGTH} letters and digits), not like a token",
    likely=True,
    fix=("give a token: a PAT, or an access token that the token endpoint issues for this secret",),
    otherwise=("if it is a PAT, it is cut off: copy the whole token",),
)


def _no_access_token(case: InactiveCase) -> Finding:
    return Finding(
        id="token.another_value",
        cause=f"this is not an access token but {'an' if case.form.kind is TokenKind.CODE else 'a'} {case.form.kind}",
        fix=(case.form.fix,),
    )


_BY_KIND: Mapping[TokenKind, Callable[[InactiveCase], Finding]] = {
    TokenKind.PAT: _pat,
    TokenKind.ACCESS: _opaque,
    TokenKind.OPAQUE: _opaque,
    TokenKind.REFRESH: _no_access_token,
    TokenKind.CODE: _no_access_token,
    TokenKind.CUT: _cut,
    TokenKind.DOUBLED: lambda _: _copy("token.doubled", "the token was pasted twice, one copy after the other"),
    TokenKind.DAMAGED: _not_zitadels,
    TokenKind.CLIENT_SECRET: lambda _: _SECRET,
}
