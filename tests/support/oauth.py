"""The OAuth endpoints for tests: introspect as an application, get a token as a service account, sign a JWT."""

import base64
import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives import serialization

from tests.support.emulator_target import INTROSPECT, TOKEN, Api, Server, basic, oauth_refusal
from tests.support.waiting import eventually
from tests.support.workshop import App, KeyFile, Project, User

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

ROLES = "urn:zitadel:iam:org:project:roles"
ROLE_SCOPE = "urn:zitadel:iam:org:project:role:"
OWNER = "urn:zitadel:iam:user:resourceowner"
METADATA = "urn:zitadel:iam:user:metadata"
INACTIVE = (200, {"active": False})
UNAUTHORIZED = oauth_refusal("unauthorized_client")

# opaque tokens with IDs of 18 digits: characters, the header's fields in order, and the lengths of the parts
PAT_FORM = (277, ["alg", "enc", "iv", "kid", "tag"], [142, 43, 16, 50, 22])
ACCESS_FORM = (288, ["alg", "enc", "iv", "tag"], [120, 43, 16, 83, 22])

GetToken = Callable[..., str]
"""Gets an access token of a service account with these scopes."""


def roles_of(project: Project) -> str:
    """The claim that holds the roles of this one project."""
    return f"urn:zitadel:iam:org:project:{project.id}:roles"


def audience(project: Project) -> str:
    """The scope that puts this project into a token's audience."""
    return f"urn:zitadel:iam:org:project:id:{project.id}:aud"


def form_of(token: str) -> tuple[int, list[str], list[int]]:
    """The form of an opaque token, which must be a JWE of ZITADEL's algorithms."""
    parts = token.split(".")
    header = json.loads(unpadded(parts[0]))
    assert (header["alg"], header["enc"], header.get("kid", "oidcKey")) == ("A256GCMKW", "A256GCM", "oidcKey")
    return len(token), list(header), [len(part) for part in parts]


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class OAuth:
    def __init__(self, server: Server, admin: Api) -> None:
        self.server, self.admin = server, admin

    def introspection(self, app: App, token: str, host: str | None = None) -> requests.Response:
        """The response to an introspection by this application; ``host`` is sent as the Host field."""
        headers = basic(app.client_id, app.secret) | ({} if host is None else {"Host": host})
        return self.server.post_form(INTROSPECT, [("token", token)], headers)

    def claims(self, app: App, token: str) -> dict[str, Any]:
        response = self.introspection(app, token)
        assert response.status_code == 200, response.text
        claims: dict[str, Any] = response.json()
        return claims

    def active(self, app: App, token: str) -> bool:
        """Whether the token is active; false as well while the application is not accepted."""
        response = self.introspection(app, token)
        return response.status_code == 200 and response.json()["active"] is True

    def roles(self, app: App, token: str) -> set[str] | None:
        """The role keys in the claim, or ``None`` without a claim."""
        claim = self.claims(app, token).get(ROLES)
        return None if claim is None else set(claim)

    def wait_for_roles(self, app: App, token: str, roles: set[str] | None) -> None:
        eventually(f"the roles are {roles}", lambda: self.roles(app, token), lambda shown: shown == roles)

    def served(self, app: App, token: str) -> App:
        """The application, once it can introspect this active token."""
        eventually("the application may introspect", lambda: self.active(app, token))
        return app

    def login_name(self, user: User) -> str:
        """The preferred login name, which is what the token endpoint takes as the client ID."""

        def ask() -> str:
            response = self.admin.ask("UserService/GetUserByID", userId=user.id)
            name: str = response.json()["user"]["preferredLoginName"] if response.status_code == 200 else ""
            return name

        return eventually(f"{user.username} can be read", ask)

    def ask_for_token(self, client_id: str, secret: str, scope: str) -> requests.Response:
        form = [("grant_type", "client_credentials"), ("scope", scope)]
        return self.server.post_form(TOKEN, form, basic(client_id, secret))

    def tokens(self, user: User, secret: str, *scopes: str) -> dict[str, Any]:
        """The token endpoint's answer to client_credentials; waits until it knows user and secret."""
        login_name = self.login_name(user)
        response = eventually(
            f"the token endpoint serves {user.username}",
            lambda: self.ask_for_token(login_name, secret, " ".join(scopes)),
            lambda response: response.status_code == 200,
        )
        body: dict[str, Any] = response.json()
        return body

    def access_token(self, user: User, secret: str, *scopes: str) -> str:
        return str(self.tokens(user, secret, *scopes)["access_token"])


@cache
def private_key(pem: str) -> Any:
    """The key, read once: OpenSSL checks it for 0.1 s each time."""
    return serialization.load_pem_private_key(pem.encode(), None)


def assertion(
    key_file: KeyFile, audience: str | list[str] | None, *, kid: str | None = None, alg: str = "RS256", **claims: Any
) -> str:
    """A JWT signed by the key of a key file (RFC 7523 §3); a claim given as ``None`` is left out, and an empty kid."""
    now = int(time.time())
    owner = key_file.get("clientId") or key_file["userId"]
    payload = {"iss": owner, "sub": owner, "aud": audience, "iat": now, "exp": now + 300} | claims
    kid = key_file["keyId"] if kid is None else kid
    return jwt.encode(
        {name: value for name, value in payload.items() if value is not None},
        private_key(key_file["key"]) if alg != "none" else "",
        algorithm=alg,
        headers={"kid": kid} if kid else {},
    )


def verified(server: Server, token: str, *, expired: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT, its signature checked with the published keys; the audience is not looked at."""
    header = jwt.get_unverified_header(token)
    keys = jwt.PyJWKSet.from_dict(server.get("/oauth/v2/keys").json())
    claims = jwt.decode(
        token, keys[header["kid"]], algorithms=["RS256"], options={"verify_aud": False, "verify_exp": not expired}
    )
    return header, claims
