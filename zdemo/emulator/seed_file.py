"""A world from a file that a person writes, in TOML or JSON; ``docs/emulator.md`` has an example of all of it.

Error messages name the field, and never repeat the value of one that is for secrets.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from zdemo.emulator.api_errors import ZitadelError
from zdemo.emulator.entities import INSTANCE, NEVER, Organization, Project, Resource, User
from zdemo.emulator.rights import ROLES, kind_of
from zdemo.emulator.seed import ADMIN, ORGANIZATION_NAME, KnownUser, SeedError, Start, add_app, start_of
from zdemo.emulator.sessions import add_person, set_auto_login
from zdemo.emulator.token_texts import canonical, new_secret
from zdemo.emulator.world import World

T = TypeVar("T")
AUTH = {"basic": "API_AUTH_METHOD_TYPE_BASIC", "private_key_jwt": "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}
EXAMPLES = {  # of fields, by their names
    "expires": "write the time with its zone, for example 2030-01-01T00:00:00Z",
    "expires_in": "write seconds from the start, for example 3600",
    "administrator": f"known: {', '.join(ROLES)}",
}
LONGEST = 10**11  # seconds
TOKEN = re.compile(r"[A-Za-z0-9_.-]{20,512}")
CODE = re.compile(r"[!-~]{1,512}")  # what an ID or a secret may be: HTTP and the environment must be able to carry it


class _Text(str):
    """A text that is shown."""


class _Code(str):
    """An ID or a secret."""


class _TokenText(str):
    """The text of a personal access token."""


class _Table(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table, which has no other fields than these."""


class _Token(_Table):
    token: _TokenText | None = None
    expires: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    expires_in: Annotated[int, msgspec.Meta(ge=-LONGEST, le=LONGEST)] | None = None  # seconds from the start


class _Assignment(_Table):
    project: _Text
    roles: list[_Text]


class _Account(_Table):
    username: _Text
    id: _Code | None = None
    organization: _Text | None = None
    state: Literal["active", "inactive", "locked"] = "active"
    administrator: _Text = _Text()
    administrator_of: _Text = _Text()  # an organization, by default the account's, or a project
    assignments: list[_Assignment] = []
    groups: list[_Text] = []


class _SeededUser(_Account):
    name: _Text | None = None
    secret: _Code | None = None
    tokens: list[_Token] = []


class _SeededPerson(_Account):
    """Somebody who can log in."""

    given_name: _Text = _Text()
    family_name: _Text = _Text()
    email: _Text = _Text()
    password: _Code | None = None


class _Named(_Table):
    """An organization, or another object that the file can refer to by its name or its ID."""

    name: _Text
    id: _Code | None = None


class _SeededApplication(_Named):
    """An API application, or with ``none`` one for people who log in."""

    auth: Literal["basic", "private_key_jwt", "none"] = "basic"
    redirect_uris: list[_Text] = []
    client_id: _Code | None = None
    client_secret: _Code | None = None


class _SeededGrant(_Table):
    """Roles of a project that another organization can assign."""

    organization: _Text
    roles: list[_Text] = []


class _SeededProject(_Named):
    organization: _Text | None = None
    roles: list[_Text] = []
    applications: list[_SeededApplication] = []
    grants: list[_SeededGrant] = []


class _Seed(_Table):
    organizations: list[_Named] = []
    projects: list[_SeededProject] = []
    users: list[_SeededUser] = []
    people: list[_SeededPerson] = []
    auto_login: _Text | None = None  # the person who is logged in without the login page


def _text(kind: type[T], value: object) -> T:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if kind is _Code and not CODE.fullmatch(value):
        raise ValueError("must be 1 to 512 letters, digits and signs of ASCII, without blanks")
    if kind is _TokenText and not (TOKEN.fullmatch(value) and canonical(value)):
        raise ValueError("must be 20 to 512 characters of base64url, or a JWE; leave it out for a random one")
    if not value:
        raise ValueError("must not be empty")
    if not value.isprintable():
        raise ValueError("has a control character or another character that nobody sees")
    return kind(value)  # type: ignore[call-arg]  # all kinds are subclasses of str


