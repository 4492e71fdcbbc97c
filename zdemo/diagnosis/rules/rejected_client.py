"""Why ZITADEL refuses the API application's secret or key: only an administrator's records make most causes certain."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from zdemo.config.settings import Settings
from zdemo.config.variables import BY_NAME, EMULATORS_DOMAIN
from zdemo.diagnosis.evidence import ID_LENGTH, ClientRecords, Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, SetVariable, quoted
from zdemo.diagnosis.rules.odd_values import SWAPPED, TOKEN_SWAPPED, OddValue, are_token_and_secret_swapped, odd_values
from zdemo.diagnosis.token_form import ID_DIGITS, SECRET_LENGTH, TokenKind, paste_error, token_form
from zdemo.diagnosis.wording import CLOCK_COMPARED, LOOKED_UP, SYNCHRONISE, clock_words, described, url
from zdemo.errors.response import Response
from zdemo.zitadel.client_assertion import CLOCK_LEEWAY_SECONDS, LIFETIME_SECONDS, audience_of
from zdemo.zitadel.records import Application

SERVICE_USER = "Errors.User.Machine.Secret."  # ZITADEL: the login name is right, its secret is wrong or missing
SWAPPED_WITH_TOKEN = "client.swapped_with_token"  # noqa: S105  # an ID, not a secret
USER_NOT_ACTIVE = "Errors.User.NotActive"
SIGNER = "the key of ZITADEL_KEY_FILE"
KEY_METHODS = ("API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT", "OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT")
PUBLIC_METHOD = "OIDC_AUTH_METHOD_TYPE_NONE"
COPY_SECRET = "copy CLIENT_SECRET again from where it is kept (64 characters)"  # noqa: S105  # a sentence
EMULATORS_PAIR = BY_NAME["CLIENT_ID"].emulator, BY_NAME["CLIENT_SECRET"].emulator
REGENERATE = (
    "only if the secret is lost: press Regenerate Client Secret on the application's page and set CLIENT_SECRET "
    "to the new one; that breaks other deployments of the application"
)
NEW_KEY = "create a new key on the application's page and set ZITADEL_KEY_FILE to its file"


@dataclass(frozen=True, kw_only=True)
class ClientCase:
    """A response that refuses the API application's credentials: its client ID and secret, or its key."""

    answer: Response
    settings: Settings
    evidence: Evidence

    @property
    def refused(self) -> str:
        """The refusal as the beginning of a sentence."""
        what = "key (ZITADEL_KEY_FILE)" if self.settings.key else "credentials"
        return f"ZITADEL refuses the API application's {what}"


def finding_for_credentials(case: ClientCase) -> Finding:
    """Return the finding for an answer that refuses the client ID and secret, or the key."""
    finding = next(_refusals(case))
    oauth_error = (quoted(case.answer.json_object().get(name)) for name in ("error", "error_description"))
    seen = [("answer", f"{described(case.answer)}: {' '.join(filter(None, oauth_error))}")]
    if case.evidence.refused(Probe.USERINFO):
        seen.append(("userinfo", "refuses the caller as well: everything may be from another ZITADEL"))
    return finding.and_seen(seen)


