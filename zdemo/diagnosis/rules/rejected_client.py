"""Why ZITADEL refuses the API application's secret or key: only an administrator's records make most causes certain."""

from dataclasses import replace

from zdemo.config.address import without_default_port
from zdemo.config.variables import BY_NAME
from zdemo.diagnosis.evidence import NO_SETTINGS, ClientRecords, Evidence, Probe, TokenCase
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.emulators_reason import emulators_own
from zdemo.diagnosis.rules.odd_values import (
    CERTAINLY_COPY_SECRET,
    COPY_SECRET,
    SWAPPED,
    TOKEN_SWAPPED,
    odd_credentials,
)
from zdemo.diagnosis.rules.rule import Rule, rule, table
from zdemo.diagnosis.token_form import ID_DIGITS, TokenKind, token_form
from zdemo.diagnosis.wording import CLOCK_COMPARED, LOOKED_UP, SYNCHRONISE, Lines, clock_words, described, url
from zdemo.errors import CredentialsRefused
from zdemo.errors.problem import Problem
from zdemo.errors.steps import Command, SetVariable, Step
from zdemo.zitadel.client_assertion import CLOCK_LEEWAY_SECONDS, LIFETIME_SECONDS
from zdemo.zitadel.records import Application

SIGNER = "the key of ZITADEL_KEY_FILE"
KEY_METHODS = ("API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT", "OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT")
IN_FRONT = "a proxy, gateway or bot filter in front of ZITADEL, which may require credentials of its own"
SERVICE_USER = "Errors.User.Machine.Secret."  # ZITADEL: the login name is right, its secret is wrong or missing
USER_NOT_ACTIVE = "Errors.User.NotActive"
EMULATORS_PAIR = BY_NAME["CLIENT_ID"].emulator, BY_NAME["CLIENT_SECRET"].emulator
USE_EMULATOR = SetVariable("ZITADEL_DOMAIN", BY_NAME["ZITADEL_DOMAIN"].emulator, does="if the emulator is meant")
NEW_KEY = "create a new key on the application's page and set ZITADEL_KEY_FILE to its file"
REGENERATE = (
    "only if the secret is lost: press Regenerate Client Secret on the application's page and set CLIENT_SECRET "
    "to the new one (this breaks other deployments of the application)"
)
SHOWN_WRONG = {"wrong_secret": "CLIENT_SECRET", "unknown": "CLIENT_ID", "client_unknown": "CLIENT_ID"}  # by a finding
INACTIVE = "the application, its project or its organization is inactive or deleted"
WRONG_SECRET = (
    "CLIENT_ID is wrong: mistyped, or not the application's client ID",
    "CLIENT_SECRET is wrong, or was regenerated (rotated) since",
    INACTIVE,
    "the application is key-only: it uses private_key_jwt and has no secret",
)
WRONG_KEY = (
    "the key was deleted in ZITADEL, or has expired",
    INACTIVE,
    "clientId or keyId in the key file was changed",
)


def is_about_client(case: TokenCase) -> bool:
    """Return whether a response refuses the API application's credentials, and these are known."""
    return isinstance(case.error, CredentialsRefused) and case.answer.status > 0 and case.settings is not NO_SETTINGS


def _has_key(case: TokenCase) -> bool:
    return case.settings.key is not None


def _has_secret(case: TokenCase) -> bool:
    return not _has_key(case)


def _refusal(case: TokenCase) -> str:
    return f"ZITADEL refuses the API application's {'key (ZITADEL_KEY_FILE)' if _has_key(case) else 'credentials'}"


def _other_status(case: TokenCase) -> Finding | None:
    answer, variables = case.answer, case.settings.credential_variables
    if answer.status == 400:
        return None
    refuses = f"the server at {url(answer).netloc} refuses the API application's credentials with {answer.status}"
    return Finding(
        id="client.refused",
        cause=f"{refuses}, but ZITADEL v4 refuses them with 400",
        candidates=(IN_FRONT, f"{answer.setting} names another authorization server, or another version of ZITADEL"),
        fix=(
            f"let the proxy pass /oauth/v2/introspect, and check {answer.setting}",
            f"compare {variables} with the application's page in ZITADEL",
        ),
    )


# --- what the settings show by themselves


def _emulators(case: TokenCase) -> Finding | None:
    settings = case.settings
    if (settings.client_id, settings.client_secret) != EMULATORS_PAIR or case.answer.emulator:
        return None
    cause = "CLIENT_ID and CLIENT_SECRET are those of zdemo's emulator, but another ZITADEL answers"
    own = Command("setup", does="creates those of your ZITADEL")
    return Finding(id="client.emulators", cause=cause, fix=(USE_EMULATOR,), otherwise=(own,))


