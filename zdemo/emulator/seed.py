"""The world that the emulator starts with. Its tokens and secrets are meant to be public."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from zdemo.emulator.entities import INSTANCE, NEVER, Application, Project, Resource
from zdemo.emulator.sessions import add_person
from zdemo.emulator.token_texts import PAT_KEY_NAME, key_file, new_key_pair, new_secret, new_token_text
from zdemo.emulator.world import PAT_SCOPES, World

CREATED = 1767225600.0  # 2026-01-01T00:00:00Z, also the time inside all IDs here

ORGANIZATION_ID = "353545601679362561"
ORGANIZATION_NAME = "ZITADEL"  # as in a fresh instance
ZITADEL_PROJECT_ID = "353545601679428097"  # the audience of ZITADEL's own APIs
PROJECT_ID = "353545601679493633"
PROJECT_ROLES = {"read:messages": "Read messages", "admin": "Administrator"}
APPLICATION_ID = "353545601679559169"
APPLICATION_NAME = "emulator-api"
CLIENT_ID = "353545601679624705"
CLIENT_SECRET = "zdemoEmulatorClientSecretKnownToEverybodyForDevelopmentOnly00000"  # noqa: S105 - public on purpose
AUTHORIZATION_ID = "353545601680083457"
PERSON = "ada"  # a human, who has the role of the reader
PERSON_ID = "353545601680148993"
PERSON_PASSWORD = "Known-to-everybody-1"  # noqa: S105 - public on purpose
APP_ID = "353545601680280065"
APP_NAME = "emulator-app"
APP_CLIENT_ID = "353545601680345601"  # for people who log in: public, with PKCE, and no secret
_PATHS = "callback authorize auth auth/callback api/auth/callback/zitadel login/callback oauth2/callback oidc/callback "
_PATHS += "oidc/callback/ complete/oidc/ auth/callback/zitadel login/oauth2/code/zitadel "  # Django, Auth.js, Spring
_PATHS += "signin-oidc signout-callback-oidc silent-renew logout"
IDS = (  # in the order in which the objects are made
    *(ORGANIZATION_ID, PROJECT_ID, CLIENT_ID, APPLICATION_ID, AUTHORIZATION_ID),
    *(PERSON_ID, "353545601680214529", APP_CLIENT_ID, APP_ID),  # and of the person's roles
)
APP_REDIRECT_URIS = ("http://localhost", *(f"http://localhost/{path}" for path in ("", *_PATHS.split())))  # any port


@dataclass(frozen=True, kw_only=True)
class KnownUser:
    """A service account with a personal access token that never expires, and perhaps a client secret."""

    id: str
    username: str
    pat: str = field(repr=False)
    token_id: str
    roles: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    administrator: bool = False


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
    administrator=True,
)


class SeedError(ValueError):
    """What is wrong in a seed file, with the place; the hint says what to write."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, kw_only=True)
class Start:
    """A new world, and what its clients need to know of it; empty texts stand for what it does not have."""

    world: World
    project_id: str
    client_id: str
    client_secret: str = field(repr=False)
    users: tuple[KnownUser, ...]
    pat: str = field(repr=False)
    visitor_pat: str = field(repr=False)
    admin_pat: str = field(repr=False)
    app_client_id: str = ""


def known_start() -> Start:
    """Return a new world with the objects above; its administrator is that of a ZITADEL's first start."""
    world = World()
    world.zitadel_project_id = ZITADEL_PROJECT_ID
    now, world.now = world.now, lambda: CREATED
    new_id, ids = world.new_id, iter(IDS)
    world.new_id = lambda: next(ids, None) or new_id()
    start = _filled(world, (READER, VISITOR, ADMIN), CLIENT_SECRET)
    world.now = now
    return start


def random_start(world: World | None = None) -> Start:
    """Return a new world with the same objects, but with IDs, secrets and tokens of its own."""
    world, users = world or World(), []
    for known in (READER, VISITOR, ADMIN):
        user_id, token_id = world.new_id(), world.new_id()
        pat, secret = new_token_text(token_id, user_id, PAT_KEY_NAME), new_secret() if known.secret else ""
        users.append(replace(known, id=user_id, token_id=token_id, pat=pat, secret=secret))
    return _filled(world, tuple(users), new_secret())


