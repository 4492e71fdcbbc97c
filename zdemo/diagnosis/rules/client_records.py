"""What an administrator's records, and the clocks, show about a client that ZITADEL refuses: mostly certain causes."""

from zdemo.diagnosis.evidence import ClientRecords, Evidence, Probe, TokenCase
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.odd_values import CERTAINLY_COPY_SECRET, odd_credentials
from zdemo.diagnosis.rules.rule import rule, table
from zdemo.diagnosis.wording import CLOCK_COMPARED, LOOKED_UP, SYNCHRONISE, Lines, clock_words
from zdemo.errors.steps import Command, SetVariable, Step, sentence
from zdemo.zitadel.client_assertion import CLOCK_LEEWAY_SECONDS, LIFETIME_SECONDS, audience_of
from zdemo.zitadel.records import Application

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
    return case.settings.key is not None


def has_secret(case: TokenCase) -> bool:
    """Return whether the API application uses a client secret."""
    return not has_key(case)


def refusal(case: TokenCase) -> str:
    """Return the refusal as the beginning of a sentence."""
    return f"ZITADEL refuses the API application's {'key (ZITADEL_KEY_FILE)' if has_key(case) else 'credentials'}"


# --- what is signed here (RFC 7523)


def assertions_are_refused(clock_ahead_seconds: float) -> bool:
    """Return whether ZITADEL refuses every assertion that is signed here, because the clocks differ so much."""
    return not -LIFETIME_SECONDS < clock_ahead_seconds <= CLOCK_LEEWAY_SECONDS + 1


def finding_for_clock(evidence: Evidence, signer: str) -> Finding | None:
    """Find assertions in the future or expired for ZITADEL; only likely: a proxy may have written the ``Date``."""
    ahead = evidence.clock_ahead_seconds
    if ahead is None or not assertions_are_refused(ahead):
        return None
    what = "in the future" if ahead > 0 else "expired already"
    return Finding(
        id="clock.skewed",
        cause=f"{clock_words(ahead)}: for ZITADEL, an assertion signed with {signer} is {what}",
        likely=True,
        seen=(CLOCK_COMPARED,),
        fix=(SYNCHRONISE,),
    )


def finding_for_audience(evidence: Evidence, zitadel_domain: str, signer: str, *, kind: str) -> Finding | None:
    """Find assertions that name another audience than ZITADEL's issuer, which it compares exactly."""
    issuer, audience = evidence.issuer, audience_of(zitadel_domain)
    if issuer in ("", audience):
        return None
    return Finding(
        id=f"{kind}.issuer_differs",
        cause=f"ZITADEL's issuer is {issuer}, but assertions signed with {signer} are for {audience} "
        "(ZITADEL_DOMAIN): ZITADEL accepts only assertions for its own issuer",
        seen=(("discovery", f"issuer {issuer}"),),
        fix=(SetVariable("ZITADEL_DOMAIN", issuer, does="if that answers from here"),),
        otherwise=(
            "let the proxy in front of ZITADEL pass Host unchanged, and send X-Forwarded-Proto (see ExternalSecure)",
        ),
    )


def clock_of(case: TokenCase) -> Finding | None:
    """Return the finding if ZITADEL refuses the key because of the clock."""
    return finding_for_clock(case.evidence, SIGNER) if has_key(case) else None


# --- what the administrator's PAT shows


def _finding(case: TokenCase, name: str, cause: str, fix: Step, *otherwise: Step) -> Finding:
    """Return a finding that is certain; if the clock is wrong as well, both need a fix."""
    clock = clock_of(case)
    return Finding(id=f"client.{name}", cause=cause, fix=(fix, *(clock.fix if clock else ())), otherwise=otherwise)


@rule(Probe.CLIENT_RECORDS)
def _by_records(case: TokenCase) -> Finding | None:
    records = case.evidence.client_records
    if records is None:
        return None
    if (app := records.application) is None:
        return _unknown(case, records)
    by_credentials = _wrong_key if has_key(case) else _wrong_secret
    return _inactive(case, records) or _public(case, app) or by_credentials(case, app, records)


