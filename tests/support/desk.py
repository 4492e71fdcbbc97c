"""A folder with a ``.env``, names that nothing else has, and a ZITADEL: where setup's own functions are tested."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.waiting import eventually
from tests.support.zitadel_api import Answer, Api
from zdemo.config.address import ZitadelAddress
from zdemo.config.dotenv_file import valid_dotenv
from zdemo.errors.response import Response
from zdemo.setup.apply import apply_plan, verify_tokens
from zdemo.setup.current import SetupOptions
from zdemo.setup.lookup import look
from zdemo.setup.plan import Plan, make_plan
from zdemo.setup.setup_files import SetupFiles
from zdemo.setup.state_file import ID_FIELDS, SetupState, read_state, state_path
from zdemo.setup.teardown import Teardown, plan_teardown, tear_down
from zdemo.zitadel.management import ManagementClient

TIMEOUT_SECONDS = 10.0


class Cut(Exception):
    """A run ends here."""


def cut() -> None:
    raise Cut


class CountingClient(ManagementClient):
    """Counts the calls that change something; ``before`` or after one of them it does ``act``, which ends the run."""

    def __init__(
        self, target: tuple[str, str], at: int = 0, *, before: bool = False, act: Callable[[], object] = cut
    ) -> None:
        super().__init__(ZitadelAddress(target[0]), target[1], timeout_seconds=TIMEOUT_SECONDS)
        self.changes: list[str] = []
        self._at, self._before, self._act = at, before, act

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> Response:
        name = path.rpartition("/")[2]
        if not path.startswith("/zitadel.") or name.startswith(("Get", "List")):
            return super().request(method, path, body, token=token)
        self.changes.append(name)
        here = len(self.changes) == self._at
        if here and self._before:
            self._act()
        answer = super().request(method, path, body, token=token)
        if here and not self._before:
            self._act()
        return answer


@dataclass
class KeptReport:
    lines: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        self.lines.append(text)

    def hide(self, *secrets: str) -> None:
        self.hidden += secrets


@dataclass(frozen=True, kw_only=True)
class Desk:
    target: tuple[str, str]
    path: Path
    options: SetupOptions
    api: Api

    @property
    def env(self) -> dict[str, str]:
        return valid_dotenv(self.path).values if self.path.exists() else {}

    @property
    def state(self) -> SetupState:
        return read_state(self.path)

    @property
    def recorded(self) -> set[str]:
        """The IDs of setup's own objects that are in the state file."""
        path = state_path(self.path)
        entry = json.loads(path.read_text())["files"][self.path.name] if path.exists() else {}
        return {value for name, value in entry.items() if name in (*ID_FIELDS, "assignment_id") and value}

    def with_options(self, **options: Any) -> Desk:
        return replace(self, options=replace(self.options, **options))

    def plan(self, client: ManagementClient | None = None, **options: Any) -> Plan:
        files = SetupFiles(self.path)
        current = look(client or CountingClient(self.target), files, replace(self.options, **options))
        return make_plan(current, files.values)

    def run(self, client: ManagementClient | None = None, **options: Any) -> Plan:
        client = client or CountingClient(self.target)
        plan, files = self.plan(client, **options), SetupFiles(self.path)
        if plan.changes:
            apply_plan(client, files, plan, KeptReport())
        verify_tokens(client, files, self.options.role)
        return plan

    def nothing_left_to_do(self) -> None:
        """Run until nothing changes; a real ZITADEL's lists may trail."""
        eventually("a run that changes nothing", lambda: not self.run().changes)

    def plan_teardown(self, client: ManagementClient | None = None) -> Teardown:
        return plan_teardown(client or CountingClient(self.target), SetupFiles(self.path))

    def tear_down(self, client: ManagementClient | None = None) -> Teardown:
        teardown = self.plan_teardown(client)
        if teardown.changes:
            tear_down(SetupFiles(self.path), teardown, KeptReport())
        return teardown

    def pats(self, user_id: str) -> list[str]:
        filters = [{"userIdFilter": {"id": user_id}}]
        return _column("id", "result", self.api.users.ListPersonalAccessTokens(filters=filters))

    def keys(self, application_id: str) -> list[str]:
        filters = [{"applicationIdFilter": {"applicationId": application_id}}]
        return _column("keyId", "keys", self.api.apps.ListApplicationKeys(filters=filters))

    def users(self) -> list[str]:
        names = (self.options.reader_name, self.options.visitor_name)
        queries = [{"orQuery": {"queries": [{"userNameQuery": {"userName": name}} for name in names]}}]
        return sorted(_column("userId", "result", self.api.users.ListUsers(queries=queries)))

    def projects(self) -> list[str]:
        filters = [{"projectNameFilter": {"projectName": self.options.project_name}}]
        return _column("projectId", "projects", self.api.projects.ListProjects(filters=filters))

    def applications(self, project_id: str) -> list[str]:
        filters = [{"projectIdFilter": {"projectId": project_id}}]
        return _column("applicationId", "applications", self.api.apps.ListApplications(filters=filters))

    def roles(self, project_id: str) -> list[str]:
        return _column("key", "projectRoles", self.api.projects.ListProjectRoles(projectId=project_id))

    def holders(self, project_id: str) -> list[str]:
        filters = [{"projectId": {"id": project_id}}]
        users = _column("user", "authorizations", self.api.authorizations.ListAuthorizations(filters=filters))
        return [user["id"] for user in users]

    def is_complete(self) -> None:
        """Everything is there once, nothing is left over, and the next run changes nothing."""
        self.nothing_left_to_do()
        env, state = self.env, self.state
        assert self.projects() == [env["ZITADEL_PROJECT_ID"]]
        assert len(self.applications(env["ZITADEL_PROJECT_ID"])) == 1
        assert self.roles(env["ZITADEL_PROJECT_ID"]) == [self.options.role]
        assert self.holders(env["ZITADEL_PROJECT_ID"]) == [state.reader_id]
        assert self.users() == sorted((state.reader_id, state.visitor_id))
        assert self.pats(state.reader_id) == [state.reader_pats[-1].id]
        assert self.pats(state.visitor_id) == [state.visitor_pats[-1].id]

    def is_gone(self) -> None:
        eventually("all is gone", lambda: self.projects() == self.users() == [])


def _column(name: str, rows: str, answer: Answer) -> list[Any]:
    return [row[name] for row in answer.has().response.json().get(rows, [])]
