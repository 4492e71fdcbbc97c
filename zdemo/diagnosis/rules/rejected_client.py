"""Why ZITADEL refuses the API application's secret or key: it never says why, so most of it stays open.

With what an administrator's records show, most causes are certain.
"""

from dataclasses import replace

from zdemo.config.key_file import ApplicationKey
from zdemo.diagnosis.cases import ClientCase
from zdemo.diagnosis.evidence import ClientRecords, Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.phrases import (
    CLOCK_COMPARED,
    CLOCK_TOLERANCE_SECONDS,
    LOOKED_UP,
    SYNCHRONISE,
    Lines,
    clock_words,
    url,
)
from zdemo.diagnosis.rules.odd_values import SWAPPED, TOKEN_SWAPPED, are_token_and_secret_swapped, odd_values
from zdemo.diagnosis.rules.token_form import ID_DIGITS, SECRET_LENGTH, TokenKind, paste_error, token_form
from zdemo.zitadel.client_assertion import CLOCK_LEEWAY_SECONDS, LIFETIME_SECONDS, audience_of
from zdemo.zitadel.records import Application

SERVICE_USER = "Errors.User.Machine.Secret."  # ZITADEL: the login name is right, its secret is wrong or missing
SWAPPED_WITH_TOKEN = "client.swapped_with_token"  # noqa: S105  # an ID, not a secret
USER_NOT_ACTIVE = "Errors.User.NotActive"
SIGNER = "the key of ZITADEL_KEY_FILE"
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


def finding_for_credentials(case: ClientCase) -> Finding:
    """Return the finding for an answer that refuses the client ID and secret, or the key."""
    key = case.settings.key
    finding = _not_as_zitadel_refuses(case) or (_refused_key(case, key) if key else _refused_secret(case))
    return finding.and_seen(case.seen)


def _refused_secret(case: ClientCase) -> Finding:
    odd = _odd_credentials(case.settings.client_secret, _values(case))
    finding = _service_user(case) or _by_their_form(case) or _everything_refused(case)
    return finding or finding_for_client_records(case, *(("values", text) for text in odd)) or _open(case, odd)


def _refused_key(case: ClientCase, key: ApplicationKey) -> Finding:
    issuer_differs = finding_for_audience(case.evidence, case.settings.issuer, SIGNER, kind="client")
    return issuer_differs or _everything_refused(case) or _recorded_or_clock(case) or _open_for_key(case, key)


def _not_as_zitadel_refuses(case: ClientCase) -> Finding | None:
    if case.answer.status == 400:
        return None
    variables = case.settings.credential_variables
    return Finding(
        id="client.refused",
        cause=f"the server at {url(case.answer).netloc} refuses the API application's credentials with "
        f"{case.answer.status}, but ZITADEL v4 refuses them with 400",
        candidates=(
            "a proxy or gateway in front of ZITADEL that requires credentials of its own",
            f"{case.answer.setting} names another authorization server",
            f"another version of ZITADEL, and wrong values in {variables}",
        ),
        fix=(
            f"let the proxy pass /oauth/v2/introspect, and check {case.answer.setting}",
            f"compare {variables} with the application's page in ZITADEL",
        ),
    )


def _service_user(case: ClientCase) -> Finding | None:
    """Find a service account's login name and secret: the token endpoint accepts only those (RFC 6749 §4.4)."""
    reply = case.evidence.answer(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT)
    if reply is None:
        return None
    description = str(reply.json_object().get("error_description", ""))
    accepted = reply.status == 200 and "access_token" in reply.json_object()
    if not accepted and not description.startswith((SERVICE_USER, USER_NOT_ACTIVE)):
        return None
    what = "accepts them as a service account's" if accepted else f"answers {quoted(description)}"
    return Finding(
        id="client.is_service_user",
        cause="CLIENT_ID and CLIENT_SECRET are those of a service account; introspection needs an API application's",
        seen=(("token endpoint", f"{what} ({reply.status})"),),
        fix=("set CLIENT_ID and CLIENT_SECRET to those of the API application: its page in the project shows the ID",),
        otherwise=("only if it has no secret yet, or the secret is lost: press Regenerate Client Secret there",),
    )


