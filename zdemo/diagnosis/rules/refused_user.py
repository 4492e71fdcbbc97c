"""Why ZITADEL's token endpoint gives a service account no token: it says why for a secret, and never for a key."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from zdemo.config.key_file import SERVICE_USER
from zdemo.config.settings import USER_ID, USER_SECRET, UserSettings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.emulators_reason import by_emulator
from zdemo.diagnosis.rules.rejected_client import USER_NOT_ACTIVE, finding_for_audience, finding_for_clock
from zdemo.diagnosis.rules.rule import rule, table
from zdemo.diagnosis.rules.unusable_response import LOST, NO_CLIENT, database_away
from zdemo.diagnosis.token_form import ID_DIGITS, OLD_CLIENT_ID, SECRET_LENGTH
from zdemo.diagnosis.wording import Lines, span
from zdemo.errors.response import Response
from zdemo.errors.steps import Command

NO_SECRET = "Errors.User.Machine.Secret.NotExisting"  # noqa: S105  # ZITADEL's words, not a secret
WRONG_SECRET = "Errors.User.Machine.Secret.Invalid"  # noqa: S105  # likewise
UNKNOWN = "client not found"
SIGNER = "the user's key"
KEY_REFUSED = ("invalid_grant", "server_error", "invalid_request", "invalid_client")  # the second before v4.14
NEW_SECRET = (  # a step of a fix
    "only if it is lost: press Actions, Generate Client Secret on the user's page (the old secret stops working)"  # noqa: S105  # a sentence
)


@dataclass(frozen=True, kw_only=True)
class UserCase:
    """A response of the token endpoint that refuses a service account; ``now`` is in epoch seconds."""

    answer: Response
    settings: UserSettings
    evidence: Evidence
    now: float

    @property
    def error(self) -> str:
        """ZITADEL's code for the refusal (RFC 6749 §5.2); empty for a zdemo API's, which adds an ID of the request."""
        body = self.answer.json_object()
        return "" if "request_id" in body else str(body.get("error", ""))

    @property
    def description(self) -> str:
        """ZITADEL's words about the refusal."""
        return str(self.answer.json_object().get("error_description", ""))

    @property
    def user(self) -> str:
        """The user in a sentence: by its login name, or by its ID if that is all that is known."""
        key = self.settings.key
        return f"the user {quoted(key.subject if key else self.settings.client_id, 60)}"


def _says(*words: str) -> Callable[[UserCase], bool]:
    return lambda case: case.description in words


def _seen(case: UserCase) -> Lines:
    words = " ".join(filter(None, (quoted(case.error, 60), quoted(case.description))))
    return (("ZITADEL", f"{case.answer.status}: {words}"),)


@rule(when=_says(USER_NOT_ACTIVE))
def _inactive(case: UserCase) -> Finding:
    fix = "reactivate or unlock the user on the user's page in ZITADEL"
    return Finding(id="user.inactive", cause=f"{case.user} is deactivated or locked", fix=(fix,))


# --- a key


@rule(Probe.DISCOVERY, Probe.READY, when=lambda case: case.settings.key is not None and case.error in KEY_REFUSED)
def _key_refused(case: UserCase) -> Finding:
    evidence, settings, key = case.evidence, case.settings, case.settings.key
    audience = finding_for_audience(evidence, settings.issuer, SIGNER, kind="user")
    if known := audience or finding_for_clock(evidence, SIGNER):
        return known
    late = case.now - (evidence.clock_ahead_seconds or 0) - ((key and key.expires_at) or math.inf)
    if late >= 0:
        cause = f"the key expired {span(late)} ago, according to its file"
        return Finding(id="user.key_expired", cause=cause, fix=(SERVICE_USER.new_key,))
    if evidence.database_away:  # without it, ZITADEL answers good credentials like bad ones
        return database_away(settings.zitadel.server)
    name = f"key {key.key_id}" if key and ID_DIGITS.fullmatch(key.key_id) else "the key"
    return Finding(
        id="user.key_refused",
        cause=f"ZITADEL refuses the key of {case.user}, and never says why",
        candidates=(
            f"{name} was deleted in ZITADEL, or has expired",
            "the user was removed, or userId or keyId in the key file was changed",
            "the key file belongs to another ZITADEL, or this one was recreated since",
        ),
        fix=(f"check on the user's page in ZITADEL that it lists {name}, not expired", SERVICE_USER.new_key),
    )


