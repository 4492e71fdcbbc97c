"""Key files as ZITADEL shows them once, and those that a new world hands to its clients."""

import json
from dataclasses import dataclass, field

from zdemo.emulator.credentials import new_key_pair
from zdemo.emulator.entities import NEVER, Application, PublicKey, User
from zdemo.emulator.seed import Start

KEY_APPLICATION_NAME = "emulator-key-api"
KEY_METHOD = "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"
NEVER_SHOWN = "9999-12-31T23:59:59Z"


@dataclass(frozen=True, kw_only=True)
class KeyFiles:
    """The content of both kinds of key files; empty where a world lacks the project or the user."""

    application: str = field(default="", repr=False)
    user: str = field(default="", repr=False)


def application_key_file(application: Application, key: PublicKey, private: str) -> str:
    """Return the key file of an application that uses private_key_jwt."""
    return _json(type="application", keyId=key.id, key=private, appId=application.id, clientId=application.client_id)


def user_key_file(user: User, key: PublicKey, private: str, expires: str) -> str:
    """Return the key file of a service account; ``expires`` is the key's time in RFC 3339's form."""
    return _json(type="serviceaccount", keyId=key.id, key=private, expirationDate=expires, userId=user.id)


def add_key_files(start: Start) -> KeyFiles:
    """Give an application with private_key_jwt, and the user of ``start.pat``, a key each, and return the files.

    The application is the first one of the project with this method, or a new one. Both have the same key pair, since
    making one takes about 50 ms.
    """
    world = start.world
    private, public = new_key_pair()
    with world.lock:
        project = world.projects.get(start.project_id)
        user = next((u for u in world.users.values() if any(p.token == start.pat for p in u.pats.values())), None)
        application_file = user_file = ""
        if project:
            ours = (a for a in world.applications.values() if (a.project_id, a.auth_method) == (project.id, KEY_METHOD))
            application = next(ours, None) or world.add_application(project, KEY_APPLICATION_NAME, "api", KEY_METHOD)
            application_file = application_key_file(application, world.add_key(application, public, NEVER), private)
        if user:
            user_file = user_key_file(user, world.add_key(user, public, NEVER), private, NEVER_SHOWN)
    return KeyFiles(application=application_file, user=user_file)


def _json(**content: str) -> str:
    return json.dumps(content, separators=(",", ":"))
