"""Filters, pages and order of the API's lists."""

from typing import Any

import pytest

from tests.support.emulator_target import Api
from tests.support.waiting import eventually
from tests.support.workshop import Pat, Project, User, Workshop, later

LIST = "ProjectService/ListProjects"
NONE = {"pagination": {"appliedLimit": "100"}}


@pytest.fixture(scope="module")
def three(workshop: Workshop, admin: Api) -> list[Project]:
    """Three projects, listed, in the order of their creation and of their names."""
    projects = [workshop.project() for _ in range(3)]
    eventually("they are listed", lambda: admin.do(LIST, filters=among(projects)).get("projects", []), is_three)
    return projects


def is_three(rows: list[Any]) -> bool:
    return len(rows) == 3


def among(projects: list[Project]) -> list[dict[str, Any]]:
    return [{"inProjectIdsFilter": {"ids": [project.id for project in projects]}}]


def named(name: str, method: str | None) -> list[dict[str, Any]]:
    comparison = {"method": f"TEXT_FILTER_METHOD_{method}"} if method else {}
    return [{"projectNameFilter": {"projectName": name, **comparison}}]


def ids(rows: list[dict[str, str]]) -> list[str]:
    return [row["projectId"] for row in rows]


@pytest.mark.parametrize(
    ("page", "limit"),
    [({}, "100"), ({"limit": 0}, "100"), ({"limit": 1000}, "1000")],
    ids=["default", "zero", "highest"],
)
def test_a_list_has_a_limit_and_counts_in_text(
    admin: Api, three: list[Project], page: dict[str, int], limit: str
) -> None:
    listed = admin.do(LIST, filters=among(three), pagination=page)
    assert listed["pagination"] == {"totalResult": "3", "appliedLimit": limit}


def test_newest_come_first(admin: Api, three: list[Project]) -> None:
    rows = admin.do(LIST, filters=among(three))["projects"]
    assert ids(rows) == [project.id for project in reversed(three)]


def test_an_unknown_sorting_column_is_ignored(admin: Api, three: list[Project]) -> None:
    rows = admin.do(LIST, filters=among(three), sortingColumn="PROJECT_FIELD_NAME_COLOUR")["projects"]
    assert sorted(ids(rows)) == sorted(project.id for project in three)


@pytest.mark.parametrize("column", ["NAME", "CREATION_DATE"])
def test_pages_follow_the_sorting_column(admin: Api, three: list[Project], column: str) -> None:
    shown: list[str] = []
    for offset in range(3):
        page = admin.do(
            LIST,
            filters=among(three),
            sortingColumn=f"PROJECT_FIELD_NAME_{column}",
            pagination={"offset": str(offset), "limit": 1, "asc": True},
        )
        assert page["pagination"] == {"totalResult": "3", "appliedLimit": "1"}
        shown += ids(page["projects"])
    assert shown == [project.id for project in three]


def test_a_page_beyond_the_end_has_no_total(admin: Api, three: list[Project]) -> None:
    page = admin.do(LIST, filters=among(three), pagination={"offset": 10, "limit": 2})
    assert page == {"pagination": {"appliedLimit": "2"}}


def test_a_list_without_a_match_has_neither_rows_nor_total(admin: Api, workshop: Workshop) -> None:
    assert admin.do(LIST, filters=named(workshop.name("nothing"), "EQUALS")) == NONE


@pytest.mark.parametrize(
    ("method", "change", "found"),
    [
        (None, str, True),
        ("EQUALS", str, True),
        ("EQUALS", str.upper, False),
        ("EQUALS", lambda name: name[:-1], False),
        ("EQUALS_IGNORE_CASE", str.upper, True),
        ("EQUALS_IGNORE_CASE", lambda name: name[:-1], False),
        ("STARTS_WITH", lambda name: name[:-1], True),
        ("STARTS_WITH", lambda name: name[1:], False),
        ("STARTS_WITH", lambda name: name[:-1].upper(), False),
        ("STARTS_WITH_IGNORE_CASE", lambda name: name[:-1].upper(), True),
        ("CONTAINS", lambda name: name[1:-1], True),
        ("CONTAINS", lambda name: name[1:-1].upper(), False),
        ("CONTAINS_IGNORE_CASE", lambda name: name[1:-1].upper(), True),
        ("ENDS_WITH", lambda name: name[1:], True),
        ("ENDS_WITH", lambda name: name[:-1], False),
        ("ENDS_WITH_IGNORE_CASE", lambda name: name[1:].upper(), True),
    ],
)
def test_a_name_is_compared_by_the_method(
    admin: Api, three: list[Project], method: str | None, change: Any, found: bool
) -> None:
    filters = among(three[:1]) + named(change(three[0].name), method)
    assert ids(admin.rows(LIST, filters=filters)) == ([three[0].id] if found else [])


