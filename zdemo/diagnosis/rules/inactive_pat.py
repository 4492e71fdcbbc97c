"""What an administrator's records decide about a dead PAT, by recorded IDs; its text does not show its own."""

import re
from collections.abc import Collection
from dataclasses import replace

from zdemo.diagnosis.evidence import PatRecords, Probe, TokenCase
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.rules.rule import rule
from zdemo.diagnosis.token_form import TokenKind
from zdemo.diagnosis.wording import LOOKED_UP
from zdemo.errors.steps import Command, Step, sentence
from zdemo.zitadel.records import Credential, UserEvent

SWITCHED_OFF = ("user.deactivated", "user.locked")
DECISIVE_EVENTS = ("user.pat.added", "user.pat.removed", "user.removed", *SWITCHED_OFF)
OFF = {"INACTIVE": ("deactivated", "reactivate"), "LOCKED": ("locked", "unlock")}  # states: words, and what to do
STAY_DEAD = "older PATs stay dead"
OF_ANOTHER_USER = sentence("use a PAT of another user;", Command("setup"), "creates new users and PATs")


def _with_doubt(finding: Finding, records: PatRecords) -> Finding:
    """Add that the token may have been replaced by hand, but not its recorded IDs."""
    if finding.certainty is Certainty.OPEN or not records.named_by:  # setup's state file knows this very text
        return finding
    names, it = " and ".join(records.named_by), "it" if len(records.named_by) == 1 else "them"
    again = f"if {records.variable} was replaced by hand: set {names} to match it, or remove {it}"
    return replace(
        finding,
        likely=True,
        candidates=(f"{records.variable} was replaced since, and is not the PAT of {names}",),
        otherwise=(*finding.otherwise, again),
    )


def _user_gone(records: PatRecords) -> Finding:
    if records.events:  # a removed user has left some
        when = _when(records.last("user.removed"))
        cause = f"the token's user ({records.user}) was removed{when}: no such user exists"
        return Finding(id="token.user_removed", cause=cause, fix=(OF_ANOTHER_USER,))
    variable = next(iter(records.named_by), "the ID in setup's state file")
    return Finding(
        id="token.user_unknown",
        cause=f"the PAT is not valid here, and this administrator sees no user {records.user}",
        candidates=(
            f"{variable} is wrong: mistyped, or another user's",
            "the user was removed, or is in an organization that the administrator cannot see",
            "the PAT and its user belong to another (or a recreated) ZITADEL",
        ),
        fix=(
            f"correct {variable}, the ID or login name of the token's user, and try again",
            sentence("if the user was removed:", OF_ANOTHER_USER),
        ),
    )


def _user_off(records: PatRecords, state: str, again: str) -> Finding:
    since = _when(records.last(*SWITCHED_OFF), "since")
    cause = f"the token's user {records.user} is {state}{since}; that ended all its tokens for good"
    fix = f"{again} the user and create a new PAT: the old one never works again"
    return Finding(id=f"token.user_{state}", cause=cause, fix=(fix,))


def _listed(pat: Credential, records: PatRecords, now: float) -> Finding:
    """Judge a PAT that ZITADEL lists."""
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
    shows = sentence("with the PAT of an IAM_OWNER,", Command("doctor", option="--admin-pat"), "shows which")
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
        f"its user was switched off in between{_when(off)}: {STAY_DEAD}" if off or not records.all_known else "",
        "it belongs to another user or another ZITADEL, or a character of it was changed",
    )
    return Finding(
        id="token.dead",
        cause=f"the PAT is not valid here; its user {user} is active",
        candidates=tuple(filter(None, candidates)),
        fix=(f"create a new PAT for {user}; that fixes all of them",),
    )


def _new_pat(records: PatRecords) -> Step:
    if not records.named_by:  # setup made it, and makes another
        return Command("setup", does=f"creates a new PAT for {records.user}, and writes it to .env")
    return f"create a new PAT for {records.user} and set {records.variable} to it"


def _when(event: UserEvent | None, preposition: str = "at") -> str:
    time = re.sub(r"T([\d:]{8})[.\d]*Z$", r" \1 UTC", quoted(event.when, 40)) if event else ""
    return f" {preposition} {time}" if time else ""


def _may_be_recorded(case: TokenCase) -> bool:
    return case.form.kind in (TokenKind.PAT, TokenKind.UNUSUAL) and not case.evidence.token_is_alive


@rule(Probe.PAT_RECORDS, when=_may_be_recorded)
def by_records(case: TokenCase) -> Finding | None:
    """Judge by the records of a PAT, at the time when they were looked up."""
    records = case.evidence.pat_records
    if records is None or records.id_bytes not in (None, case.form.sealed_bytes):
        return None  # records of a PAT of another length belong to another PAT
    if case.form.kind is TokenKind.UNUSUAL and not records.id_bytes:
        return None  # a text of unusual length counts only if the user's ID is known to have such a length
    if records.state == "REMOVED":
        finding = _user_gone(records)
    elif records.state in OFF:
        finding = _user_off(records, *OFF[records.state])
    elif records.pat:
        finding = _listed(records.pat, records, case.zitadels_now)
    elif records.pats is not None:
        finding = _not_listed(records.pats, records, case.zitadels_now)
    else:
        return None
    return _with_doubt(finding.and_seen((LOOKED_UP,)), records)
