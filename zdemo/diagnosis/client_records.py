"""What an administrator's records decide about a refused client: which of the causes it is."""

from __future__ import annotations

from dataclasses import replace

from zdemo.config.settings import Settings
from zdemo.diagnosis.admin_records import ApplicationRecord, ClientRecords
from zdemo.diagnosis.finding import Certainty, Finding, quoted

KEY_METHODS = ("API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT", "OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT")
PUBLIC_METHOD = "OIDC_AUTH_METHOD_TYPE_NONE"
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
        return Finding(
            id="client.is_another_id",
            cause=f"{_refused(settings)}: {variable} is the ID of {records.instead}, "
            "not the client ID of an application",
            seen=seen,
            fix=(
                _right_id(records, settings),
                "the client ID stands on the application's page, under Configuration",
            ),
        )
    if not records.whole_instance:
        return _not_among_those_seen(variable, settings, seen)
    return Finding(
        id="client.unknown",
        cause=f"{_refused(settings)}: no application has this client ID ({variable}): it is wrong, the "
        "application was deleted, or it is another ZITADEL's",
        seen=seen,
        fix=(
            f"set {settings.credential_variables} to those of an API application of this ZITADEL",
            "zdemo setup          (makes one)",
        ),
    )


def _right_id(records: ClientRecords, settings: Settings) -> str:
    if settings.key:
        right = records.right or "the client ID of the application that keyId is a key of"
        return f"correct clientId in the file of ZITADEL_KEY_FILE: {right}"
    return f"set CLIENT_ID={records.right}" if records.right else "set CLIENT_ID to the client ID of an application"


def _not_among_those_seen(variable: str, settings: Settings, seen: Lines) -> Finding:
    """An administrator of an organization sees its applications only, so that nothing follows about the client."""
    return Finding(
        id="client.unknown",
        cause=f"{_refused(settings)}, and no application that this administrator may see has this client ID "
        f"({variable})",
        certainty=Certainty.OPEN,
        candidates=(
            f"{variable} is wrong, or the application was deleted",
            "the application is in an organization that this administrator cannot see: there it may be inactive, or "
            f"{settings.credential_variables} may be wrong",
            "it is another ZITADEL's, or this one was recreated since",
        ),
        seen=seen,
        fix=(
            f"compare {settings.credential_variables} with the application's page in ZITADEL",
            "with the PAT of an IAM_OWNER, who sees all, in ZITADEL_ADMIN_PAT, zdemo doctor tells which it is",
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
        cause = (
            f"the key of ZITADEL_KEY_FILE is unknown: the application {quoted(app.name, 60)} does not list its keyId; "
            "it was deleted, or clientId or keyId in the file was changed"
        )
        return _key_finding("client.key_deleted", cause, seen)
    if mine.is_over(now):
        return _key_finding("client.key_expired", f"the key of ZITADEL_KEY_FILE has expired ({mine.expires})", seen)
    if app.project_active is None or app.organization_active is None:
        return None
    cause = (
        "the private key in the file of ZITADEL_KEY_FILE is not that of its keyId: the application "
        f"{quoted(app.name, 60)} lists this one, not expired, and all that it stands in is active"
    )
    return replace(_key_finding("client.key_differs", cause, seen), certainty=Certainty.LIKELY)


def _key_finding(name: str, cause: str, seen: Lines) -> Finding:
    fix = "create a new key on the application's page and set ZITADEL_KEY_FILE to its file"
    return Finding(id=name, cause=cause, seen=seen, fix=(fix,))


def _wrong_secret(app: ApplicationRecord, seen: Lines) -> Finding | None:
    if app.project_active is None or app.organization_active is None:
        return _secret_or_unseen(app, seen)
    changed = " (the application was changed since it was made)" if app.changed_since_creation else ""
    return Finding(
        id="client.wrong_secret",
        cause=f"{REFUSED}: CLIENT_SECRET is wrong: mistyped, cut off, or regenerated (rotated) since{changed}. "
        f"CLIENT_ID is right: the application {quoted(app.name, 60)}, its project and its organization are active",
        seen=seen,
        fix=("generate a new client secret on the application's page and set CLIENT_SECRET to it",),
    )


def _secret_or_unseen(app: ApplicationRecord, seen: Lines) -> Finding:
    """An administrator of the project alone does not see the organization."""
    return Finding(
        id="client.refused",
        cause=f"{REFUSED}: CLIENT_ID is right, the application {quoted(app.name, 60)} is active, and whether all that "
        "it stands in is active this administrator may not see",
        certainty=Certainty.OPEN,
        candidates=(
            "CLIENT_SECRET is wrong: mistyped, cut off, or regenerated (rotated) since",
            "the application's project or its organization is inactive (deactivated)",
        ),
        seen=seen,
        fix=(
            "generate a new client secret on the application's page and set CLIENT_SECRET to it",
            "if that is refused too: let an ORG_OWNER or IAM_OWNER look whether project and organization are active",
        ),
    )
