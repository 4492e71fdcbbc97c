"""Cases about access to an MCP server: how clients find the authorization server, and whose tokens it admits.

Sources are the MCP specification of 2026-07-28, and facts about ZITADEL.
"""

from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

from zdemo.diagnosis.finding import quoted
from zdemo.guard.authorization import WELL_KNOWN
from zdemo.verify import judgments
from zdemo.verify.api_client import ApiReply
from zdemo.verify.case import Case, Needs, Stage, Verdict, unless
from zdemo.verify.run import VerifyRun

MESSAGE = {  # the first one of a session
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "zdemo", "version": "1"}},
}
CHALLENGE, ACCEPTS = "mcp.challenge", "mcp.accepts"
_case = partial(Case, source="MCP, Authorization", basis=(CHALLENGE, ACCEPTS))
_refused = partial(_case, must="401 or 403", judge=judgments.every(lambda reply: reply.status in (401, 403)))


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


def _is_metadata(seen: tuple[Sequence[ApiReply], str]) -> Verdict:
    replies, issuer = seen  # where it was looked for, and the issuer that it must name
    metadata = replies[-1].json_object() if replies[-1].status == 200 else {}
    servers = metadata.get("authorization_servers")
    named = [str(server).rstrip("/") for server in servers] if isinstance(servers, list) else []
    problems = (
        (not urlsplit(str(metadata.get("resource", ""))).netloc, "no URL in resource"),
        (issuer not in named, f"authorization_servers: {quoted(', '.join(named), 60) or 'none'}, not {issuer}"),
    )
    where, wrong = judgments.in_words(replies), ", ".join(words for is_wrong, words in problems if is_wrong)
    return unless(f"{where}: {wrong}" if wrong else "", where)


CASES: tuple[Case, ...] = (
    _case(
        id=CHALLENGE,
        asked="a message without a token, and one with a token that nobody issued",
        must="401 with WWW-Authenticate: Bearer",
        fix="answer 401 with a Bearer challenge, with resource_metadata and scope",
        ask=lambda run: [run.bare, run.refused_garbage],
        judge=judgments.every(lambda reply: reply.status == 401 and reply.bearer is not None),
        needs=Needs.NOTHING,
        stage=Stage.FIRST,
        basis=(),
    ),
    _case(
        id="mcp.metadata",
        asked="the metadata of the protected resource, where clients look for it",
        must="JSON with a resource, and ZITADEL's issuer among authorization_servers",
        source="MCP, Authorization; RFC 9728 sections 2 and 3",
        fix="serve it without a token, at the address in resource_metadata or at the well-known one",
        ask=_metadata,
        judge=_is_metadata,
        needs=Needs.NOTHING,
        basis=(),
    ),
    _case(
        id=ACCEPTS,
        asked="a message with a token that was issued for the project, whose user has the role",
        must="neither 401 nor 403 nor a failure; the MCP server may answer an error of its own",
        fix="check --path and --role, and that the server reads its settings from its environment (--env)",
        ask=lambda run: run.answer,
        judge=judgments.one(lambda reply: reply.status not in (0, 401, 403) and reply.status < 500),
        stage=Stage.FIRST,
        basis=(CHALLENGE,),
    ),
    _case(
        id="mcp.role_missing",
        asked="a message with a token for the project, whose user does not have the role",
        must="403 with insufficient_scope",
        fix='answer 403 with error="insufficient_scope", and the scope that is missing',
        ask=lambda run: run.refused_visitor,
        judge=judgments.refused_as("insufficient_scope", 403),
        needs=Needs.ROLE,
    ),
    _refused(
        id="mcp.pat",
        asked="a message with a PAT of a user with the role",
        source="MCP, Authorization: only tokens issued for the server; ZITADEL: a PAT is active at every API",
        fix="refuse a token whose introspection has no client_id",
        ask=lambda run: [run.api.bearer(run.zitadel.issue(run.role, pat=True).token)],
    ),
    _refused(
        id="mcp.other_project",
        asked="a message with a token, and a JWT, that were issued for another project",
        source="MCP, Authorization: only tokens issued for the server; RFC 8707 section 2",
        fix="introspect tokens, and require the project in aud",
        ask=lambda run: [
            run.api.bearer(run.zitadel.issue(run.role, elsewhere=True, pat=False, as_jwt=as_jwt).token)
            for as_jwt in (False, True)
        ],
    ),
)
