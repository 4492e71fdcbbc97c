"""The revocation endpoint (RFC 7009), for OIDC applications and the tokens that were issued to them."""

from flask import Response

from zdemo.emulator.entities import SessionToken
from zdemo.emulator.oidc.client_authentication import oidc_client
from zdemo.emulator.oidc.forms import ClientCredentials, Form
from zdemo.emulator.oidc.responses import JSON, OAuthError
from zdemo.emulator.tokens import find_token
from zdemo.emulator.world import World


def revoke(world: World) -> Response:
    """End a token of the OIDC application that asks; an unknown token counts as ended (RFC 7009 §2.2)."""
    form = Form.of_request()
    client = oidc_client(world, ClientCredentials.of_request(form))
    text = form.last("token")
    if not text:
        raise OAuthError("invalid_request", "token missing")
    token = find_token(world, text)
    if token is not None:
        if not isinstance(token, SessionToken) or token.client_id != client.client_id:
            raise OAuthError("invalid_client", "token was not issued for this client", status=401)
        del world.session_tokens[token.id]
    return Response(status=200, content_type=JSON)
