"""The rules for projects: their roles, grants, applications and authorizations."""

from __future__ import annotations

from collections.abc import Callable

from zdemo.emulator.entities import Application, Authorization, Project, ProjectGrant, Role
from zdemo.emulator.errors import AlreadyExists, taken
from zdemo.emulator.state import State, named


class ProjectRules(State):
    """What may be done to projects and what hangs on them."""

    def add_project(self, organization_id: str, name: str, id: str | None = None) -> Project:
        """The organization need not be known (ZITADEL does not look)."""
        if id in self.projects:
            raise AlreadyExists("Errors.Project.AlreadyExisting", "COMMAND-opamwu")
        self.check_project_name(organization_id, name)
        now = self.now()
        made = Project(id=id or self.new_id(), created=now, changed=now, organization_id=organization_id, name=name)
        self.projects[made.id] = made
        return made

    def check_project_name(self, organization_id: str, name: str) -> None:
        """Names are unique in an organization, without regard to case."""
        if named((p for p in self.projects.values() if p.organization_id == organization_id), "name", name):
            raise taken("Project already exists on organization")

    def remove_project(self, project: Project) -> None:
        """Remove a project with its applications, authorizations and administrators.

        ZITADEL forgets to free the IDs and names of the applications and the keys of the roles, so a project that is
        created again with the same ID cannot have them again.
        """
        for application in [a for a in self.applications.values() if a.project_id == project.id]:
            del self.applications[application.id]
            self.kept_taken |= {("application", application.id), ("application", project.id, application.name.lower())}
        self.kept_taken |= {("role", project.id, key.lower()) for key in project.roles}
        self.remove_authorizations(lambda a: a.project_id == project.id)
        self.remove_administrators(lambda a: a.resource == ("project", project.id))
        del self.projects[project.id]
        self.ended[project.id] = self.now()

    def add_role(self, project: Project, key: str, display_name: str, group: str = "") -> Role:
        """Keys are unique in a project, without regard to case."""
        if named(project.roles.values(), "id", key) or ("role", project.id, key.lower()) in self.kept_taken:
            raise taken("Role already exists")
        now = self.now()
        project.roles[key] = Role(
            id=key, created=now, changed=now, project_id=project.id, display_name=display_name, group=group
        )
        return project.roles[key]

    def remove_role(self, project: Project, key: str) -> None:
        """Strips the key from all authorizations and project grants; they stay, even without any role."""
        project.roles.pop(key, None)
        holders: list[Authorization | ProjectGrant] = list(project.grants.values())
        holders += [a for a in self.authorizations.values() if a.project_id == project.id]
        for holder in holders:
            if key in holder.role_keys:
                holder.role_keys.remove(key)
                self.touch(holder)

    def add_project_grant(self, project: Project, organization_id: str, role_keys: list[str]) -> ProjectGrant:
        """Lets another organization give these roles to users."""
        if organization_id in project.grants:
            raise taken("Project grant already exists")
        now = self.now()
        made = ProjectGrant(
            id=self.new_id(),
            created=now,
            changed=now,
            project_id=project.id,
            granted_organization_id=organization_id,
            role_keys=role_keys,
        )
        project.grants[organization_id] = made
        return made

    def set_granted_roles(self, grant: ProjectGrant, role_keys: list[str]) -> None:
        """Authorizations made through the grant lose the roles that it loses."""
        grant.role_keys = role_keys
        self.touch(grant)
        for authorization in self.authorizations.values():
            through = (authorization.project_id, authorization.organization_id)
            if through == (grant.project_id, grant.granted_organization_id):
                authorization.role_keys = [key for key in authorization.role_keys if key in role_keys]

    def remove_project_grant(self, project: Project, organization_id: str) -> None:
        """With the authorizations made through it."""
        project.grants.pop(organization_id, None)
        self.remove_authorizations(lambda a: a.project_id == project.id and a.organization_id == organization_id)

    # --- applications ---

    def add_application(
        self, project: Project, name: str, kind: str, auth_method: str, id: str | None = None
    ) -> Application:
        """Without a secret. Names are unique in a project, without regard to case.

        The ID of an application that exists is accepted, and the new application takes its place (ZITADEL).
        """
        if id and ("application", id) in self.kept_taken:
            raise taken("Application already exists")
        self.check_application_name(project.id, name)
        now = self.now()
        made = Application(
            id=id or self.new_id(),
            created=now,
            changed=now,
            project_id=project.id,
            name=name,
            client_id=self.new_id(),
            kind=kind,
            auth_method=auth_method,
        )
        self.applications[made.id] = made
        return made

    def check_application_name(self, project_id: str, name: str) -> None:
        """Refuse a name that another application of the project has."""
        names = (a for a in self.applications.values() if a.project_id == project_id)
        if named(names, "name", name) or ("application", project_id, name.lower()) in self.kept_taken:
            raise taken("Application already exists")

    # --- authorizations ---

    def add_authorization(
        self, user_id: str, project_id: str, organization_id: str, role_keys: list[str], id: str | None = None
    ) -> Authorization:
        """One for each user, project and owning organization. Whether the roles may be given is not asked here."""
        owner = (user_id, project_id, organization_id)
        if any((a.user_id, a.project_id, a.organization_id) == owner for a in self.authorizations.values()):
            raise taken("User grant already exists")
        now = self.now()
        made = Authorization(
            id=id or self.new_id(),
            created=now,
            changed=now,
            user_id=user_id,
            project_id=project_id,
            organization_id=organization_id,
            role_keys=list(role_keys),
        )
        self.authorizations[made.id] = made
        return made

    def remove_authorization(self, authorization: Authorization) -> float:
        """Returns when."""
        del self.authorizations[authorization.id]
        return self.ended.setdefault(authorization.id, self.now())

    def remove_authorizations(self, which: Callable[[Authorization], bool]) -> None:
        """Those that are so."""
        for authorization in [a for a in self.authorizations.values() if which(a)]:
            self.remove_authorization(authorization)
