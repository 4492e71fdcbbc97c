"""Filters, pages and order of the API's lists."""

import pytest

from tests.support.stories import Objects, stories
from zdemo.emulator.api.lists import text_matches, time_matches

FIELDS = {
    "three": """filters.0.inProjectIdsFilter.ids='["<own_project1.id>","<own_project2.id>","<own_project3.id>"]'""",
    "one": "filters.0.inProjectIdsFilter.ids.0=<own_project1.id>",
    "by_name": "sortingColumn=PROJECT_FIELD_NAME_NAME pagination.asc=true pagination.limit=1",
    "by_date": "sortingColumn=PROJECT_FIELD_NAME_CREATION_DATE pagination.asc=true pagination.limit=1",
    "named": "filters.1.projectNameFilter.projectName=<own_project1.name>",
    "project": "projectId=<own_project1.id>",
    "application": "projectId=<own_project1.id> apiConfiguration={}",
    "applications": "filters.0.projectIdFilter.projectId=<own_project1.id> pagination.asc=true",
    "reader": "queries.0.inUserIdsQuery.userIds.0=<reader.id>",
    "either": "queries.0.orQuery.queries.0.loginNameQuery.loginName=<reader_login> "
    "queries.0.orQuery.queries.1.userNameQuery.userName=<visitor.username>",
    "pats": "filters.0.userIdFilter.id=<user.id>",
    "by_expiry": "sortingColumn=PERSONAL_ACCESS_TOKEN_FIELD_NAME_EXPIRATION_DATE",
    "expires": "filters.1.expirationDateFilter.timestamp=<next_week> filters.1.expirationDateFilter.method",
    "human_user": """username=<name> human.profile='{"givenName":"Ada","familyName":"Test"}' """
    """human.email.email=<name>@example.com human.phone.phone=+41791234567""",
}
STORIES = stories("""
# a list has a limit, counts in text, and shows the newest first
P/ListProjects @three -> pagination.totalResult=3 pagination.appliedLimit=100 projects.0.projectId=<own_project3.id>
P/ListProjects @three pagination.limit=0 -> pagination.appliedLimit=100 projects.2.projectId=<own_project1.id>
P/ListProjects @three pagination.limit=1000 -> pagination.appliedLimit=1000 projects.2
P/ListProjects @three sortingColumn=PROJECT_FIELD_NAME_COLOUR -> projects.2
P/ListProjects @three sortingColumn=99.0 -> projects.2

# pages follow the sorting column
P/ListProjects @three @by_name -> pagination.totalResult=3 pagination.appliedLimit=1 projects.1=null
P/ListProjects @three @by_name -> projects.0.projectId=<own_project1.id>
P/ListProjects @three @by_name pagination.offset=1 -> projects.0.projectId=<own_project2.id>
P/ListProjects @three @by_date pagination.offset=2 -> projects.0.projectId=<own_project3.id>
P/ListProjects @three @by_date pagination.offset=10 -> :pagination pagination:appliedLimit

# a list without a match has neither rows nor total, and filters must all hold
P/ListProjects filters.0.projectNameFilter.projectName=<name> -> :pagination pagination:appliedLimit
P/ListProjects @one @named -> projects.0.projectId=<own_project1.id>
P/ListProjects @one filters.1.projectNameFilter.projectName=<own_project2.name> -> projects=null
P/ListProjects @one @named filters.1.projectNameFilter.method=TEXT_FILTER_METHOD_ENDS_WITH -> projects.0

# roles are found by key or display name
P/ListProjectRoles @project -> projectRoles.1 pagination.totalResult=2
P/ListProjectRoles @project filters.0.roleKeyFilter.key=s -> projectRoles.0.key=s projectRoles.1=null
P/ListProjectRoles @project filters.0.displayNameFilter.displayName="Role r" -> projectRoles.0.key=r
P/ListProjectRoles @project filters.0.roleKeyFilter.key=S -> projectRoles=null

# applications are sorted by number
A/CreateApplication @application name=b applicationId=<name>-3 -> applicationId
A/CreateApplication @application name=a applicationId=<name>-2 -> applicationId
A/CreateApplication @application name=c applicationId=<name>-1 -> applicationId
A/ListApplications @applications sortingColumn=0.0 -> applications.0.name=c applications.2.name=b
A/ListApplications @applications sortingColumn=1.0 -> applications.0.name=a applications.2.name=c
A/ListApplications @applications sortingColumn=3.0 -> applications.0.name=b applications.2.name=c

# users are found by type, state and either of two queries
U/ListUsers @reader queries.1.typeQuery.type=TYPE_MACHINE -> result.0.userId=<reader.id> details.totalResult=1
U/ListUsers @reader queries.1.typeQuery.type=TYPE_HUMAN -> result=null
U/ListUsers @reader queries.1.stateQuery.state=USER_STATE_ACTIVE -> result.0
U/ListUsers @reader queries.1.stateQuery.state=USER_STATE_LOCKED -> result=null
U/ListUsers @reader queries.1.notQuery.query.typeQuery.type=TYPE_HUMAN -> result.0
U/ListUsers @reader queries.1.userNameQuery.userName=<visitor.username> -> result=null
U/ListUsers @reader sortingColumn=99.0 -> result.0
U/ListUsers @either -> result.1 details.totalResult=2 pagination=null
U/ListUsers @either query.limit=1 query.asc=true -> result.0.userId=<visitor.id> result.1=null
U/ListUsers @either query.limit=1 query.asc=true query.offset=1 -> result.0.userId=<reader.id> result.1=null

# users are found by phone and by emails
U/CreateUser organizationId=<organization.id> @human_user -> id
U/ListUsers queries.0.phoneQuery='{"number":"+4179","method":"TEXT_QUERY_METHOD_STARTS_WITH"}' -> result.0.human
U/ListUsers queries.0.inUserEmailsQuery.userEmails='["","<name>@example.com"]' -> result.0.userId=<made.id>
U/DeleteUser userId=<made.id> -> details

# PATs are listed in order, and found by ID and by expiry
U/AddPersonalAccessToken userId=<user.id> expirationDate=<next_week> -> token
U/AddPersonalAccessToken userId=<user.id> expirationDate=<tomorrow> -> token
U/ListPersonalAccessTokens @pats -> result.0.id=<made.tokenId> result.2.id=<user.first_pat.id>
U/ListPersonalAccessTokens @pats pagination.asc=true pagination.limit=2 -> result.0.id=<user.first_pat.id> result.2=null
U/ListPersonalAccessTokens @pats pagination.asc=true pagination.offset=2 -> result.0.id=<made.tokenId> result.1=null
U/ListPersonalAccessTokens @pats pagination.offset=9 -> result=null
U/ListPersonalAccessTokens @pats @by_expiry -> result.0.id=<user.first_pat.id> result.2.id=<made.tokenId>
U/ListPersonalAccessTokens @pats filters.1.tokenIdFilter.id=<made.tokenId> -> result.0.id=<made.tokenId> result.1=null
U/ListPersonalAccessTokens @pats @expires=TIMESTAMP_FILTER_METHOD_BEFORE -> result.0.id=<made.tokenId> result.1=null
""")