def _filled(world: World, users: tuple[KnownUser, ...], secret: str) -> Start:
    organization = world.add_organization(ORGANIZATION_NAME)
    project = world.add_project(organization.id, "zdemo")
    for key, display_name in PROJECT_ROLES.items():
        world.add_role(project, key, display_name)
    world.add_application(project, APPLICATION_NAME, "api", "API_AUTH_METHOD_TYPE_BASIC").secret = secret
    for known, name in zip(users, ("Reader", "Visitor", "Administrator"), strict=True):
        user = world.add_user(organization.id, known.username, name, id=known.id)
        user.secret = known.secret or None
        world.add_pat(user, NEVER, id=known.token_id, token=known.pat, scopes=() if known.administrator else PAT_SCOPES)
    reader, _, admin = users
    world.assign(world.users[reader.id], project, reader.roles)
    person = add_person(world, organization.id, PERSON, "Ada", "Lovelace", password=PERSON_PASSWORD)
    world.assign(person, project, reader.roles)
    add_app(world, project, APP_NAME, APP_REDIRECT_URIS)
    world.add_administrator(admin.id, INSTANCE, ["IAM_OWNER"])
    world.add_administrator(admin.id, Resource("organization", organization.id), ["ORG_OWNER"])
    return start_of(world, users)


def add_app(
    world: World, project: Project, name: str, uris: Collection[str], *, id: str | None = None, client_id: str = ""
) -> Application:
    """Add a public OIDC application, with PKCE and any loopback port. Raises ValueError for a URI without a host."""
    if wrong := [uri for uri in uris if not urlsplit(uri).netloc and "." not in urlsplit(uri).scheme]:
        raise ValueError(f"the redirect URI has no host: {wrong[0]}; give one like http://localhost/callback")
    app = world.add_application(project, name, "oidc", "OIDC_AUTH_METHOD_TYPE_NONE", id=id)
    app.client_id = client_id or app.client_id
    app.oidc = {
        "redirectUris": list(uris),
        "postLogoutRedirectUris": list(uris),
        "responseTypes": ["OIDC_RESPONSE_TYPE_CODE"],
        "grantTypes": [f"OIDC_GRANT_TYPE_{kind}" for kind in ("AUTHORIZATION_CODE", "REFRESH_TOKEN", "DEVICE_CODE")],
        "applicationType": "OIDC_APP_TYPE_NATIVE",
        "developmentMode": True,  # so that http works with other hosts too
    }
    return app


def start_of(world: World, users: tuple[KnownUser, ...]) -> Start:
    """Return what the clients of a new world need: the first object of each kind."""
    basic = next((a for a in world.applications.values() if a.secret), None)
    app = next((a for a in world.applications.values() if a.auth_method == "OIDC_AUTH_METHOD_TYPE_NONE"), None)
    with_pat = [user for user in users if user.pat]
    others = [user for user in with_pat if not user.administrator]
    return Start(
        world=world,
        project_id=basic.project_id if basic else next(iter(world.projects), ""),
        client_id=basic.client_id if basic else "",
        client_secret=(basic.secret or "") if basic else "",
        users=users,
        pat=next((user.pat for user in others if user.roles), ""),
        visitor_pat=next((user.pat for user in others if not user.roles), ""),
        admin_pat=next((user.pat for user in with_pat if user.administrator), ""),
        app_client_id=app.client_id if app else "",
    )


# --- key files for its clients ---

KEY_METHOD = "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"


def add_key_files(start: Start) -> tuple[str, str]:
    """Return key files for an application of the project, a new one if need be, and for the user of ``start.pat``.

    A file is empty where the world lacks its owner. Both have one key pair, since making one takes about 50 ms.
    """
    world = start.world
    private, public = new_key_pair()
    with world.lock:
        project = world.projects.get(start.project_id)
        user = next((u for u in world.users.values() if any(p.token == start.pat for p in u.pats.values())), None)
        application_file = user_file = ""
        if project:
            ours = (a for a in world.applications.values() if (a.project_id, a.auth_method) == (project.id, KEY_METHOD))
            application = next(ours, None) or world.add_application(project, "emulator-key-api", "api", KEY_METHOD)
            application_file = key_file(application, world.add_key(application, public, NEVER), private)
        if user:
            user_file = key_file(user, world.add_key(user, public, NEVER), private)
    return application_file, user_file
