"""``zdemo introspect``: what ZITADEL says about a token, and what follows."""

import json
import re
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from zdemo.cli import token_input
from zdemo.cli.common_options import AdminKey, AdminPat, Caller, EnvFile, Pat
from zdemo.cli.layout import BELOW, pad
from zdemo.cli.screen import Screen, show_finding
from zdemo.cli.usage import OUTPUT_GROUP, flag, option, verbose_flag
from zdemo.config.names import rename_steps
from zdemo.config.new_dotenv import completion
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.investigate import Investigation, investigate_with
from zdemo.diagnosis.evidence import active_token, refusal_of
from zdemo.diagnosis.rules.active_token import NoteKind
from zdemo.diagnosis.token_form import EMPTY, ID_DIGITS, TokenKind, token_form
from zdemo.diagnosis.view import brief, reason, why
from zdemo.diagnosis.wording import span
from zdemo.errors import ConnectionFailed, ExitCode, IntrospectionError, MissingTokenError
from zdemo.http.example_api import ROLE, Route
from zdemo.text.columns import cells
from zdemo.text.masking import masked
from zdemo.text.printable import one_line, printable
from zdemo.zitadel.introspection_answer import Introspection, within_all_clocks
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.introspection_response import introspection_error, read_answer
from zdemo.zitadel.records import NEVER

AS_JSON = "Print ZITADEL's answer unchanged; with -v, the cause of a refusal too."


def introspect(
    ctx: typer.Context,
    pat: Pat = None,
    caller: Caller = None,
    verbose: Annotated[bool, verbose_flag("Show scopes, notes, other fixes, and every claim.")] = False,
    as_json: Annotated[bool, flag(AS_JSON, "--json", panel=OUTPUT_GROUP)] = False,
    require: Annotated[str | None, option("ROLE", "Succeed only if the token has this role.")] = None,
    quiet: Annotated[bool, flag("Print nothing: see the exit code.", "--quiet", "-q", panel=OUTPUT_GROUP)] = False,
    admin_pat: AdminPat = None,
    admin_key: AdminKey = None,
    env_file: EnvFile = None,
) -> int:
    """Ask ZITADEL about a token, and explain the answer.

    Shows whose token it is, which roles it has, what each route of the API answers to it, and why. If ZITADEL cannot
    be asked, it shows what a JWT says, without verifying it.

    Examples:
      zdemo introspect
      zdemo introspect --pat
      zdemo introspect --pat - < token.txt
      zdemo introspect --require read:messages -q

    Exit codes: 0 the token is active or, with --require, would be accepted and has the role; 1 it is not; 3 a setting
    or the token is missing or wrong; 4 no answer from ZITADEL

    More: docs/commands.md, docs/how-zitadel-answers.md
    """
    screen: Screen = ctx.obj
    require = require.strip() if require else require  # blanks around it come from the shell
    environment = token_input.environment_with_token(screen, pat, caller, env_file, check=Settings.from_env)
    environment = token_input.with_admin(screen, environment, admin_pat, admin_key)
    settings = Settings.from_env(environment)
    token_input.tell_warnings(screen, settings)
    token = environment.get("PAT", "").strip()
    if not token:
        hint = rename_steps(environment, "PAT") or ("give one with --pat", *completion(environment, ["PAT"]))
        missing = MissingTokenError("no token to ask about: PAT is not set", hint=hint)
        missing.finding = EMPTY
        raise missing
    token_input.tell_mixed_sources(screen, environment, "PAT", "ZITADEL_DOMAIN")
    now = time.time()
    if (as_json and not verbose) or quiet:
        return _without_words(screen, settings, token, require, show=not quiet, now=now)
    with screen.waiting(f"asking {settings.zitadel}"):
        investigation = investigate_with(environment, settings, token, role=require or ROLE, now=now)
    if investigation.finding:
        investigation = replace(investigation, finding=investigation.finding.with_env_file(env_file))
    error, finding, introspection = investigation.error, investigation.finding, investigation.introspection
    is_unknown = introspection is None or (verbose and not introspection.active)
    is_read = is_unknown and not as_json and token_form(token).kind is TokenKind.JWT
    says_more = verbose or (finding and (finding.candidates or finding.seen or finding.because))
    if as_json:
        answer, notes = investigation.answer, [*investigation.notes.values()]
        screen.document({"answer": answer.json() if answer else None, **reason(finding), "notes": notes})
    elif error and finding and not says_more:  # two lines say all of it
        screen.error(why(brief(finding)), steps=brief(finding).steps)
    else:
        _show(screen, investigation, settings, token, now=now, verbose=verbose)
        if is_read:
            screen.say()
    if is_read:
        show_unverified(screen, token, settings, now=now, verbose=verbose)
    screen.told |= {*finding.because} if finding else set()
    token_input.tell_hidden(screen, environment)
    if introspection is None:
        return error.exit_code if error else ExitCode.NO
    return _judge(introspection, settings, require, now=now)


