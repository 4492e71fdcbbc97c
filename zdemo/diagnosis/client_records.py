"""What an administrator's records decide about a refused client."""

from zdemo.diagnosis.admin_records import ClientRecords
from zdemo.diagnosis.cases import ClientCase
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.near_ids import rounds_to
from zdemo.diagnosis.phrases import LOOKED_UP
from zdemo.management.model import Application

KEY_METHODS = ("API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT", "OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT")
PUBLIC_METHOD = "OIDC_AUTH_METHOD_TYPE_NONE"
WRONG_SECRET = "CLIENT_SECRET is wrong: mistyped, cut off, or regenerated (rotated) since"  # noqa: S105  # a sentence
COPY_SECRET = "copy CLIENT_SECRET again from where it is kept (64 characters)"  # noqa: S105  # likewise
NEW_SECRET = "".join(
    (
        "only if the secret is lost: press Regenerate Client Secret on the application's page and set CLIENT_SECRET ",
        "to the new one; that breaks other deployments of the application",
    )
)
NEW_KEY = "create a new key on the application's page and set ZITADEL_KEY_FILE to its file"


def finding_for_client_records(case: ClientCase, *seen: tuple[str, str]) -> Finding | None:
    """Return why ZITADEL refuses a client, by what an administrator sees; ``None`` when that does not decide."""
    records = case.evidence.client_records
    if records is None:
        return None
    if app := records.application:
        wrong = _wrong_key if case.settings.key else _wrong_secret
        finding = _inactive(app, records, case) or _unfit_method(app, case) or wrong(app, records, case)
    else:
        finding = _no_application(records, case)
    return finding.and_seen((*seen, LOOKED_UP)) if finding else None


def uses_the_other_method(app: Application, *, with_key: bool) -> bool:
    """Return whether an application is registered for a key where a secret is used, or the reverse: both work."""
    return (app.method in KEY_METHODS) != with_key


def _no_application(records: ClientRecords, case: ClientCase) -> Finding:
    variable = "clientId in the key file" if case.settings.key else "CLIENT_ID"
    if records.instead:
        return Finding(
            id="client.is_another_id",
            cause=f"{case.refused}: {variable} is the ID of {records.instead}, not the client ID of an application",
            fix=(_right_id(records, case),),
            otherwise=("the client ID is on the application's page, under Configuration",),
        )
    if not records.whole_instance:
        return _not_visible(variable, case)
    if records.meant and not case.settings.key:
        return _nearly_right(records.meant, case)
    return Finding(
        id="client.unknown",
        cause=f"{case.refused}: no application has this client ID ({variable}): it is wrong, the application was "
        "deleted, or it belongs to another ZITADEL",
        fix=(f"set {case.settings.credential_variables} to those of an API application of this ZITADEL",),
        otherwise=("zdemo setup  (creates one)",),
    )


def _nearly_right(meant: Application, case: ClientCase) -> Finding:
    right = quoted(meant.client_id, 40)
    rounded = rounds_to(meant.client_id, case.settings.client_id)
    why = "it was rounded by a spreadsheet or by JSON, " if rounded else ""
    return Finding(
        id="client.unknown",
        cause=f"{case.refused}: no application has this client ID (CLIENT_ID): {why}did you mean {right} "
        f"({quoted(meant.name, 60)})?",
        fix=(f"CLIENT_ID={right}",),
        otherwise=(f"or, if another one is meant: set {case.settings.credential_variables} to its values",),
    )


def _right_id(records: ClientRecords, case: ClientCase) -> str:
    if case.settings.key:
        right = records.right or "the client ID of the application that keyId is a key of"
        return f"correct clientId in the file of ZITADEL_KEY_FILE: {right}"
    return f"set CLIENT_ID={records.right}" if records.right else "set CLIENT_ID to the client ID of an application"


def _not_visible(variable: str, case: ClientCase) -> Finding:
    """Decide nothing: an administrator of an organization sees only its applications."""
    return Finding(
        id="client.unknown",
        cause=f"{case.refused}, and no application that this administrator can see has this client ID ({variable})",
        candidates=(
            f"{variable} is wrong, or the application was deleted",
            "the application is in an organization that this administrator cannot see: it may be inactive there, or "
            f"{case.settings.credential_variables} may be wrong",
            "it belongs to another ZITADEL, or this one was recreated since",
        ),
        fix=(
            f"compare {case.settings.credential_variables} with the application's page in ZITADEL",
            "set ZITADEL_ADMIN_PAT to the PAT of an IAM_OWNER, who can see everything; then zdemo doctor shows which "
            "it is",
        ),
    )


