"""Cases about the door of an MCP server: how clients find the authorization server, and whose tokens it admits.

Sources are the MCP specification of 2026-07-28, and facts about ZITADEL.
"""

from functools import partial
from urllib.parse import urlsplit

from zdemo.verify import judgments
from zdemo.verify.api_client import ApiReply
from zdemo.verify.case import Case, Needs, Stage
from zdemo.verify.run import VerifyRun

WELL_KNOWN = "/.well-known/oauth-protected-resource"
MESSAGE = {  # the first one of a session
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "zdemo verify", "version": "1"},
    },
}
CHALLENGE, ACCEPTS = "mcp.challenge", "mcp.accepts"
_case = partial(Case, source="MCP, Authorization", basis=(CHALLENGE, ACCEPTS))
_refused = partial(_case, must="401 or 403", judge=judgments.none_admitted)


def _metadata(run: VerifyRun) -> tuple[list[ApiReply], str]:
    """Look where clients do, up to the first document: by the challenge, at the path, at the root."""
    named = run.bare.bearer.parameters.get("resource_metadata", "") if run.bare.bearer else ""
    path = urlsplit(run.api.path).path.rstrip("/")
    replies: list[ApiReply] = []
    for each in dict.fromkeys(filter(None, (urlsplit(named).path, WELL_KNOWN + path, WELL_KNOWN))):
        replies.append(run.api.send(method="GET", path=each))
        if replies[-1].status == 200:
            break
    return replies, run.issuer_url


CASES: tuple[Case, ...] = (
    _case(
        id=CHALLENGE,
        asked="a message without a token, and one with a token that nobody issued",
        must="401 with WWW-Authenticate: Bearer, and no offline_access in its scope",
        fix="answer 401 with a Bearer challenge, with resource_metadata and scope",
        ask=lambda run: [run.bare, run.refused_garbage],
        judge=judgments.challenged_for_login,
        needs=Needs.NOTHING,
        stage=Stage.FIRST,
        basis=(),
    ),
    _case(
        id="mcp.metadata",
        asked="the metadata of the protected resource, where clients look for it",
        must="JSON with a resource, ZITADEL's issuer among authorization_servers, and no offline_access",
        source="MCP, Authorization; RFC 9728 sections 2 and 3",
        fix="serve it without a token, at the address in resource_metadata or at the well-known one",
        ask=_metadata,
        judge=judgments.resource_metadata,
        needs=Needs.NOTHING,
        basis=(),
    ),
    _case(
        id=ACCEPTS,
        asked="a message with a token that was issued for the project, whose user has the role",
        must="neither 401 nor 403 nor a failure; the MCP server may answer an error of its own",
        fix="check --path and --role, and that the server reads its settings from its environment (--env)",
        ask=lambda run: run.answer,
        judge=judgments.passes_the_door,
        stage=Stage.FIRST,
        basis=(CHALLENGE,),
    ),
    _case(
        id="mcp.role_missing",
        asked="a message with such a token, whose user does not have the role",
        must="403 with insufficient_scope",
        fix='answer 403 with error="insufficient_scope", and the scope that is missing',
        ask=lambda run: run.refused_visitor,
        judge=judgments.forbidden,
        needs=Needs.ROLE,
    ),
    _refused(
        id="mcp.pat",
        asked="a message with a PAT of a user with the role",
        source="MCP, Authorization: only tokens issued for the server; ZITADEL: a PAT is active at every API",
        fix="refuse a token whose introspection has no client_id",
        ask=lambda run: [run.api.bearer(run.zitadel.person(run.role, pat=True).token)],
    ),
    _refused(
        id="mcp.other_project",
        asked="a message with a token, and a JWT, that were issued for another project",
        source="MCP, Authorization: only tokens issued for the server; RFC 8707 section 2",
        fix="have tokens introspected, and require the project in aud",
        ask=lambda run: [
            run.api.bearer(run.zitadel.session(run.role, elsewhere=True, as_jwt=as_jwt)) for as_jwt in (False, True)
        ],
    ),
)