def _without_words(
    screen: Screen, settings: Settings, token: str, require: str | None, *, show: bool, now: float
) -> ExitCode:
    """Judge the token, and show only ZITADEL's answer; without one, what a JWT says is part of the error."""
    try:
        with closing(IntrospectionClient(settings)) as client:
            screen.hide(*client.secrets)
            answer = client.ask(token)
        if show and (document := answer.json()) is not None:
            screen.document(document, as_it_came=answer.text.rstrip("\n"))
        return _judge(read_answer(answer, with_key=settings.key is not None), settings, require, now=now)
    except (ConnectionFailed, IntrospectionError) as failure:
        error = introspection_error(failure) if isinstance(failure, ConnectionFailed) else failure
        form = token_form(token)
        if not show or form.kind is not TokenKind.JWT:
            raise error from failure.__cause__
        unverified = {"not_verified": {"header": form.header, "claims": form.claims}}
        screen.failure(*error.lines, steps=error.steps, as_json=True, more=unverified)
        return error.exit_code


def _judge(introspection: Introspection, settings: Settings, require: str | None, *, now: float) -> ExitCode:
    """Return yes when the token is active or, with a required role, when the API would accept it."""
    if require is None:
        return ExitCode.YES if introspection.active else ExitCode.NO
    return ExitCode.NO if refusal_of(introspection, settings, role=require, now=now) else ExitCode.YES


def _show(
    screen: Screen, investigation: Investigation, settings: Settings, token: str, *, now: float, verbose: bool
) -> None:
    """Show the verdict, its cause and fix, then what ZITADEL says about a token, and what follows for each route."""
    introspection, finding = investigation.introspection, investigation.finding
    if finding and not verbose:
        finding = replace(brief(finding), otherwise=())
    if introspection is None or not introspection.active:
        screen.say(f"{'active':<12}  {screen.mark('no' if introspection else 'unknown', 'red')}")
        if finding:
            show_finding(screen, finding)
    else:
        expires = introspection.expires_at
        but = "but " if expires is not None and expires <= now else ""
        screen.pairs([("active", f"yes, {but}{_expiry(expires, now=now)}"), *_actor(introspection)])
        if finding:
            show_finding(screen, finding, evidence=verbose)
            screen.say()
        screen.pairs(_about(screen, introspection, token, now=now, verbose=verbose).items())
        project = settings.project_id or active_token(introspection, settings).project
        show_roles(screen, introspection, project, settings.project_id)
        _show_verdicts(screen, introspection, settings, now=now)
    for kind, text in investigation.notes.items():
        if verbose or not (finding or kind is NoteKind.SCOPE):
            screen.say()
            screen.pairs([("note", text)], label_width=4)
    if verbose and investigation.finding:
        screen.say()
        screen.pairs([("finding", investigation.finding.id)])
    if verbose and introspection:
        show_claims(screen, introspection.claims)


def _actor(introspection: Introspection) -> list[tuple[str, str]]:
    """Return the line that names all who impersonate the user, if any."""
    actors = ", before by user ".join(introspection.actors)
    return [("actor", one_line(f"impersonated by user {actors}"))] if actors else []


def _about(screen: Screen, introspection: Introspection, token: str, *, now: float, verbose: bool) -> dict[str, str]:
    client_id, user = introspection.text("client_id"), f"user {introspection.text('sub') or 'unknown'}"
    # a service account's client ID is its user name, a person's token has that of an application (ZITADEL)
    name = introspection.text("username") or ("" if ID_DIGITS.match(client_id) else client_id)
    issued = introspection.claims.get("iat")
    line = token_input.token_line(screen.environment, token) if screen.environment else masked(token)
    since = f", issued {span(now - within_all_clocks(issued))} ago" if type(issued) is int else ""
    return {
        "who": one_line(f"{name} ({user})" if name else user),
        "token": f"{token_form(token).name} {line}{since}",
        "issuer": one_line(introspection.text("iss")) or "none",
        "audience": one_line(" ".join(introspection.audience)) or "none",
        **({"scopes": "\n".join(introspection.scopes) or "none"} if verbose else {}),
    }