@pytest.mark.parametrize("story", STORIES)
def test_a_story_of_lists(objects: Objects, story: str) -> None:
    objects.tell(STORIES[story])


@pytest.mark.parametrize(
    ("method", "matching", "others"),
    [
        (None, "Shop-1", "shop-1 Shop"),
        ("EQUALS", "Shop-1", "SHOP-1 Shop-"),
        ("EQUALS_IGNORE_CASE", "Shop-1 SHOP-1", "Shop"),
        ("STARTS_WITH", "Shop Shop-1", "hop-1 SHOP"),
        ("STARTS_WITH_IGNORE_CASE", "SHOP", "HOP"),
        ("CONTAINS", "hop Shop-1", "HOP x"),
        ("CONTAINS_IGNORE_CASE", "HOP", "x"),
        ("ENDS_WITH", "op-1 Shop-1", "Shop OP-1"),
        ("ENDS_WITH_IGNORE_CASE", "OP-1", "SHOP"),
    ],
)
def test_a_text_is_compared_by_the_method(method: str | None, matching: str, others: str) -> None:
    full = method and f"TEXT_FILTER_METHOD_{method}"
    assert all(text_matches("Shop-1", pattern, full) for pattern in matching.split())
    assert not any(text_matches("Shop-1", pattern, full) for pattern in others.split())


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        (None, "="),
        ("EQUALS", "="),
        ("AFTER", ">"),
        ("AFTER_OR_EQUALS", ">="),
        ("BEFORE", "<"),
        ("BEFORE_OR_EQUALS", "<="),
    ],
)
def test_a_time_is_compared_by_the_method(method: str | None, passes: str) -> None:
    full = method and f"TIMESTAMP_FILTER_METHOD_{method}"
    assert [time_matches(when, 2.0, full) for when in (1.0, 2.0, 3.0)] == [sign in passes for sign in "<=>"]
