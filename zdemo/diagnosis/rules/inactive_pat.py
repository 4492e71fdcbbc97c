"""What an administrator's records decide about a dead PAT, by recorded IDs; its text does not show its own."""

import re
from collections.abc import Iterator
from dataclasses import replace

from zdemo.diagnosis.evidence import PatRecords
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.wording import LOOKED_UP
from zdemo.zitadel.records import UserEvent

SWITCHED_OFF = ("user.deactivated", "user.locked")
DECISIVE_EVENTS = ("user.pat.added", "user.pat.removed", "user.removed", *SWITCHED_OFF)
STAY_DEAD = "older PATs stay dead"


def finding_for_pat_records(records: PatRecords, now: float) -> Finding | None:
    """Return why a PAT is dead, by what an administrator saw ``now``; ``None`` when that does not decide."""
    finding = next(_decided(records, now), None)
    if finding is None:
        return None
    finding = finding.and_seen((LOOKED_UP,))
    if finding.certainty is Certainty.OPEN or not records.named_by:  # setup's state file knows this very text
        return finding
    names, it = " and ".join(records.named_by), "it" if len(records.named_by) == 1 else "them"
    return replace(  # the token may have been replaced by hand, but not its recorded IDs
        finding,
        likely=True,
        candidates=(f"{records.variable} was replaced since, and is not the PAT of {names}",),
        otherwise=(f"if {records.variable} was replaced by hand: set {names} to match it, or remove {it}",),
    )


def _decided(records: PatRecords, now: float) -> Iterator[Finding]:
    user = records.user
    if records.state == "REMOVED" and not records.events:  # a removed user would have left events
        variable = next(iter(records.named_by), "the ID in setup's state file")
        yield Finding(
            id="token.user_unknown",
            cause=f"the PAT is not valid here, and this administrator sees no user {user}",
            candidates=(
                f"{variable} is wrong: mistyped, or another user's",
                "the user was removed, or is in an organization that the administrator cannot see",
                "the PAT and its user belong to another (or a recreated) ZITADEL",
            ),
            fix=(
                f"correct {variable}, the ID or login name of the token's user, and try again",
                "if the user was removed: use a PAT of another user; zdemo setup creates new users and PATs",
            ),
        )
    if records.state == "REMOVED":
        when = _when(records.last("user.removed"))
        yield Finding(
            id="token.user_removed",
            cause=f"the token's user ({user}) was removed{when}: no such user exists",
            fix=("use a PAT of another user; zdemo setup creates new users and PATs",),
        )
    words = {"INACTIVE": ("deactivated", "reactivate"), "LOCKED": ("locked", "unlock")}
    if records.state in words:
        state, again = words[records.state]
        since = _when(records.last(*SWITCHED_OFF)).replace(" at", " since")
        yield Finding(
            id="token.user_locked" if records.state == "LOCKED" else "token.user_deactivated",
            cause=f"the token's user {user} is {state}{since}; that ended all its tokens for good",
            fix=(f"{again} the user and create a new PAT: the old one never works again",),
        )
    if records.pat:
        yield from _of_a_listed_pat(records, now)
    if records.pats is not None and records.pat_id:
        event = records.last("user.pat.removed", pat_id=records.pat_id)
        was_here = event or records.last("user.pat.added", pat_id=records.pat_id) or not records.all_known
        deleted = f"the PAT was deleted{_when(event)}: its user {user} is active, but no longer has it"
        foreign = f"the PAT of the user {user} is not listed: it belongs to another ZITADEL, or was deleted long ago"
        cause = deleted if was_here else foreign
        yield Finding(id="token.deleted", cause=cause, likely=not was_here, fix=(_new_pat(records),))
    if records.pats is not None:  # it is unknown which of them it is
        expired = [pat.expires_text for pat in records.pats if pat.has_expired(now)]
        gone, off = records.last("user.pat.removed"), records.last(*SWITCHED_OFF)
        candidates = (
            f"it has expired: the user has a PAT that did ({', '.join(expired[:3])})" if expired else "",
            f"it was deleted: the user had a PAT that was deleted{_when(gone)}" if gone else "it was deleted",
            f"its user was switched off in between{_when(off)}: {STAY_DEAD}" if off or not records.all_known else "",
            "it belongs to another user or another ZITADEL, or a character of it was changed",
        )
        yield Finding(
            id="token.dead",
            cause=f"the PAT is not valid here; its user {user} is active",
            candidates=tuple(filter(None, candidates)),
            fix=(f"create a new PAT for {user}; that fixes all of them",),
        )


def _of_a_listed_pat(records: PatRecords, now: float) -> Iterator[Finding]:
    user, variable = records.user, records.variable
    if records.pat and records.pat.has_expired(now):
        by_hand = f"create a new PAT for {user}, with a later date, and set {variable} to it"
        yield Finding(
            id="token.expired",
            cause=f"the PAT has expired, at {records.pat.expires_text}",
            fix=(by_hand if records.named_by else _new_pat(records),),
        )
    added, off = records.last("user.pat.added", pat_id=records.pat_id), records.last(*SWITCHED_OFF)
    if off and not (added and off.sequence < added.sequence):
        what = "locked" if off.type == "user.locked" else "deactivated"
        yield Finding(
            id="token.user_was_off",
            cause=f"the token's user {user} was {what}{_when(off)} and is active again: {STAY_DEAD}, although "
            "ZITADEL lists them",
            fix=(_new_pat(records),),
        )
    good = f"the PAT with the recorded ID is listed and has not expired, and its user {user} is active"
    another = f"the text in {variable} is not that PAT: changed, cut off, or from another ZITADEL"
    off_since = f"its user was deactivated or locked in between: {STAY_DEAD}"
    certain = records.all_known
    yield Finding(
        id="token.another_text",
        cause=f"{good}: {another}" if certain else good,
        likely=certain,
        candidates=() if certain else (off_since, another),
        fix=(f"copy the whole PAT again, or {_new_pat(records)}" if certain else _new_pat(records),),
        otherwise=() if certain else ("with the PAT of an IAM_OWNER, zdemo doctor --admin-pat shows which",),
    )


def _new_pat(records: PatRecords) -> str:
    if not records.named_by:  # setup made it, and makes another
        return f"zdemo setup  (creates a new PAT for {records.user}, and writes it to .env)"
    return f"create a new PAT for {records.user} and set {records.variable} to it"


def _when(event: UserEvent | None) -> str:
    return " at " + re.sub(r"T([\d:]{8})[.\d]*Z$", r" \1 UTC", quoted(event.when, 40)) if event and event.when else ""
