"""The OAuth endpoints for tests: introspect as an application, get a token as a service account, sign a JWT."""

import base64
import json
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization

from tests.support.emulator_target import INTROSPECT, REVOKE, TOKEN, USERINFO, Server, basic, bearer, oauth_refusal
from tests.support.workshop import App, KeyFile, Project, User
from tests.support.zitadel_api import Answer, Api, only
from zdemo.emulator.token_texts import new_key_pair

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
    return f"urn:zitadel:iam:org:project:{project.id}:roles"


def audience(project: Project) -> str:
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

    def introspect(self, app: App, token: str, host: str | None = None) -> Answer:
        """An introspection by this application; ``host`` is sent as the Host field."""
        headers = basic(app.client_id, app.secret) | ({} if host is None else {"Host": host})
        return Answer(partial(self.server.post_form, INTROSPECT, [("token", token)], headers))

    def userinfo(self, token: str) -> Answer:
        return Answer(partial(self.server.send, "GET", USERINFO, headers=bearer(token)))

    def revoke(self, app: App, token: str) -> Answer:
        client = basic(app.client_id, app.secret)
        return Answer(partial(self.server.post_form, REVOKE, [("token", token)], client), reads=False)

    def ask_for_token(self, client_id: str, secret: str, *scopes: str) -> Answer:
        form = [("grant_type", "client_credentials"), ("scope", " ".join(scopes or ("openid",)))]
        return Answer(partial(self.server.post_form, TOKEN, form, basic(client_id, secret)))

    def claims(self, app: App, token: str) -> dict[str, Any]:
        return dict(self.introspect(app, token).has().response.json())

    def expect_roles(self, app: App, token: str, *roles: str) -> None:
        """Expect an active token whose claim has these roles alone, or that has no claim."""
        self.introspect(app, token).has(**{"active": True, ROLES: only(*roles) if roles else None})

    def served(self, app: App, token: str) -> App:
        """The application, once it can introspect this active token."""
        self.introspect(app, token).has(active=True)
        return app

    def login_name(self, user: User) -> str:
        """The preferred login name, which is what the token endpoint takes as the client ID."""
        answer = self.admin.users.GetUserByID(userId=user.id).has(user={"preferredLoginName": ...})
        return str(answer["user"]["preferredLoginName"])

    def tokens(self, user: User, secret: str, *scopes: str) -> dict[str, Any]:
        """What client_credentials give; waits until the token endpoint knows user and secret."""
        return dict(self.ask_for_token(self.login_name(user), secret, *scopes).has().response.json())

    def access_token(self, user: User, secret: str, *scopes: str) -> str:
        return str(self.tokens(user, secret, *scopes)["access_token"])


key_pair = cache(new_key_pair)
"""A key of ones own, always the same: making one takes 0.1 s."""


@cache
def private_key(pem: str) -> Any:
    """The key, which OpenSSL would check for 0.1 s."""
    return serialization.load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)


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
        token, keys[header["kid"]], algorithms=[header["alg"]], options={"verify_aud": False, "verify_exp": not expired}
    )
    return header, claims