def _by_their_form(case: ClientCase) -> Finding | None:
    if are_token_and_secret_swapped(case.evidence.token_kind, case.settings.client_secret):
        return Finding(id=SWAPPED_WITH_TOKEN, cause=TOKEN_SWAPPED.what, likely=True, fix=(TOKEN_SWAPPED.fix,))
    odd = next((odd for odd in odd_values(_values(case)) if odd.fatal), None)
    if odd is None:
        return None
    name = "client.swapped" if odd == SWAPPED else "client.misplaced"
    return Finding(id=name, cause=odd.what, likely=True, fix=(odd.fix,))


def _everything_refused(case: ClientCase) -> Finding | None:
    """Find that all three are refused: the only thing they have in common is the instance that created them."""
    if not case.evidence.token_is_dead or not case.evidence.administrator_is_dead:
        return None
    return Finding(
        id="client.other_instance",
        cause="everything is refused at once: the application's credentials, PAT and ZITADEL_ADMIN_PAT. This ZITADEL "
        "was recreated (its data was deleted) since they were created, or they belong to another instance",
        likely=True,
        seen=(("administrator", "userinfo refuses ZITADEL_ADMIN_PAT as well (401)"),),
        fix=("set ZITADEL_ADMIN_PAT to the new administrator's PAT; then zdemo setup creates all the others again",),
        otherwise=(f"or correct {case.answer.setting}, if another ZITADEL is meant",),
    )


def _recorded_or_clock(case: ClientCase) -> Finding | None:
    """Prefer what an administrator sees for certain to the clock, which is only likely; both may need a fix."""
    recorded, clock = finding_for_client_records(case), finding_for_clock(case.evidence, SIGNER)
    if recorded is None or clock is None or recorded.certainty is not Certainty.CERTAIN:
        return clock or recorded
    return replace(recorded, seen=(*recorded.seen, ("clock", clock.cause)), fix=(*recorded.fix, *clock.fix))


def _open(case: ClientCase, odd: tuple[str, ...]) -> Finding:
    elsewhere = ("they belong to another ZITADEL, or this one was recreated since",)
    first, last = (elsewhere, ()) if case.evidence.token_is_dead else ((), elsewhere)
    client_id = case.settings.client_id
    return Finding(
        id="client.refused",
        cause=case.refused,
        candidates=(
            *first,
            *odd,
            "CLIENT_ID is wrong: mistyped, or not the application's client ID",
            "CLIENT_SECRET is wrong, or was regenerated (rotated) since",
            "the application, its project or its organization is inactive or deleted",
            "the application is key-only: it uses private_key_jwt and has no secret",
            *last,
        ),
        fix=(
            f"compare CLIENT_ID{f' {client_id}' if ID_DIGITS.fullmatch(client_id) else ''} with the application's page "
            "in ZITADEL, and check that the application is active",
            COPY_SECRET,
            _ask_administrator(case.evidence),
        ),
        otherwise=(NEW_SECRET,),
    )


def _values(case: ClientCase) -> dict[str, str]:
    settings = case.settings
    return {
        "CLIENT_ID": settings.client_id,
        "CLIENT_SECRET": settings.client_secret,
        "ZITADEL_PROJECT_ID": settings.project_id or "",
    }


def _odd_credentials(secret: str, values: dict[str, str]) -> tuple[str, ...]:
    """Return what is unusual about the values: a hint, not a proof, because ZITADEL may be set up otherwise."""
    odd = [value.what for value in odd_values(values)]
    if token_form(secret).kind not in (TokenKind.CLIENT_SECRET, TokenKind.PAT) and not paste_error(secret):
        odd.append(
            f"CLIENT_SECRET has {len(secret)} characters; ZITADEL's have {SECRET_LENGTH} letters and digits: it "
            "is cut off, or another value"
        )
    return tuple(odd)