def _inactive(case: TokenCase, records: ClientRecords) -> Finding | None:
    for kind, record in (
        ("application", records.application),
        ("project", records.project),
        ("organization", records.organization),
    ):
        if record and not record.active:
            number = f" ({quoted(record.id, 40)})" if kind == "project" else ""
            of = "" if kind == "application" else " of the application"
            cause = f"{refusal(case)}: the {kind} {quoted(record.name, 60)}{number}{of} is inactive (deactivated)"
            fix = f"reactivate the {kind}: its page in the Management Console, Actions, Reactivate"
            return _finding(case, f"{kind}_inactive", cause, fix)
    return None


def _public(case: TokenCase, app: Application) -> Finding | None:
    if app.method != PUBLIC_METHOD:
        return None
    what = "is a public client (PKCE, authentication method none): it cannot introspect"
    fix = "create an application of type API in the project, and set CLIENT_ID and CLIENT_SECRET to its values"
    return _finding(case, "is_public", f"the application {quoted(app.name, 60)} {what}", fix)


def _wrong_secret(case: TokenCase, app: Application, records: ClientRecords) -> Finding | None:
    name = f"the application {quoted(app.name, 60)}"
    if app.method in KEY_METHODS:
        return _finding(
            case,
            "key_only",
            f"{refusal(case)}: {name} uses a key (authentication method private_key_jwt), but a client secret was "
            "sent (Basic)",
            "create a key on the application's page, save its file, and set ZITADEL_KEY_FILE to it",
            "switch the application to Basic and set CLIENT_SECRET to the secret that ZITADEL then shows",
        )
    if not records.all_visible:  # an administrator of the project alone
        return None
    cause = (
        f"{refusal(case)}: CLIENT_SECRET is wrong: mistyped, cut off, or regenerated (rotated) since. CLIENT_ID is "
        f"right: {name}, its project and its organization are active"
    )
    return _finding(case, "wrong_secret", cause, CERTAINLY_COPY_SECRET, REGENERATE)


def _wrong_key(case: TokenCase, app: Application, records: ClientRecords) -> Finding | None:
    if records.keys is None or not case.settings.key:
        return None
    key = next((listed for listed in records.keys if listed.id == case.settings.key.key_id), None)
    if key is None:
        cause = (
            f"the key of ZITADEL_KEY_FILE is unknown: the application {quoted(app.name, 60)} does not list its keyId; "
            "it was deleted, or clientId or keyId in the file was changed"
        )
        return _finding(case, "key_deleted", cause, NEW_KEY)
    if key.has_expired(case.zitadels_now):
        return _finding(case, "key_expired", f"the key of ZITADEL_KEY_FILE has expired ({key.expires_text})", NEW_KEY)
    differs = Finding(
        id="client.key_differs",
        cause="the private key in the file of ZITADEL_KEY_FILE does not belong to its keyId: the application "
        f"{quoted(app.name, 60)} lists that key, it has not expired, and application, project and organization are "
        "active",
        likely=True,
        fix=(NEW_KEY,),
    )
    return clock_of(case) or (differs if records.all_visible else None)


def _unknown(case: TokenCase, records: ClientRecords) -> Finding:
    variables = case.settings.credential_variables
    variable = "clientId in the key file" if has_key(case) else "CLIENT_ID"
    if app := records.with_own_id:
        fix: Step = SetVariable("CLIENT_ID", app.client_id, certain=True)
        if has_key(case):
            fix = f"correct clientId in the file of ZITADEL_KEY_FILE: {app.client_id}"
        what = f"{variable} is the resource ID of the application {quoted(app.name, 60)}, not its client ID"
        return _finding(case, "is_another_id", f"{refusal(case)}: {what}", fix)
    if records.whole_instance:
        return _finding(
            case,
            "unknown",
            f"{refusal(case)}: no application has this client ID ({variable}): it is wrong, the application was "
            "deleted, or it belongs to another ZITADEL",
            f"set {variables} to those of an API application of this ZITADEL",
            Command("setup", does="creates one"),
        )
    see_all = "set ZITADEL_ADMIN_PAT to the PAT of an IAM_OWNER, who can see everything; then"
    return clock_of(case) or Finding(  # an administrator of an organization sees only its applications
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


def _seen(case: TokenCase) -> Lines:
    values = () if has_key(case) else odd_credentials(case.settings)
    clock = clock_of(case)
    return (*(("values", value.text) for value in values), LOOKED_UP, *((("clock", clock.cause),) if clock else ()))


BY_RECORDS = table(_by_records, seen=_seen)
