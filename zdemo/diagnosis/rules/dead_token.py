"""Why a token is inactive: a JWT by its unverified claims, a PAT by an administrator's records; surest cause first."""

import re
from collections.abc import Collection
from dataclasses import replace

from zdemo.diagnosis.evidence import PatIds, PatRecords, Probe, TokenCase
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.rules.rule import rule, table
from zdemo.diagnosis.token_form import ID_DIGITS, TokenKind
from zdemo.diagnosis.wording import LOOKED_UP, shown_list, span
from zdemo.errors.steps import Command, SetVariable, Step
from zdemo.zitadel.introspection_answer import audience_scope, within_all_clocks
from zdemo.zitadel.records import Credential, UserEvent

SWITCHED_OFF = ("user.deactivated", "user.locked")
DECISIVE_EVENTS = ("user.pat.added", "user.pat.removed", "user.removed", *SWITCHED_OFF)
OFF = {"INACTIVE": ("deactivated", "reactivate"), "LOCKED": ("locked", "unlock")}  # states: words, and what to do
MAY_BE_PATS = (TokenKind.PAT, TokenKind.UNUSUAL)
STAY_DEAD = "older PATs stay inactive"
OF_ANOTHER_USER = Command("setup", does="creates new users and PATs (or use a PAT of another user)")


def _with_doubt(finding: Finding, records: PatIds) -> Finding:
    """Add that the token may have been replaced by hand, but not its recorded IDs."""
    if finding.certainty is Certainty.OPEN or not records.named_by:  # setup's state file knows this very text
        return finding
    names, it = " and ".join(records.named_by), "it" if len(records.named_by) == 1 else "them"
    doubt = f"{records.variable} was replaced since, and is not the PAT of {names}"
    again = f"if {records.variable} was replaced by hand: set {names} to match it, or remove {it}"
    return replace(finding, likely=True, candidates=(doubt,), otherwise=(*finding.otherwise, again))


def _user_gone(records: PatRecords) -> Finding:
    if records.events:  # a removed user has left some
        when = _when(records.last("user.removed"))
        cause = f"the token's user ({records.user}) was removed{when}: no such user exists"
        return Finding(id="token.user_removed", cause=cause, fix=(OF_ANOTHER_USER,))
    variable = next(iter(records.named_by), "the ID in setup's state file")
    candidates = (
        f"{variable} is wrong: mistyped, or another user's",
        "the user was removed, or is in an organization that the administrator cannot see",
        "the PAT and its user belong to another (or a recreated) ZITADEL",
    )
    cause = f"the PAT is not valid here, and this administrator sees no user {records.user}"
    correct = f"correct {variable}, the ID or login name of the token's user, and try again"
    removed = replace(OF_ANOTHER_USER, does=f"if the user was removed: {OF_ANOTHER_USER.does}")
    return Finding(id="token.user_unknown", cause=cause, candidates=candidates, fix=(correct, removed))


def _listed(pat: Credential, records: PatRecords, now: float) -> Finding:
    if pat.has_expired(now):
        by_hand = f"create a new PAT for {records.user}, with a later date, and set {records.variable} to it"
        fix = by_hand if records.named_by else _new_pat(records)
        return Finding(id="token.expired", cause=f"the PAT has expired, at {pat.expires_text}", fix=(fix,))
    added, off = records.last("user.pat.added", pat_id=records.pat_id), records.last(*SWITCHED_OFF)
    if off and not (added and off.sequence < added.sequence):
        what = f"{'locked' if off.type == 'user.locked' else 'deactivated'}{_when(off)} and is active again"
        cause = f"the token's user {records.user} was {what}: {STAY_DEAD}, although ZITADEL lists them"
        return Finding(id="token.user_was_off", cause=cause, fix=(_new_pat(records),))
    good = f"the PAT with the recorded ID is listed and has not expired, and its user {records.user} is active"
    another = f"the text in {records.variable} is not that PAT: changed, cut off, or from another ZITADEL"
    new, name = _new_pat(records), "token.another_text"
    if records.all_known:
        copy = "copy the whole PAT again"
        return Finding(id=name, cause=f"{good}: {another}", likely=True, fix=(copy,), otherwise=(new,))
    shows = Command("doctor", option="--admin-pat", does="shows the cause, with the PAT of an IAM_OWNER")
    candidates = f"its user was deactivated or locked in between: {STAY_DEAD}", another
    return Finding(id=name, cause=good, candidates=candidates, fix=(new,), otherwise=(shows,))


