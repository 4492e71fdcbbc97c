"""Active tokens: why the API refuses them (role, audience, clock), and what notes say about them."""

from dataclasses import replace
from typing import Any

import pytest

from tests.diagnosis.asker import Asker
from zdemo.config.names import near_role
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe, TokenCase
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.rules.active_token import REFUSED, NoteKind, notes
from zdemo.diagnosis.rules.rule import decide, diagnose
from zdemo.diagnosis.token_form import token_form
from zdemo.errors.steps import GrantRole, in_words
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.records import RoleAssignment

CERTAIN, _, OPEN, _ = Certainty

ISSUER = "http://localhost:8080"
CLIENT_ID, PROJECT, OTHER = "312909075212468231", "312909075212468225", "312909075212468777"
ROLE = "read:messages"
NOW = 1_800_000_000
SCOPE = "urn:zitadel:iam:org:project:role:"
SETTINGS = Settings(issuer=ISSUER, client_id=CLIENT_ID, client_secret="s3cr" * 16)


def pat(*granted: str, defined: tuple[str, ...] = (ROLE, "admin"), more: dict[str, Any] | None = None) -> Introspection:
    """Return a PAT as ZITADEL shows it: its scope lists all roles of the project, its audience ends with ``[C, P]``."""
    claims = {
        "active": True,
        "iss": ISSUER,
        "sub": "1",
        "username": "reader",
        "scope": " ".join(["openid", *(SCOPE + role for role in defined)]),
    }
    return answered(claims | (more or {}), granted, (CLIENT_ID, PROJECT))


def session(*granted: str, scope: str = "openid", more: tuple[str, ...] = ()) -> Introspection:
    """Return a token of client_credentials: it has a ``client_id``, and the scopes that were requested."""
    claims = {"active": True, "iss": ISSUER, "sub": "1", "username": "svc", "client_id": "svc", "scope": scope}
    return answered(claims, granted, (PROJECT, *more))


def answered(claims: dict[str, Any], granted: tuple[str, ...], audience: tuple[str, ...]) -> Introspection:
    if granted:
        roles = {role: {"1": "acme.localhost"} for role in granted}
        claims |= {"urn:zitadel:iam:org:project:roles": roles, f"urn:zitadel:iam:org:project:{PROJECT}:roles": roles}
    return Introspection(active=True, claims=claims, audience=audience, expires_at=NOW + 10**6)


def assignment(*roles: str, project: str = PROJECT, active: bool = True) -> RoleAssignment:
    return RoleAssignment(
        id="1",
        user_id="1",
        login_name="reader",
        project_id=project,
        project_name="elsewhere" if project == OTHER else "zdemo",
        organization_id="1",
        organization_name="Acme",
        active=active,
        role_keys=roles,
    )


def find(
    introspection: Introspection, *assignments: RoleAssignment, known: bool = True, given: Settings = SETTINGS
) -> Finding:
    evidence = Evidence(assignments=assignments if known else None)
    return diagnose(REFUSED, case_of(introspection, given, evidence))


def case_of(introspection: Introspection, given: Settings = SETTINGS, evidence: Evidence = NOTHING) -> TokenCase:
    return TokenCase(introspection=introspection, settings=given, role=ROLE, evidence=evidence, now=NOW)


@pytest.mark.parametrize(
    ("introspection", "assignments", "name", "certainty"),
    [
        (pat(), [], "role.not_granted", CERTAIN),
        (pat(), [assignment(ROLE, active=False)], "role.deactivated", CERTAIN),
        (pat(), [assignment(ROLE, project=OTHER)], "role.in_other_project", CERTAIN),
        (pat(), [assignment(ROLE, active=False), assignment(ROLE, project=OTHER)], "role.deactivated", CERTAIN),
        (pat(defined=("admin",)), [], "role.undefined", CERTAIN),
        (pat("read:message", defined=(ROLE, "read:message")), [], "role.near_miss", CERTAIN),
        (pat(defined=("Read:messages",)), [], "role.near_miss", CERTAIN),
        (pat(), [assignment(ROLE)], "role.just_changed", OPEN),
        (session(scope=f"openid {SCOPE}admin"), None, "role.narrowed", CERTAIN),
        (session(scope="openid urn:zitadel:iam:org:roles:id:7"), None, "role.narrowed", OPEN),
        (session(scope="openid urn:zitadel:iam:org:roles:id:7"), [assignment(ROLE)], "role.narrowed", CERTAIN),
        (session(), None, "role.missing", OPEN),
        (session(), [], "role.not_granted", CERTAIN),
        (session(more=(OTHER,)), [assignment(ROLE, active=False)], "role.missing", OPEN),
        (pat(defined=()), None, "role.undefined", CERTAIN),
    ],
)
def test_a_missing_role_is_told_apart(
    introspection: Introspection, assignments: list[RoleAssignment] | None, name: str, certainty: Certainty
) -> None:
    finding = find(introspection, *assignments or (), known=assignments is not None)
    assert (finding.id, finding.certainty) == (name, certainty)
    assert ROLE in finding.cause
    assert finding.fix