def _inactive(app: Application, records: ClientRecords, case: ClientCase) -> Finding | None:
    states = (
        ("application", app, "", "its page in the project"),
        ("project", records.project, " of the application", "the project's page"),
        ("organization", records.organization, " of the application", "the organization's page"),
    )
    for kind, found, of, where in states:
        if found and not found.active:
            number = f" ({quoted(found.id, 40)})" if kind == "project" else ""
            return Finding(
                id=f"client.{kind}_inactive",
                cause=f"{case.refused}: the {kind} {quoted(found.name, 60)}{number}{of} is inactive (deactivated)",
                fix=(f"reactivate the {kind}: {where} in the Management Console, Actions, Reactivate",),
            )
    return None


def _unfit_method(app: Application, case: ClientCase) -> Finding | None:
    name = quoted(app.name, 60)
    if app.method == PUBLIC_METHOD:
        return Finding(
            id="client.is_public",
            cause=f"the application {name} is a public client (PKCE, authentication method none): it cannot introspect",
            fix=(
                "create an application of type API in the project, and set CLIENT_ID and CLIENT_SECRET to its values",
            ),
        )
    if app.method in KEY_METHODS and not case.settings.key:
        return Finding(
            id="client.key_only",
            cause=f"{case.refused}: the application {name} uses a key (authentication method private_key_jwt), "
            "but a client secret was sent (Basic)",
            fix=("create a key on the application's page, save its file, and set ZITADEL_KEY_FILE to it",),
            otherwise=(
                "or switch the application to Basic and set CLIENT_SECRET to the secret that ZITADEL then shows",
            ),
        )
    return None


def _wrong_key(app: Application, records: ClientRecords, case: ClientCase) -> Finding | None:
    if case.settings.key is None or records.keys is None:
        return None
    name = quoted(app.name, 60)
    key = next((key for key in records.keys if key.id == case.settings.key.key_id), None)
    if key is None:
        return Finding(
            id="client.key_deleted",
            cause=f"the key of ZITADEL_KEY_FILE is unknown: the application {name} does not list its keyId; it was "
            "deleted, or clientId or keyId in the file was changed",
            fix=(NEW_KEY,),
        )
    if key.has_expired(case.evidence.looked_up_at):
        cause = f"the key of ZITADEL_KEY_FILE has expired ({key.expires_text})"
        return Finding(id="client.key_expired", cause=cause, fix=(NEW_KEY,))
    if not records.all_visible:
        return None
    return Finding(
        id="client.key_differs",
        cause=f"the private key in the file of ZITADEL_KEY_FILE does not belong to its keyId: the application {name} "
        "lists that key, it has not expired, and application, project and organization are active",
        likely=True,
        fix=(NEW_KEY,),
    )


def _wrong_secret(app: Application, records: ClientRecords, case: ClientCase) -> Finding:
    name = quoted(app.name, 60)
    if not records.all_visible:  # an administrator of the project alone
        return Finding(
            id="client.refused",
            cause=f"{case.refused}: CLIENT_ID is right and the application {name} is active, but this administrator "
            "cannot see whether its project and organization are",
            candidates=(WRONG_SECRET, "the application's project or its organization is inactive (deactivated)"),
            fix=(COPY_SECRET,),
            otherwise=(
                NEW_SECRET,
                "if ZITADEL refuses that too: ask an ORG_OWNER or IAM_OWNER whether both are active",
            ),
            right=("CLIENT_ID",),
        )
    changed = " (the application was changed after it was created)" if app.changed_since_creation else ""
    return Finding(
        id="client.wrong_secret",
        cause=f"{case.refused}: {WRONG_SECRET}{changed}. CLIENT_ID is right: the application {name}, its project and "
        "its organization are active",
        fix=(COPY_SECRET,),
        otherwise=(NEW_SECRET,),
        right=("CLIENT_ID",),
    )