def _known(kind: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield what is known at each place such as ``users.state``: the values of a field, or the fields of a table."""
    fields = getattr(kind, "fields", ())
    yield path, getattr(kind, "values", None) or [field.name for field in fields]
    for field in fields:
        yield from _known(getattr(field.type, "item_type", field.type), f"{path}.{field.name}".lstrip("."))


def _hint(place: str, what: str) -> str:
    """Return what to write at a place such as ``users.state``, where something is wrong."""
    places = dict(_known(msgspec.inspect.type_info(_Seed)))
    known = f"known: {', '.join(places[place])}" if places[place] else ""
    if "expected array, got" in what:
        return f"write [[{place}]], or a list" if known else 'write a list: ["…"]'
    fields, unknown = (other.rpartition(".") for other in places), what.rpartition("unknown field ")[2]
    if homes := [f"[[{table}]]" for table, _, field in fields if table and field == unknown]:
        return f"it is a field of {', '.join(homes)}; {known}"
    return EXAMPLES.get(place.rpartition(".")[2]) or known


def seeded_start(text: str, name: str) -> Start:
    """Return a new world with the content of a .toml or .json file, and with an administrator. Raises SeedError."""
    seeding = _Seeding(text, name)
    try:
        return seeding.fill()
    except ZitadelError as error:  # one of ZITADEL's rules, such as a name that is taken
        raise seeding.error(seeding.at, error.text.lower()) from None


class _Seeding:
    """A file, whose errors have their places, such as ``seed.toml: users[0].name``, and the world of it."""

    def __init__(self, text: str, name: str) -> None:
        self._text, self._name, self._world, self.at = text, name, World(), ""
        self._organizations: dict[str, Organization] = {}
        self._projects: dict[str, Project] = {}
        self._groups: dict[tuple[str, str], str] = {}  # their IDs, by organization and name
        self._users: list[KnownUser] = []
        try:
            self._content = msgspec.convert(self._parsed(), _Seed, dec_hook=_text)
        except msgspec.ValidationError as error:
            what, _, path = str(error).partition(" - at ")
            path, what = path.strip("`").lstrip("$."), what[0].lower() + what[1:].replace("`", "")
            raise self.error(path, what, _hint(re.sub(r"\[\d+\]", "", path), what)) from None
        except UnicodeError:
            raise SeedError(f"{name}: has a character that is not Unicode") from None

    def _parsed(self) -> Any:
        kind, read = ("TOML", tomllib.loads) if self._name.endswith(".toml") else ("JSON", json.loads)
        try:
            return read(self._text)
        except (RecursionError, ValueError) as error:
            match = re.search(r"line (\d+),? column (\d+)", str(error))
            place = f", line {match[1]}, column {match[2]}" if match else ""
            hint = 'write a text in quotes: "…"' if str(error).startswith("Invalid value") else ""
            reason = re.split(r" \(at |: line ", str(error))[0]
            raise SeedError(f"{self._name}{place}: not valid {kind}: {reason}", hint) from None

    def error(self, path: str, what: str, hint: str = "") -> SeedError:
        """Return the error about a field, with its place."""
        text = f"{path}: {what}" if path else what
        visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        return SeedError(f"{self._name}: {visible}", hint)

    def _named(self, known: Mapping[str, T], name: str, place: str, what: str) -> T:
        if name not in known:
            problem = f"unknown {what}: {name}" if name else f"the {what} is missing"
            raise self.error(place, problem, f"known: {', '.join(known) or 'none'}")
        return known[name]

    # --- the world ---

    def fill(self) -> Start:
        """Return the new world. Raises SeedError."""
        default = [_Named(name=_Text(ORGANIZATION_NAME))]
        for organization in self._each("organizations", self._content.organizations or default):
            added = self._world.add_organization(organization.name, id=organization.id)
            self._refer(self._organizations, organization, added)
        for project in self._each("projects", self._content.projects):
            self._add_project(project)
        for user in self._each("users", self._content.users):
            self._add_user(user)
        for person in self._each("people", self._content.people):
            self._add_person(person)
        if not any(user.administrator for user in self._users):
            self.at = "users"
            name, role = _Text(ADMIN.username), _Text("IAM_OWNER")
            self._add_user(_SeededUser(username=name, administrator=role, tokens=[_Token()]))
        try:
            set_auto_login(self._world, self._content.auto_login or "")
        except KeyError as error:
            known = ", ".join(person.username for person in self._content.people) or "none"
            raise self.error("auto_login", f"unknown person: {error.args[0]}", f"known: {known}") from None
        return start_of(self._world, tuple(self._users))

    def _each(self, field: str, tables: Iterable[T]) -> Iterator[T]:
        """Yield the items of a list, each while ``at`` is its place."""
        outer = f"{self.at}." if self.at else ""
        for number, table in enumerate(tables):
            self.at = f"{outer}{field}[{number}]"
            yield table
        self.at = outer.removesuffix(".")

    def _refer(self, known: dict[str, T], table: _Named, entity: T) -> None:
        """Let the file refer to an object by its name or its ID; the ID wins."""
        known.setdefault(table.name, entity)
        if table.id:
            known[table.id] = entity

    def _add_project(self, table: _SeededProject) -> None:
        project = self._world.add_project(self._organization(table).id, table.name, id=table.id)
        self._refer(self._projects, table, project)
        for key in self._each("roles", table.roles):
            self._world.add_role(project, key, key)
        for application in self._each("applications", table.applications):
            self._add_application(project, application)
        for grant in self._each("grants", table.grants):
            id = self._organization(grant).id
            if id == project.organization_id:
                raise self.error(f"{self.at}.organization", "the project belongs to this organization")
            self._check_roles(project.roles, grant.roles)
            self._world.add_project_grant(project, id, list(grant.roles))

    def _add_application(self, project: Project, table: _SeededApplication) -> None:
        if table.auth != "basic" and table.client_secret:
            raise self.error(f"{self.at}.client_secret", f"an application with {table.auth} has no secret")
        if any(a.client_id == table.client_id for a in self._world.applications.values()):
            raise self.error(f"{self.at}.client_id", "another application has this client ID")
        if table.auth == "none":
            id, client_id = table.id, table.client_id or ""
            try:
                add_app(self._world, project, table.name, table.redirect_uris, id=id, client_id=client_id)
            except ValueError as error:
                raise self.error(f"{self.at}.redirect_uris", str(error)) from None
            return
        if table.redirect_uris:
            raise self.error(f"{self.at}.redirect_uris", 'needs auth = "none"')
        application = self._world.add_application(project, table.name, "api", AUTH[table.auth], id=table.id)
        application.client_id = table.client_id or application.client_id
        application.secret = (table.client_secret or new_secret()) if table.auth == "basic" else None

    def _add_user(self, table: _SeededUser) -> None:
        owner = self._organization(table).id
        user = self._world.add_user(owner, table.username, table.name or table.username, id=table.id)
        user.secret = table.secret
        pats = [self._add_pat(user, token) for token in self._each("tokens", table.tokens)]
        self._set_up(user, table)
        if table.administrator == "IAM_LOGIN_CLIENT":
            return  # which is not handed out as an administrator, nor as a user without a role
        self._users.append(
            KnownUser(
                id=user.id,
                username=user.username,
                pat=pats[0] if pats else "",
                token_id=next(iter(user.pats), ""),
                roles=tuple(dict.fromkeys(role for assignment in table.assignments for role in assignment.roles)),
                secret=user.secret or "",
                administrator=bool(table.administrator),
            )
        )

    def _add_person(self, table: _SeededPerson) -> None:
        owner, names = self._organization(table).id, (table.username, table.given_name, table.family_name)
        if table.email and not re.fullmatch(r"[^\s@]+@[^\s@]+", table.email):
            raise self.error(f"{self.at}.email", "is not an email address")
        user = add_person(self._world, owner, *names, email=table.email, password=table.password, id=table.id)
        self._set_up(user, table)

    def _set_up(self, user: User, table: _Account) -> None:
        for assignment in self._each("assignments", table.assignments):
            project = self._named(self._projects, assignment.project, f"{self.at}.project", "project")
            grant = project.grants.get(user.organization_id)
            self._check_roles(dict.fromkeys(grant.role_keys) if grant else project.roles, assignment.roles)
            self._world.assign(user, project, assignment.roles)
        for name in table.groups:
            user.groups[self._groups.setdefault((user.organization_id, name), self._world.new_id())] = name
        if table.administrator or table.administrator_of:
            self._named(ROLES, table.administrator, f"{self.at}.administrator", "role")
            self._world.add_administrator(user.id, self._resource(user, table), [table.administrator])
        if table.state != "active":
            event = f"user.{'deactivated' if table.state == 'inactive' else 'locked'}"
            self._world.set_user_state(user, table.state.upper(), event)

    def _check_roles(self, known: Mapping[str, object], roles: Iterable[str]) -> None:
        for key in self._each("roles", roles):
            self._named(known, key, self.at, "role")

    def _resource(self, user: User, table: _Account) -> Resource:
        name, place, kind = table.administrator_of, f"{self.at}.administrator_of", kind_of(table.administrator)
        if kind == "project":
            return Resource(kind, self._named(self._projects, name, place, kind).id)
        if kind == "organization":
            id = self._named(self._organizations, name, place, kind).id if name else user.organization_id
            return Resource(kind, id)
        if name:
            raise self.error(place, f"{table.administrator} is for the whole instance")
        return INSTANCE

    def _add_pat(self, user: User, table: _Token) -> str:
        if table.token and canonical(table.token) in self._world.token_ids:
            raise self.error(f"{self.at}.token", "another token has the same text")
        if table.expires and table.expires_in is not None:
            raise self.error(f"{self.at}.expires_in", "expires is set too: remove one of the two")
        expires = table.expires.timestamp() if table.expires else NEVER
        if table.expires_in is not None:
            expires = self._world.now() + table.expires_in
        return self._world.add_pat(user, expires, token=table.token).token

    def _organization(self, table: _SeededProject | _SeededGrant | _Account) -> Organization:
        if table.organization is None:
            return next(iter(self._organizations.values()))
        return self._named(self._organizations, table.organization, f"{self.at}.organization", "organization")
