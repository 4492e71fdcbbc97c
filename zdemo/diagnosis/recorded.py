"""What an administrator's records decide: which of the causes of a refused client or a dead PAT it is."""

from __future__ import annotations

from collections.abc import Callable

from zdemo.config import Settings
from zdemo.diagnosis.findings import Certainty, Finding, quoted
from zdemo.diagnosis.records import ApplicationRecord, ClientRecords, KeyRecord, PatRecords

KEY_METHODS = ("API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT", "OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT")
PUBLIC_METHOD = "OIDC_AUTH_METHOD_TYPE_NONE"
SWITCHED_OFF = ("user.deactivated", "user.locked")
LOOKED_UP = ("records", "looked up with ZITADEL_ADMIN_PAT")

REFUSED = "ZITADEL refuses the API application's credentials"

Lines = tuple[tuple[str, str], ...]


def _refused(settings: Settings) -> str:
    return "ZITADEL refuses the API application's key" if settings.key else REFUSED


def finding_for_client_records(
    records: ClientRecords | None, settings: Settings, seen: Lines, *, now: float
) -> Finding | None:
    """Why ZITADEL refuses a client, by what an administrator sees; ``None`` when that does not decide."""
    if records is None:
        return None
    seen = (*seen, LOOKED_UP)
    if records.application is None:
        return _no_application(records, settings, seen)
    for rule in (_inactive, _unfit_method, _key_gone):
        if found := rule(records.application, settings, seen, now):
            return found
    return None if settings.key else _wrong_secret(records.application, seen)


def _no_application(records: ClientRecords, settings: Settings, seen: Lines) -> Finding:
    variable = "clientId in the key file" if settings.key else "CLIENT_ID"
    if records.instead:
        fix = f"set CLIENT_ID={records.right}" if records.right else "set CLIENT_ID to the client ID of an application"
        return Finding(
            id="client.is_another_id",
            cause=f"{_refused(settings)}: {variable} is the ID of {records.instead}, "
            "not the client ID of an application",
            seen=seen,
            fix=(fix, "the client ID stands on the application's page, under Configuration"),
        )
    where = "" if records.whole_instance else " that this administrator may see"
    return Finding(
        id="client.unknown",
        cause=f"{_refused(settings)}: no application{where} has this client ID ({variable}): it is wrong, the "
        "application was deleted, or it is another ZITADEL's",
        certainty=Certainty.CERTAIN if records.whole_instance else Certainty.LIKELY,
        seen=seen,
        fix=(
            f"set {settings.credential_variables} to those of an API application of this ZITADEL",
            "zdemo setup          (makes one)",
        ),
    )


