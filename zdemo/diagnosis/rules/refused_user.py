"""Why ZITADEL's token endpoint gives a service account no token: it says why for a secret, and never for a key."""

from collections.abc import Iterator
from dataclasses import dataclass

from zdemo.config.key_file import SERVICE_USER, SigningKey
from zdemo.config.settings import UserSettings
from zdemo.diagnosis.evidence import Evidence
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.rejected_client import USER_NOT_ACTIVE, finding_for_audience, finding_for_clock
from zdemo.diagnosis.rules.unusable_response import LOST, NO_CLIENT, database_away
from zdemo.diagnosis.token_form import ID_DIGITS, OLD_CLIENT_ID, SECRET_LENGTH
from zdemo.diagnosis.wording import span
from zdemo.errors.response import Response

NO_SECRET = "Errors.User.Machine.Secret.NotExisting"  # noqa: S105  # ZITADEL's words, not a secret
WRONG_SECRET = "Errors.User.Machine.Secret.Invalid"  # noqa: S105  # likewise
UNKNOWN = "client not found"
SIGNER = "the user's key"
KEY_REFUSED = ("invalid_grant", "server_error", "invalid_request", "invalid_client")  # the second before v4.14
NEW_SECRET = (  # a step of a fix
    "only if it is lost: press Actions, Generate Client Secret on the user's page; it breaks programs with the old one"  # noqa: S105  # a sentence
)


@dataclass(frozen=True, kw_only=True)
class UserCase:
    """A response of the token endpoint that refuses a service account; ``now`` is in epoch seconds."""

    answer: Response
    settings: UserSettings
    evidence: Evidence
    now: float

    @property
    def user(self) -> str:
        """The user in a sentence: by its login name, or by its ID if that is all that is known."""
        key = self.settings.key
        return f"the user {quoted(key.subject if key else self.settings.client_id, 60)}"


def finding_for_refused_user(case: UserCase) -> Finding | None:
    """Return why ZITADEL refuses a service account; ``None`` if the answer is not such a refusal of ZITADEL."""
    body = case.answer.json_object()
    error, description = str(body.get("error", "")), str(body.get("error_description", ""))
    finding = next(_refused(case, error, description), None)
    said = " ".join(filter(None, (quoted(error, 60), quoted(description))))
    return finding.and_seen((("ZITADEL", f"{case.answer.status}: {said}"),)) if finding else None


def _refused(case: UserCase, error: str, description: str) -> Iterator[Finding]:
    settings, key = case.settings, case.settings.key
    if description == USER_NOT_ACTIVE:
        yield Finding(
            id="user.inactive",
            cause=f"{case.user} is deactivated or locked",
            fix=("reactivate or unlock the user on its page in ZITADEL",),
        )
    if not error or case.answer.status < 400 or description in (*LOST, NO_CLIENT):
        return
    if key and error in KEY_REFUSED:
        yield from _refused_key(case, key)
    elif description == UNKNOWN:
        yield from _unknown(case)
    variable = settings.variables[1]
    if description == NO_SECRET:
        yield Finding(
            id="user.no_secret",
            cause=f"{case.user} has no client secret",
            fix=(f"generate one on the user's page in ZITADEL, and give it to zdemo token ({variable})",),
        )
    if description == WRONG_SECRET and settings.client_secret == settings.application[1]:
        yield Finding(
            id="user.secret_of_application",
            cause=f"{variable} is the client secret of the API application, not that of {case.user}",
            fix=("give the user's own secret instead", NEW_SECRET),
        )
    if description == WRONG_SECRET:
        yield Finding(
            id="user.wrong_secret",
            cause=f"{variable} is not the client secret of {case.user}",
            candidates=(
                f"it was not copied whole: a whole one has {SECRET_LENGTH} characters",
                "a new one was generated since, which replaces the old one",
                "it is another user's",
            ),
            fix=("copy the secret again from where it is kept", NEW_SECRET),
        )
    if key or case.answer.status < 500:
        yield Finding(
            id="user.refused",
            cause=f"ZITADEL refuses {case.user} with a message that zdemo does not know",
            candidates=("this ZITADEL is of another version", "ZITADEL_DOMAIN names another authorization server"),
            fix=("check ZITADEL_DOMAIN and the user's page in ZITADEL; ZITADEL's log may say more",),
        )


def _unknown(case: UserCase) -> Iterator[Finding]:
    """Yield why there is no service account with this login name."""
    settings, id_variable = case.settings, case.settings.variables[0]
    right = f"set {id_variable} to the login name of a service account: its page in ZITADEL shows it as Client ID"
    if case.evidence.database_away:  # then ZITADEL answers good credentials like bad ones
        yield database_away(settings.zitadel.server)
    if settings.client_id == settings.application[0]:
        yield Finding(
            id="user.is_application",
            cause=f"{id_variable} is the client ID of the API application, and an API application gets no tokens: it "
            "only checks other tokens",
            fix=(right,),
        )
    if ID_DIGITS.fullmatch(settings.client_id) or OLD_CLIENT_ID.fullmatch(settings.client_id):
        yield Finding(
            id="user.is_id",
            cause=f"{id_variable} is the ID of a user or an application; ZITADEL knows a service account here only by "
            "its login name",
            likely=True,
            fix=(right,),
        )
    yield Finding(
        id="user.unknown",
        cause=f"{settings.issuer} has no service account with the login name {quoted(settings.client_id, 60)}",
        candidates=(
            "it is misspelled, or is the user's display name",
            "the login name ends with @ and the organization's domain",
            "the user was removed, or belongs to another ZITADEL",
        ),
        fix=(right,),
    )


def _refused_key(case: UserCase, key: SigningKey) -> Iterator[Finding]:
    yield from finding_for_audience(case.evidence, case.settings.issuer, SIGNER, kind="user")
    yield from finding_for_clock(case.evidence, SIGNER)
    zitadels_now = case.now - (case.evidence.clock_ahead_seconds or 0)
    if key.expires_at is not None and key.expires_at <= zitadels_now:
        yield Finding(
            id="user.key_expired",
            cause=f"the key expired {span(zitadels_now - key.expires_at)} ago, according to its file",
            fix=(SERVICE_USER.new_key,),
        )
    if case.evidence.database_away:
        yield database_away(case.settings.zitadel.server)
    key_id = f"key {key.key_id}" if ID_DIGITS.fullmatch(key.key_id) else "the key"
    yield Finding(
        id="user.key_refused",
        cause=f"ZITADEL refuses the key of {case.user}, and never says why",
        candidates=(
            f"{key_id} was deleted in ZITADEL, or has expired",
            "the user was removed",
            "the key file belongs to another ZITADEL, or this one was recreated since",
            "userId or keyId in the key file was changed",
        ),
        fix=(
            f"check on the user's page in ZITADEL that it lists {key_id}, and when that expires",
            SERVICE_USER.new_key,
        ),
    )
