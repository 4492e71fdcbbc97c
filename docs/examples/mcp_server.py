"""An MCP server for people who log in at ZITADEL and have the role read:messages.

uvicorn mcp_server:app --port 8000    # in a folder with a .env, see zdemo init
"""

from mcp.server.mcpserver import Context, MCPServer

from zdemo.asgi import protect, requires_token

server = MCPServer("messages")


@server.tool()
async def whoami(context: Context) -> str:
    """Return the user ID of the caller."""
    caller = await requires_token(context.request_context.request)
    return caller.text("sub")


app = protect(server.streamable_http_app(stateless_http=True), role="read:messages")
