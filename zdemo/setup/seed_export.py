"""Read a ZITADEL into a seed for the emulator: what an administrator sees of it, with its IDs and with new secrets."""

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zdemo.emulator.rights import ROLES
from zdemo.emulator.seed import SeedError
from zdemo.emulator.seed_file import seeded_start
from zdemo.errors import ADMIN_REFUSED, ManagementError, ZdemoError
from zdemo.zitadel import resources
from zdemo.zitadel.management import BIGGER_ROLE, ManagementClient
from zdemo.zitadel.records import NO_SECRET, Project, User

Table = dict[str, Any]
OWNER = ("IAM_OWNER", "")
ADMIN = "zdemo-seed-admin"  # the active service account with this role, if there would be none
STATES = {"ACTIVE": "", "LOCKED": "locked"}  # the others are inactive


class SeedExport:
    """A ZITADEL on its way into a seed; ``left_out`` counts what is missing there, or is 0 for a whole list.

    Its secrets are random. If ``admin_pat`` is one of a seed, they are as there: its export is the same file again.
    """

    def __init__(self, client: ManagementClient, admin_pat: str) -> None:
        self._client, known = client, re.match("zdemo-seed-([0-9a-f]{16})-", admin_pat)
        self._salt = known[1] if known else secrets.token_hex(8)
        self._assignable: dict[str, dict[str, set[str]]] = {}  # role keys, by project and who assigns them
        self.left_out = Counter[str]()

    def text(self, *, people: bool) -> str:
        """Read all, and return the seed in TOML. Raises ZdemoError if nothing can be read, or a seed cannot have it."""
        text = "\n".join(_toml(self._seed(people=people))).lstrip() + "\n"
        try:
            seeded_start(text, "seed.toml")
        except SeedError as error:
            hint = "change it in ZITADEL, or write a seed by hand"
            raise ZdemoError(f"a seed cannot describe this ZITADEL: {error}", hint=hint) from None
        return text

    def _secret(self, kind: str, id: str) -> str:
        return f"zdemo-seed-{self._salt}-{hashlib.sha256(f'{self._salt} {kind} {id}'.encode()).hexdigest()[:32]}"

    def _rows(self, what: str, right: str, read: Callable[..., resources.Rows[Any]], **of: str) -> list[Any]:
        """Return what is active of a list, by ID. A row that came twice, on two pages, counts once."""
        try:
            rows = read(self._client, **of)
        except ManagementError as error:
            if error.status != 403:
                raise
            self.left_out[f"all {what} (the administrator lacks {right})"] = 0
            return []
        once = {(getattr(row, "id", row), getattr(row, "granted_to", "")): row for row in rows}
        ordered = sorted(once.values(), key=lambda row: (len(getattr(row, "id", "")), str(row)))
        self._lack(f"{what} (the administrator lacks {right}, or they were deleted meanwhile)", rows.hidden)
        return self._kept(ordered, f"{what} (deactivated)", lambda row: getattr(row, "active", True))

    def _kept(self, rows: list[Any], what: str, passes: Callable[[Any], bool]) -> list[Any]:
        kept = [row for row in rows if passes(row)]
        self._lack(what, len(rows) - len(kept))
        return kept

    def _lack(self, what: str, count: int) -> None:
        if count:
            self.left_out[what] += count

    def _seed(self, *, people: bool) -> dict[str, list[Table]]:
        organizations = self._rows("organizations", "org.read", resources.list_organizations)
        if not organizations:
            refused = ZdemoError("the administrator may not read any organization (org.read)", hint=BIGGER_ROLE)
            refused.finding = ADMIN_REFUSED
            raise refused
        homes, elsewhere = [row.id for row in organizations], "(of organizations that are left out)"
        own = self._client.request("GET", resources.INSTANCE).json_object().get("iamProjectId")
        projects = self._rows("projects", "project.read", resources.list_projects)
        projects = [row for row in projects if not row.granted_to and row.id != own]
        projects = self._kept(projects, f"projects {elsewhere}", lambda row: row.organization_id in homes)
        tables = [self._project(project, homes) for project in projects]
        users = self._rows("users", "user.read", resources.list_all_users)
        users = self._kept(users, f"users {elsewhere}", lambda user: user.organization_id in homes)
        if not people:
            users = self._kept(users, "people (--people includes them)", lambda user: user.machine)
        accounts = self._accounts(users, homes)
        self._assign(accounts)
        return {
            "organizations": [{"name": row.name, "id": row.id} for row in organizations],
            "projects": tables,
            "users": [account for account in accounts.values() if "tokens" in account],
            "people": [account for account in accounts.values() if "tokens" not in account],
        }

    def _project(self, project: Project, homes: list[str]) -> Table:
        of = {"project_id": project.id}
        keys = {*self._rows("roles", "project.role.read", resources.list_roles, **of)}
        grants = self._kept(
            self._rows("project grants", "project.grant.read", resources.list_granted_organizations, **of),
            "project grants (to organizations, or of roles, that are left out)",
            lambda grant: grant.id in homes and {*grant.role_keys} <= keys,
        )
        applications = self._kept(
            self._rows("applications", "project.app.read", resources.list_applications, **of),
            "applications (neither for an API nor OIDC without a secret)",
            lambda row: row.is_api or row.method == NO_SECRET,
        )
        granted = {grant.id: {*grant.role_keys} for grant in grants}
        self._assignable[project.id] = {project.organization_id: keys, **granted}
        table: Table = {"name": project.name, "id": project.id, "organization": project.organization_id}
        table["roles"], table["applications"] = sorted(keys), []
        for row in applications:
            auth = "none" if row.method == NO_SECRET else row.auth.replace("-", "_")
            secret = self._secret("application", row.id) if auth == "basic" else ""
            client = {"client_id": row.client_id, "client_secret": secret, "redirect_uris": row.redirect_uris}
            table["applications"].append({"name": row.name, "id": row.id, "auth": auth, **client})
        return table | {"grants": [{"organization": id, "roles": sorted(roles)} for id, roles in granted.items()]}

    def _accounts(self, users: list[User], homes: list[str]) -> dict[str, Table]:
        """Return the tables of users, before all others one whose token can read all that the seed has."""
        order, places = [*ROLES], {"", *homes, *self._assignable}
        rows = self._rows("administrators", "iam.member.read", resources.list_administrators)
        roles = [(order.index(role), row.of, row.user_id) for row in rows for role in row.roles if role in order]
        held = {user_id: (order[place], of) for place, of, user_id in sorted(roles, reverse=True) if of in places}
        count = sum(len(row.roles) for row in rows) - len(held.keys() & {user.id for user in users})
        self._lack("administrator roles (of what is left out, or a further one of a user)", count)
        if not any(user.machine and user.state == "ACTIVE" and held.get(user.id) == OWNER for user in users):
            admin = User(id=ADMIN, username=ADMIN, organization_id=homes[0], state="ACTIVE", machine=True)
            users, held[ADMIN] = [admin, *(user for user in users if user.id != ADMIN)], OWNER
        usernames, accounts = Counter(user.username.lower() for user in users), dict[str, Table]()
        for user in sorted(users, key=lambda user: user.state != "ACTIVE" or held.get(user.id) != OWNER):
            username = user.username if usernames[user.username.lower()] == 1 else user.login_name
            role, of = held.get(user.id, ("", ""))
            table: Table = {"username": username, "id": user.id, "organization": user.organization_id}
            table |= {"state": STATES.get(user.state, "inactive"), "administrator": role, "administrator_of": of}
            if user.machine:
                secret = self._secret("secret", user.id) if user.has_secret else ""
                tokens = [{"token": self._secret("token", user.id)}]
                table |= {"name": user.name or username, "secret": secret, "tokens": tokens}
            else:
                table |= {"given_name": user.given_name, "family_name": user.family_name, "email": user.email}
                table |= {"password": self._secret("password", user.id)}
            accounts[user.id] = table | {"assignments": []}
        return accounts

    def _assign(self, accounts: Mapping[str, Table]) -> None:
        """Give users their roles; a seed says by itself who assigns them."""

        def fits(row: Any) -> bool:
            owners, home = self._assignable.get(row.project_id, {}), accounts[row.user_id]["organization"]
            owner = home if home in owners else next(iter(owners), "")
            return row.organization_id == owner and bool(row.role_keys) and {*row.role_keys} <= owners[owner]

        rows = self._rows("role assignments", "user.grant.read", resources.list_assignments)
        rows = self._kept(rows, "role assignments (of users who are left out)", lambda row: row.user_id in accounts)
        rows = self._kept(rows, "role assignments (without roles, or of roles or projects that are left out)", fits)
        for row in rows:
            accounts[row.user_id]["assignments"].append({"project": row.project_id, "roles": sorted(row.role_keys)})


def _toml(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the lines of a table without what is empty. TOML writes printable texts as JSON does."""
    for name, value in table.items():
        if value and isinstance(value, list) and isinstance(value[0], dict):
            for row in value:
                yield from ("", f"[[{prefix}{name}]]", *_toml(row, f"{prefix}{name}."))
        elif value:
            yield f"{name} = {json.dumps(_printable(value), ensure_ascii=False)}"


def _printable(value: Any) -> Any:
    """Return a text, or several, with blanks for invisible characters, which a seed cannot have."""
    if not isinstance(value, str):
        return [*map(_printable, value)]
    return "".join(c if c.isprintable() else " " for c in value)
