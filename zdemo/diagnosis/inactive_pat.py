"""What an administrator's records decide about a dead PAT: which of the causes it is.

A module of its own beside ``recorded``, since users and their PATs have nothing in common with applications. All of it
stands on IDs that were written down beside the PAT: whether they are this token's, its text does not tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from zdemo.diagnosis.admin_records import PatRecords
from zdemo.diagnosis.client_records import LOOKED_UP
from zdemo.diagnosis.finding import Certainty, Finding

SWITCHED_OFF = ("user.deactivated", "user.locked")
TOLD_BY_EVENTS = ("user.pat.added", "user.pat.removed", "user.removed", *SWITCHED_OFF)

Lines = tuple[tuple[str, str], ...]


def finding_for_pat_records(records: PatRecords | None, length: int, seen: Lines, *, now: float) -> Finding | None:
    """Why a PAT is dead, by what an administrator sees; ``None`` when that does not decide.

    Records of a PAT of another length than the text has are not this one's.
    """
    if records is None or (records.length is not None and records.length != length):
        return None
    found = next((found for rule in _RULES if (found := rule(records, (*seen, LOOKED_UP), now))), None)
    return found if found is None or found.certainty is Certainty.OPEN else _if_it_is_that_one(found, records)


def _if_it_is_that_one(found: Finding, records: PatRecords) -> Finding:
    """Whoever puts another token in place of setup's by hand leaves the IDs of the one before."""
    names, one = " and ".join(records.named_by), len(records.named_by) == 1
    return replace(
        found,
        certainty=Certainty.LIKELY,
        candidates=(f"{records.variable} was replaced since, so that {names} {'is' if one else 'are'} another PAT's",),
        fix=(*found.fix, f"if {records.variable} was replaced by hand: set {names} to its own, or remove them"),
    )


