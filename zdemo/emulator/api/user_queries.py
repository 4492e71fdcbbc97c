"""zitadel.user.v2.UserService, the part that looks: one user, and lists in the older form.

The older form (also of organizations) has ``query`` and ``queries`` and answers with ``details`` and ``result``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from zdemo.emulator.api.call import Answer, Call
from zdemo.emulator.api.kinds import Count, Deferred, Enum, Flag, Kind, Repeated, Text
from zdemo.emulator.api.listing import TEXT_METHODS, Filter, in_order, sorting, text_matches
from zdemo.emulator.api.projects import ID
from zdemo.emulator.api.schema import Message, OneOf, Sub
from zdemo.emulator.api.users import SERVICE, details, display_name, reached_user, show_user
from zdemo.emulator.api.values import moment
from zdemo.emulator.entities import Entity, User
from zdemo.emulator.errors import InvalidArgument, NotFound
from zdemo.emulator.world import World

Row = TypeVar("Row", bound=Entity)

TEXT_METHOD = Enum(tuple(f"TEXT_QUERY_METHOD_{m}" for m in TEXT_METHODS))
DEEPEST_QUERY = 20
_LIST_QUERY = Message("ListQuery", offset=Count(), limit=Count(32), asc=Flag())


def text_query(name: str, field: str, of: Callable[[Any], str], least: int = 1, most: int = 200) -> Filter:
    """``{field, method}`` about one text of a row."""
    message = Message(name, **{field: Text(least, most), "method": TEXT_METHOD})
    return Filter(Sub(message), lambda _, row, f: text_matches(of(row), f.get(field, ""), f.get("method")))


@dataclass(frozen=True)
class DetailsListing(Generic[Row]):
    """A ``List...`` method of the older form as data; ``counts_all`` counts what the caller may not see."""

    rows: Callable[[Call], Sequence[Row]]
    visible: Callable[[Call, Row], bool]
    show: Callable[[World, Row], Answer]
    filters: Mapping[str, Filter]
    columns: Mapping[str, Callable[[World, Row], Any]] = field(default_factory=dict)
    counts_all: bool = False

    def query(self) -> Message:
        """The message of one query."""
        kinds: dict[str, Kind] = {choice: f.kind for choice, f in self.filters.items()}
        return Message("SearchQuery", OneOf("Query", tuple(kinds), required=True), **kinds)

    def request(self, name: str) -> Message:
        """The request message."""
        columns = sorting(("", *self.columns))
        return Message(name, query=Sub(_LIST_QUERY), sortingColumn=columns, queries=Repeated(Sub(self.query())))

    def answer(self, call: Call) -> Answer:
        """The answer of the method. Without a limit a page has everything."""
        page = call.body.get("query", {})
        queries = call.body.get("queries", ())
        _check_nesting(queries)
        found = [row for row in self.rows(call) if all(self.passes(call.world, row, q) for q in queries)]
        if not self.counts_all:
            found = [row for row in found if self.visible(call, row)]
        column = self.columns.get(call.body.get("sortingColumn", ""))
        ordered = in_order(call.world, found, column, page.get("asc", False))
        offset = page.get("offset", 0)
        cut = ordered[offset : offset + (page.get("limit", 0) or len(ordered))]
        total = {"totalResult": str(len(found))} if cut else {}
        shown = [self.show(call.world, row) for row in cut if self.visible(call, row)]
        head: Answer = {"details": {**total, "timestamp": moment(call.world.now())}}
        return {**head, "result": shown} if shown else head

    def passes(self, world: World, row: Row, query: Mapping[str, Any]) -> bool:
        """Whether a row is what one query wants."""
        return all(self.filters[choice].test(world, row, content) for choice, content in query.items())


def _check_nesting(queries: Iterable[Mapping[str, Any]], level: int = 0) -> None:
    """Queries inside queries inside queries."""
    for content in (content for query in queries for content in query.values()):
        if level > DEEPEST_QUERY:
            raise InvalidArgument(f"Too many query nesting levels (Max {DEEPEST_QUERY})", "USER-zsQ97")
        _check_nesting(content.get("queries", ()), level + 1)
        _check_nesting([content["query"]] if "query" in content else (), level + 1)


def _group(name: str) -> Kind:
    """Queries inside a query."""
    return Sub(Message(name, queries=Repeated(Deferred(lambda: Sub(_QUERY)))))


def _profile(user: User, name: str) -> str:
    profile: Any = user.human.get("profile", {})
    return str(profile.get(name, ""))


def _email(user: User) -> str:
    email: Any = user.human.get("email", {})
    return str(email.get("email", ""))


def _phone(user: User) -> str:
    phone: Any = user.human.get("phone", {})
    return str(phone.get("phone", ""))


_TYPES = Enum(("TYPE_UNSPECIFIED", "TYPE_HUMAN", "TYPE_MACHINE"))
_STATES = Enum(tuple(f"USER_STATE_{s}" for s in ("UNSPECIFIED", "ACTIVE", "INACTIVE", "DELETED", "LOCKED")))
USERS: DetailsListing[User] = DetailsListing(
    rows=lambda call: list(call.world.users.values()),
    visible=lambda call, user: user.id == call.caller.id or call.access.may("user.read", user.organization_id),
    show=show_user,
    filters={
        "userNameQuery": text_query("UserNameQuery", "userName", lambda u: u.username),
        "loginNameQuery": text_query("LoginNameQuery", "loginName", lambda u: u.username),
        "displayNameQuery": text_query("DisplayNameQuery", "displayName", lambda u: display_name(u) or u.name),
        "firstNameQuery": text_query("FirstNameQuery", "firstName", lambda u: _profile(u, "givenName")),
        "lastNameQuery": text_query("LastNameQuery", "lastName", lambda u: _profile(u, "familyName")),
        "nickNameQuery": text_query("NickNameQuery", "nickName", lambda u: _profile(u, "nickName")),
        "emailQuery": text_query("EmailQuery", "emailAddress", _email, least=0),
        "phoneQuery": text_query("PhoneQuery", "number", _phone, least=0, most=20),
        "typeQuery": Filter(
            Sub(Message("TypeQuery", type=_TYPES)),
            lambda _, u, f: f.get("type") == ("TYPE_MACHINE" if u.machine else "TYPE_HUMAN"),
        ),
        "stateQuery": Filter(
            Sub(Message("StateQuery", state=_STATES)), lambda _, u, f: f.get("state") == f"USER_STATE_{u.state}"
        ),
        "inUserIdsQuery": Filter(
            Sub(Message("InUserIDQuery", userIds=Repeated(Text()))), lambda _, u, f: u.id in f.get("userIds", ())
        ),
        "inUserEmailsQuery": Filter(
            Sub(Message("InUserEmailsQuery", userEmails=Repeated(Text()))),
            lambda _, u, f: _email(u) in f.get("userEmails", ()),
        ),
        "organizationIdQuery": Filter(
            Sub(Message("OrganizationIdQuery", organizationId=Text(1, 200))),
            lambda _, u, f: u.organization_id == f.get("organizationId"),
        ),
        "andQuery": Filter(
            _group("AndQuery"),
            lambda w, u, f: all(USERS.passes(w, u, q) for q in f.get("queries", ())),
        ),
        "orQuery": Filter(
            _group("OrQuery"),
            lambda w, u, f: any(USERS.passes(w, u, q) for q in f.get("queries", ())),
        ),
        "notQuery": Filter(
            Sub(Message("NotQuery", query=Deferred(lambda: Sub(_QUERY)))),
            lambda w, u, f: not USERS.passes(w, u, f.get("query", {})),
        ),
    },
    columns={
        "USER_FIELD_NAME_USER_NAME": lambda _, u: u.username,
        "USER_FIELD_NAME_FIRST_NAME": lambda _, u: _profile(u, "givenName"),
        "USER_FIELD_NAME_LAST_NAME": lambda _, u: _profile(u, "familyName"),
        "USER_FIELD_NAME_NICK_NAME": lambda _, u: _profile(u, "nickName"),
        "USER_FIELD_NAME_DISPLAY_NAME": lambda _, u: display_name(u) or u.name,
        "USER_FIELD_NAME_EMAIL": lambda _, u: _email(u),
        "USER_FIELD_NAME_STATE": lambda _, u: u.state,
        "USER_FIELD_NAME_TYPE": lambda _, u: u.machine,
        "USER_FIELD_NAME_CREATION_DATE": lambda _, u: u.created,
    },
)
_QUERY: Message = USERS.query()
SERVICE.method(USERS.request("ListUsersRequest"))(USERS.answer)


@SERVICE.method(Message("GetUserByIDRequest", userId=ID))
def get_user_by_id(call: Call) -> Answer:
    """One user."""
    user = reached_user(call, "user.read", self_service=True)
    if user is None:
        raise NotFound("User could not be found", "QUERY-Dfbg2")
    return {
        "details": details(user, user.organization_id, created=True),
        "user": show_user(call.world, user),
    }
