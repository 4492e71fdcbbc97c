"""Why ZITADEL refuses the API application's secret or key: only an administrator's records make most causes certain."""

from dataclasses import replace

from zdemo.config.variables import BY_NAME
from zdemo.diagnosis.evidence import NO_SETTINGS, Probe, TokenCase
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.client_records import (
    BY_RECORDS,
    NEW_KEY,
    REGENERATE,
    SIGNER,
    clock_of,
    finding_for_audience,
    has_key,
    has_secret,
    refusal,
)
from zdemo.diagnosis.rules.odd_values import (
    COPY_SECRET,
    SWAPPED,
    TOKEN_SWAPPED,
    are_token_and_secret_swapped,
    odd_credentials,
)
from zdemo.diagnosis.rules.rule import rule, table
from zdemo.diagnosis.token_form import ID_DIGITS
from zdemo.diagnosis.wording import CLOCK_COMPARED, Lines, clock_words, described, url
from zdemo.errors import CredentialsRefused
from zdemo.errors.problem import Problem
from zdemo.errors.steps import Command, SetVariable, Step

SERVICE_USER = "Errors.User.Machine.Secret."  # ZITADEL: the login name is right, its secret is wrong or missing
USER_NOT_ACTIVE = "Errors.User.NotActive"
EMULATORS_PAIR = BY_NAME["CLIENT_ID"].emulator, BY_NAME["CLIENT_SECRET"].emulator


def is_about_client(case: TokenCase) -> bool:
    """Return whether a response refuses the API application's credentials, and these are known."""
    return isinstance(case.error, CredentialsRefused) and case.has_answer and case.settings is not NO_SETTINGS


