"""Filters, pages and order of the API's lists."""

from collections.abc import Sequence

import pytest

from tests.support.workshop import Fresh, User, Workshop, later
from tests.support.zitadel_api import Answer, Api, only
from zdemo.emulator.api.lists import is_match


def test_a_list_counts_in_text_shows_the_newest_first_and_has_pages(admin: Api, workshop: Workshop) -> None:
    projects = [workshop.project() for _ in range(3)]
    three = {"filters": [{"inProjectIdsFilter": {"ids": [project.id for project in projects]}}]}
    newest_first = [{"projectId": project.id} for project in reversed(projects)]
    counted = admin.projects.ListProjects(**three).has(projects=newest_first)
    counted.has(pagination={"totalResult": "3", "appliedLimit": "100"})
    admin.within(workshop.organization().id).projects.ListProjects(**three).has(projects=newest_first)
    large = admin.projects.ListProjects(**three, pagination={"limit": 1000})
    large.has(projects=newest_first, pagination={"appliedLimit": "1000"})
    admin.projects.ListProjects(**three, sortingColumn="PROJECT_FIELD_NAME_COLOUR").has(projects=[..., ..., ...])

    def page(column: str, offset: int) -> Answer:
        pagination = {"asc": True, "limit": 1, "offset": offset}
        return admin.projects.ListProjects(**three, sortingColumn=f"PROJECT_FIELD_NAME_{column}", pagination=pagination)

    by_name = sorted(projects, key=lambda project: project.name)
    page("NAME", 0).has(projects=[{"projectId": by_name[0].id}], pagination={"totalResult": "3", "appliedLimit": "1"})
    page("NAME", 1).has(projects=[{"projectId": by_name[1].id}])
    page("CREATION_DATE", 2).has(projects=[{"projectId": projects[2].id}])
    page("CREATION_DATE", 10).only(pagination=only("appliedLimit"))


def test_users_are_found_by_type_state_or_name(admin: Api, reader: User, reader_login: str, visitor: User) -> None:
    this = {"inUserIdsQuery": {"userIds": [reader.id]}}
    machine = admin.users.ListUsers(queries=[this, {"typeQuery": {"type": "TYPE_MACHINE"}}])
    machine.has(result=[{"userId": reader.id}], details={"totalResult": "1"})
    human = {"typeQuery": {"type": "TYPE_HUMAN"}}
    for query in ({"stateQuery": {"state": "USER_STATE_ACTIVE"}}, {"notQuery": {"query": human}}):
        admin.users.ListUsers(queries=[this, query]).has(result=[...])
    for query in (
        human,
        {"stateQuery": {"state": "USER_STATE_LOCKED"}},
        {"userNameQuery": {"userName": visitor.username}},
    ):
        admin.users.ListUsers(queries=[this, query]).has(result=None)
    names = [{"loginNameQuery": {"loginName": reader_login}}, {"userNameQuery": {"userName": visitor.username}}]
    either = [{"orQuery": {"queries": names}}]
    admin.users.ListUsers(queries=either).has(result=[..., ...], details={"totalResult": "2"}, pagination=None)
    for offset, user in enumerate((visitor, reader)):
        page = admin.users.ListUsers(queries=either, query={"limit": 1, "asc": True, "offset": offset})
        page.has(result=[{"userId": user.id}])


def test_pats_are_listed_in_order_and_found_by_id_and_by_expiry(admin: Api, workshop: Workshop, fresh: Fresh) -> None:
    first, next_week = fresh.user.pat_id, later(days=7)
    week, day = (workshop.pat(fresh.user.id, expires).id for expires in (next_week, later(days=1)))
    of_user = {"userIdFilter": {"id": fresh.user.id}}

    def expect(*ids: str, filters: Sequence[object] = (), **fields: object) -> None:
        rows = [{"id": id} for id in ids]
        admin.users.ListPersonalAccessTokens(filters=[of_user, *filters], **fields).has(result=rows or None)

    expect(day, week, first)
    expect(first, week, pagination={"asc": True, "limit": 2})
    expect(day, pagination={"asc": True, "offset": 2})
    expect(pagination={"offset": 9})
    expect(first, week, day, sortingColumn="PERSONAL_ACCESS_TOKEN_FIELD_NAME_EXPIRATION_DATE")
    expect(day, filters=[{"tokenIdFilter": {"id": day}}])
    before = {"timestamp": next_week, "method": "TIMESTAMP_FILTER_METHOD_BEFORE"}
    expect(day, filters=[{"expirationDateFilter": before}])


@pytest.mark.parametrize(
    ("method", "matching", "others"),
    [
        (None, "Shop-1", "shop-1 Shop"),
        ("STARTS_WITH", "Shop Shop-1", "hop-1 SHOP"),
        ("STARTS_WITH_IGNORE_CASE", "SHOP", "HOP"),
        ("CONTAINS", "hop Shop-1", "HOP x"),
    ],
)
def test_a_text_is_compared_by_the_method(method: str | None, matching: str, others: str) -> None:
    full = method and f"TEXT_FILTER_METHOD_{method}"
    assert all(is_match("Shop-1", pattern, full) for pattern in matching.split())
    assert not any(is_match("Shop-1", pattern, full) for pattern in others.split())


def test_a_time_is_compared_by_the_method() -> None:
    for method, passes in (("", "="), ("METHOD_AFTER", ">"), ("METHOD_BEFORE", "<"), ("METHOD_BEFORE_OR_EQUALS", "<=")):
        assert [is_match(when, 2.0, method) for when in (1.0, 2.0, 3.0)] == [sign in passes for sign in "<=>"]
