"""Roles that a token lacks because their keys differ from what the project defines, or has granted to the user."""

from zdemo.client import ROLE
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.role_case import RoleCase
from zdemo.diagnosis.role_keys import near_miss


def finding_for_other_key(case: RoleCase) -> Finding | None:
    """Find a role of the user whose key is nearly that of the missing one."""
    near = near_miss(case.role, case.granted)
    if not near:
        return None
    exists = case.defined is not None and case.role in case.defined
    fix, otherwise = _corrected(case, near, (case.grant,) if exists else _rename(case, near))
    return Finding(
        id="role.near_miss",
        cause=f"the token has the role {quoted(near)}, but the API requires {case.role}, which is another role key",
        fix=fix,
        otherwise=otherwise,
    )


def _corrected(case: RoleCase, near: str, steps: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fix and its alternative: an API may misspell the role that it requires, but zdemo's own does not."""
    if case.role == ROLE:
        return steps, (f"or, in an API of your own, require {quoted(near)}",)
    first, *others = steps
    return (f"in the API, require {quoted(near)} instead of {case.role}",), (
        f"or, if {case.role} is right: {first}",
        *others,
    )


def _rename(case: RoleCase, near: str) -> tuple[str, ...]:
    """Return how to get the right key; ZITADEL refuses two keys in a project that differ only in case (409)."""
    if near.casefold() != case.role.casefold():
        return case.add_and_grant
    return (
        f"remove the role {quoted(near)} from the project",
        *case.add_and_grant,
        "(ZITADEL accepts only one of two keys that differ only in case)",
    )


def finding_for_undefined(case: RoleCase) -> Finding | None:
    """Find a role that the project does not define: a PAT's scope lists every role of the project."""
    if case.defined is None or case.role in case.defined:
        return None
    near = near_miss(case.role, case.defined)
    there = ", ".join(sorted(quoted(role, 60) for role in case.defined)[:10]) or "none"
    fix, otherwise = _corrected(case, near, _rename(case, near)) if near else (case.add_and_grant, ())
    similar = f", only {quoted(near)}" if near else ""
    return Finding(
        id="role.near_miss" if near else "role.undefined",
        cause=f"this API's project does not define the role {case.role}{similar}, so no user can have it",
        seen=(("defined", f"roles of this project: {there}"),),
        fix=fix,
        otherwise=(*otherwise, "or, if the role belongs to another project: use an API application of that project"),
    )
