"""The example API in FastAPI: a public route, a private one, and a private one that needs a role.

pip install '.[asgi]' fastapi uvicorn    # in zdemo's folder
uvicorn fastapi_app:app --port 5000      # in a folder with a .env, see zdemo init or zdemo setup
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI

from zdemo.asgi import Introspection, protect, requires_token

# Reads the settings from the environment and .env. Each route that is not named here needs a token.
app = protect(FastAPI(title="Messages"), open_routes=["/api/public", "/docs", "/openapi.json"])

Caller = Annotated[Introspection, Depends(requires_token)]


@app.get("/api/public")
async def public() -> dict[str, str]:
    return {"message": "Public route - You don't need to be authenticated to see this."}


@app.get("/api/private", dependencies=[Depends(requires_token)])
async def private() -> dict[str, str]:
    return {"message": "Private route - You need to be authenticated to see this."}


@app.get("/api/private-scoped", dependencies=[Depends(requires_token(role="read:messages"))])
async def private_scoped() -> dict[str, str]:
    message = "You need to be authenticated and have the role read:messages to see this."
    return {"message": f"Private, scoped route - {message}"}


@app.get("/api/me")
async def me(caller: Caller) -> dict[str, str | bool]:
    return {"sub": caller.text("sub"), "may_read_messages": caller.has_role("read:messages")}
