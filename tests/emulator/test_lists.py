"""Filters, pages and order of the API's lists."""

import pytest

from tests.support.stories import stories
from zdemo.emulator.api.lists import is_match

FIELDS = {
    "three": """filters.0.inProjectIdsFilter.ids='["<own_project1.id>","<own_project2.id>","<own_project3.id>"]'""",
    "one": "filters.0.inProjectIdsFilter.ids.0=<own_project1.id>",
    "by_name": "sortingColumn=PROJECT_FIELD_NAME_NAME pagination.asc=true pagination.limit=1",
    "by_date": "sortingColumn=PROJECT_FIELD_NAME_CREATION_DATE pagination.asc=true pagination.limit=1",
    "named": "filters.1.projectNameFilter.projectName=<own_project1.name>",
    "reader": "queries.0.inUserIdsQuery.userIds.0=<reader.id>",
    "either": "queries.0.orQuery.queries.0.loginNameQuery.loginName=<reader_login> "
    "queries.0.orQuery.queries.1.userNameQuery.userName=<visitor.username>",
    "pats": "filters.0.userIdFilter.id=<user.id>",
    "by_expiry": "sortingColumn=PERSONAL_ACCESS_TOKEN_FIELD_NAME_EXPIRATION_DATE",
    "expires": "filters.1.expirationDateFilter.timestamp=<next_week> filters.1.expirationDateFilter.method",
}
test_a_story_of_lists = stories("""
# a list has a limit, counts in text, and shows the newest first
P/ListProjects @three -> pagination.totalResult=3 pagination.appliedLimit=100 projects.0.projectId=<own_project3.id>
P/ListProjects @three orgid=<own_organization.id> -> projects.2
P/ListProjects @three pagination.limit=1000 -> pagination.appliedLimit=1000 projects.2
P/ListProjects @three sortingColumn=PROJECT_FIELD_NAME_COLOUR -> projects.2

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

# users are found by type, state and either of two queries
U/ListUsers @reader queries.1.typeQuery.type=TYPE_MACHINE -> result.0.userId=<reader.id> details.totalResult=1
U/ListUsers @reader queries.1.typeQuery.type=TYPE_HUMAN -> result=null
U/ListUsers @reader queries.1.stateQuery.state=USER_STATE_ACTIVE -> result.0
U/ListUsers @reader queries.1.stateQuery.state=USER_STATE_LOCKED -> result=null
U/ListUsers @reader queries.1.notQuery.query.typeQuery.type=TYPE_HUMAN -> result.0
U/ListUsers @reader queries.1.userNameQuery.userName=<visitor.username> -> result=null
U/ListUsers @either -> result.1 details.totalResult=2 pagination=null
U/ListUsers @either query.limit=1 query.asc=true -> result.0.userId=<visitor.id> result.1=null
U/ListUsers @either query.limit=1 query.asc=true query.offset=1 -> result.0.userId=<reader.id> result.1=null

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


@pytest.mark.parametrize(
    ("method", "matching", "others"),
    [
        (None, "Shop-1", "shop-1 Shop"),
        ("EQUALS", "Shop-1", "SHOP-1 Shop-"),
        ("STARTS_WITH", "Shop Shop-1", "hop-1 SHOP"),
        ("STARTS_WITH_IGNORE_CASE", "SHOP", "HOP"),
        ("CONTAINS", "hop Shop-1", "HOP x"),
        ("ENDS_WITH", "op-1 Shop-1", "Shop OP-1"),
    ],
)
def test_a_text_is_compared_by_the_method(method: str | None, matching: str, others: str) -> None:
    full = method and f"TEXT_FILTER_METHOD_{method}"
    assert all(is_match("Shop-1", pattern, full) for pattern in matching.split())
    assert not any(is_match("Shop-1", pattern, full) for pattern in others.split())


def test_a_time_is_compared_by_the_method() -> None:
    for method, passes in (("", "="), ("METHOD_AFTER", ">"), ("METHOD_BEFORE", "<"), ("METHOD_BEFORE_OR_EQUALS", "<=")):
        assert [is_match(when, 2.0, method) for when in (1.0, 2.0, 3.0)] == [sign in passes for sign in "<=>"]
