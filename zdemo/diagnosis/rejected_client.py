"""Why ZITADEL refuses the API application's secret or key: it never says why, so most of it stays open."""

from dataclasses import replace

from zdemo.config.key_file import ApplicationKey
from zdemo.diagnosis.assertions import finding_for_audience, finding_for_clock
from zdemo.diagnosis.cases import ClientCase
from zdemo.diagnosis.client_records import COPY_SECRET, NEW_SECRET, finding_for_client_records
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.odd_values import SWAPPED, TOKEN_SWAPPED, are_token_and_secret_swapped, odd_values
from zdemo.diagnosis.phrases import CLOCK_COMPARED, CLOCK_TOLERANCE_SECONDS, Lines, clock_words, url
from zdemo.diagnosis.token_form import ID_DIGITS, SECRET_LENGTH, TokenKind, paste_error, token_form

SERVICE_USER = "Errors.User.Machine.Secret."  # ZITADEL: the login name is right, its secret is wrong or missing
SWAPPED_WITH_TOKEN = "client.swapped_with_token"  # noqa: S105  # an ID, not a secret
USER_NOT_ACTIVE = "Errors.User.NotActive"
SIGNER = "the key of ZITADEL_KEY_FILE"


def finding_for_credentials(case: ClientCase) -> Finding:
    """Return the finding for an answer that refuses the client ID and secret, or the key."""
    key = case.settings.key
    finding = _only_for_this_text(case) or _not_as_zitadel_refuses(case)
    finding = finding or (_refused_key(case, key) if key else _refused_secret(case))
    return finding.and_seen(case.seen)


def _refused_secret(case: ClientCase) -> Finding:
    odd = _odd_credentials(case.settings.client_secret, _values(case))
    finding = _service_user(case) or _by_their_form(case) or _everything_refused(case)
    return finding or finding_for_client_records(case, *(("values", text) for text in odd)) or _open(case, odd)


def _refused_key(case: ClientCase, key: ApplicationKey) -> Finding:
    issuer_differs = finding_for_audience(case.evidence, case.settings.issuer, SIGNER, kind="client")
    return issuer_differs or _everything_refused(case) or _recorded_or_clock(case) or _open_for_key(case, key)


def _only_for_this_text(case: ClientCase) -> Finding | None:
    if case.evidence.status(Probe.RANDOM_TOKEN) != 200:
        return None
    line = ("credentials", "accepted: asked about a random text a moment later, ZITADEL answers")
    return Finding(
        id="zitadel.filtered",
        cause="ZITADEL accepts the API application's credentials, but the first request was refused "
        f"({case.answer.status})",
        candidates=(
            "the application, its secret or its key was created, changed or activated a moment ago: that takes effect "
            "within milliseconds as a rule, a minute at most",
            "several servers share this address, and not all of them are this ZITADEL",
            "something between here and ZITADEL blocks requests about this token",
        ),
        seen=(line,),
        fix=("try again several times; if it is refused again, check the load balancer and proxies of ZITADEL",),
    )


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
        cause=f"{case.refused} (CLIENT_ID, CLIENT_SECRET)",
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
        return (
            "ZITADEL_ADMIN_PAT did not show which: its user cannot see enough, or time ran out; see admin.rights of "
            "zdemo doctor"
        )
    return evidence.unusable_admin_pat or ("set ZITADEL_ADMIN_PAT: then zdemo doctor shows which it is")


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
            f"check in ZITADEL that {application} (its client ID) is active, that it lists {key_name}, and when that "
            "expires",
            "create a new key there and set ZITADEL_KEY_FILE to its file",
            _ask_administrator(evidence),
        ),
    )