def test_filters_must_all_hold(admin: Api, three: list[Project]) -> None:
    assert admin.do(LIST, filters=among(three[:1]) + among(three[1:])) == NONE


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([{"roleKeyFilter": {"key": "admin"}}], ["admin"]),
        ([{"displayNameFilter": {"displayName": "Role read:messages"}}], ["read:messages"]),
        ([{"roleKeyFilter": {"key": "ADMIN"}}], []),
        ([], ["admin", "read:messages"]),
    ],
    ids=["key", "display name", "key in other case", "all"],
)
def test_roles_are_found_by_key_or_display_name(
    admin: Api, project: Project, filters: list[dict[str, Any]], expected: list[str]
) -> None:
    def ask() -> list[str]:
        rows = admin.rows("ProjectService/ListProjectRoles", projectId=project.id, filters=filters)
        return sorted(role["key"] for role in rows)

    eventually(f"the roles {expected} are listed", ask, lambda keys: keys == expected)


def list_users(admin: Api, *queries: dict[str, Any], **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = admin.do("UserService/ListUsers", queries=list(queries), query=query)
    return found


def username_query(name: str, method: str = "EQUALS") -> dict[str, Any]:
    return {"userNameQuery": {"userName": name, "method": f"TEXT_QUERY_METHOD_{method}"}}


@pytest.mark.parametrize(("method", "found"), [("EQUALS", False), ("CONTAINS_IGNORE_CASE", True)])
def test_users_are_found_by_username(admin: Api, reader: User, method: str, found: bool) -> None:
    result = list_users(admin, username_query(reader.username[1:].upper(), method))
    assert (reader.id in {user["userId"] for user in result.get("result", [])}) is found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"typeQuery": {"type": "TYPE_MACHINE"}}, True),
        ({"typeQuery": {"type": "TYPE_HUMAN"}}, False),
        ({"stateQuery": {"state": "USER_STATE_ACTIVE"}}, True),
        ({"stateQuery": {"state": "USER_STATE_LOCKED"}}, False),
        ({"notQuery": {"query": {"typeQuery": {"type": "TYPE_HUMAN"}}}}, True),
    ],
    ids=["service account", "human", "active", "locked", "not human"],
)
def test_users_are_found_by_type_and_state(admin: Api, reader: User, query: dict[str, Any], found: bool) -> None:
    result = list_users(admin, {"inUserIdsQuery": {"userIds": [reader.id]}}, query)
    assert [user["userId"] for user in result.get("result", [])] == ([reader.id] if found else [])


def test_users_are_found_by_either_of_two_queries(admin: Api, reader: User, visitor: User, reader_login: str) -> None:
    either = {
        "orQuery": {"queries": [{"loginNameQuery": {"loginName": reader_login}}, username_query(visitor.username)]}
    }
    found = eventually(
        "both are listed", lambda: list_users(admin, either), lambda found: len(found.get("result", [])) == 2
    )
    assert {row["userId"] for row in found["result"]} == {reader.id, visitor.id}
    assert (found["details"]["totalResult"], "pagination" in found) == ("2", False)
    pages = [list_users(admin, either, limit=1, offset=str(offset), asc=True)["result"] for offset in (0, 1)]
    assert {row["userId"] for page in pages for row in page} == {reader.id, visitor.id}


@pytest.fixture(scope="module")
def pats(workshop: Workshop, admin: Api) -> tuple[User, list[Pat]]:
    """A user with three PATs, listed: they never expire, in two days and in one, created in this order."""
    user = workshop.user()
    assert user.first_pat is not None
    made = [user.first_pat, workshop.pat(user.id, later(days=2)), workshop.pat(user.id, later(days=1))]
    eventually("the PATs are listed", lambda: list_pats(admin, user), lambda listed: len(listed) == 3)
    return user, made


def list_pats(admin: Api, user: User, *filters: dict[str, Any], **more: Any) -> list[str]:
    of_user = {"userIdFilter": {"id": user.id}}
    rows = admin.rows("UserService/ListPersonalAccessTokens", filters=[of_user, *filters], **more)
    return [row["id"] for row in rows]


EXPIRATION = "PERSONAL_ACCESS_TOKEN_FIELD_NAME_EXPIRATION_DATE"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [2, 1, 0]),
        ({"pagination": {"asc": True}}, [0, 1, 2]),
        ({"pagination": {"asc": True, "limit": 2}}, [0, 1]),
        ({"pagination": {"asc": True, "limit": 2, "offset": 2}}, [2]),
        ({"pagination": {"limit": 2, "offset": 9}}, []),
        ({"sortingColumn": EXPIRATION, "pagination": {"asc": True}}, [2, 1, 0]),
        ({"sortingColumn": EXPIRATION}, [0, 1, 2]),
    ],
    ids=["newest", "oldest", "first page", "second page", "beyond the end", "soonest", "latest"],
)
def test_pats_are_listed_in_order(
    admin: Api, pats: tuple[User, list[Pat]], more: dict[str, Any], expected: list[int]
) -> None:
    user, made = pats
    assert list_pats(admin, user, **more) == [made[index].id for index in expected]


def test_pats_are_found_by_id_and_by_expiry(admin: Api, pats: tuple[User, list[Pat]]) -> None:
    user, made = pats
    assert list_pats(admin, user, {"tokenIdFilter": {"id": made[1].id}}) == [made[1].id]
    soon = {"timestamp": later(hours=36), "method": "TIMESTAMP_FILTER_METHOD_BEFORE"}
    assert list_pats(admin, user, {"expirationDateFilter": soon}) == [made[2].id]