def _removed(records: PatRecords, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    if records.state != "REMOVED":
        return None
    if not records.events:
        return _never_seen(records, seen)
    event = records.last("user.removed")
    return Finding(
        id="token.user_removed",
        cause=f"the token's user ({records.user}) was removed{_when(event.when if event else '')}: no such user exists",
        seen=seen,
        fix=("use a PAT of another user; zdemo setup makes users and PATs anew",),
    )


def _never_seen(records: PatRecords, seen: Lines) -> Finding:
    """No trace of a user: a removed one leaves some, for who may read the events."""
    variable = records.named_by[0]
    hidden = records.events is None
    where = " that this administrator may see" if hidden else ""
    return Finding(
        id="token.user_unknown",
        cause=f"the PAT is not valid here, and there is no user {records.user} ({variable}){where}",
        certainty=Certainty.OPEN,
        candidates=(
            f"{variable} is wrong: mistyped, or another user's",
            *(("the user was removed", "the user is in an organization that it cannot see") if hidden else ()),
            "the PAT and its user are another (or a recreated) ZITADEL's",
        ),
        seen=seen,
        fix=(
            f"correct {variable}, the ID or login name of the token's user, and ask again",
            "if the user is gone: use a PAT of another user; zdemo setup makes users and PATs anew",
        ),
    )


def _off(records: PatRecords, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    words = {"INACTIVE": ("deactivated (inactive)", "reactivate"), "LOCKED": ("locked", "unlock")}.get(records.state)
    if words is None:
        return None
    state, again = words
    event = records.last(*SWITCHED_OFF)
    return Finding(
        id="token.user_locked" if records.state == "LOCKED" else "token.user_deactivated",
        cause=f"the token's user {records.user} is {state}{_when(event.when if event else '')}; its tokens died then, "
        "for good",
        seen=seen,
        fix=(f"{again} the user and create a new PAT: to {again} alone does not bring the old one back",),
    )


def _deleted(records: PatRecords, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    if not records.pat_id or records.pats is None or records.pat is not None:
        return None
    event = records.last("user.pat.removed", pat_id=records.pat_id)
    known = records.last("user.pat.added", "user.pat.removed", pat_id=records.pat_id)
    was_here = known is not None or not records.all_known
    return Finding(
        id="token.deleted",
        cause=f"the PAT was deleted{_when(event.when if event else '')}: its user {records.user} is active, and does "
        "not have it any more"
        if was_here
        else f"the PAT is not among those of its user {records.user}, and nothing is on record about it: it is another "
        "ZITADEL's, or was deleted long ago",
        certainty=Certainty.CERTAIN if was_here else Certainty.LIKELY,
        seen=seen,
        fix=(_new_pat(records),),
    )


def _expired(records: PatRecords, seen: Lines, now: float) -> Finding | None:
    if records.pat is None or not records.pat.is_over(now):
        return None
    return Finding(
        id="token.expired",
        cause=f"the PAT has expired, at {records.pat.expires}",
        seen=seen,
        fix=(f"create a new PAT for {records.user}, with a later date, and set {records.variable} to it",),
    )


def _off_and_on_again(records: PatRecords, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    if records.pat is None:
        return None
    added = records.last("user.pat.added", pat_id=records.pat_id)
    off = records.last(*SWITCHED_OFF)
    if off is None or (added and off.sequence < added.sequence):
        return None
    what = "locked" if off.type == "user.locked" else "deactivated"
    return Finding(
        id="token.user_was_off",
        cause=f"the token's user {records.user} was {what}{_when(off.when)} and is active again: PATs from before stay "
        "dead, though ZITADEL lists them",
        seen=seen,
        fix=(_new_pat(records),),
    )


def _another_text(records: PatRecords, seen: Lines, now: float) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    if records.pat is None:
        return None
    if not records.all_known:
        return _listed(records, seen)
    return Finding(
        id="token.another_text",
        cause=f"the PAT that was written down is good ({records.user}'s, listed, not expired), so the text in "
        f"{records.variable} is not that PAT",
        certainty=Certainty.LIKELY,
        seen=seen,
        fix=(f"copy the whole PAT once more, or create a new PAT for {records.user}; either mends it",),
    )


def _listed(records: PatRecords, seen: Lines) -> Finding:
    """What happened to the user since is not known, so that copying once more may not mend it."""
    return Finding(
        id="token.another_text",
        cause=f"the PAT that was written down is listed and not expired, and its user {records.user} is active",
        certainty=Certainty.OPEN,
        candidates=(
            "its user was deactivated or locked in between: PATs from before stay dead",
            f"the text in {records.variable} is not that PAT: changed, cut, or of another ZITADEL",
        ),
        seen=seen,
        fix=(
            f"{_new_pat(records)}; that mends both",
            "which it is, the PAT of an IAM_OWNER in ZITADEL_ADMIN_PAT tells: it may read what happened to the user",
        ),
    )


def _some_pat_of_a_user(records: PatRecords, seen: Lines, now: float) -> Finding | None:
    """It is not known which of the user's PATs it is; the user is active."""
    if records.pat_id or records.pats is None:
        return None
    over = [pat.expires for pat in records.pats if pat.is_over(now)]
    gone, off = records.last("user.pat.removed"), records.last(*SWITCHED_OFF)
    candidates = [
        *([f"it has expired: the user has one that did ({', '.join(over[:3])})"] if over else []),
        *([f"it was deleted: the user had one that was{_when(gone.when)}"] if gone else []),
        *([f"its user was switched off{_when(off.when)}: PATs from before stay dead"] if off else []),
        *([] if gone else ["it was deleted"]),
        *([] if off or records.all_known else ["its user was switched off in between: PATs from before stay dead"]),
        "it belongs to another user or another ZITADEL, or a character of it was changed",
    ]
    return Finding(
        id="token.dead",
        cause=f"the PAT is not valid here; its user {records.user} is active",
        certainty=Certainty.OPEN,
        candidates=tuple(candidates),
        seen=seen,
        fix=(f"create a new PAT for {records.user}; that mends all of them",),
    )


def _new_pat(records: PatRecords) -> str:
    return f"create a new PAT for {records.user} and set {records.variable} to it"


def _when(moment: str) -> str:
    return f" at {moment}" if moment else ""


_RULES: tuple[Callable[[PatRecords, Lines, float], Finding | None], ...] = (
    _removed,
    _off,
    _deleted,
    _expired,
    _off_and_on_again,
    _another_text,
    _some_pat_of_a_user,
)