@pytest.mark.parametrize("given", [SETTINGS, replace(SETTINGS, project_id=PROJECT)])
def test_an_answer_without_a_user_is_a_stubs(given: Settings) -> None:
    bare = Introspection(active=True, claims={"active": True, "token_type": "Bearer"})
    asker = Asker({probe: {} for probe in Probe})
    finding = decide(REFUSED, case_of(bare, given), asker)
    assert (finding and finding.id, asker.rounds) == ("zitadel.bare_answer", [])
    named = replace(bare, claims={"active": True, "sub": "1"}, audience=(CLIENT_ID,))
    assert diagnose(REFUSED, case_of(named, given)).id == "role.undefined"


def test_a_login_name_is_quoted_for_the_shell() -> None:
    for name, named in (("a b; c", "'a b; c'"), ("admin\u200b", "1"), ("admin\x1b", "1"), ("x" * 200, "1")):
        assert in_words(find(pat(more={"username": name})).fix[0]) == f"zdemo role grant {named} read:messages"


def test_only_a_role_that_is_surely_not_granted_can_be_granted_by_zdemo() -> None:
    evidence = Evidence(assignments=(), admin_option="--admin-pat")
    finding = diagnose(REFUSED, case_of(pat(), evidence=evidence))
    assert finding.repair == GrantRole("1", "reader", ROLE, "--admin-pat")
    assert find(pat(), assignment(ROLE, active=False)).repair is None
    assert find(session(), known=False).repair is None


@pytest.mark.parametrize("introspection", [pat(ROLE), pat(), session(ROLE)])
def test_an_application_of_another_project_than_configured_is_the_cause(introspection: Introspection) -> None:
    finding = find(introspection, given=replace(SETTINGS, project_id=OTHER))
    assert finding.id in ("role.other_project_configured", "client.in_other_project")
    steps = " ".join(map(in_words, finding.steps))
    assert ("role grant" in steps, f"use an API application of project {OTHER}" in steps) == (False, True)


@pytest.mark.parametrize(
    ("expires", "not_before", "ahead", "name", "named"),
    [
        (NOW - 10, None, 600.0, "clock.skewed", "600 s ahead of"),
        (NOW + 10, NOW + 600, -590.0, "clock.skewed", "590 s behind"),
        (NOW - 1, None, 0.5, "token.expired", "expired"),
        (NOW - 1, None, None, "token.expired", "expired"),
        (NOW + 10, NOW + 7, 0.0, "token.not_yet_valid", "not valid yet"),
    ],
)
def test_a_token_that_only_this_machine_refuses_is_about_the_clock(
    expires: int, not_before: int | None, ahead: float | None, name: str, named: str
) -> None:
    claims = {"active": True, "scope": "openid"}
    token = Introspection(active=True, claims=claims, expires_at=expires, not_before=not_before)
    evidence = Evidence(clock_ahead_seconds=ahead)
    finding = diagnose(REFUSED, replace(case_of(token, evidence=evidence), role=""))
    assert finding.id == name
    assert named in finding.cause


@pytest.mark.parametrize(
    ("introspection", "given", "ahead", "kind", "named"),
    [
        (pat(ROLE), SETTINGS, 0.0, NoteKind.SCOPE, "the role admin. For a PAT, ZITADEL lists every role"),
        (pat(ROLE, more={"iss": "https://localhost"}), SETTINGS, 0.0, NoteKind.ISSUER, "issuer is https://localhost"),
        (pat(ROLE, defined=(ROLE,)), SETTINGS, -61.0, NoteKind.CLOCK, "61 s behind"),
        (session(ROLE, scope=f"{SCOPE}{ROLE} {SCOPE}admin"), SETTINGS, 0.0, NoteKind.SCOPE, "requested but is not"),
        (replace(session(ROLE), expires_at=NOW + 90), SETTINGS, 0.0, NoteKind.EXPIRY, "expires soon, in 90 seconds"),
    ],
)
def test_what_stands_out_is_remarked(
    introspection: Introspection, given: Settings, ahead: float, kind: NoteKind, named: str
) -> None:
    remarks = notes(case_of(introspection, given, Evidence(clock_ahead_seconds=ahead)))
    assert named in remarks[kind]


def test_only_what_stands_out_is_remarked() -> None:
    usual = case_of(pat(ROLE, defined=(ROLE,)))
    assert notes(usual) == notes(replace(usual, token="A" * 71)) == {}
    split = "A" * 30 + " " + "A" * 41
    assert notes(replace(usual, token=split, form=token_form(split))).keys() == {NoteKind.TEXT}


