"""Tokens with which somebody impersonates their user (RFC 8693): what Flask, FastAPI, log and page make of them."""

import io
import logging
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from flask import Flask, g

from tests.asgi.asgi_apis import on_uvicorn
from tests.support.apis import PRIVATE, running, settings_for
from tests.support.logins import add_administrator, add_client
from tests.support.page_site import TracedApi, page_options
from tests.support.rows import INVALID_TOKEN, check_body
from zdemo import asgi, server
from zdemo.emulator import READER, Emulator
from zdemo.emulator.oidc.token_exchange import ACCESS, USER_ID
from zdemo.emulator.seed import PERSON_ID
from zdemo.server.logs import ACCESS_LOG, JsonFormatter, TextFormatter

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ASGI_GUARDS: dict[str, Any] = {"/": asgi.requires_token, "/own": asgi.requires_token(actor=False)}


@pytest.fixture(scope="module")
def impersonated(emulator: Emulator) -> tuple[str, str]:
    """The ID of an actor, and a token with which they act for ada."""
    emulator.world.security["enableImpersonation"] = True
    app = add_client(emulator, "BASIC", grantTypes=["OIDC_GRANT_TYPE_TOKEN_EXCHANGE"])
    actor, pat = add_administrator(emulator, "IAM_END_USER_IMPERSONATOR")
    form: dict[str, Any] = {"subject_token_type": USER_ID, "actor_token_type": ACCESS, "scope": "openid profile"}
    answer = app.token(EXCHANGE, subject_token=PERSON_ID, actor_token=pat, **form)
    return actor.id, answer.json()["access_token"]


def flask_app() -> Flask:
    app = Flask("own")
    app.get("/", endpoint="any")(lambda: {"actor": g.introspection.actor})
    app.get("/own", endpoint="own")(server.requires_token(actor=False)(lambda: {"actor": g.introspection.actor}))
    return app


def fastapi_app() -> FastAPI:
    app = FastAPI()
    for path, guard in ASGI_GUARDS.items():

        def view(caller: Annotated[asgi.Introspection, Depends(guard)]) -> dict[str, Any]:
            return {"actor": caller.actor}

        app.get(path)(view)
    return app


@pytest.mark.parametrize("framework", ["Flask", "FastAPI"])
def test_a_view_knows_the_actor_unless_its_guard_refuses_them(
    framework: str, emulator: Emulator, impersonated: tuple[str, str]
) -> None:
    (actor, token), settings = impersonated, settings_for(emulator.url)
    in_flask, in_fastapi = server.protect(flask_app(), settings), asgi.protect(fastapi_app(), settings)
    with running(in_flask) if framework == "Flask" else on_uvicorn(in_fastapi) as api:
        assert api.get("/", token).json == {"actor": actor}
        assert [api.get(path, READER.pat).json for path in ("/", "/own")] == [{"actor": None}] * 2
        reply = api.get("/own", token)
        assert (reply.status, reply.one("www-authenticate")) == (401, INVALID_TOKEN)
        check_body(reply, "invalid_token", description="somebody impersonates the token's user")


def test_log_and_page_name_user_and_actor(
    emulator: Emulator, impersonated: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, ACCESS_LOG)
    name = f"ada (impersonated by {impersonated[0]})"
    assert TracedApi(page_options(emulator)).event(PRIVATE, impersonated[1])["caller"]["name"] == name
    (record,) = (record for record in caplog.records if record.name == ACCESS_LOG)
    assert f"  {name}  " in TextFormatter(io.StringIO()).format(record)
    assert f'"caller": "ada", "actor": "{impersonated[0]}"' in JsonFormatter().format(record)