def _inactive(app: ApplicationRecord, settings: Settings, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    project = f"project {quoted(app.project_name, 60)} ({quoted(app.project_id, 40)})"
    organization = f"organization {quoted(app.organization_name, 60)}"
    states = (
        ("application", app.active, f"application {quoted(app.name, 60)}", "its page in the project"),
        ("project", app.project_active, f"{project} of the application", "the project's page"),
        ("organization", app.organization_active, f"{organization} of the application", "the organization's page"),
    )
    for kind, active, what, where in states:
        if active is False:
            return Finding(
                id=f"client.{kind}_inactive",
                cause=f"{_refused(settings)}: the {what} is inactive (deactivated)",
                seen=seen,
                fix=(f"activate the {kind} again: {where} in ZITADEL's console, Actions, Reactivate",),
            )
    return None


def _unfit_method(app: ApplicationRecord, settings: Settings, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    name = quoted(app.name, 60)
    if app.method == PUBLIC_METHOD:
        return Finding(
            id="client.is_public",
            cause=f"the application {name} is a public client (PKCE, authentication method none): it cannot introspect",
            seen=seen,
            fix=("create an application of type API in the project, and set CLIENT_ID and CLIENT_SECRET to its own",),
        )
    if app.method in KEY_METHODS and not settings.key:
        return Finding(
            id="client.key_only",
            cause=f"{_refused(settings)}: the application {name} uses a key (authentication method private_key_jwt), "
            "and a client secret was sent (Basic)",
            seen=seen,
            fix=(
                "create a key on the application's page, save its file, and set ZITADEL_KEY_FILE to it",
                "or switch the application to Basic and set CLIENT_SECRET to the secret that it then shows",
            ),
        )
    return None


def uses_the_other_method(app: ApplicationRecord, *, with_key: bool) -> bool:
    """Whether an application is registered for a key where we use a secret, or the reverse (ZITADEL takes both)."""
    return (app.method in KEY_METHODS) != with_key


def _key_gone(app: ApplicationRecord, settings: Settings, seen: Lines, now: float) -> Finding | None:
    if settings.key is None or app.keys is None:
        return None
    mine = next((key for key in app.keys if key.id == settings.key.key_id), None)
    if mine is None:
        cause = "the key of ZITADEL_KEY_FILE is unknown: the application does not list its keyId, so it was deleted"
        return _key_finding("client.key_deleted", cause, seen)
    if _is_over(mine, now):
        return _key_finding("client.key_expired", f"the key of ZITADEL_KEY_FILE has expired ({mine.expires})", seen)
    return None


def _key_finding(name: str, cause: str, seen: Lines) -> Finding:
    fix = "create a new key on the application's page and set ZITADEL_KEY_FILE to its file"
    return Finding(id=name, cause=cause, seen=seen, fix=(fix,))


def _is_over(record: KeyRecord, now: float) -> bool:
    return record.expires_at is not None and record.expires_at <= now


def _wrong_secret(app: ApplicationRecord, seen: Lines) -> Finding | None:
    if app.project_active is None or app.organization_active is None:
        return None
    changed = " (the application was changed since it was made)" if app.changed_since_creation else ""
    return Finding(
        id="client.wrong_secret",
        cause=f"{REFUSED}: CLIENT_SECRET is wrong: mistyped, cut off, or regenerated (rotated) since{changed}. "
        f"CLIENT_ID is right: the application {quoted(app.name, 60)}, its project and its organization are active",
        seen=seen,
        fix=("generate a new client secret on the application's page and set CLIENT_SECRET to it",),
    )


def finding_for_pat_records(records: PatRecords | None, seen: Lines, *, now: float) -> Finding | None:
    """Why a PAT is dead, by what an administrator sees; ``None`` when that does not decide."""
    if records is None:
        return None
    return next((found for rule in _PAT_RULES if (found := rule(records, (*seen, LOOKED_UP), now))), None)


def _removed(records: PatRecords, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    if records.state != "REMOVED":
        return None
    event = records.last("user.removed")
    was_here = bool(records.events)
    return Finding(
        id="token.user_removed",
        cause=f"the token's user ({records.user}) was removed{_when(event.when if event else '')}: no such user exists"
        if was_here
        else f"there is no such user here ({records.user}): it was removed, or is another (or a recreated) ZITADEL's",
        certainty=Certainty.CERTAIN if was_here else Certainty.LIKELY,
        seen=seen,
        fix=("use a PAT of another user; zdemo setup makes users and PATs anew",),
    )


def _off(records: PatRecords, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    words = {"INACTIVE": ("deactivated (inactive)", "reactivate"), "LOCKED": ("locked", "unlock")}.get(records.state)
    if words is None:
        return None
    state, again = words
    event = records.last(*SWITCHED_OFF)
    return Finding(
        id="token.user_locked" if records.state == "LOCKED" else "token.user_deactivated",
        cause=f"the token's user {records.user} is {state}{_when(event.when if event else '')}; its tokens died then, "
        "for good",
        seen=seen,
        fix=(f"{again} the user and create a new PAT: to {again} alone does not bring the old one back",),
    )


def _deleted(records: PatRecords, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    if not records.pat_id or records.pats is None or records.pat is not None:
        return None
    event = records.last("user.pat.removed", pat_id=records.pat_id)
    was_here = records.events is None or records.last("user.pat.added", "user.pat.removed", pat_id=records.pat_id)
    return Finding(
        id="token.deleted",
        cause=f"the PAT was deleted{_when(event.when if event else '')}: its user {records.user} is active, and does "
        "not have it any more"
        if was_here
        else f"the PAT is not among those of its user {records.user}, and nothing is on record about it: it is another "
        "ZITADEL's, or was deleted long ago",
        certainty=Certainty.CERTAIN if was_here else Certainty.LIKELY,
        seen=seen,
        fix=(f"create a new PAT for {records.user} and set PAT to it",),
    )


def _expired(records: PatRecords, seen: Lines, now: float) -> Finding | None:
    if records.pat is None or not _is_over(records.pat, now):
        return None
    return Finding(
        id="token.expired",
        cause=f"the PAT has expired, at {records.pat.expires}",
        seen=seen,
        fix=(f"create a new PAT for {records.user}, with a later date, and set PAT to it",),
    )


def _off_and_on_again(records: PatRecords, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    if records.pat is None:
        return None
    added = records.last("user.pat.added", pat_id=records.pat_id)
    off = records.last(*SWITCHED_OFF)
    if off is None or (added and off.sequence < added.sequence):
        return None
    what = "locked" if off.type == "user.locked" else "deactivated"
    return Finding(
        id="token.user_was_off",
        cause=f"the token's user {records.user} was {what}{_when(off.when)} and is active again: PATs from before stay "
        "dead, though ZITADEL lists them",
        seen=seen,
        fix=(f"create a new PAT for {records.user} and set PAT to it",),
    )


def _another_text(records: PatRecords, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    if records.pat is None:
        return None
    known = records.events is not None
    return Finding(
        id="token.another_text",
        cause=f"the PAT that was written down is good ({records.user}'s, listed, not expired), so the text in PAT is "
        "not that PAT"
        if known
        else f"the PAT that was written down is listed and not expired, and its user {records.user} is active",
        certainty=Certainty.LIKELY if known else Certainty.OPEN,
        candidates=()
        if known
        else (
            "its user was deactivated or locked in between: PATs from before stay dead",
            "the text in PAT is not that PAT: changed, cut, or of another ZITADEL",
        ),
        seen=seen,
        fix=(f"copy the whole PAT once more, or create a new PAT for {records.user}; either mends it",),
    )


def _some_pat_of_a_user(records: PatRecords, seen: Lines, now: float) -> Finding | None:
    """It is not known which of the user's PATs it is; the user is active."""
    if records.pat_id or records.pats is None:
        return None
    over = [pat.expires for pat in records.pats if _is_over(pat, now)]
    gone, off = records.last("user.pat.removed"), records.last(*SWITCHED_OFF)
    candidates = [
        *([f"it has expired: the user has one that did ({', '.join(over[:3])})"] if over else []),
        *([f"it was deleted: the user had one that was{_when(gone.when)}"] if gone else []),
        *([f"its user was switched off{_when(off.when)}: PATs from before stay dead"] if off else []),
        *([] if gone else ["it was deleted"]),
        "it belongs to another user or another ZITADEL, or a character of it was changed",
    ]
    return Finding(
        id="token.dead",
        cause=f"the PAT is not valid here; its user {records.user} is active",
        certainty=Certainty.OPEN,
        candidates=tuple(candidates),
        seen=seen,
        fix=(f"create a new PAT for {records.user}; that mends all of them",),
    )


def _when(moment: str) -> str:
    return f" at {moment}" if moment else ""


_PAT_RULES: tuple[Callable[[PatRecords, Lines, float], Finding | None], ...] = (
    _removed,
    _off,
    _deleted,
    _expired,
    _off_and_on_again,
    _another_text,
    _some_pat_of_a_user,
)
