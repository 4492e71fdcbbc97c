"""Cases of safe and hardening about ZITADEL's answers: which must be refused, and how long and for whom they count."""

from functools import partial

from zdemo.verify import judgments
from zdemo.verify.api_client import ApiReply
from zdemo.verify.case import Case, Needs, Stage, role_case
from zdemo.verify.cases.safe import READ_ROLES, odd_case, without_role
from zdemo.verify.run import VerifyRun
from zdemo.zitadel.introspection_answer import ROLES_CLAIM, roles_claim_of

LIKE_TRUE = {"the text false": "false", "the text true": "true", "a number": 1}
CALLERS, ROUNDS = 12, 4  # at the same time, half of them without the role; and how often
GRANTED = {"1": "example.com"}  # a role's value: an organization and its domain


def _near_misses(run: VerifyRun) -> list[ApiReply]:
    """Ask with roles that ZITADEL grants, and with keys that it may refuse to a project."""
    near = (run.role[:-1] or "x", f"{run.role}:all", f"x{run.role}")
    others = {"another case": run.role.swapcase(), "a blank behind": f"{run.role} "}
    values = {name: {key: GRANTED} for name, key in others.items() if key != run.role}
    asked = [run.api.bearer(run.zitadel.issue(role).token) for role in near]
    return asked + run.with_claims((roles_claim_of(run.project_id), ROLES_CLAIM), values)


def _other_project(run: VerifyRun) -> list[ApiReply]:
    absent = dict.fromkeys((roles_claim_of(run.project_id), ROLES_CLAIM), ...)
    token = run.zitadel.issue(run.role, claims={roles_claim_of("999"): {run.role: GRANTED}, **absent}).token
    return [
        run.api.bearer(run.zitadel.issue(run.role, elsewhere=True).token),
        run.api.bearer(token).about("the claim of another project alone"),
    ]


def _claims(run: VerifyRun) -> list[ApiReply]:
    values: dict[str, object] = {"empty": {}, "null": None, "a list": [run.role], "a text": run.role}
    values |= {"a role of no organization": {run.role: {}}, "a role with null": {run.role: None}}
    return run.with_claims((roles_claim_of(run.project_id), ROLES_CLAIM), values)


def _changed(run: VerifyRun) -> list[ApiReply]:
    asked = []
    for what, token in {
        "a PAT": run.zitadel.issue(run.role).token,
        "a JWT": run.zitadel.issue(run.role, as_jwt=True).token,
    }.items():
        run.api.bearer(token)
        asked.append(run.api.bearer(changed(token)).about(what))
    return asked


def changed(token: str) -> str:
    """Return a token with its last letter but one in another case; the last one may have bits that do not count."""
    at = max(at for at, character in enumerate(token[:-1]) if character.isalpha())
    return f"{token[:at]}{token[at].swapcase()}{token[at + 1 :]}"


def _mixed(run: VerifyRun) -> list[ApiReply]:
    """Return the answers to those without the role, while others with it ask at the same time: who is last varies."""
    visitor = run.zitadel.issue().token
    tokens = [run.known.token, visitor] * (CALLERS // 2)
    rounds = [tokens[turn % 2 :] + tokens[: turn % 2] for turn in range(ROUNDS)]
    pairs = [pair for each in rounds for pair in zip(each, run.api.at_once(each), strict=True)]
    return [asked for token, asked in pairs if token == visitor]


_window = partial(
    Case,
    must="refused within --window seconds",
    source="RFC 7662 section 4: the age of cached answers",
    fix="keep ZITADEL's answers no longer than your removal window, and count their age from the question",
    judge=judgments.ended_in_time,
    stage=Stage.TIME,
)

CASES: tuple[Case, ...] = (
    without_role(
        id="safe.near_miss",
        asked="roles whose names only resemble the required one",
        source="ZITADEL: role keys are compared as a whole",
        fix="compare role keys for equality: not as parts of a text, without changing case or removing blanks",
        ask=_near_misses,
    ),
    without_role(
        id="safe.other_project",
        asked="a user who has the role in another project only",
        source="ZITADEL: roles belong to a project",
        fix=READ_ROLES,
        ask=_other_project,
    ),
    odd_case(
        id="hardening.roles_claim",
        needs=Needs.ROLE,
        asked="introspection answers whose roles claim is empty, null, a list or a text, or grants by no organization",
        source="RFC 6750 section 3.1; ZITADEL: the claim is an object: role key, then organization ID, then domain",
        fix="refuse if the claim, or the role in it, is missing, empty or not an object",
        ask=_claims,
    ),
    odd_case(
        id="hardening.active",
        asked="introspection answers in which active is a text or a number",
        source="RFC 7662 section 2.2: active is a boolean",
        fix="treat a token as active only if active is the JSON value true",
        ask=lambda run: run.with_claims(("active",), LIKE_TRUE),
    ),
    _window(
        id="safe.window_token",
        asked="a token that the API has let in before, after it was deleted",
        ask=lambda run: run.windows["delete"],
    ),
    _window(
        id="safe.window_role",
        asked="a token that the API has let in before, after its role was removed",
        ask=lambda run: run.windows["revoke"],
        needs=Needs.ROLE,
    ),
    _window(
        id="safe.expiry_in_cache",
        asked="a token that the API has let in before, after its exp",
        must="refused within 2 s",
        source="RFC 7662 section 4: an answer must not be cached beyond exp",
        fix="compare exp with the clock at each request, also for cached answers",
        ask=lambda run: run.windows["expiry"],
    ),
    Case(
        id="safe.changed_token",
        asked="valid tokens that the API has just let in, with one letter near the end in another case",
        must="not let in: 401",
        source="RFC 6750 section 3.1; ZITADEL: every character of a token counts",
        fix="use the whole token, or its SHA-256, as the key of the cache; verify the signature of each JWT",
        ask=_changed,
        judge=judgments.none_let_in,
        stage=Stage.TIME,
    ),
    role_case(
        id="safe.mixed_up",
        asked=f"{ROUNDS} times {CALLERS} requests at the same time, half of them with a token without the role",
        must="none of that half is let in",
        source="RFC 6750 section 3.1; CWE-362",
        fix="keep claims with the request, for example in flask.g, never in a variable of the module",
        ask=_mixed,
        judge=judgments.none_let_in,
        stage=Stage.TIME,
    ),
    Case(
        id="safe.stale",
        asked="a token that the API let in before, --window seconds after its deletion, while ZITADEL does not answer",
        must="refused, for example with 503",
        source="RFC 7662 section 4: the age of cached answers",
        fix="never use an answer of ZITADEL that is too old, also when no new one comes",
        ask=lambda run: run.stale(),
        judge=judgments.refused_while_away,
        stage=Stage.AFTER_OUTAGES,
    ),
)