def _not_listed(pats: Collection[Credential], records: PatRecords, now: float) -> Finding:
    user = records.user
    if records.pat_id:
        event = records.last("user.pat.removed", pat_id=records.pat_id)
        was_here = event or records.last("user.pat.added", pat_id=records.pat_id) or not records.all_known
        gone = f"the PAT was deleted{_when(event)}: its user {user} is active, but no longer has it"
        foreign = f"the PAT of the user {user} is not listed: it belongs to another ZITADEL, or was deleted long ago"
        cause = gone if was_here else foreign
        return Finding(id="token.deleted", cause=cause, likely=not was_here, fix=(_new_pat(records),))
    past = [pat.expires_text for pat in pats if pat.has_expired(now)]
    gone, off = _when(records.last("user.pat.removed")), records.last(*SWITCHED_OFF)
    candidates = (
        f"it has expired: the user has a PAT that did ({', '.join(past[:3])})" if past else "",
        f"it was deleted: the user had a PAT that was deleted{gone}" if gone else "it was deleted",
        f"its user was deactivated or locked in between{_when(off)}: {STAY_DEAD}"
        if off or not records.all_known
        else "",
        "it belongs to another user or another ZITADEL, or a character of it was changed",
    )
    cause, fix = f"the PAT is not valid here, although its user {user} is active", f"create a new PAT for {user}"
    return Finding(id="token.dead", cause=cause, candidates=tuple(filter(None, candidates)), fix=(fix,))


def _new_pat(records: PatRecords) -> Step:
    if not records.named_by:  # setup made it, and makes another
        return Command("setup", does=f"creates a new PAT for {records.user}, and writes it to .env")
    return f"create a new PAT for {records.user} and set {records.variable} to it"


def _when(event: UserEvent | None, preposition: str = "at") -> str:
    time = re.sub(r"T([\d:]{8})[.\d]*Z$", r" \1 UTC", quoted(event.when, 40)) if event else ""
    return f" {preposition} {time}" if time else ""


@rule(Probe.PAT_RECORDS, when=lambda case: case.form.kind in MAY_BE_PATS and not case.evidence.token_is_alive)
def by_records(case: TokenCase) -> Finding | None:
    """Judge by the records of a PAT, at the time when they were looked up."""
    records, ids = case.evidence.pat_records, case.evidence.ids
    if ids and ":" in (user_id := (records and records.user_id) or ids.user):
        cause = f'the token\'s user has the ID {quoted(user_id, 60)}, with a ":": a PAT of such a user is never active'
        return _with_doubt(Finding(id="token.user_id", cause=cause, fix=(OF_ANOTHER_USER,)), ids)
    if records is None or records.id_bytes not in (None, case.form.sealed_bytes):
        return None  # records of a PAT of another length belong to another PAT
    if case.form.kind is TokenKind.UNUSUAL and not records.id_bytes:
        return None  # a text of unusual length counts only if the user's ID is known to have such a length
    if records.state == "REMOVED":
        finding = _user_gone(records)
    elif records.state in OFF:
        (state, again), since = OFF[records.state], _when(records.last(*SWITCHED_OFF), "since")
        cause = f"the token's user {records.user} is {state}{since}, which ended all their tokens for good"
        fix = f"{again} the user and create a new PAT: the old one never works again"
        finding = Finding(id=f"token.user_{state}", cause=cause, fix=(fix,))
    elif records.pat:
        finding = _listed(records.pat, records, case.zitadels_now)
    elif records.pats is not None:
        finding = _not_listed(records.pats, records, case.zitadels_now)
    else:
        return None
    return _with_doubt(finding.and_seen((LOOKED_UP,)), records)


# --- a JWT

CLAIMS = ("iss", "aud", "exp")  # in every JWT from ZITADEL
REQUEST_AGAIN = "request a new one"
USER_OFF = "its user was deactivated, locked or removed since it was issued"
REFRESHED = "a refresh token was used since: that ends the former access token"
USE_LAST = "use the access token that the last refresh gave"
NOT_SEEN = "it is valid, but not meant for this API (userinfo did not show it)"


def _assertion(case: TokenCase) -> Finding | None:
    if not case.form.is_assertion:
        return None
    cause = "this is an assertion (JWT profile): it proves who asks for a token, and is not an access token"
    fix = ("exchange it at the token endpoint, with grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer",)
    otherwise = (Command("token", option="--key-file FILE", does="signs one with a key file, and exchanges it"),)
    return Finding(id="token.is_assertion", cause=cause, fix=fix, otherwise=otherwise)


@rule(Probe.KEYS)
def _wrong_signature(case: TokenCase) -> Finding | None:
    cause = "the JWT's signature does not match its content: it was changed, or a part of it is missing"
    fix = "copy the whole token again, or request a new one"
    return Finding(id="token.damaged", cause=cause, fix=(fix,)) if case.evidence.signature_fits is False else None


