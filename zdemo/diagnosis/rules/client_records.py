"""What an administrator's records show about a client that ZITADEL refuses: they make most causes certain."""

from zdemo.diagnosis.evidence import ClientRecords, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.odd_values import CERTAINLY_COPY_SECRET, odd_credentials
from zdemo.diagnosis.rules.refused_assertion import finding_for_clock
from zdemo.diagnosis.rules.rule import rule, table
from zdemo.diagnosis.token_case import TokenCase, settings_of
from zdemo.diagnosis.wording import LOOKED_UP, Lines
from zdemo.errors.steps import Command, SetVariable, Step, sentence
from zdemo.zitadel.records import Application, Credential, Organization, Project

SIGNER = "the key of ZITADEL_KEY_FILE"
KEY_METHODS = ("API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT", "OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT")
PUBLIC_METHOD = "OIDC_AUTH_METHOD_TYPE_NONE"
NEW_KEY = "create a new key on the application's page and set ZITADEL_KEY_FILE to its file"
REGENERATE = (
    "only if the secret is lost: press Regenerate Client Secret on the application's page and set CLIENT_SECRET "
    "to the new one; that breaks other deployments of the application"
)


def has_key(case: TokenCase) -> bool:
    """Return whether the API application uses a key."""
    return settings_of(case).key is not None


def has_secret(case: TokenCase) -> bool:
    """Return whether the API application uses a client secret."""
    return not has_key(case)


def refusal(case: TokenCase) -> str:
    """Return the refusal as the beginning of a sentence."""
    return f"ZITADEL refuses the API application's {'key (ZITADEL_KEY_FILE)' if has_key(case) else 'credentials'}"


def clock_of(case: TokenCase) -> Finding | None:
    """Return the finding if ZITADEL refuses the key because of the clock."""
    return finding_for_clock(case.evidence, SIGNER) if has_key(case) else None


def _records(case: TokenCase) -> ClientRecords:
    return case.evidence.client_records or ClientRecords()


def _lines(case: TokenCase) -> Lines:
    values = () if has_key(case) else odd_credentials(settings_of(case))
    clock = clock_of(case)
    return (*(("values", value.text) for value in values), LOOKED_UP, *((("clock", clock.cause),) if clock else ()))


def _certain(case: TokenCase, name: str, cause: str, fix: Step, *otherwise: Step) -> Finding:
    """Return a finding that is certain; if the clock is wrong as well, both need a fix."""
    clock = clock_of(case)
    return Finding(id=f"client.{name}", cause=cause, fix=(fix, *(clock.fix if clock else ())), otherwise=otherwise)


@rule(Probe.CLIENT_RECORDS)
def _inactive(case: TokenCase) -> Finding | None:
    records = _records(case)
    states: tuple[tuple[str, Application | Project | Organization | None, str, str], ...] = (
        ("application", records.application, "", "its page in the project"),
        ("project", records.project, " of the application", "the project's page"),
        ("organization", records.organization, " of the application", "the organization's page"),
    )
    for kind, record, of, where in states:
        if record and not record.active:
            number = f" ({quoted(record.id, 40)})" if kind == "project" else ""
            cause = f"{refusal(case)}: the {kind} {quoted(record.name, 60)}{number}{of} is inactive (deactivated)"
            fix = f"reactivate the {kind}: {where} in the Management Console, Actions, Reactivate"
            return _certain(case, f"{kind}_inactive", cause, fix)
    return None


@rule(Probe.CLIENT_RECORDS)
def _is_public(case: TokenCase) -> Finding | None:
    app = _records(case).application
    if app is None or app.method != PUBLIC_METHOD:
        return None
    what = "is a public client (PKCE, authentication method none): it cannot introspect"
    fix = "create an application of type API in the project, and set CLIENT_ID and CLIENT_SECRET to its values"
    return _certain(case, "is_public", f"the application {quoted(app.name, 60)} {what}", fix)


@rule(Probe.CLIENT_RECORDS, when=has_secret)
def _key_only(case: TokenCase) -> Finding | None:
    app = _records(case).application
    if app is None or app.method not in KEY_METHODS:
        return None
    return _certain(
        case,
        "key_only",
        f"{refusal(case)}: the application {quoted(app.name, 60)} uses a key (authentication method private_key_jwt), "
        "but a client secret was sent (Basic)",
        "create a key on the application's page, save its file, and set ZITADEL_KEY_FILE to it",
        "switch the application to Basic and set CLIENT_SECRET to the secret that ZITADEL then shows",
    )