def _refusals(case: ClientCase) -> Iterator[Finding]:
    settings, variables = case.settings, case.settings.credential_variables
    if case.answer.status != 400:
        yield Finding(
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
    if settings.key:
        yield from finding_for_audience(case.evidence, settings.issuer, SIGNER, kind="client")
        yield from _everything_refused(case)
        recorded, clock = next(_recorded(case), None), next(finding_for_clock(case.evidence, SIGNER), None)
        if recorded and clock and recorded.certainty is Certainty.CERTAIN:  # both need a fix
            seen = (*recorded.seen, LOOKED_UP, ("clock", clock.cause))
            yield replace(recorded, seen=seen, fix=(*recorded.fix, *clock.fix))
        if clock:
            yield clock
        if recorded:
            yield recorded.and_seen((LOOKED_UP,))
        yield _open(case)
        return
    if (settings.client_id, settings.client_secret) == EMULATORS_PAIR and not case.answer.emulator:
        yield Finding(
            id="client.emulators",
            cause="CLIENT_ID and CLIENT_SECRET are those of zdemo's emulator, but another ZITADEL answers",
            fix=(f"{EMULATORS_DOMAIN}, if the emulator is meant", "or zdemo setup, for those of your ZITADEL"),
        )
    yield from _service_user(case)
    if are_token_and_secret_swapped(case.evidence.token_kind, settings.client_secret):
        yield Finding(id=SWAPPED_WITH_TOKEN, cause=TOKEN_SWAPPED.what, likely=True, fix=(TOKEN_SWAPPED.fix,))
    unusual = tuple(_unusual(settings))
    for value in unusual:
        if value.names:
            name = "client.swapped" if value == SWAPPED else "client.misplaced"
            yield Finding(id=name, cause=value.what, likely=True, fix=(value.fix,))
    yield from _everything_refused(case)
    for recorded in _recorded(case):
        yield recorded.and_seen((*(("values", value.what) for value in unusual), LOOKED_UP))
    for value in unusual:
        repair = SetVariable("CLIENT_SECRET") if value.fix == COPY_SECRET else None
        what = f"{case.refused}: {value.what}"
        yield replace(_open(case), cause=what, likely=True, candidates=(), fix=(value.fix,), repair=repair)
    yield _open(case)


def _unusual(settings: Settings) -> Iterator[OddValue]:
    """Yield what is odd about the client ID and the secret, by their form alone."""
    client_id, secret, project = settings.client_id, settings.client_secret, settings.project_id or ""
    values = {"CLIENT_ID": client_id, "CLIENT_SECRET": secret, "ZITADEL_PROJECT_ID": project}
    yield from (value for value in odd_values(values) if not value.what.startswith("ZITADEL_PROJECT_ID"))
    if token_form(secret).kind not in (TokenKind.CLIENT_SECRET, TokenKind.PAT) and not paste_error(secret):
        what = f"CLIENT_SECRET has {len(secret)} characters, and ZITADEL's have {SECRET_LENGTH}, letters and digits"
        yield OddValue(what=what, fix=COPY_SECRET)
    if ID_DIGITS.fullmatch(client_id) and len(client_id) != ID_LENGTH:
        what = f"CLIENT_ID has {len(client_id)} digits, and ZITADEL's have {ID_LENGTH}"
        yield OddValue(what=what, fix="copy CLIENT_ID again from the application's page in ZITADEL")


def _service_user(case: ClientCase) -> Iterator[Finding]:
    """Find a service account's login name and secret: the token endpoint accepts only those (RFC 6749 §4.4)."""
    reply = case.evidence.answer(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT)
    body = case.evidence.body(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT)
    description = str(body.get("error_description", ""))
    accepted = reply is not None and reply.status == 200 and "access_token" in body
    if reply and (accepted or description.startswith((SERVICE_USER, USER_NOT_ACTIVE))):
        what = "accepts them as a service account's" if accepted else f"answers {quoted(description)}"
        yield Finding(
            id="client.is_service_user",
            cause="CLIENT_ID and CLIENT_SECRET are those of a service account; introspection needs an API "
            "application's",
            seen=(("token endpoint", f"{what} ({reply.status})"),),
            fix=(
                "set CLIENT_ID and CLIENT_SECRET to those of the API application: its page in the project shows the ID",
            ),
            otherwise=("only if it has no secret yet, or the secret is lost: press Regenerate Client Secret there",),
        )


def _everything_refused(case: ClientCase) -> Iterator[Finding]:
    """Find that all three are refused: the only thing they have in common is the instance that created them."""
    if case.evidence.refused(Probe.USERINFO) and case.evidence.refused(Probe.ADMINISTRATOR_USERINFO):
        yield Finding(
            id="client.other_instance",
            cause="everything is refused at once: the application's credentials, PAT and ZITADEL_ADMIN_PAT. This "
            "ZITADEL was recreated (its data was deleted) since they were created, or they belong to another instance",
            likely=True,
            seen=(("administrator", "userinfo refuses ZITADEL_ADMIN_PAT as well (401)"),),
            fix=(
                f"correct {case.answer.setting}, if another ZITADEL is meant",
                "or set ZITADEL_ADMIN_PAT to the new administrator's PAT; then zdemo setup creates the others again",
            ),
        )


def _open(case: ClientCase) -> Finding:
    evidence, key, client_id = case.evidence, case.settings.key, case.settings.client_id
    inactive = "the application, its project or its organization is inactive or deleted"
    wrong = (
        "CLIENT_ID is wrong: mistyped, or not the application's client ID",
        "CLIENT_SECRET is wrong, or was regenerated (rotated) since",
        inactive,
        "the application is key-only: it uses private_key_jwt and has no secret",
    )
    shown = f" {client_id}" if ID_DIGITS.fullmatch(client_id) else ""
    page = f"compare CLIENT_ID{shown} with the application's page in ZITADEL, and check that the application is active"
    steps = (page, COPY_SECRET)
    ahead = evidence.clock_off_by if key else 0
    if key:
        clock = (clock_words(ahead),) if ahead else ()
        changed = "clientId or keyId in the key file was changed"
        wrong = (*clock, "the key was deleted in ZITADEL, or has expired", inactive, changed)
        steps = ("check on the application's page in ZITADEL that it is active and lists the file's keyId", NEW_KEY)
    belongs, is_dead = "the key file belongs" if key else "they belong", evidence.refused(Probe.USERINFO)
    elsewhere = f"{belongs} to another ZITADEL, or this one was recreated since"
    correct = (f"correct {case.answer.setting}, if another ZITADEL is meant",) if is_dead else ()
    ask = evidence.unusable_admin_pat or "zdemo doctor --admin-pat  (shows which it is)"
    seen_by_admin = "ZITADEL_ADMIN_PAT did not show which (see admin.rights)"
    return Finding(
        id="client.key_refused" if key else "client.refused",
        cause=case.refused,
        candidates=(elsewhere, *wrong) if is_dead else (*wrong, elsewhere),
        seen=(CLOCK_COMPARED,) if ahead else (),
        fix=(*correct, *steps, seen_by_admin if evidence.with_administrator else ask),
        otherwise=() if key else (REGENERATE,),
    )


def assertions_are_refused(clock_ahead_seconds: float) -> bool:
    """Return whether ZITADEL refuses every assertion that is signed here, because the clocks differ so much."""
    return not -LIFETIME_SECONDS < clock_ahead_seconds <= CLOCK_LEEWAY_SECONDS + 1


def finding_for_clock(evidence: Evidence, signer: str) -> Iterator[Finding]:
    """Find assertions in the future or expired for ZITADEL; only likely: a proxy may have written the ``Date``."""
    ahead = evidence.clock_ahead_seconds
    if ahead is not None and assertions_are_refused(ahead):
        what = "in the future" if ahead > 0 else "expired already"
        yield Finding(
            id="clock.skewed",
            cause=f"{clock_words(ahead)}: for ZITADEL, an assertion signed with {signer} is {what}",
            likely=True,
            seen=(CLOCK_COMPARED,),
            fix=(SYNCHRONISE,),
        )


def finding_for_audience(evidence: Evidence, zitadel_domain: str, signer: str, *, kind: str) -> Iterator[Finding]:
    """Find assertions that name another audience than ZITADEL's issuer, which it compares exactly."""
    issuer, audience = evidence.body(Probe.DISCOVERY).get("issuer"), audience_of(zitadel_domain)
    if evidence.status(Probe.DISCOVERY) == 200 and isinstance(issuer, str) and issuer != audience:
        yield Finding(
            id=f"{kind}.issuer_differs",
            cause=f"ZITADEL's issuer is {quoted(issuer)}, but assertions signed with {signer} are for {audience} "
            "(ZITADEL_DOMAIN): ZITADEL accepts only assertions for its own issuer",
            seen=(("discovery", f"issuer {quoted(issuer)}"),),
            fix=(f"ZITADEL_DOMAIN={quoted(issuer)}, if that answers from here",),
            otherwise=(
                "or let the proxy in front of ZITADEL pass Host unchanged, and send X-Forwarded-Proto (see "
                "ExternalSecure)",
            ),
        )


def _recorded(case: ClientCase) -> Iterator[Finding]:
    """Find why ZITADEL refuses a client, by what an administrator sees; nothing when that does not decide."""
    records = case.evidence.client_records
    if records and (app := records.application):
        yield from _unfit(app, records, case)
        if case.settings.key:
            yield from _wrong_key(app, records, case)
        elif records.all_visible:  # not for an administrator of the project alone
            yield Finding(
                id="client.wrong_secret",
                cause=f"{case.refused}: CLIENT_SECRET is wrong: mistyped, cut off, or regenerated (rotated) since. "
                f"CLIENT_ID is right: the application {quoted(app.name, 60)}, its project and its organization are "
                "active",
                fix=(COPY_SECRET,),
                otherwise=(REGENERATE,),
                repair=SetVariable("CLIENT_SECRET"),
            )
    elif records:
        yield from _no_application(records, case)


def _no_application(records: ClientRecords, case: ClientCase) -> Iterator[Finding]:
    variable = "clientId in the key file" if case.settings.key else "CLIENT_ID"
    if app := records.with_own_id:
        correct = "correct clientId in the file of ZITADEL_KEY_FILE: " if case.settings.key else "set CLIENT_ID="
        yield Finding(
            id="client.is_another_id",
            cause=f"{case.refused}: {variable} is the resource ID of the application {quoted(app.name, 60)}, not its "
            "client ID",
            fix=(f"{correct}{app.client_id}",),
            repair=None if case.settings.key else SetVariable("CLIENT_ID", app.client_id),
        )
    if records.whole_instance:
        yield Finding(
            id="client.unknown",
            cause=f"{case.refused}: no application has this client ID ({variable}): it is wrong, the application was "
            "deleted, or it belongs to another ZITADEL",
            fix=(f"set {case.settings.credential_variables} to those of an API application of this ZITADEL",),
            otherwise=("zdemo setup  (creates one)",),
        )
    yield Finding(  # an administrator of an organization sees only its applications
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


def _unfit(app: Application, records: ClientRecords, case: ClientCase) -> Iterator[Finding]:
    states = (
        ("application", app, "", "its page in the project"),
        ("project", records.project, " of the application", "the project's page"),
        ("organization", records.organization, " of the application", "the organization's page"),
    )
    for kind, found, of, where in states:
        if found and not found.active:
            number = f" ({quoted(found.id, 40)})" if kind == "project" else ""
            yield Finding(
                id=f"client.{kind}_inactive",
                cause=f"{case.refused}: the {kind} {quoted(found.name, 60)}{number}{of} is inactive (deactivated)",
                fix=(f"reactivate the {kind}: {where} in the Management Console, Actions, Reactivate",),
            )
    name = quoted(app.name, 60)
    if app.method == PUBLIC_METHOD:
        yield Finding(
            id="client.is_public",
            cause=f"the application {name} is a public client (PKCE, authentication method none): it cannot introspect",
            fix=(
                "create an application of type API in the project, and set CLIENT_ID and CLIENT_SECRET to its values",
            ),
        )
    if app.method in KEY_METHODS and not case.settings.key:
        yield Finding(
            id="client.key_only",
            cause=f"{case.refused}: the application {name} uses a key (authentication method private_key_jwt), "
            "but a client secret was sent (Basic)",
            fix=("create a key on the application's page, save its file, and set ZITADEL_KEY_FILE to it",),
            otherwise=(
                "or switch the application to Basic and set CLIENT_SECRET to the secret that ZITADEL then shows",
            ),
        )


def _wrong_key(app: Application, records: ClientRecords, case: ClientCase) -> Iterator[Finding]:
    if case.settings.key is None or records.keys is None:
        return
    name = quoted(app.name, 60)
    key = next((key for key in records.keys if key.id == case.settings.key.key_id), None)
    if key is None:
        yield Finding(
            id="client.key_deleted",
            cause=f"the key of ZITADEL_KEY_FILE is unknown: the application {name} does not list its keyId; it was "
            "deleted, or clientId or keyId in the file was changed",
            fix=(NEW_KEY,),
        )
    elif key.has_expired(case.evidence.looked_up_at):
        cause = f"the key of ZITADEL_KEY_FILE has expired ({key.expires_text})"
        yield Finding(id="client.key_expired", cause=cause, fix=(NEW_KEY,))
    elif records.all_visible:
        yield Finding(
            id="client.key_differs",
            cause=f"the private key in the file of ZITADEL_KEY_FILE does not belong to its keyId: the application "
            f"{name} lists that key, it has not expired, and application, project and organization are active",
            likely=True,
            fix=(NEW_KEY,),
        )