@rule(Probe.DISCOVERY, Probe.KEYS)
def _other_issuer(case: TokenCase) -> Finding | None:
    named, own = case.form.claims.get("iss"), case.evidence.issuer or case.settings.issuer
    if not isinstance(named, str) or named == own:
        return None
    issuer, known = quoted(named), _key_is_known(case)
    if known and case.evidence.answer(Probe.KEYS).emulator:
        known = None  # the emulators of a process share their keys
    why = {
        True: "the same ZITADEL under another host name, port or scheme (it knows the key)",
        False: "another ZITADEL or another product (this one does not know the key)",
        None: "another ZITADEL, or this one under another host name, port or scheme",
    }[known]
    cause = f"the token's issuer is {issuer}, but this ZITADEL is {own}; that is {why}"
    fix = (f"request the token from {own}",)
    is_meant = SetVariable("ZITADEL_DOMAIN", issuer, does=f"if {issuer} is the ZITADEL that is meant")
    otherwise = () if re.search("[^:/]/.", issuer) else (is_meant,)  # a ZITADEL has no path
    return Finding(id="token.other_issuer", cause=cause, likely=not case.evidence.issuer, fix=fix, otherwise=otherwise)


def _by_its_claims(case: TokenCase) -> Finding | None:
    claims, issuer = case.form.claims, case.settings.issuer
    request = Command("token", does=f"requests a token from {issuer}, for example")
    if case.form.is_id_token:
        cause = "this is an ID token: it tells the client who logged in, and no API accepts it"
        fix = "send the access_token from the same answer of the token endpoint"
        return Finding(id="token.is_id_token", cause=cause, fix=(fix,))
    algorithm = quoted(case.form.header.get("alg"), 20)
    if algorithm.upper().startswith(("NONE", "HS")):
        cause = f"ZITADEL did not make this JWT: its algorithm is {algorithm}, and ZITADEL signs with RS, ES or EdDSA"
        return Finding(id="token.damaged", cause=cause, fix=(request,))
    if missing := [name for name in CLAIMS if name not in claims]:
        cause = f"the JWT lacks {', '.join(missing)}, which all access tokens of ZITADEL have"
        candidates = f"it is not a token of this ZITADEL ({issuer})", "it was changed, or made up"
        return Finding(id="token.incomplete", cause=cause, candidates=candidates, fix=(request,))
    expires = claims["exp"]
    if type(expires) is int and expires <= case.zitadels_now:
        cause = f"the token has expired, {span(case.zitadels_now - within_all_clocks(expires))} ago"
        return Finding(id="token.expired", cause=cause, likely=expires > case.now, fix=(REQUEST_AGAIN,))
    return None


def _other_audience(case: TokenCase) -> Finding | None:
    project, audience = case.settings.project_id, case.form.audience  # an unknown project may be the named one
    if not project or project in audience or case.settings.client_id in audience:
        return None
    cause = "the token is not meant for this API (by its audience), and no longer valid"
    seen = (("audience", shown_list(audience)),)
    fix = f"request a new one with the scope {audience_scope(project)}"
    return Finding(id="token.other_audience", cause=cause, seen=seen, fix=(fix,))


@rule(Probe.USERINFO, Probe.KEYS)
def _ended(case: TokenCase) -> Finding:
    issuer, evidence = case.settings.issuer, case.evidence
    if _key_is_known(case) is False:
        kid = quoted(case.form.header.get("kid"), 40)
        return Finding(
            id="token.unknown_key",
            cause=f"the token was signed with a key (kid {kid}) that {issuer} no longer has",
            candidates=(
                "it belongs to another ZITADEL with the same address, or to this one before it was recreated",
                "the key was replaced since the token was issued",
            ),
            fix=(REQUEST_AGAIN,),
        )
    candidates = ["its session was ended, or it was revoked", USER_OFF]
    fix = "request a new token: if the token endpoint refuses, its error says what is wrong with the user"
    if ID_DIGITS.fullmatch(str(case.form.claims.get("client_id"))):  # an application's, so a person logged in
        candidates.insert(0, REFRESHED)
        fix = f"{USE_LAST}, or let the person log in again"
    if Probe.USERINFO not in evidence.refused:
        candidates.insert(0, NOT_SEEN)
    if evidence.signature_fits is None:
        candidates.append("it was changed or cut off (its signature could not be checked)")
    cause = f"the claims of the JWT are correct (issuer {issuer}, not expired), but ZITADEL calls it inactive"
    seen = (("audience", shown_list(case.form.audience)),)
    return Finding(id="token.ended", cause=cause, candidates=tuple(candidates), seen=seen, fix=(fix,))


def _key_is_known(case: TokenCase) -> bool | None:
    """Return whether this ZITADEL has the key that the JWT names; ``None`` when that is unknown."""
    keys, kid = case.evidence.answer(Probe.KEYS).json_object().get("keys"), case.form.header.get("kid")
    return any(isinstance(key, dict) and key.get("kid") == kid for key in keys) if isinstance(keys, list) else None


DEAD_JWT = table(_assertion, _wrong_signature, _other_issuer, _by_its_claims, _other_audience, _ended)