def _ask_administrator(evidence: Evidence) -> str:
    if evidence.with_administrator:
        return "ZITADEL_ADMIN_PAT did not show which (see admin.rights)"
    return evidence.unusable_admin_pat or "set ZITADEL_ADMIN_PAT: then zdemo doctor shows which it is"


def _open_for_key(case: ClientCase, key: ApplicationKey) -> Finding:
    evidence = case.evidence
    candidates = [
        "the key was deleted in ZITADEL, or has expired",
        "the application, its project or its organization is inactive or deleted",
        "clientId or keyId in the key file was changed",
    ]
    elsewhere = "the key file belongs to another ZITADEL, or this one was recreated since"
    candidates.insert(0 if evidence.token_is_dead else len(candidates), elsewhere)
    seen: Lines = ()
    ahead = evidence.clock_ahead_seconds
    if ahead is not None and abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        candidates.insert(0, clock_words(ahead))
        seen = (CLOCK_COMPARED,)
    application = f"application {key.client_id}" if ID_DIGITS.fullmatch(key.client_id) else "the application"
    key_name = f"key {key.key_id}" if ID_DIGITS.fullmatch(key.key_id) else "the key"
    return Finding(
        id="client.key_refused",
        cause=f"{case.refused} (ZITADEL_KEY_FILE)",
        candidates=tuple(candidates),
        seen=seen,
        fix=(
            f"check in ZITADEL that {application} is active and lists {key_name}, and when that expires",
            "create a new key there and set ZITADEL_KEY_FILE to its file",
            _ask_administrator(evidence),
        ),
    )


def assertions_are_refused(clock_ahead_seconds: float) -> bool:
    """Return whether the clocks differ so much that ZITADEL refuses every assertion that is signed here."""
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
    issuer, audience = evidence.body(Probe.DISCOVERY).get("issuer"), audience_of(zitadel_domain)
    if evidence.status(Probe.DISCOVERY) != 200 or not isinstance(issuer, str) or issuer == audience:
        return None
    return Finding(
        id=f"{kind}.issuer_differs",
        cause=f"ZITADEL's issuer is {quoted(issuer)}, but assertions signed with {signer} are for {audience} "
        "(ZITADEL_DOMAIN): ZITADEL accepts only assertions for its own issuer",
        seen=(("discovery", f"issuer {quoted(issuer)}"),),
        fix=(f"ZITADEL_DOMAIN={quoted(issuer)}, if that answers from here",),
        otherwise=(
            "or let the proxy in front of ZITADEL pass Host unchanged, and send X-Forwarded-Proto (see ExternalSecure)",
        ),
    )


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
    if app := records.with_own_id:
        correct = "correct clientId in the file of ZITADEL_KEY_FILE: " if case.settings.key else "set CLIENT_ID="
        return Finding(
            id="client.is_another_id",
            cause=f"{case.refused}: {variable} is the resource ID of the application {quoted(app.name, 60)}, not its "
            "client ID",
            fix=(f"{correct}{app.client_id}",),
        )
    if not records.whole_instance:
        return _not_visible(variable, case)
    return Finding(
        id="client.unknown",
        cause=f"{case.refused}: no application has this client ID ({variable}): it is wrong, the application was "
        "deleted, or it belongs to another ZITADEL",
        fix=(f"set {case.settings.credential_variables} to those of an API application of this ZITADEL",),
        otherwise=("zdemo setup  (creates one)",),
    )


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
        )
    changed = " (the application was changed after it was created)" if app.changed_since_creation else ""
    return Finding(
        id="client.wrong_secret",
        cause=f"{case.refused}: {WRONG_SECRET}{changed}. CLIENT_ID is right: the application {name}, its project and "
        "its organization are active",
        fix=(COPY_SECRET,),
        otherwise=(NEW_SECRET,),
    )
