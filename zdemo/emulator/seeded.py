"""A new world with what a seed file says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from zdemo.emulator.credentials import canonical, new_secret
from zdemo.emulator.entities import NEVER, Application, Organization, Project, User
from zdemo.emulator.errors import ZitadelError
from zdemo.emulator.seed import ADMIN, ORGANIZATION_NAME, KnownUser, Start
from zdemo.emulator.seed_file import AUTH, STATES, TOKEN, Places, Table, expiry, read_seed
from zdemo.emulator.world import World


def seeded_start(text: str, name: str) -> Start:
    """Return a new world with the content of a seed file; what it does not choose is random.

    An administrator is added if the file has none, as a ZITADEL has one from its first start. Raises SeedError.
    """
    content, places = read_seed(text, name)
    return _Seeding(places).fill(content)


T = TypeVar("T")


class _Seeding:
    """The objects of a seed file by their names, while a world is filled."""

    def __init__(self, places: Places) -> None:
        self._world, self._places = World(), places
        self._organizations: dict[str, Organization] = {}
        self._projects: dict[str, Project] = {}
        self._users: list[KnownUser] = []

    def fill(self, content: Table) -> Start:
        organizations = content.get("organizations") or [{"name": ORGANIZATION_NAME}]
        for number, table in enumerate(organizations):
            with self._placed(f"organizations[{number}]"):
                made = self._world.add_organization(table["name"], id=table.get("id"))
                self._organizations[made.name] = made
        for number, table in enumerate(content.get("projects", [])):
            self._add_project(table, f"projects[{number}]")
        for number, table in enumerate(content.get("users", [])):
            self._add_user(table, f"users[{number}]")
        if not any(user.administrator for user in self._users):
            self._add_user({"username": ADMIN.username, "administrator": "IAM_OWNER", "tokens": [{}]}, "users")
        return self._start()

    def _start(self) -> Start:
        """Return what clients need: the first object of each kind."""
        basic = next((a for a in self._world.applications.values() if a.secret), None)
        first = next(iter(self._projects.values()), None)
        with_pat = [user for user in self._users if user.pat]
        others = [user for user in with_pat if not user.administrator]
        return Start(
            world=self._world,
            project_id=basic.project_id if basic else first.id if first else "",
            client_id=basic.client_id if basic else "",
            client_secret=(basic.secret or "") if basic else "",
            users=tuple(self._users),
            pat=next((user.pat for user in others if user.roles), ""),
            visitor_pat=next((user.pat for user in others if not user.roles), ""),
            admin_pat=next((user.pat for user in with_pat if user.administrator), ""),
        )

    def _add_project(self, table: Table, path: str) -> None:
        organization = self._organization(table, path)
        with self._placed(path):
            project = self._world.add_project(organization.id, table["name"], id=table.get("id"))
        self._projects[project.name] = project
        for number, key in enumerate(table.get("roles", [])):
            with self._placed(f"{path}.roles[{number}]"):
                self._world.add_role(project, key, key)
        for number, inner in enumerate(table.get("applications", [])):
            self._add_application(project, inner, f"{path}.applications[{number}]")

    def _add_application(self, project: Project, table: Table, path: str) -> None:
        auth = table.get("auth", "basic")
        if auth != "basic" and "client_secret" in table:
            raise self._places.error(f"{path}.client_secret", f"an application with {auth} has no secret")
        client_id = table.get("client_id")
        if any(a.client_id == client_id for a in self._world.applications.values()):
            raise self._places.error(f"{path}.client_id", "another application has this client ID")
        with self._placed(path):
            made: Application = self._world.add_application(
                project, table["name"], "api", AUTH[auth], id=table.get("id")
            )
        made.client_id = client_id or made.client_id
        made.secret = (table.get("client_secret") or new_secret()) if auth == "basic" else None

    def _add_user(self, table: Table, path: str) -> None:
        organization = self._organization(table, path)
        with self._placed(path):
            username: str = table["username"]
            user = self._world.add_user(organization.id, username, table.get("name", username), id=table.get("id"))
        user.secret = table.get("secret")
        pats = [self._add_pat(user, t, f"{path}.tokens[{n}]") for n, t in enumerate(table.get("tokens", []))]
        roles: list[str] = []
        for number, inner in enumerate(table.get("assignments", [])):
            roles += self._assign(user, inner, f"{path}.assignments[{number}]")
        if manager := table.get("administrator"):
            resource = ("instance", "") if manager.startswith("IAM_") else ("organization", organization.id)
            self._world.add_administrator(user.id, resource, [manager])
        if (state := STATES[table.get("state", "active")]) != "ACTIVE":
            self._world.set_user_state(user, state, f"user.{'deactivated' if state == 'INACTIVE' else 'locked'}")
        first = next(iter(user.pats), "")
        self._users.append(
            KnownUser(
                id=user.id,
                username=user.username,
                pat=pats[0] if pats else "",
                token_id=first,
                roles=tuple(dict.fromkeys(roles)),
                secret=user.secret or "",
                administrator=bool(manager),
            )
        )

    def _add_pat(self, user: User, table: Table, path: str) -> str:
        text = table.get("token", "")
        if text and not (TOKEN.fullmatch(text) and canonical(text)):
            raise self._places.error(
                f"{path}.token",
                "a token has 20 to 512 characters, which are base64url, or a JWE of five parts",
                "leave it out to get a random one, or add or remove one character",
            )
        if canonical(text) in self._world.token_ids:
            raise self._places.error(f"{path}.token", "another token has the same text")
        return self._world.add_pat(user, expiry(table, self._world.now(), NEVER), token=text).token

    def _assign(self, user: User, table: Table, path: str) -> list[str]:
        project = self._named(self._projects, table["project"], f"{path}.project", "project")
        for number, key in enumerate(table["roles"]):
            self._named(project.roles, key, f"{path}.roles[{number}]", "role")
        with self._placed(path):
            self._world.add_authorization(user.id, project.id, user.organization_id, table["roles"])
        return list(table["roles"])

    def _organization(self, table: Table, path: str) -> Organization:
        if "organization" not in table:
            return next(iter(self._organizations.values()))
        return self._named(self._organizations, table["organization"], f"{path}.organization", "organization")

    def _named(self, known: Mapping[str, T], name: str, path: str, what: str) -> T:
        if name not in known:
            raise self._places.error(path, f"unknown {what}: {name}", f"known: {', '.join(known) or 'none'}")
        return known[name]

    @contextmanager
    def _placed(self, path: str) -> Iterator[None]:
        """Add the place in the file to an error of ZITADEL's rules, such as a name that is taken."""
        try:
            yield
        except ZitadelError as error:
            raise self._places.error(path, error.text.lower()) from None
