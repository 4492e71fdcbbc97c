"""Cases about safety: answers of ZITADEL that let nobody in, since the role is missing or the answer is not valid."""

from zdemo.introspection.model import ROLES_CLAIM, roles_claim_of
from zdemo.investigation.probes import random_token
from zdemo.verify.asked import Asked
from zdemo.verify.bench import Bench
from zdemo.verify.case import Case, Stage
from zdemo.verify.judgments.access import none_let_in, refused

NOT_TRUE = {"a text": "false", "the text true": "true", "a number": 1, "null": None, "missing": ...}
READ_ROLES = (
    "read roles from the keys of the claim urn:zitadel:iam:org:project:PROJECT_ID:roles, which must be an object"
)
NOTHING_FOUND = "read no roles from a claim, or of a role, that is missing, empty or not an object, and refuse"
OUTAGES = ("internal-error", "rate-limited", "database-away", "not-json", "truncated", "redirect", "reset")
GRANTED = {"1": "example.com"}  # a role's value: an organization and its domain


def _near_misses(bench: Bench) -> list[Asked]:
    """Ask with roles that ZITADEL grants, and with keys that it may refuse to a project."""
    near = (bench.role[:-1] or "x", f"{bench.role}:all", f"x{bench.role}")
    others = {"another case": bench.role.swapcase(), "a blank behind": f"{bench.role} "}
    values = {name: {key: GRANTED} for name, key in others.items() if key != bench.role}
    asked = [bench.api.bearer(bench.zitadel.person(role).token) for role in near]
    return asked + bench.with_claims((roles_claim_of(bench.project_id), ROLES_CLAIM), values)


def _other_project(bench: Bench) -> list[Asked]:
    """Ask for a user with the role elsewhere, and with an answer that shows the roles there, as JWTs can."""
    claims = {roles_claim_of("999"): {bench.role: GRANTED}}
    absent = dict.fromkeys((roles_claim_of(bench.project_id), ROLES_CLAIM), ...)
    token = bench.zitadel.with_claims({**claims, **absent}, bench.role).token
    return [
        bench.api.bearer(bench.zitadel.stranger(bench.role).token),
        bench.api.bearer(token).about("the claim of another project alone"),
    ]


def _claims(bench: Bench) -> list[Asked]:
    """Ask with other values of both role claims."""
    values: dict[str, object] = {"empty": {}, "null": None, "a list": [bench.role], "a text": bench.role}
    values |= {"a role of no organization": {bench.role: {}}, "a role with null": {bench.role: None}}
    return bench.with_claims((roles_claim_of(bench.project_id), ROLES_CLAIM), values)


def _fail_open(bench: Bench) -> list[Asked]:
    """Ask with a token that nobody issued, while ZITADEL fails in each way."""
    asked = []
    for kind in OUTAGES:
        bench.outage(kind)
        with bench.api.in_outage(), bench.zitadel.fault(kind):
            asked.append(bench.api.bearer(random_token()))
    return [*asked, *bench.outages.values()]


CASES: tuple[Case, ...] = (
    Case(
        id="safe.role_missing",
        asked="a valid token whose user has another role of the project",
        must="not let in: 403 or 401 insufficient_scope",
        wrong="accepted a token with another role",
        source="RFC 6750 section 3.1",
        fix=READ_ROLES,
        ask=lambda bench: bench.api.bearer(bench.zitadel.person("zdemo-verify-other").token),
        judge=refused,
    ),
    Case(
        id="safe.scope_is_no_role",
        asked="a token whose scope lists the role, but whose user does not have it",
        must="not let in: 403 or 401 insufficient_scope",
        wrong="took a scope for a role",
        source="ZITADEL: the scope of a personal access token lists all roles of the project",
        fix="never read roles from scope; " + READ_ROLES,
        ask=lambda bench: bench.refused_visitor,
        judge=refused,
    ),
    Case(
        id="safe.near_miss",
        asked="roles whose names only resemble the required one",
        must="not let in: 403 or 401 insufficient_scope",
        wrong="accepted a role whose name only resembles the required one",
        source="ZITADEL: role keys are compared as a whole",
        fix="compare role keys for equality: not as parts of a text, without changing case or removing blanks",
        ask=_near_misses,
        judge=none_let_in,
    ),
    Case(
        id="safe.other_project",
        asked="a user who has the role in another project only",
        must="not let in: 403 or 401 insufficient_scope",
        wrong="accepted a role in another project",
        source="ZITADEL: roles belong to a project",
        fix=READ_ROLES,
        ask=_other_project,
        judge=none_let_in,
    ),
    Case(
        id="safe.roles_claim",
        asked="introspection answers whose roles claim is empty, null, a list or a text, or grants by no organization",
        must="not let in: 4xx",
        wrong="let in when the roles claim grants nothing or is not an object",
        source="RFC 6750 section 3.1; ZITADEL: the claim is an object: role key, then organization ID, then domain",
        fix=NOTHING_FOUND,
        ask=_claims,
        judge=none_let_in,
    ),
    Case(
        id="safe.active",
        asked="introspection answers in which active is a text, a number, null or missing",
        must="not let in: 4xx or 5xx",
        wrong="let in although active is not true",
        source="RFC 7662 section 2.2: active is a boolean",
        fix="treat a token as active only if active is the JSON value true",
        ask=lambda bench: bench.with_claims(("active",), NOT_TRUE),
        judge=none_let_in,
    ),
    Case(
        id="safe.fail_open",
        asked="tokens while ZITADEL answers 429, 500, 404, HTML, half an answer or a redirect, or hangs up",
        must="not let in",
        wrong="let somebody in while ZITADEL could not answer",
        source="RFC 7662 section 2.2: only active true is valid",
        fix="refuse whenever no valid introspection answer came",
        ask=_fail_open,
        judge=none_let_in,
        stage=Stage.OUTAGE,
    ),
)
