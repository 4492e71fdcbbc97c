"""Investigate with all that the environment and ``.env`` give: IDs, an administrator's PAT, and values that are hidden.

Where a value that counts fails and hides another one, ZITADEL is asked about the hidden one too. That sends it only
where it would go if nothing hid it, and nothing that is exported goes to an address that an export hides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from zdemo.client import ROLE
from zdemo.config.address import INTERNAL_URL, ISSUER
from zdemo.config.environment import BASIC, Environment, HiddenValue
from zdemo.config.settings import Settings
from zdemo.diagnosis import (
    Finding,
    also_hidden,
    finding_for_hidden,
    finding_for_known_value,
    finding_for_users_secret,
    paste_problem,
    refusal_of,
    token_form,
)
from zdemo.errors import CredentialsRefused, IntrospectionError, SettingsError
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspection
from zdemo.investigation.admin_lookup import PatIds, pat_ids, unusable_admin_pat, usable_admin_pat
from zdemo.investigation.investigate import Investigation, investigate
from zdemo.investigation.probes import random_token

ADDRESSES, TOKEN, PROJECT = (ISSUER, INTERNAL_URL), "PAT", "ZITADEL_PROJECT_ID"
DECISIVE = (*ADDRESSES, "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE", PROJECT, TOKEN)
SENT = ("CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE", TOKEN)


class _Reached(IntEnum):
    """How far an introspection gets."""

    NOTHING = 0
    ANSWER = 1
    ACTIVE = 2
    ACCEPTED = 3


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """Hidden values, and how far they get; ``None`` when they must not be sent."""

    hidden: tuple[HiddenValue, ...]
    reached: _Reached | None


def investigate_with(
    environment: Environment,
    settings: Settings,
    token: str | None,
    *,
    role: str | None = ROLE,
    now: float,
    ids: PatIds | None = None,
) -> Investigation:
    """Return why the API would refuse a token; the cause may be that another value hides a good one.

    ``ids`` are for who knows them of the token itself; the default is what the environment says.
    """
    found = investigate(
        settings,
        token,
        role=role,
        now=now,
        admin_pat=usable_admin_pat(environment, settings.zitadel),
        unusable_admin_pat=unusable_admin_pat(environment, settings.zitadel),
        ids=ids or (pat_ids(environment, token) if token else None),
    )
    if isinstance(found.error, CredentialsRefused) and (users := finding_for_users_secret(environment)):
        found = replace(found, finding=users)
    hidden = tuple(environment.hidden[name] for name in DECISIVE if name in environment.hidden)
    if found.finding is None or not hidden:
        return found
    reached = _reached(found.introspection, settings, role=role, now=now)
    best = _Trial(hidden=hidden, reached=None)
    for some in _choices(hidden, reached):
        trial = _tried(environment, settings, some, has_token=token is not None, role=role, now=now)
        if trial.reached is not None and (best.reached is None or trial.reached > best.reached):
            best = trial
    return replace(found, finding=_explained(found, found.finding, reached, best))


def _reached(introspection: Introspection | None, settings: Settings, *, role: str | None, now: float) -> _Reached:
    if introspection is None:
        return _Reached.NOTHING
    if not introspection.active:
        return _Reached.ANSWER
    refusal = refusal_of(introspection, settings, role=role, now=now)
    return _Reached.ACTIVE if refusal else _Reached.ACCEPTED


def _choices(hidden: tuple[HiddenValue, ...], reached: _Reached) -> Iterator[tuple[HiddenValue, ...]]:
    """Return which hidden values to try together, those that the failure is about first."""
    names = [value.name for value in hidden]
    if not set(ADDRESSES) & set(names):  # what is for another ZITADEL must not be tried at this one
        about_token = reached is not _Reached.NOTHING
        some = tuple(value for value in hidden if (value.name == TOKEN) is about_token)
        if some and len(some) < len(hidden):
            yield some
    yield hidden


def _tried(
    environment: Environment,
    settings: Settings,
    hidden: tuple[HiddenValue, ...],
    *,
    has_token: bool,
    role: str | None,
    now: float,
) -> _Trial:
    other = environment.unhidden([value.name for value in hidden])
    token = other.get(TOKEN, "").strip() if has_token else random_token()
    if not _may_be_sent(other, hidden) or not token_form(token).sendable:
        return _Trial(hidden=hidden, reached=None)
    try:
        tried = replace(Settings.from_env(other), timeout_seconds=settings.timeout_seconds)
        client = IntrospectionClient(tried)
    except SettingsError:
        return _Trial(hidden=hidden, reached=_Reached.NOTHING)
    try:
        introspection = client.introspect(token)
    except IntrospectionError:
        return _Trial(hidden=hidden, reached=_Reached.NOTHING)
    finally:
        client.close()
    return _Trial(hidden=hidden, reached=_reached(introspection, tried, role=role, now=now))


def _may_be_sent(environment: Environment, hidden: Sequence[HiddenValue]) -> bool:
    """Return whether all that would be sent comes from where the address comes from, if that is another one now."""
    names = {value.name for value in hidden} & set(ADDRESSES)
    if not names:
        return True
    places = {environment.source(name) for name in (*SENT, *ADDRESSES) if environment.source(name)}
    return len(places) == 1


def _explained(found: Investigation, finding: Finding, reached: _Reached, best: _Trial) -> Finding:
    """Return that the hidden values work, or the finding with what is known of them."""
    if known := finding_for_known_value(finding, best.hidden, _group(found, finding, reached)):
        return known
    may_be_better = tuple(value for value in best.hidden if value.name not in finding.right)
    untested = reached is _Reached.ANSWER and {value.name for value in best.hidden} == {PROJECT}
    if best.reached is None:
        return also_hidden(finding, may_be_better, "which was not tried")
    if best.reached <= reached:
        what = "which this token cannot test" if untested else "which does not work either"
        return also_hidden(finding, may_be_better, what)
    works = finding_for_hidden(_group(found, finding, reached), best.hidden, _works(best))
    (first, *others) = best.hidden
    pasted = paste_problem(first.counting, first) if first.name == TOKEN and not others else None
    return replace(works, cause=pasted.cause) if pasted else works


def _group(found: Investigation, finding: Finding, reached: _Reached) -> str:
    if reached is _Reached.NOTHING:
        return "client" if isinstance(found.error, CredentialsRefused) else "zitadel"
    return "role" if finding.id.startswith("role.") else "token"


def _works(best: _Trial) -> str:
    """Return what ZITADEL says about the hidden values."""
    first = best.hidden[0]
    where = f"in line {first.lines[0]} of {first.place}" if first.lines else f"in {first.place}"
    where = "in one piece" if first.joined else where
    name = first.name if first.value else " and ".join(BASIC)
    what = f"the {name} {where}" if len(best.hidden) == 1 else f"what is hidden in {first.place}"
    if best.reached is _Reached.ANSWER:
        return f"ZITADEL answers with {what}"
    if len(best.hidden) > 1 or first.name != TOKEN:
        return f"with {what}, the token is active"
    return f"{what} is active" if best.reached is _Reached.ACTIVE else f"{what} is active and accepted"
