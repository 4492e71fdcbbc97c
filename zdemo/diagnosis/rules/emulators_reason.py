"""Why zdemo's own emulator refused a request, by its own record: what a real ZITADEL never tells."""

from zdemo.diagnosis.evidence import Evidence, Probe, TokenCase
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.odd_values import CERTAINLY_COPY_SECRET
from zdemo.diagnosis.rules.rule import rule
from zdemo.diagnosis.token_form import TokenKind
from zdemo.diagnosis.wording import span
from zdemo.errors.steps import Command, Step

NO_FORM = (TokenKind.PAT, TokenKind.ACCESS, TokenKind.OPAQUE)  # only ZITADEL shows what is wrong with these
SHOWN = ("token_unknown", "key_deleted", "key_expired")  # the form of other tokens shows more than these reasons
ASKS = "asks for the administrator's PAT, which the emulator shows at its start"
NEW = "create or request a new token for an active user"
SETUP, CREATES = "zdemo setup", "creates what is missing, and writes new tokens to .env"
NEW_KEY = "create a new key, and use its file"
FOREVER = "which ended all their tokens for good"
CAUSES: dict[str, tuple[str, Step]] = {  # the emulator's ID, which is also the end of the finding's; cause and fix
    "expired": ("the {token} expired {ago} ago", NEW),
    "revoked": ("the token was revoked", NEW),
    "refreshed": ("a refresh replaced the token", "use the access token that the last refresh gave"),
    "logged_out": ("the person logged out, which ended the token", NEW),
    "session_deleted": ("the login session was deleted, which ended the token", NEW),
    "deleted": ("the PAT of the user {name} was deleted", NEW),
    "user_deactivated": (f"the user {{name}} was deactivated, {FOREVER}", NEW),
    "user_locked": (f"the user {{name}} was locked, {FOREVER}", NEW),
    "user_was_off": ("the user {name} was deactivated or locked: their older PATs stay inactive", NEW),
    "user_removed": ("the token's user {name} was removed", NEW),
    "inactive": ("the {name} of CLIENT_ID is deactivated", "reactivate it, or restart the emulator"),
    "wrong_secret": ("CLIENT_ID is right, CLIENT_SECRET is wrong", CERTAINLY_COPY_SECRET),
    "anothers_secret": ("CLIENT_SECRET belongs to another application, {name}", CERTAINLY_COPY_SECRET),
    "key_deleted": ("the key was deleted, or keyId in its file was changed", NEW_KEY),
    "key_expired": ("the key expired {ago} ago", NEW_KEY),
    "changed": ("a proxy changes requests or reuses answers: the emulator received '{name}'", "correct the proxy"),
    "token_unknown": ("the emulator, which started {ago} ago, does not know this token", NEW),
    "client_unknown": ("the emulator, which started {ago} ago, does not know CLIENT_ID", SETUP),
    "application_deleted": ("the application of CLIENT_ID was deleted", SETUP),
    "project_removed": ("the project of CLIENT_ID was removed", SETUP),
    "user_unknown": ("the emulator, which started {ago} ago, does not know the user of this key file", SETUP),
    "emulator_restarted": ("the emulator was restarted {ago} ago, and lost what zdemo setup created", SETUP),
}


def by_emulator(evidence: Evidence, area: str, kind: TokenKind = TokenKind.UNKNOWN) -> Finding | None:
    """Return why the emulator refused a ``token`` of this kind, a ``client`` or a ``user``, the ``area`` of the ID."""
    reason = evidence.emulators_reason
    is_shown = area == "token" and kind not in NO_FORM and reason is not None and reason.id in SHOWN
    if reason is None or reason.id not in CAUSES or is_shown:
        return None
    was_restarted = evidence.is_setups_client and reason.id == "client_unknown"
    name = "emulator_restarted" if was_restarted else reason.id
    cause, fix = CAUSES[name]
    is_setups_pat = evidence.ids is not None and not evidence.ids.named_by
    if fix == SETUP or (fix == NEW and is_setups_pat):
        option = "--admin-pat" if name == "client_unknown" else evidence.admin_option  # that emulator's PAT is gone too
        fix = Command("setup", option=option, does=ASKS if option else CREATES)
    token = "PAT" if kind is TokenKind.PAT else "token"
    words = cause.format(ago=span(reason.seconds), name=reason.name, token=token)
    return Finding(id=f"{area}.{name}", cause=words, only_emulator=True, fix=(fix,))


@rule(Probe.EMULATOR, when=lambda case: case.evidence.answer(Probe.TOKEN).emulator and (case.error or case.token))
def emulators_own(case: TokenCase) -> Finding | None:
    """Judge by the emulator's record of the introspection."""
    kind = case.form.kind if case.form.is_clean else TokenKind.UNKNOWN
    return by_emulator(case.evidence, "client" if case.error else "token", kind)
