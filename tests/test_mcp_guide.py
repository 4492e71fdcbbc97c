"""The guide to MCP: its server, asked by the SDK's own OAuth client with a registered ID, which logs in by itself.

The SDK is imported where it is used: it takes a second to load, in each process that looks for tests.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import AnyUrl

from tests.asgi.asgi_apis import on_uvicorn
from tests.support.apis import environment_of, example, settings_for
from tests.support.processes import LONGEST_SECONDS, ROOT, running_process
from tests.support.upstream import LOOPBACK, free_port
from tests.support.waiting import eventually
from tests.support.wire import bearer, request
from tests.test_guides import EXAMPLES
from zdemo.emulator import PROJECT_ID, emulate
from zdemo.emulator.seed import APP_CLIENT_ID, PERSON_ID
from zdemo.verify.cases.mcp import MESSAGE
from zdemo.verify.emulated_issuer import emulated_issuer

if TYPE_CHECKING:
    from mcp.client.auth import AuthorizationCodeResult
    from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

SERVER = EXAMPLES / "mcp_server.py"
CALLBACK = AnyUrl("http://localhost:3000/callback")


class Registered:
    """What the client keeps: its ID, which somebody registered at ZITADEL, and its tokens."""

    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull:
        from mcp.shared.auth import OAuthClientInformationFull

        info = {"client_id": APP_CLIENT_ID, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        return OAuthClientInformationFull.model_validate(info)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:  # noqa: ARG002  # as the SDK calls it
        raise AssertionError("ZITADEL registers no clients")


async def whoami(url: str, logins: list[dict[str, list[str]]]) -> str:
    """Call a tool as an MCP client does that knows only the URL and its own ID; append each login's parameters."""
    from mcp import Client
    from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.auth import OAuthClientMetadata

    storage, answers = Registered(), asyncio.Queue[str]()

    async def open_browser(address: str) -> None:
        logins.append(parse_qs(urlsplit(address).query))
        async with httpx2.AsyncClient() as browser:  # the emulator logs in by itself
            await answers.put((await browser.get(address)).headers["location"])

    async def callback() -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(await answers.get()).query)
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0])

    provider = OAuthClientProvider(url, OAuthClientMetadata(redirect_uris=[CALLBACK]), storage, open_browser, callback)
    async with (
        httpx2.AsyncClient(auth=provider, timeout=LONGEST_SECONDS) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        result = await client.call_tool("whoami", {})
    return str(result.content[0].model_dump()["text"])


@pytest.mark.thorough
def test_the_sdks_client_finds_zitadel_logs_in_and_calls_a_tool_with_the_role(tmp_path: Path) -> None:
    from mcp.shared.exceptions import MCPError

    shutil.copy(SERVER, tmp_path)
    url = f"http://{LOOPBACK}:{free_port()}/mcp"
    command = [sys.executable, "-m", "uvicorn", "mcp_server:app", "--port", str(urlsplit(url).port)]
    logins: list[dict[str, list[str]]] = []
    with emulate() as zitadel:
        zitadel.world.auto_login = "ada"
        environment = {**environment_of(settings_for(zitadel.url)), "ZDEMO_RESOURCE": url, "PYTHONPATH": str(ROOT)}
        with running_process(command, tmp_path, {**environment, "ZDEMO_CACHE_TTL": "0"}):

            def answers() -> bool:
                try:
                    return httpx2.get(url).status_code == 401
                except httpx2.ConnectError:
                    return False

            eventually("the server answers", answers)
            assert asyncio.run(whoami(url, logins)) == PERSON_ID
            for authorization in [a for a in zitadel.world.authorizations.values() if a.user_id == PERSON_ID]:
                zitadel.world.remove_authorization(authorization)
            with pytest.raises(ExceptionGroup) as refused:
                asyncio.run(whoami(url, logins))
    assert refused.group_contains(MCPError, match="error response")  # to its third request that is answered 403
    audience = f"urn:zitadel:iam:org:project:id:{PROJECT_ID}:aud urn:zitadel:iam:org:projects:roles"
    scopes = [login["scope"][0] for login in logins]  # the SDK adds offline_access
    more = "urn:zitadel:iam:org:project:role:read:messages"
    assert scopes == [f"{audience} offline_access"] * 2 + [f"{audience} offline_access {more}"]
    assert all((login["client_id"], login["resource"]) == ([APP_CLIENT_ID], [url]) for login in logins)


@pytest.mark.thorough
def test_a_client_gets_no_session_that_another_user_could_use() -> None:
    with emulate() as zitadel, emulated_issuer(zitadel, PROJECT_ID) as issuer:
        app = example(SERVER, settings_for(zitadel.url), ZDEMO_RESOURCE="https://api.example.com/mcp").app
        fields = "Accept: application/json, text/event-stream", "Content-Type: application/json"
        token, body = issuer.issue("read:messages", pat=False).token, json.dumps(MESSAGE).encode()
        with on_uvicorn(app) as api:
            host = f"{LOOPBACK}:{api.port}"
            reply = api.send(request("/mcp", bearer(token), *fields, method="POST", body=body, host=host))
    assert (reply.status, reply.one("mcp-session-id")) == (200, None)
