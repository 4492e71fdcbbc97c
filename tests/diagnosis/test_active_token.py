"""Active tokens: why the API refuses them (role, audience, clock), and what notes say about them."""

from dataclasses import replace
from typing import Any

import pytest

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.rules.active_token import finding_for_active, near_miss, notes
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.records import RoleAssignment

CERTAIN, LIKELY, OPEN = Certainty

ISSUER = "http://localhost:8080"
CLIENT_ID, PROJECT, OTHER = "312909075212468231", "312909075212468225", "312909075212468777"
ROLE = "read:messages"
NOW = 1_800_000_000
SCOPE = "urn:zitadel:iam:org:project:role:"
SETTINGS = Settings(issuer=ISSUER, client_id=CLIENT_ID, client_secret="s3cr" * 16)
OF_PROJECT = replace(SETTINGS, project_id=PROJECT)


def pat(
    *granted: str,
    defined: tuple[str, ...] = (ROLE, "admin"),
    project: str = PROJECT,
    more: dict[str, Any] | None = None,
) -> Introspection:
    """Return a PAT as ZITADEL shows it: its scope lists all roles of the project, its audience ends with ``[C, P]``."""
    claims = {
        "active": True,
        "iss": ISSUER,
        "sub": "1",
        "username": "reader",
        "scope": " ".join(["openid", *(SCOPE + role for role in defined)]),
    }
    return shown(claims | (more or {}), granted, (CLIENT_ID, project), project)


def session(*granted: str, scope: str = "openid", project: str = PROJECT, more: tuple[str, ...] = ()) -> Introspection:
    """Return a token of client_credentials: it has a ``client_id``, and the scopes that were requested."""
    claims = {"active": True, "iss": ISSUER, "sub": "1", "username": "svc", "client_id": "svc", "scope": scope}
    return shown(claims, granted, (project, *more), project)


def shown(claims: dict[str, Any], granted: tuple[str, ...], audience: tuple[str, ...], project: str) -> Introspection:
    if granted:
        roles = {role: {"1": "acme.localhost"} for role in granted}
        claims |= {"urn:zitadel:iam:org:project:roles": roles, f"urn:zitadel:iam:org:project:{project}:roles": roles}
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
    finding = finding_for_active(introspection, given, evidence, role=ROLE, now=NOW)
    assert finding is not None
    return finding


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


def test_a_login_name_is_quoted_for_the_shell() -> None:
    for name, named in (("a b; c", "'a b; c'"), ("admin\u200b", "1"), ("admin\x1b", "1"), ("x" * 200, "1")):
        assert find(pat(more={"username": name})).fix[0] == f"zdemo role grant {named} read:messages"


def test_an_application_of_another_project_than_configured_is_the_cause() -> None:
    for introspection in (pat(ROLE), pat(), session(ROLE)):
        finding = find(introspection, given=replace(SETTINGS, project_id=OTHER))
        assert finding.id in ("role.other_project_configured", "client.in_other_project")
        assert OTHER in finding.cause


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
    finding = finding_for_active(token, SETTINGS, Evidence(clock_ahead_seconds=ahead), role=None, now=NOW)
    assert finding is not None
    assert finding.id == name
    assert named in finding.cause


@pytest.mark.parametrize(
    ("introspection", "given", "ahead", "named"),
    [
        (pat(ROLE), SETTINGS, 0.0, "the role admin. For a PAT, ZITADEL lists every role of the project"),
        (pat("Read:messages", defined=("Read:messages",)), SETTINGS, 0.0, "Read:messages is not read:messages"),
        (pat(ROLE, defined=(ROLE,), project=OTHER), OF_PROJECT, 0.0, f"does not name the project {PROJECT}"),
        (pat(ROLE, defined=(ROLE,), more={"iss": "https://localhost"}), SETTINGS, 0.0, "https://localhost"),
        (pat(ROLE, defined=(ROLE,)), SETTINGS, -61.0, "61 s behind"),
        (session(ROLE, scope=f"{SCOPE}{ROLE} {SCOPE}admin"), SETTINGS, 0.0, "It was requested but is not granted"),
        (replace(session(ROLE), expires_at=NOW + 90), SETTINGS, 0.0, "the token expires soon, in 90 seconds"),
        (pat(ROLE, defined=(ROLE,)), SETTINGS, 0.0, ""),
    ],
)
def test_what_stands_out_is_remarked(introspection: Introspection, given: Settings, ahead: float, named: str) -> None:
    said = notes(introspection, given, ROLE, now=NOW, evidence=Evidence(clock_ahead_seconds=ahead))
    assert [named in remark for remark in said].count(True) == (1 if named else 0)


def test_a_near_miss_is_one_edit_or_the_case() -> None:
    others = ("read:message", "read_messages", "Read:messages", "write:messages", "read:messages", "read")
    assert [near_miss(ROLE, (other,)) for other in others] == [*others[:3], "", "", ""]
