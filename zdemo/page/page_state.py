"""What the page shows before any request: addresses, routes, callers with their users, and what can be changed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flask import Flask

from zdemo.config.address import ADMIN_PAT
from zdemo.config.environment import COMMAND_LINE, Environment
from zdemo.config.new_dotenv import completion
from zdemo.config.settings import AdminSettings
from zdemo.diagnosis.ask.facts import pat_ids
from zdemo.diagnosis.evidence import PatIds
from zdemo.diagnosis.token_form import TokenKind, paste_problem, token_form
from zdemo.diagnosis.view import step_document
from zdemo.errors import SettingsError, UnusableAnswer, ZdemoError
from zdemo.errors.steps import Command, in_line
from zdemo.guard.authorization import LONGEST_TOKEN
from zdemo.guard.flask_guard import EXTENSION
from zdemo.http.api_call import send_once
from zdemo.http.deadline import LEAST_REQUEST_SECONDS
from zdemo.http.example_api import FORWARD_AUTH_PATHS, PAGE_PATH, ROLE, Route
from zdemo.page.page_context import NOBODY, PASTED, PERSON, VARIABLES, PageContext, PageOptions, PageRefusal, SendOrder
from zdemo.server.forward_auth import FORWARD_AUTH
from zdemo.text.masking import masked
from zdemo.text.printable import one_line
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.records import Credential
from zdemo.zitadel.resources import get_user, list_assignments, list_pats
from zdemo.zitadel.role_assignments import find_project_id

RESTART = "restart zdemo serve to pick up the new settings"
TIMEOUT_SECONDS = 2.0
STOPPED = {"fault": "stopped"}
CONTROL = {"X-Zdemo-Control": "1"}  # what the emulator beside the API lets pass, although it is stopped or slow
# what became of a caller's PAT
PRESENT, DELETED, EXPIRED, ENDED, UNKNOWN = "present", "deleted", "expired", "ended", "unknown"


@dataclass(frozen=True, kw_only=True)
class PageCaller:
    """A caller whose token the page can send; ``place`` is where the token comes from, or empty."""

    id: str
    token: str | None = field(default=None, repr=False)
    place: str = ""

    @property
    def about(self) -> str:
        """What may be shown of the token, and where it comes from."""
        if self.token is None:
            return "a person, whom the page logs in" if self.id == PERSON else "sends no token"
        kind = token_form(self.token).name.replace(TokenKind.PAT, "PAT")
        return f"{kind} {masked(self.token)}" + (f" from {self.place}" if self.place else "")


def callers_with_token(environment: Environment) -> list[PageCaller]:
    """Return the callers whose token the environment has, apart from tokens that cannot be sent."""
    callers = []
    for name, variable in VARIABLES.items():
        token, place = environment.get(variable, "").strip(), environment.source(variable)
        if token and len(token) <= LONGEST_TOKEN and not paste_problem(token):
            callers.append(PageCaller(id=name, token=token, place="" if place == COMMAND_LINE else place))
    return callers


def caller_in(order: SendOrder, environment: Environment) -> PageCaller:
    """Return the caller that a request names. Raises PageRefusal for an unknown one, or a token that cannot be sent."""
    name = order.caller
    if name == PASTED:
        token = order.token.strip()
        if not token:
            raise PageRefusal(400, "no_token", "the token is empty", hint="paste a token, or choose another caller")
        if len(token) > LONGEST_TOKEN:
            raise PageRefusal(400, "invalid_token", f"the token is longer than {LONGEST_TOKEN // 1024} KiB")
        if problem := paste_problem(token):
            raise PageRefusal(400, "invalid_token", problem.cause, hint=problem.fix[0])
        return PageCaller(id=PASTED, token=token)
    callers = {caller.id: caller for caller in (PageCaller(id=NOBODY), *callers_with_token(environment))}
    if name in callers:
        return callers[name]
    if name in VARIABLES:
        hint = "; ".join(map(in_line, completion(environment, [VARIABLES[name]], by_name=True)))
        raise PageRefusal(400, "no_token", f"no usable token for the {name}", hint=f"{hint}; then restart")
    raise PageRefusal(400, "unknown_caller", f"caller must be {NOBODY}, {', '.join(VARIABLES)} or {PASTED}")


@dataclass(frozen=True, kw_only=True)
class PageAdmin:
    """The clients that ask and change ZITADEL until a deadline, and the project whose roles count."""

    options: PageOptions
    client: ManagementClient
    introspector: IntrospectionClient
    project_id: str


@contextmanager
def administrator(context: PageContext, seconds: float) -> Iterator[PageAdmin]:
    """Yield an administrator for a block of at most so many seconds. Raises SettingsError without a PAT to use.

    What the page asks an emulator meets no faults there, and stands in no log.
    """
    options, end = context.options, time.monotonic() + seconds
    settings = AdminSettings.from_env(options.environment)

    def left() -> float:
        return max(min(end - time.monotonic(), settings.timeout_seconds), LEAST_REQUEST_SECONDS)

    shortest = min(settings.timeout_seconds, seconds)
    with closing(IntrospectionClient(options.settings, timeout_seconds=shortest)) as introspector:
        transport = introspector.transport
        transport.headers |= CONTROL if options.emulator else {}
        client = ManagementClient(settings.zitadel, settings.admin_pat, timeout_seconds=left, transport=transport)
        project_id = find_project_id(settings, introspector)
        yield PageAdmin(options=options, client=client, introspector=introspector, project_id=project_id)


@dataclass(frozen=True, kw_only=True)
class CallersUser:
    """The user of a caller's token. ``pat_id`` is the token's own ID, if it is known; ``works``: it is active."""

    caller: PageCaller
    id: str
    pat_id: str = ""
    works: bool


def users_of_callers(context: PageContext, admin: PageAdmin) -> list[CallersUser]:
    """Return the users of the callers' tokens, each once. A dead token's user may be unknown, and is left out."""
    users: dict[str, CallersUser] = {}
    for caller in callers_with_token(context.options.environment):
        introspection = admin.introspector.introspect(caller.token or "")
        if introspection.active:
            pat_id = "" if introspection.text("client_id") else introspection.text("jti")  # no other token has none
            user_id, variable = introspection.text("sub"), VARIABLES[caller.id]
            context.pats[caller.id] = PatIds(user=user_id, pat_id=pat_id, variable=variable, named_by=())
        if ids := context.pats.get(caller.id) or pat_ids(context.options.environment, caller.token or ""):
            user = CallersUser(caller=caller, id=ids.user, pat_id=ids.pat_id, works=introspection.active)
            users.setdefault(user.id, user)
    return list(users.values())


def _users(context: PageContext, admin: PageAdmin) -> Iterator[dict[str, Any]]:
    for known in users_of_callers(context, admin):
        if user := get_user(admin.client, known.id):
            assignments = list_assignments(admin.client, project_id=admin.project_id, user_id=user.id)
            roles = {one_line(role) for assignment in assignments if assignment.active for role in assignment.role_keys}
            name = one_line(user.login_name or user.username or user.id)
            pat = PRESENT if known.works else _ended_pat(known, user.state, list_pats(admin.client, user.id))
            yield {"id": user.id, "name": name, "roles": sorted(roles), "state": user.state.lower(), "pat": pat}


def _ended_pat(user: CallersUser, state: str, listed: Sequence[Credential]) -> str:
    """Return what became of a PAT that does not work: ZITADEL still lists all but those that were deleted."""
    own = next((pat for pat in listed if pat.id == user.pat_id), None)
    if own:
        return EXPIRED if own.has_expired(time.time()) else ENDED
    if user.pat_id or not listed:
        return DELETED
    return UNKNOWN if state == "ACTIVE" else ENDED


def state(context: PageContext) -> dict[str, Any]:
    """Return the state of the page."""
    options = context.options
    callers = [PageCaller(id=NOBODY), *callers_with_token(options.environment)]
    callers += [PageCaller(id=PERSON)] if options.emulator else []
    return {
        "api": options.api_url,
        "zitadel": str(options.settings.zitadel),
        "emulator": options.emulator or None,
        "ttl_seconds": options.settings.cache_ttl_seconds,
        "role": ROLE,
        "now": time.time(),
        "routes": list(_routes(context.app)),
        "callers": [{"id": caller.id, "name": caller.id, "about": caller.about} for caller in callers],
        "changes": changes_document(context),
    }


def _routes(app: Flask) -> Iterator[dict[str, Any]]:
    """Yield the routes that a request without a body can ask, and that need no part of a path filled in."""
    roles = {route.path: route.role for route in Route}
    if FORWARD_AUTH in app.extensions:
        for path, role in FORWARD_AUTH_PATHS.items():
            yield {"method": "GET", "path": path, "role": role, "guarded": True}
    open_paths = app.extensions[EXTENSION].open_routes.paths
    for rule in app.url_map.iter_rules():
        if rule.arguments or rule.rule.startswith(PAGE_PATH):
            continue
        for method in sorted((rule.methods or set()).difference(("HEAD", "OPTIONS"))):
            guarded = rule.rule not in open_paths
            yield {"method": method, "path": rule.rule, "role": roles.get(rule.rule), "guarded": guarded}


def changes_document(context: PageContext) -> dict[str, Any]:
    """Return what can be changed and how it is now; why not, if nothing can."""
    options = context.options
    document = {"possible": True, "why_not": "", "fix": [], "users": [], "emulator": None}
    try:
        emulator = _emulator(ask_emulator(options, "GET", "state")) if options.emulator else None
        with administrator(context, seconds=4.0) as admin:
            return document | {"users": list(_users(context, admin)), "emulator": emulator}
    except SettingsError as error:
        why, fix = "; ".join(map(str, error.problems)), (*error.steps, RESTART)
        if ADMIN_PAT not in options.environment:
            start, file = f"serve --port {urlsplit(options.api_url).port}", options.steps_file
            again = Command(start, (), "--admin-pat", file, does="instead of the running zdemo serve")
            why, fix = f"{ADMIN_PAT} is not set", (again,)
    except ZdemoError as error:
        why, fix = error.message, error.steps
    return document | {"possible": False, "why_not": why, "fix": [step_document(step) for step in fix]}


def _emulator(state: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "stopped": STOPPED in state["faults"],
        "slow_seconds": max((fault["seconds"] for fault in delays(state)), default=0),
        "advanced_seconds": state["advanced_seconds"],
        "applications": [app for app in state["applications"] if app["redirect_uris"]],
    }


def ask_emulator(options: PageOptions, method: str, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return an answer of the emulator beside the API, another process. Raises ZdemoError, PageRefusal without one."""
    if not options.emulator:
        raise PageRefusal(409, "no_emulator", "only the emulator of zdemo serve --emulator can be changed like this")
    address = options.settings.zitadel
    parts = {"timeout_seconds": TIMEOUT_SECONDS, "headers": CONTROL, "json": body}
    answer = send_once(address.server, address.setting, method, f"/_zdemo/{name}", **parts)
    document, hint = answer.json_object(), "restart zdemo serve"
    if answer.emulator != options.emulator:
        what = f"the server at {address} is not the emulator {options.emulator}"
        raise UnusableAnswer(what, hint=hint, answer=answer)
    if answer.status != 200:
        raise ZdemoError(f"the emulator refuses: {document.get('error', answer.status)}", hint=hint)
    return document


def is_stopped(options: PageOptions) -> bool:
    """Return whether the emulator beside the API resets every connection, as if no ZITADEL were there."""
    return STOPPED in ask_emulator(options, "GET", "state")["faults"]


def delays(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the delays of introspections."""
    return [fault for fault in state["faults"] if (fault["fault"], fault.get("path")) == ("slow", INTROSPECTION_PATH)]
