"""The cases: data, in the order in which they are shown."""

from zdemo.verify.case import Case, Group
from zdemo.verify.cases import correct, polite, robust, safe, safe_answers

_ALL = (*safe.CASES, *safe_answers.CASES, *correct.CASES, *robust.CASES, *polite.CASES)
CASES: tuple[Case, ...] = tuple(case for group in Group for case in _ALL if case.group is group)
HARMS = (  # the worst first: letting in without a valid token, without ZITADEL, despite active, by scope
    ("safe.no_token", "safe.unknown", "safe.unsigned_jwt", "safe.head", "safe.paths", "safe.forwarded"),
    ("safe.fail_open", "safe.stale"),
    ("safe.active", "safe.expired", "safe.deleted_pat", "safe.deactivated_user", "safe.locked_user", "safe.audience"),
    ("safe.role_missing", "safe.scope_is_no_role"),
)
