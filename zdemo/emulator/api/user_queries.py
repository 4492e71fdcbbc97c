"""zitadel.user.v2.UserService: reading one user, and searching users."""

from zdemo.emulator.api.call import Answer, Call
from zdemo.emulator.api.field_types import ID, Deferred, Enum, FieldType, Repeated, Text
from zdemo.emulator.api.lists import DetailsListing, Filter, passes, text_query
from zdemo.emulator.api.messages import Message, Sub
from zdemo.emulator.api.users import SERVICE, details, display_name, permitted_user, show_user
from zdemo.emulator.entities import User
from zdemo.emulator.errors import NotFound


def _group(name: str) -> FieldType:
    """Return the type of queries inside a query."""
    return Sub(Message(name, queries=Repeated(Deferred(lambda: Sub(_QUERY)))))


def _human(user: User, part: str, name: str) -> str:
    return str(user.human.get(part, {}).get(name, ""))


def _email(user: User) -> str:
    return _human(user, "email", "email")


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
        "firstNameQuery": text_query("FirstNameQuery", "firstName", lambda u: _human(u, "profile", "givenName")),
        "lastNameQuery": text_query("LastNameQuery", "lastName", lambda u: _human(u, "profile", "familyName")),
        "nickNameQuery": text_query("NickNameQuery", "nickName", lambda u: _human(u, "profile", "nickName")),
        "emailQuery": text_query("EmailQuery", "emailAddress", _email, least=0),
        "phoneQuery": text_query("PhoneQuery", "number", lambda u: _human(u, "phone", "phone"), least=0, most=20),
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
            Sub(Message("OrganizationIdQuery", organizationId=ID)),
            lambda _, u, f: u.organization_id == f.get("organizationId"),
        ),
        "andQuery": Filter(
            _group("AndQuery"), lambda w, u, f: all(passes(USERS.filters, w, u, q) for q in f.get("queries", ()))
        ),
        "orQuery": Filter(
            _group("OrQuery"), lambda w, u, f: any(passes(USERS.filters, w, u, q) for q in f.get("queries", ()))
        ),
        "notQuery": Filter(
            Sub(Message("NotQuery", query=Deferred(lambda: Sub(_QUERY)))),
            lambda w, u, f: not passes(USERS.filters, w, u, f.get("query", {})),
        ),
    },
    columns={
        "USER_FIELD_NAME_USER_NAME": lambda _, u: u.username,
        "USER_FIELD_NAME_FIRST_NAME": lambda _, u: _human(u, "profile", "givenName"),
        "USER_FIELD_NAME_LAST_NAME": lambda _, u: _human(u, "profile", "familyName"),
        "USER_FIELD_NAME_NICK_NAME": lambda _, u: _human(u, "profile", "nickName"),
        "USER_FIELD_NAME_DISPLAY_NAME": lambda _, u: display_name(u) or u.name,
        "USER_FIELD_NAME_EMAIL": lambda _, u: _email(u),
        "USER_FIELD_NAME_STATE": lambda _, u: u.state,
        "USER_FIELD_NAME_TYPE": lambda _, u: u.machine,
        "USER_FIELD_NAME_CREATION_DATE": lambda _, u: u.created,
    },
)
_QUERY: Message = USERS.query()
USERS.serve(SERVICE, "ListUsers")


@SERVICE.method("GetUserByID", userId=ID)
def get_user_by_id(call: Call) -> Answer:
    """Show one user."""
    user = permitted_user(call, "user.read", self_service=True)
    if user is None:
        raise NotFound("User could not be found", "QUERY-Dfbg2")
    return {"details": details(user, user.organization_id, created=True), "user": show_user(call.world, user)}