# --- a login name and a secret


@rule(Probe.READY, when=_says(UNKNOWN))
def _unknown(case: UserCase) -> Finding:
    settings, name = case.settings, case.settings.environment.setting(USER_ID)
    if case.evidence.database_away:
        return database_away(settings.zitadel.server)
    fix = (f"set {name} to the login name of a service account: its page in ZITADEL shows it as Client ID",)
    if settings.client_id == settings.environment.get("CLIENT_ID", "").strip():
        cause = f"{name} is the client ID of the API application, which gets no tokens: it only checks other tokens"
        return Finding(id="user.is_application", cause=cause, fix=fix)
    if ID_DIGITS.fullmatch(settings.client_id) or OLD_CLIENT_ID.fullmatch(settings.client_id):
        what = "is the ID of a user or an application, but ZITADEL knows a service account here only by its login name"
        return Finding(id="user.is_id", cause=f"{name} {what}", likely=True, fix=fix)
    cause = f"{settings.issuer} has no service account with the login name {quoted(settings.client_id, 60)}"
    candidates = (
        "it is misspelled, or is the user's display name",
        "the login name ends with @ and the organization's domain",
        "the user was removed, or belongs to another ZITADEL",
    )
    return Finding(id="user.unknown", cause=cause, candidates=candidates, fix=fix)


@rule(when=_says(NO_SECRET, WRONG_SECRET))
def _wrong_secret(case: UserCase) -> Finding:
    variable = case.settings.environment.setting(USER_SECRET)
    if case.description == NO_SECRET:
        fix = f"generate a secret on the user's page in ZITADEL, and give it as {variable}"
        person = Command("token --login", does="if that is a person: they log in instead")
        return Finding(id="user.no_secret", cause=f"{case.user} has no client secret", fix=(fix, person))
    if case.settings.client_secret == case.settings.environment.get("CLIENT_SECRET", "").strip():
        cause = f"{variable} is the client secret of the API application, not that of {case.user}"
        give = "give the user's own secret instead"
        return Finding(id="user.secret_of_application", cause=cause, fix=(give, NEW_SECRET))
    cause, copy = f"{variable} is not the client secret of {case.user}", "copy the secret again from where it is kept"
    if (size := len(case.settings.client_secret)) != SECRET_LENGTH:
        cause = f"{cause}, which has {SECRET_LENGTH} characters, not {size}"
        return Finding(id="user.wrong_secret", cause=cause, fix=(copy, NEW_SECRET))
    candidates = "a new one was generated since, which replaces the old one", "it is another user's"
    return Finding(id="user.wrong_secret", cause=cause, candidates=candidates, fix=(copy, NEW_SECRET))


def _other_refusal(case: UserCase) -> Finding | None:
    if case.settings.key is None and case.answer.status >= 500:
        return None
    cause = f"ZITADEL refuses {case.user} with a message that zdemo does not know"
    candidates = "this ZITADEL is of another version", "ZITADEL_DOMAIN names another authorization server"
    fix = "check ZITADEL_DOMAIN, the user's page in ZITADEL, and ZITADEL's log"
    return Finding(id="user.refused", cause=cause, candidates=candidates, fix=(fix,))


REFUSED_USER = table(
    _inactive,
    lambda case: by_emulator(case.evidence, "user"),
    _key_refused,
    _unknown,
    _wrong_secret,
    _other_refusal,
    when=lambda case: case.error != "" and case.answer.status >= 400 and case.description not in (*LOST, NO_CLIENT),
    seen=_seen,
)
