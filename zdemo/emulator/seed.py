"""The world that the emulator starts with. Its tokens and secrets are meant to be public."""

from dataclasses import dataclass

from zdemo.emulator.entities import NEVER, User
from zdemo.emulator.world import PAT_SCOPES, World

DEFAULT_PORT = 8484  # not 8080, where a real ZITADEL listens

CREATED = 1767225600.0  # 2026-01-01T00:00:00Z, also the time inside all IDs here

ORGANIZATION_ID = "353545601679362561"
ORGANIZATION_NAME = "ZITADEL"  # as in a fresh instance
ZITADEL_PROJECT_ID = "353545601679428097"  # the audience of ZITADEL's own APIs
PROJECT_ID = "353545601679493633"
PROJECT_NAME = "zdemo"
PROJECT_ROLES = {"read:messages": "Read messages", "admin": "Administrator"}
APPLICATION_ID = "353545601679559169"
APPLICATION_NAME = "emulator-api"
CLIENT_ID = "353545601679624705"
CLIENT_SECRET = "zdemoEmulatorClientSecretKnownToEverybodyForDevelopmentOnly00000"  # noqa: S105 - public on purpose
AUTHORIZATION_ID = "353545601680083457"


@dataclass(frozen=True, kw_only=True)
class KnownUser:
    """A service user with a personal access token that never expires; ``roles`` are those in the project.

    With a client secret, it can also get access tokens.
    """

    id: str
    username: str
    pat: str
    token_id: str
    roles: tuple[str, ...] = ()
    secret: str = ""


READER = KnownUser(
    id="353545601679690241",
    username="reader",
    pat="zdemo-emulator-reader-token-known-to-everybody-for-development-only-000",
    token_id="353545601679755777",  # noqa: S106 - an ID
    roles=("read:messages",),
    secret="zdemoEmulatorReaderSecretKnownToEverybodyForDevelopmentOnly00000",  # noqa: S106 - public on purpose
)
VISITOR = KnownUser(
    id="353545601679821313",
    username="visitor",
    pat="zdemo-emulator-visitor-token-known-to-everybody-for-development-only-00",
    token_id="353545601679886849",  # noqa: S106 - an ID
)
ADMIN = KnownUser(
    id="353545601679952385",
    username="zdemo-admin",
    pat="zdemo-emulator-admin-token-known-to-everybody-for-development-only-0000",
    token_id="353545601680017921",  # noqa: S106 - an ID
)


def known_world() -> World:
    """Return a new world with the objects above.

    The administrator is the one that a ZITADEL makes at its first start: of the instance and of its first
    organization, with a personal access token without scopes.
    """
    world = World()
    world.zitadel_project_id = ZITADEL_PROJECT_ID
    organization = world.add_organization(ORGANIZATION_NAME, id=ORGANIZATION_ID)
    project = world.add_project(ORGANIZATION_ID, PROJECT_NAME, id=PROJECT_ID)
    roles = [world.add_role(project, key, display_name) for key, display_name in PROJECT_ROLES.items()]
    application = world.add_application(
        project, APPLICATION_NAME, "api", "API_AUTH_METHOD_TYPE_BASIC", id=APPLICATION_ID
    )
    application.client_id, application.secret = CLIENT_ID, CLIENT_SECRET
    names = {READER: "Reader", VISITOR: "Visitor", ADMIN: "Administrator"}
    users = [_add_user(world, known, name) for known, name in names.items()]
    authorization = world.add_authorization(
        READER.id, PROJECT_ID, ORGANIZATION_ID, list(READER.roles), id=AUTHORIZATION_ID
    )
    administrators = [
        world.add_administrator(ADMIN.id, ("instance", ""), ["IAM_OWNER"]),
        world.add_administrator(ADMIN.id, ("organization", ORGANIZATION_ID), ["ORG_OWNER"]),
    ]
    pats = [pat for user in users for pat in user.pats.values()]
    entities = [organization, project, *roles, application, *users, *pats, authorization, *administrators]
    for entity in entities:
        entity.created = entity.changed = CREATED
    return world


def _add_user(world: World, known: KnownUser, name: str) -> User:
    user = world.add_user(ORGANIZATION_ID, known.username, name, id=known.id)
    user.secret = known.secret
    scopes = () if known is ADMIN else PAT_SCOPES
    world.add_pat(user, NEVER, id=known.token_id, token=known.pat, scopes=scopes)
    return user
