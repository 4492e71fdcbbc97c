"""Device authorization (RFC 8628): a device shows a code, and a person who logs in elsewhere says yes or no."""

import secrets

from flask import Response

from zdemo.emulator.entities import DeviceRequest
from zdemo.emulator.incoming import current_origin
from zdemo.emulator.oidc.client_authentication import ClientCredentials, Form, oidc_client
from zdemo.emulator.oidc.issuing import known_scopes, login_token, need_grant, token_answer
from zdemo.emulator.oidc.responses import OAuthError, json_response
from zdemo.emulator.world import World, drop_oldest

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
PAGE = "/device"
CODE_BYTES = 16
USER_CODE_CHARACTERS = "BCDFGHJKLMNPQRSTVWXZ"
LIFETIME_SECONDS, INTERVAL_SECONDS = 300, 5
PENDING = (
    "The client SHOULD repeat the access token request to the token endpoint, after interval from device "
    "authorization response."
)


def device_authorization(world: World, form: Form) -> Response:
    """Keep the request of a device, also of an application without the grant type (ZITADEL)."""
    client = oidc_client(world, ClientCredentials.of_request(form))
    code, first, second = secrets.token_urlsafe(CODE_BYTES), _half(), _half()
    world.device_requests[code] = kept = DeviceRequest(
        id=code,
        created=world.now(),
        user_code=f"{first}-{second}",
        client_id=client.client_id,
        scopes=known_scopes(form.last("scope")),
        expires=world.now() + LIFETIME_SECONDS,
    )
    drop_oldest(world.device_requests)
    page = current_origin().issuer + PAGE
    return json_response(
        {
            "device_code": code,
            "user_code": kept.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={kept.user_code}",
            "expires_in": LIFETIME_SECONDS,
            "interval": INTERVAL_SECONDS,
        }
    )


def _half() -> str:
    return "".join(secrets.choice(USER_CODE_CHARACTERS) for _ in range(4))


def waiting_device(world: World, user_code: str) -> DeviceRequest | None:
    """Return the request of a device that has no answer yet, by the code that it shows."""
    requests = world.device_requests.values()
    return next((one for one in requests if (one.user_code, one.state) == (user_code, "pending")), None)


def device_tokens(world: World, form: Form) -> Response:
    """Give a device its tokens, once, when the person said yes. Raises OAuthError until then."""
    client = oidc_client(world, ClientCredentials.of_request(form))
    need_grant(client, "DEVICE_CODE", GRANT)
    if not form.last("device_code"):
        raise OAuthError("invalid_request", "device_code missing")
    request = world.device_requests.get(form.last("device_code"))
    if request is None or request.client_id != client.client_id:
        what = "client_id does not correspond to the client_id in the authorization request"
        raise OAuthError("invalid_client", what)
    if request.state == "denied":
        raise OAuthError("access_denied", "The authorization request was denied.")
    if request.state == "done":
        raise OAuthError("invalid_grant", reason="the device code was used")
    if request.session is None:
        if request.expires <= world.now():
            raise OAuthError("expired_token", 'The "device_code" has expired.')
        raise OAuthError("authorization_pending", PENDING)
    token = login_token(world, client, request.session, request.scopes)
    request.state = "done"
    return json_response(token_answer(world, token, client))