@rule(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT, when=lambda case: not ID_DIGITS.fullmatch(case.settings.client_id))
def _service_account(case: TokenCase) -> Finding | None:
    """Find a service account's login name and secret: the token endpoint accepts only those (RFC 6749 §4.4)."""
    reply = case.evidence.answer(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT)
    body, status = reply.json_object(), reply.status
    description = quoted(body.get("error_description"))
    accepted = status == 200 and "access_token" in body
    if not accepted and not description.startswith((SERVICE_USER, USER_NOT_ACTIVE)):
        return None
    what = "accepts them as a service account's" if accepted else f"answers {description}"
    cause = "CLIENT_ID and CLIENT_SECRET are those of a service account, but introspection needs an API application's"
    seen = (("token endpoint", f"{what} ({status})"),)
    fix = "set CLIENT_ID and CLIENT_SECRET to those of the API application: its page in the project shows the ID"
    otherwise = "only if it has no secret yet, or the secret is lost: press Regenerate Client Secret there"
    return Finding(id="client.is_service_user", cause=cause, seen=seen, fix=(fix,), otherwise=(otherwise,))


def _of_value(name: str, value: Problem) -> Finding:
    return Finding(id=name, cause=value.text, likely=True, fix=value.steps, problems=(value,))


def _misplaced(case: TokenCase) -> Finding | None:
    if case.form.kind is TokenKind.CLIENT_SECRET and token_form(case.settings.client_secret).kind is TokenKind.PAT:
        return _of_value("client.swapped_with_token", TOKEN_SWAPPED)
    value = next((value for value in odd_credentials(case.settings) if value.blocks), None)
    return _of_value("client.swapped" if value == SWAPPED else "client.misplaced", value) if value else None


def _odd(case: TokenCase) -> Finding | None:
    if not (value := next(odd_credentials(case.settings), None)):
        return None
    return replace(_of_value("client.refused", value), cause=f"{_refusal(case)}: {value.text}", otherwise=(REGENERATE,))


# --- what is signed here (RFC 7523)


def finding_for_clock(evidence: Evidence, signer: str) -> Finding | None:
    """Find assertions in the future or expired for ZITADEL; only likely: a proxy may have written the ``Date``."""
    ahead = evidence.clock_ahead_seconds
    if ahead is None or -LIFETIME_SECONDS < ahead <= CLOCK_LEEWAY_SECONDS + 1:
        return None
    what = "in the future" if ahead > 0 else "expired already"
    cause = f"{clock_words(ahead)}: for ZITADEL, an assertion signed with {signer} is {what}"
    return Finding(id="clock.skewed", cause=cause, likely=True, seen=(CLOCK_COMPARED,), fix=(SYNCHRONISE,))


def finding_for_audience(evidence: Evidence, zitadel_domain: str, signer: str, *, kind: str) -> Finding | None:
    """Find assertions, and JWTs, for another audience than ZITADEL's issuer, which it compares exactly."""
    issuer, audience = evidence.issuer, without_default_port(zitadel_domain)
    if issuer in ("", audience):
        return None
    what = f"each address refuses JWTs, and assertions signed with {signer}, that are for the other"
    cause = f"ZITADEL's issuer is {issuer}, but ZITADEL_DOMAIN is {audience}: {what}"
    right = SetVariable("ZITADEL_DOMAIN", issuer, does="if that answers from here")
    proxy, scheme = "let the proxy in front of ZITADEL pass Host with its port unchanged", audience.partition("://")[0]
    if not issuer.startswith(f"{scheme}://"):
        proxy = f"set ExternalSecure of ZITADEL to what users see, or let the proxy send X-Forwarded-Proto: {scheme}"
    return Finding(id=f"{kind}.issuer_differs", cause=cause, fix=(right,), otherwise=(proxy,))


@rule(Probe.DISCOVERY, when=_has_key)
def _other_audience(case: TokenCase) -> Finding | None:
    return finding_for_audience(case.evidence, case.settings.issuer, SIGNER, kind="client")


def _clock(case: TokenCase) -> Finding | None:
    return finding_for_clock(case.evidence, SIGNER) if _has_key(case) else None


# --- what the administrator's PAT shows


def _certain(case: TokenCase, name: str, cause: str, fix: Step, *otherwise: Step) -> Finding:
    return Finding(id=f"client.{name}", cause=f"{_refusal(case)}: {cause}", fix=(fix,), otherwise=otherwise)