def _other_status(case: TokenCase) -> Finding | None:
    answer, variables = case.answer, case.settings.credential_variables
    if answer.status == 400:
        return None
    return Finding(
        id="client.refused",
        cause=f"the server at {url(answer).netloc} refuses the API application's credentials with {answer.status}, "
        "but ZITADEL v4 refuses them with 400",
        candidates=(
            "a proxy or gateway in front of ZITADEL that requires credentials of its own",
            f"{answer.setting} names another authorization server",
            f"another version of ZITADEL, and wrong values in {variables}",
        ),
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
    domain = BY_NAME["ZITADEL_DOMAIN"]
    return Finding(
        id="client.emulators",
        cause="CLIENT_ID and CLIENT_SECRET are those of zdemo's emulator, but another ZITADEL answers",
        fix=(SetVariable(domain.name, domain.emulator, does="if the emulator is meant"),),
        otherwise=(Command("setup", does="for those of your ZITADEL"),),
    )


@rule(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT, when=lambda case: not ID_DIGITS.fullmatch(case.settings.client_id))
def _service_account(case: TokenCase) -> Finding | None:
    """A service account's login name and secret: the token endpoint accepts only those (RFC 6749 §4.4)."""
    reply = case.evidence.answer(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT)
    body = reply.json_object()
    description = str(body.get("error_description", ""))
    accepted = reply.status == 200 and "access_token" in body
    if not (accepted or description.startswith((SERVICE_USER, USER_NOT_ACTIVE))):
        return None
    what = "accepts them as a service account's" if accepted else f"answers {quoted(description)}"
    return Finding(
        id="client.is_service_user",
        cause="CLIENT_ID and CLIENT_SECRET are those of a service account; introspection needs an API application's",
        seen=(("token endpoint", f"{what} ({reply.status})"),),
        fix=("set CLIENT_ID and CLIENT_SECRET to those of the API application: its page in the project shows the ID",),
        otherwise=("only if it has no secret yet, or the secret is lost: press Regenerate Client Secret there",),
    )


def _of_value(name: str, value: Problem) -> Finding:
    return Finding(id=name, cause=value.text, likely=True, fix=value.steps, problems=(value,))


def _misplaced(case: TokenCase) -> Finding | None:
    """A value that cannot work, whatever ZITADEL knows."""
    if are_token_and_secret_swapped(case.form.kind, case.settings.client_secret):
        return _of_value("client.swapped_with_token", TOKEN_SWAPPED)
    value = next((value for value in odd_credentials(case.settings) if value.blocks), None)
    return _of_value("client.swapped" if value == SWAPPED else "client.misplaced", value) if value else None


def _odd(case: TokenCase) -> Finding | None:
    value = next(odd_credentials(case.settings), None)
    if value is None:
        return None
    cause = f"{refusal(case)}: {value.text}"
    return replace(_of_value("client.refused", value), cause=cause, otherwise=(REGENERATE,))


# --- what ZITADEL, and its administrator, show


@rule(Probe.DISCOVERY, when=has_key)
def _other_audience(case: TokenCase) -> Finding | None:
    return finding_for_audience(case.evidence, case.settings.issuer, SIGNER, kind="client")


def _may_all_be_refused(case: TokenCase) -> bool:
    """Return whether ZITADEL let the administrator's PAT look nothing up, and a refusal of the token says something."""
    return case.evidence.client_records is None and case.form.may_be_of(case.settings.issuer)


@rule(Probe.USERINFO, Probe.ADMINISTRATOR_USERINFO, when=_may_all_be_refused)
def _everything_refused(case: TokenCase) -> Finding | None:
    """All three are refused: the only thing they have in common is the instance that created them."""
    if not case.evidence.refused >= {Probe.USERINFO, Probe.ADMINISTRATOR_USERINFO}:
        return None
    return Finding(
        id="client.other_instance",
        cause="everything is refused at once: the application's credentials, PAT and ZITADEL_ADMIN_PAT. This "
        "ZITADEL was recreated (its data was deleted) since they were created, or they belong to another instance",
        likely=True,
        seen=(("administrator", "userinfo refuses ZITADEL_ADMIN_PAT as well (401)"),),
        fix=(f"correct {case.answer.setting}, if another ZITADEL is meant",),
        otherwise=(
            "set ZITADEL_ADMIN_PAT to the new administrator's PAT",
            Command("setup", does="creates the others again, once that is set"),
        ),
    )


def _open(case: TokenCase) -> Finding:
    evidence, key, client_id = case.evidence, case.settings.key, case.settings.client_id
    inactive = "the application, its project or its organization is inactive or deleted"
    number = f" {client_id}" if ID_DIGITS.fullmatch(client_id) else ""
    page = f"compare CLIENT_ID{number} with the application's page in ZITADEL, and check that the application is active"
    wrong: tuple[str, ...] = (
        "CLIENT_ID is wrong: mistyped, or not the application's client ID",
        "CLIENT_SECRET is wrong, or was regenerated (rotated) since",
        inactive,
        "the application is key-only: it uses private_key_jwt and has no secret",
    )
    steps: tuple[Step, ...] = (page, COPY_SECRET)
    ahead = evidence.clock_off_by if key else 0
    if key:
        clock = (clock_words(ahead),) if ahead else ()
        changed = "clientId or keyId in the key file was changed"
        wrong = (*clock, "the key was deleted in ZITADEL, or has expired", inactive, changed)
        steps = ("check on the application's page in ZITADEL that it is active and lists the file's keyId", NEW_KEY)
    elsewhere = (
        f"{'the key file belongs' if key else 'they belong'} to another ZITADEL, or this one was recreated since"
    )
    is_dead = Probe.USERINFO in evidence.refused
    correct = (f"correct {case.answer.setting}, if another ZITADEL is meant",) if is_dead else ()
    ask = evidence.unusable_admin_pat or Command("doctor", option="--admin-pat", does="shows which it is")
    if evidence.with_administrator:
        ask = "ZITADEL_ADMIN_PAT did not show which (see admin.rights)"
    return Finding(
        id="client.key_refused" if key else "client.refused",
        cause=refusal(case),
        candidates=(elsewhere, *wrong) if is_dead else (*wrong, elsewhere),
        seen=(CLOCK_COMPARED,) if ahead else (),
        fix=(*correct, *steps, ask),
        otherwise=() if key else (REGENERATE,),
    )


def _seen(case: TokenCase) -> Lines:
    oauth_error = (quoted(case.answer.json_object().get(name)) for name in ("error", "error_description"))
    userinfo = ("userinfo", "refuses the caller as well: everything may be from another ZITADEL")
    answer = ("answer", f"{described(case.answer)}: {' '.join(filter(None, oauth_error))}")
    return (answer, userinfo) if Probe.USERINFO in case.evidence.refused else (answer,)


REFUSED_CLIENT = table(
    _other_status,
    *table(_emulators, _service_account, _misplaced, when=has_secret),
    _other_audience,
    *BY_RECORDS,
    _everything_refused,
    rule(when=has_key)(clock_of),
    *table(_odd, when=has_secret),
    rule(Probe.USERINFO, when=_may_all_be_refused)(_open),
    _open,
    when=is_about_client,
    seen=_seen,
)
