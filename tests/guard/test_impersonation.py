"""Tokens with which somebody acts in their user's place (RFC 8693): what Flask, FastAPI, log and page make of them."""

import io
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from flask import Flask, g

from tests.support.apis import PRIVATE, asking, running, settings_for
from tests.support.asgi_apis import on_uvicorn
from tests.support.logins import add_administrator, add_client
from tests.support.page_site import TracedApi, page_options
from tests.support.rows import INVALID_TOKEN, check_body
from zdemo.asgi import Introspection
from zdemo.asgi import protect as protect_asgi
from zdemo.asgi import requires_token as requires
from zdemo.emulator import READER, Emulator, User, emulate
from zdemo.emulator.oidc.token_exchange import ACCESS, USER_ID
from zdemo.emulator.seed import PERSON_ID
from zdemo.server import protect, requires_token
from zdemo.server.logs import ACCESS_FIELDS, ACCESS_LOG, JsonFormatter, TextFormatter

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
PATHS = ("/", "/own", "/reader")  # the last two refuse actors
REFUSED = "somebody acts in the place of the token's user"
OWN_READER: Any = requires(role="read:messages", actor=False)


@pytest.fixture(scope="module")
def zitadel() -> Iterator[Emulator]:
    with emulate() as running_emulator:
        running_emulator.world.security["enableImpersonation"] = True
        yield running_emulator


@pytest.fixture(scope="module")
def impersonated(zitadel: Emulator) -> tuple[User, str]:
    """An actor, and a token with which they act for ada."""
    app = add_client(zitadel, "BASIC", grantTypes=["OIDC_GRANT_TYPE_TOKEN_EXCHANGE"])
    actor, pat = add_administrator(zitadel, "IAM_END_USER_IMPERSONATOR")
    user = {"subject_token": PERSON_ID, "subject_token_type": USER_ID}
    answer = app.token(EXCHANGE, actor_token=pat, actor_token_type=ACCESS, scope="openid profile", **user)
    return actor, answer.json()["access_token"]


def flask_app() -> Flask:
    app = Flask("own")
    app.get("/", endpoint="any")(lambda: {"actor": g.introspection.actor})
    app.get("/own", endpoint="own")(requires_token(actor=False)(lambda: {"actor": g.introspection.actor}))
    reader = requires_token(requires_token(role="read:messages", actor=False)(lambda: {"actor": g.introspection.actor}))
    app.get("/reader", endpoint="reader")(reader)
    return app


def fastapi_app() -> FastAPI:
    app = FastAPI()
    for path, guard in zip(PATHS, (requires, requires(actor=False), OWN_READER), strict=True):

        def view(introspection: Annotated[Introspection, Depends(guard)]) -> dict[str, Any]:
            return {"actor": introspection.actor}

        app.get(path)(view)
    return app


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_a_view_knows_the_actor_unless_its_guard_refuses_them(
    framework: str, zitadel: Emulator, impersonated: tuple[User, str]
) -> None:
    actor, token = impersonated
    settings = settings_for(zitadel.url)
    with ExitStack() as stack:
        client = stack.enter_context(asking(settings))
        if framework == "flask":
            api: Any = stack.enter_context(running(protect(flask_app(), settings, client)))
        else:
            api = stack.enter_context(on_uvicorn(protect_asgi(fastapi_app(), settings, client)))
        assert api.get("/", token).json == {"actor": actor.id}
        assert [api.get(path, READER.pat).json for path in PATHS] == [{"actor": None}] * 3
        for path in PATHS[1:]:
            reply = api.get(path, token)
            assert (reply.status, reply.one("www-authenticate")) == (401, INVALID_TOKEN)
            check_body(reply, "invalid_token", description=REFUSED)


def test_log_and_page_name_user_and_actor(
    zitadel: Emulator, impersonated: tuple[User, str], caplog: pytest.LogCaptureFixture
) -> None:
    actor, token = impersonated
    caplog.set_level(logging.INFO, ACCESS_LOG)
    api = TracedApi(page_options(zitadel))
    event = api.event(PRIVATE, token)
    assert event["caller"]["name"] == f"ada (impersonated by {actor.id})"
    (values,) = (record.args for record in caplog.records if record.name == ACCESS_LOG)
    assert isinstance(values, tuple)
    assert dict(zip(ACCESS_FIELDS, values, strict=True))["caller"] == "ada"
    assert f'"actor": "{actor.id}"' in JsonFormatter().request_line(0, values)
    assert f"  ada (impersonated by {actor.id})  " in TextFormatter(io.StringIO()).request_line(0, values)