@rule(Probe.CLIENT_RECORDS)
def _by_records(case: TokenCase) -> Finding | None:
    if not (records := case.evidence.client_records):
        return None
    if (app := records.application) is None:
        return _unknown(case, records)
    name = f"the application {quoted(app.name, 60)}"
    if inactive := _inactive(case, records):
        return inactive
    if app.method == "OIDC_AUTH_METHOD_TYPE_NONE":
        what = f"{name} is a public client (PKCE, authentication method none): it cannot introspect"
        fix = "create an application of type API in the project, and set CLIENT_ID and CLIENT_SECRET to its values"
        return _certain(case, "is_public", what, fix)
    return _wrong_key(case, name, records) if _has_key(case) else _wrong_secret(case, app, name, records)


def _inactive(case: TokenCase, records: ClientRecords) -> Finding | None:
    kinds = {"application": records.application, "project": records.project, "organization": records.organization}
    for kind, record in kinds.items():
        if record and not record.active:
            number = f" ({quoted(record.id, 40)})" if kind == "project" else ""
            of = "" if kind == "application" else " of the application"
            cause = f"the {kind} {quoted(record.name, 60)}{number}{of} is inactive (deactivated)"
            fix = f"reactivate the {kind}: its page in the Management Console, Actions, Reactivate"
            return _certain(case, f"{kind}_inactive", cause, fix)
    return None


def _wrong_secret(case: TokenCase, app: Application, name: str, records: ClientRecords) -> Finding | None:
    if app.method in KEY_METHODS:
        cause = f"{name} uses a key (authentication method private_key_jwt), but a client secret was sent (Basic)"
        new_key = "create a key on the application's page, save its file, and set ZITADEL_KEY_FILE to it"
        basic = "switch the application to Basic and set CLIENT_SECRET to the secret that ZITADEL then shows"
        return _certain(case, "key_only", cause, new_key, basic)
    if not records.organization:  # the administrator is one of the project alone
        return None
    right = f"CLIENT_ID is right: {name}, its project and its organization are active"
    cause = f"CLIENT_SECRET is wrong: mistyped, cut off, or regenerated (rotated) since. {right}"
    return _certain(case, "wrong_secret", cause, CERTAINLY_COPY_SECRET, REGENERATE)


def _wrong_key(case: TokenCase, name: str, records: ClientRecords) -> Finding | None:
    if records.keys is None or not case.settings.key:
        return None
    key = next((listed for listed in records.keys if listed.id == case.settings.key.key_id), None)
    if key is None:
        why = f"{name} does not list its keyId; it was deleted, or clientId or keyId in the file was changed"
        return _certain(case, "key_deleted", f"the key is unknown: {why}", NEW_KEY)
    if key.has_expired(case.zitadels_now):
        return _certain(case, "key_expired", f"the key has expired ({key.expires_text})", NEW_KEY)
    good = f"{name} lists that key, it has not expired, and application, project and organization are active"
    cause = f"the private key in the file does not belong to its keyId: {good}"
    differs = replace(_certain(case, "key_differs", cause, NEW_KEY), likely=True)
    return _clock(case) or (differs if records.organization else None)


def _unknown(case: TokenCase, records: ClientRecords) -> Finding:
    variables = case.settings.credential_variables
    variable = "clientId in the key file" if _has_key(case) else "CLIENT_ID"
    if app := records.with_own_id:
        fix: Step = SetVariable("CLIENT_ID", app.client_id, certain=True)
        if _has_key(case):
            fix = f"correct clientId in the file of ZITADEL_KEY_FILE: {app.client_id}"
        what = f"{variable} is the resource ID of the application {quoted(app.name, 60)}, not its client ID"
        return _certain(case, "is_another_id", what, fix)
    if records.whole_instance:
        cause = f"no application has this client ID ({variable}): it is wrong, the application was deleted, or it "
        fix = f"set {variables} to those of an API application of this ZITADEL"
        creates = Command("setup", does="creates one")
        return _certain(case, "unknown", f"{cause}belongs to another ZITADEL", fix, creates)
    return _clock(case) or Finding(  # an administrator of an organization sees only its applications
        id="client.unknown",
        cause=f"{_refusal(case)}, and no application that this administrator can see has this client ID ({variable})",
        candidates=(
            f"{variable} is wrong, or the application was deleted",
            "the application is in an organization that this administrator cannot see: it may be inactive there, or "
            f"{variables} may be wrong",
            "it belongs to another ZITADEL, or this one was recreated since",
        ),
        fix=(
            f"compare {variables} with the application's page in ZITADEL",
            Command("doctor", option="--admin-pat", does="shows the cause, with the PAT of an IAM_OWNER"),
        ),
    )