LISTED, RIGHTS, OTHERS = Probe.ASSIGNMENTS, Probe.OWN_RIGHTS, Probe.ADMINISTRATOR_RIGHTS
OWNER, GRANTED = {"own_rights": ("IAM_OWNER",)}, {"assignments": (assignment(ROLE, project=OTHER),)}


@pytest.mark.parametrize(
    ("introspection", "more", "known", "name", "rounds"),
    [
        (pat(), {}, {LISTED: GRANTED, RIGHTS: {}, OTHERS: {}}, "role.in_other_project", [{RIGHTS, LISTED}]),
        (pat(), {}, {LISTED: {}, RIGHTS: OWNER}, "role.administrators_token", [{RIGHTS, LISTED}]),
        (session(), {}, {LISTED: {}, RIGHTS: OWNER}, "role.missing", [{LISTED}]),
        (session(scope=f"{SCOPE}x"), {}, {LISTED: {}, RIGHTS: OWNER}, "role.narrowed", []),
        (pat(), {"settings": replace(SETTINGS, project_id=OTHER)}, {LISTED: {}}, "role.other_project_configured", []),
        (pat(), {"now": NOW + 10**6}, {LISTED: {}}, "token.expired", []),
        (pat(ROLE), {}, {LISTED: {}, RIGHTS: {}, OTHERS: {}}, None, []),
    ],
)
def test_only_what_the_possible_causes_need_is_asked(
    introspection: Introspection,
    more: dict[str, Any],
    known: dict[Probe, dict[str, Any]],
    name: str | None,
    rounds: list[set[Probe]],
) -> None:
    asker = Asker(known)
    finding = decide(REFUSED, replace(case_of(introspection), **more), asker)
    assert (finding and finding.id, asker.rounds) == (name, rounds)


@pytest.mark.parametrize(
    ("rights", "name"), [((), "role.swapped_tokens"), (("IAM_OWNER",), "role.administrators_token")]
)
def test_an_administrators_token_may_be_swapped_with_another_one(rights: tuple[str, ...], name: str) -> None:
    evidence = Evidence(with_administrator=True)
    asker = Asker({LISTED: {}, RIGHTS: OWNER, OTHERS: {"admin_pat_rights": rights}}, evidence)
    finding = diagnose(REFUSED, case_of(pat(), evidence=evidence), asker)
    assert (finding.id, asker.rounds) == (name, [{RIGHTS, LISTED}, {OTHERS}])
    assert "IAM_OWNER" in finding.cause


def test_nobody_is_told_to_grant_the_administrators_pat_a_role() -> None:
    admin_pat = case_of(pat(), evidence=Evidence(is_admin_pat=True))
    assert diagnose(REFUSED, replace(admin_pat, role="ORG_OWNER")).id == "role.undefined"
    for rights, name in ((None, "role.administrators_token"), ((), "role.missing")):  # None: ZITADEL did not say
        asker = Asker({LISTED: {}, RIGHTS: {"own_rights": rights}}, admin_pat.evidence)
        finding = diagnose(REFUSED, admin_pat, asker)
        assert (finding.id, asker.rounds, finding.repair) == (name, [{RIGHTS, LISTED}], None)
        assert ("(ZITADEL_ADMIN_PAT)" in finding.cause) is (rights is None)
    option = diagnose(REFUSED, case_of(pat(), evidence=Evidence(is_admin_pat=True, other_pat=".env")))
    assert option.fix == ("leave out --pat: then PAT in .env is sent",)


def test_a_near_miss_is_one_edit_or_the_case() -> None:
    others = ("read:message", "read_messages", "Read:messages", "write:messages", "read:messages", "read")
    assert [near_role(ROLE, (other,)) for other in others] == [*others[:3], "", "", ""]
    for typed in (f"{SCOPE}{ROLE}", "read:messages,admin", "admin,read:messages", "red:aemssages", "read"):
        assert near_role(typed, (ROLE, "write:x")) == ROLE
    assert find(pat(defined=("Read:messages",))).fix[0] == "require Read:messages in the API", "it destroys nothing"
    for role in (
        pat("read:message", defined=("read:message",)),
        session("read:message"),
        pat(defined=("raed:messages",)),
    ):
        assert "--create-role" not in str(find(role))
    for text in ("reader", "read:*", "a,b", "a b", "A1b2" * 16):
        finding = diagnose(REFUSED, replace(case_of(pat(), evidence=Evidence(assignments=())), role=text))
        assert (finding.id, "--create-role" in str(finding)) == ("role.undefined", False), "a user, a pattern, a list"
