"""Why zdemo's own emulator refused a request, by its own record: what a real ZITADEL never tells."""

from zdemo.diagnosis.evidence import Evidence, Probe, TokenCase
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.odd_values import CERTAINLY_COPY_SECRET
from zdemo.diagnosis.rules.rule import rule
from zdemo.diagnosis.token_form import TokenKind
from zdemo.diagnosis.wording import span
from zdemo.errors.steps import Command, Step

NO_FORM = (TokenKind.PAT, TokenKind.ACCESS, TokenKind.OPAQUE)  # of these, nothing but ZITADEL shows what is wrong
NEW_PAT, NEW_TOKEN, NEW_KEY = "create a new PAT for the user", "request a new one", "create a new key, and use its file"
ACTIVATE = "reactivate it in the emulator, or restart the emulator"
ENDED = "that ended all its tokens for good"
REASONS: dict[str, tuple[str, str, Step]] = {  # the emulator's ID: that of the finding, the cause, the fix
    "token_expired": ("expired", "the {token} expired {ago} ago", NEW_TOKEN),
    "token_revoked": ("ended", "the token was revoked", NEW_TOKEN),
    "token_refreshed": ("ended", "a refresh replaced the token", "use the access token that the last refresh gave"),
    "logged_out": ("ended", "the person logged out, which ended the token", NEW_TOKEN),
    "session_deleted": ("ended", "the login session was deleted, which ended the token", NEW_TOKEN),
    "pat_deleted": ("deleted", "the PAT of the user {name} was deleted", NEW_PAT),
    "user_deactivated": ("user_deactivated", f"the user {{name}} was deactivated; {ENDED}", f"reactivate, {NEW_PAT}"),
    "user_locked": ("user_locked", f"the user {{name}} was locked; {ENDED}", f"unlock, {NEW_PAT}"),
    "user_removed": ("user_removed", "the token's user {name} was removed", "use a PAT of another user"),
    "application_inactive": ("application_inactive", "the application {name} is deactivated", ACTIVATE),
    "project_inactive": ("project_inactive", "the project {name} of the application is deactivated", ACTIVATE),
    "organization_inactive": ("organization_inactive", "the organization {name} is deactivated", ACTIVATE),
    "secret_wrong": ("wrong_secret", "CLIENT_SECRET is wrong, CLIENT_ID is right", CERTAINLY_COPY_SECRET),
    "secret_of_another": (
        "wrong_secret",
        "CLIENT_SECRET is that of another application, {name}",
        "set CLIENT_SECRET to that of the application with this CLIENT_ID",
    ),
    "key_unknown": ("key_deleted", "the key is not listed: it was deleted, or keyId in its file was changed", NEW_KEY),
    "key_expired": ("key_expired", "the key expired {ago} ago", NEW_KEY),
    "user_secret_of_another": ("wrong_secret", "the client secret is that of another user, {name}", "give the user's"),
}
GONE = {  # what the emulator does not know
    "token_unknown": "this token",
    "client_unknown": "this CLIENT_ID",
    "client_deleted": "this CLIENT_ID any more: the application was deleted",
    "project_removed": "this CLIENT_ID any more: its project was removed",
    "user_unknown": "the user of this key file",
}


def by_emulator(evidence: Evidence, area: str, kind: TokenKind = TokenKind.UNKNOWN) -> Finding | None:
    """Return why the emulator refused a token of this kind, a ``client`` or a ``user``: the ``area`` of the ID."""
    if not (reason := evidence.emulators_reason):
        return None
    ago, is_setups = span(reason.seconds), area in evidence.from_setup
    setup = Command("setup", option=evidence.admin_option, does="creates what is missing, and writes it to .env")
    if reason.id in GONE and reason.seconds and is_setups:
        name, cause = "emulator_restarted", f"the emulator was restarted {ago} ago, and lost what zdemo setup created"
        fix: Step = setup
    elif reason.id in GONE and (area != "token" or kind in NO_FORM):
        since = f", which started {ago} ago," if reason.seconds else ""
        name, cause, fix = "unknown", f"the emulator{since} does not know {GONE[reason.id]}", setup
    elif reason.id in REASONS:
        name, cause, fix = REASONS[reason.id]
        fix = NEW_PAT if fix == NEW_TOKEN and kind is TokenKind.PAT else fix
        fix = setup if fix == NEW_PAT and is_setups else fix
    else:
        return None
    words = cause.format(ago=ago, name=reason.name, token="PAT" if kind is TokenKind.PAT else "token")
    return Finding(id=f"{area}.{name}", cause=words, only_emulator=True, fix=(fix,))


def _has_refused(case: TokenCase) -> bool:
    return bool(case.evidence.answer(Probe.TOKEN).emulator)


@rule(Probe.EMULATOR, when=lambda case: _has_refused(case) and case.form.is_clean)
def emulators_token(case: TokenCase) -> Finding | None:
    """Judge a token by the emulator's record."""
    return by_emulator(case.evidence, "token", case.form.kind)


@rule(Probe.EMULATOR, when=_has_refused)
def emulators_client(case: TokenCase) -> Finding | None:
    """Judge the API application by the emulator's record."""
    return by_emulator(case.evidence, "client")