def _emulators_own_first(case: TokenCase) -> Finding | None:
    """Judge by the emulator's record, unless an administrator may know more about a client that it does not know."""
    finding, evidence = emulators_own.judge(case), case.evidence
    return None if finding and finding.id == "client.client_unknown" and evidence.with_administrator else finding


def _with_form(known: Rule[TokenCase]) -> Rule[TokenCase]:
    """Return a rule that shows which value is wrong, and says why where the value's form does."""

    def judge(case: TokenCase) -> Finding | None:
        finding = known.judge(case)
        for value in odd_credentials(case.settings) if finding and _has_secret(case) else ():
            if finding and SHOWN_WRONG.get(finding.id.removeprefix("client.")) in value.names:
                cause, is_open = f"{_refusal(case)}: {value.text}", bool(finding.candidates)
                return replace(_of_value(finding.id, value), cause=cause, likely=is_open)
        return finding

    return replace(known, judge=judge)


# --- what ZITADEL alone shows


def _may_all_be_refused(case: TokenCase) -> bool:
    """Return whether ZITADEL let the administrator's PAT look nothing up, and a refusal of the token says something."""
    return case.evidence.client_records is None and case.form.may_be_of(case.settings.issuer)


@rule(Probe.USERINFO, Probe.ADMINISTRATOR_USERINFO, when=_may_all_be_refused)
def _everything_refused(case: TokenCase) -> Finding | None:
    """Find that all three are refused: they have only the instance in common that created them."""
    if not case.evidence.refused >= {Probe.USERINFO, Probe.ADMINISTRATOR_USERINFO}:
        return None
    return Finding(
        id="client.other_instance",
        cause="ZITADEL refuses everything: the application's credentials, PAT and ZITADEL_ADMIN_PAT. This "
        "ZITADEL was recreated (its data was deleted) since they were created, or they belong to another instance",
        likely=True,
        fix=(f"correct {case.answer.setting}, if another ZITADEL is meant",),
        otherwise=(
            "set ZITADEL_ADMIN_PAT to the new administrator's PAT",
            Command("setup", does="creates the others again, once that is set"),
        ),
    )


def _open(case: TokenCase) -> Finding:
    evidence, key, client_id = case.evidence, case.settings.key, case.settings.client_id
    number = f" {client_id}" if ID_DIGITS.fullmatch(client_id) else ""
    page = f"compare CLIENT_ID{number} with the application's page in ZITADEL, and check that the application is active"
    steps: tuple[Step, ...] = (page, COPY_SECRET)
    ahead = evidence.clock_off_by if key else 0
    wrong = WRONG_KEY if key else WRONG_SECRET
    if key:
        steps = ("check on the application's page in ZITADEL that it is active and lists the file's keyId", NEW_KEY)
    if ahead:
        wrong = (clock_words(ahead), *wrong)
    whose = "the key file belongs" if key else "they belong"
    elsewhere = f"{whose} to another ZITADEL, or this one was recreated since"
    is_dead = Probe.USERINFO in evidence.refused
    correct = (f"correct {case.answer.setting}, if another ZITADEL is meant",) if is_dead else ()
    ask = evidence.unusable_admin_pat or Command("doctor", option="--admin-pat", does="shows the cause")
    if evidence.with_administrator:
        ask = "the administrator's token did not show the cause (see admin.rights)"
    name = "client.key_refused" if key else "client.refused"
    candidates = (elsewhere, *wrong) if is_dead else (*wrong, elsewhere)
    seen = (CLOCK_COMPARED,) if ahead else ()
    fix = (*correct, *steps, ask)
    otherwise = () if key else (REGENERATE,)
    return Finding(id=name, cause=_refusal(case), candidates=candidates, seen=seen, fix=fix, otherwise=otherwise)


def _seen(case: TokenCase) -> Lines:
    oauth_error = (quoted(case.answer.json_object().get(name)) for name in ("error", "error_description"))
    userinfo = ("userinfo", "refuses the caller too: all of these may belong to another ZITADEL")
    answer = ("answer", f"{described(case.answer)}: {' '.join(filter(None, oauth_error))}")
    return (answer, userinfo) if Probe.USERINFO in case.evidence.refused else (answer,)


REFUSED_CLIENT = table(
    _other_status,
    *table(_emulators, _service_account, _misplaced, when=_has_secret),
    _other_audience,
    _with_form(replace(emulators_own, judge=_emulators_own_first)),
    *table(_with_form(_by_records), seen=lambda _: (LOOKED_UP,)),
    _with_form(emulators_own),
    _everything_refused,
    _clock,
    *table(_odd, when=_has_secret),
    rule(Probe.USERINFO, when=_may_all_be_refused)(_open),
    _open,
    when=is_about_client,
    seen=_seen,
)