@rule(Probe.CLIENT_RECORDS, when=has_secret)
def _wrong_secret(case: TokenCase) -> Finding | None:
    app = _records(case).application
    if app is None or not _records(case).all_visible:  # an administrator of the project alone
        return None
    return _certain(
        case,
        "wrong_secret",
        f"{refusal(case)}: CLIENT_SECRET is wrong: mistyped, cut off, or regenerated (rotated) since. CLIENT_ID is "
        f"right: the application {quoted(app.name, 60)}, its project and its organization are active",
        CERTAINLY_COPY_SECRET,
        REGENERATE,
    )


def _key_of(case: TokenCase) -> Credential | None:
    """Return the key of the key file, if the application lists it."""
    key = settings_of(case).key
    return next((listed for listed in _records(case).keys or () if key and listed.id == key.key_id), None)


@rule(Probe.CLIENT_RECORDS, when=has_key)
def _key_deleted(case: TokenCase) -> Finding | None:
    app = _records(case).application
    if app is None or _records(case).keys is None or _key_of(case):
        return None
    cause = (
        f"the key of ZITADEL_KEY_FILE is unknown: the application {quoted(app.name, 60)} does not list its keyId; it "
        "was deleted, or clientId or keyId in the file was changed"
    )
    return _certain(case, "key_deleted", cause, NEW_KEY)


@rule(Probe.CLIENT_RECORDS, when=has_key)
def _key_expired(case: TokenCase) -> Finding | None:
    key = _key_of(case)
    if key is None or not key.has_expired(case.evidence.looked_up_at):
        return None
    return _certain(case, "key_expired", f"the key of ZITADEL_KEY_FILE has expired ({key.expires_text})", NEW_KEY)


@rule(Probe.CLIENT_RECORDS, when=has_key)
def _key_differs(case: TokenCase) -> Finding | None:
    app = _records(case).application
    if app is None or not _key_of(case) or not _records(case).all_visible:
        return None
    return Finding(
        id="client.key_differs",
        cause="the private key in the file of ZITADEL_KEY_FILE does not belong to its keyId: the application "
        f"{quoted(app.name, 60)} lists that key, it has not expired, and application, project and organization are "
        "active",
        likely=True,
        fix=(NEW_KEY,),
    )


def _id_variable(case: TokenCase) -> str:
    return "clientId in the key file" if has_key(case) else "CLIENT_ID"


@rule(Probe.CLIENT_RECORDS)
def _is_another_id(case: TokenCase) -> Finding | None:
    app = _records(case).with_own_id
    if app is None:
        return None
    fix: Step = SetVariable("CLIENT_ID", app.client_id, certain=True)
    if has_key(case):
        fix = f"correct clientId in the file of ZITADEL_KEY_FILE: {app.client_id}"
    what = f"{_id_variable(case)} is the resource ID of the application {quoted(app.name, 60)}, not its client ID"
    return _certain(case, "is_another_id", f"{refusal(case)}: {what}", fix)


@rule(Probe.CLIENT_RECORDS)
def _unknown(case: TokenCase) -> Finding | None:
    if _records(case).application or not _records(case).whole_instance:
        return None
    return _certain(
        case,
        "unknown",
        f"{refusal(case)}: no application has this client ID ({_id_variable(case)}): it is wrong, the application was "
        "deleted, or it belongs to another ZITADEL",
        f"set {settings_of(case).credential_variables} to those of an API application of this ZITADEL",
        Command("setup", does="creates one"),
    )


@rule(Probe.CLIENT_RECORDS)
def _not_visible(case: TokenCase) -> Finding | None:
    """An administrator of an organization sees only its applications."""
    if case.evidence.client_records is None or _records(case).application:
        return None
    variable, variables = _id_variable(case), settings_of(case).credential_variables
    see_all = "set ZITADEL_ADMIN_PAT to the PAT of an IAM_OWNER, who can see everything; then"
    return Finding(
        id="client.unknown",
        cause=f"{refusal(case)}, and no application that this administrator can see has this client ID ({variable})",
        candidates=(
            f"{variable} is wrong, or the application was deleted",
            "the application is in an organization that this administrator cannot see: it may be inactive there, or "
            f"{variables} may be wrong",
            "it belongs to another ZITADEL, or this one was recreated since",
        ),
        fix=(
            f"compare {variables} with the application's page in ZITADEL",
            sentence(see_all, Command("doctor"), "shows which it is"),
        ),
    )


CERTAIN_BY_RECORDS = table(
    _inactive,
    _is_public,
    _key_only,
    _wrong_secret,
    _key_deleted,
    _key_expired,
    _is_another_id,
    _unknown,
    seen=_lines,
)
UNCERTAIN_BY_RECORDS = table(_key_differs, _not_visible, seen=_lines)