def _expiry(expires: float | None, *, now: float) -> str:
    """Return when a token expires; a PAT's year 9999 means never."""
    if expires is None:
        return "without an expiry"
    if expires >= NEVER:
        return "never expires"
    return f"expires in {span(expires - now)} ({moment(expires)})" if expires > now else f"expired {moment(expires)}"


def _show_verdicts(screen: Screen, introspection: Introspection, settings: Settings, *, now: float) -> None:
    screen.say()
    for route in Route:
        refusal = refusal_of(introspection, settings, role=route.role, now=now) if route is not Route.PUBLIC else None
        words = f"yes    has {route.role}" if route.role else "yes" if route is not Route.PUBLIC else "open to anyone"
        words = f"no     {refusal.message}" if refusal else words
        screen.behind(f"{route.path:<21}", words, colour="red" if refusal else "green")


ROLE_WIDTH, CLAIM_WIDTH = 17, 14
TIMES = ("exp", "iat", "nbf", "auth_time", "updated_at")
ROLES_CLAIM = re.compile(r"urn:zitadel:iam:org:project:(?:(.+):)?roles")
MOST_SHOWN = 500  # characters of one claim; --json has all of it
NOT_VERIFIED = "ZITADEL did not confirm this: it is only what the JWT says about itself"


def moment(epoch_seconds: float) -> str:
    """Return a point in time in UTC, of the years from 1970 to 9999."""
    return datetime.fromtimestamp(max(0, min(epoch_seconds, NEVER)), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def show_roles(screen: Screen, introspection: Introspection, project: str | None, claim_of: str | None) -> None:
    """Show the roles in a project, and who granted them; ``claim_of`` is the project whose claim they are in."""
    screen.say()
    roles = introspection.roles(claim_of)
    where = f"project {one_line(project)}" if project else "this API's project"
    screen.say(f"roles in {where}{'' if roles else ': none'}")
    for key, organizations in sorted(roles.items()):
        granted = ", ".join(f"{org} ({domain})" for org, domain in organizations.items())
        screen.behind(pad(printable(f"  {key}  "), ROLE_WIDTH), f"granted by organization {granted}")


def show_claims(screen: Screen, claims: Mapping[str, Any], heading: str = "claims") -> None:
    """Show every claim. A very long text is shortened; a name to copy is not."""
    screen.say()
    screen.say(heading)
    for name, value in claims.items():
        lead = pad(f"  {one_line(screen.redaction(name))}", CLAIM_WIDTH) + " " * BELOW
        text = one_line(screen.redaction(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
        if name in TIMES and type(value) is int:
            text += f" ({moment(value)})"
        if len(text) > MOST_SHOWN:
            text = f"{text[:MOST_SHOWN]} … (--json shows all {len(text)} characters)"
        if cells(lead) > CLAIM_WIDTH + BELOW:
            screen.say(lead.rstrip(), whole=True)
            lead = " " * 2 * BELOW
        screen.behind(lead, text or '""')


def show_unverified(screen: Screen, token: str, settings: Settings, *, now: float, verbose: bool) -> None:
    """Show what a JWT says about itself, and never that it is active."""
    form = token_form(token)
    claims, expires = form.claims, form.claims.get("exp")
    unverified = Introspection(
        active=False,
        claims=claims,
        expires_at=within_all_clocks(expires) if type(expires) is int else None,
        audience=tuple(name for name in form.audience if isinstance(name, str)),
    )
    about = _about(screen, unverified, token, now=now, verbose=verbose)
    rows = {"not verified": NOT_VERIFIED, **dict(_actor(unverified)), **about}
    if form.is_id_token:
        rows["token"] += "\nan ID token, which no API accepts"
    is_same = unverified.text("iss") == settings.issuer
    rows["issuer"] += ", as in ZITADEL_DOMAIN" if is_same else f", but ZITADEL_DOMAIN is {settings.issuer}"
    role_claims = [match for name in claims if (match := ROLES_CLAIM.fullmatch(name))]
    none = [] if role_claims else [("roles", "none in the JWT; introspection still shows the roles")]
    screen.pairs([*rows.items(), ("expiry", _expiry(unverified.expires_at, now=now)), *none])
    for match in role_claims:
        show_roles(screen, unverified, match[1], match[1])
    if verbose:
        show_claims(screen, form.header, "header, not verified")
        show_claims(screen, claims, "claims, not verified")
