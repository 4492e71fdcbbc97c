"""What the guards share, whatever the framework: what they need, and how they answer a request that they refuse.

``authorization`` decides. ``flask_guard`` is the guard for Flask, ``asgi`` the one for FastAPI and Starlette.
"""

import json
import logging
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from inspect import isclass
from types import MappingProxyType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from zdemo.config import address
from zdemo.config.environment import GIVEN, Environment, read_environment
from zdemo.config.parsers import CACHE_URL, InvalidValue
from zdemo.config.settings import RESOURCE, Settings
from zdemo.config.variables import BY_NAME, EXAMPLE_RESOURCE, OTHER_NAMES
from zdemo.errors import GuardError, IntrospectionError, Refused, SettingsError, ZdemoError, ZitadelUnavailable
from zdemo.errors.steps import in_lines
from zdemo.guard.authorization import REALM, UNSET, WELL_KNOWN, WRITE_LISTS, Policy, required_roles
from zdemo.guard.build import build_introspector
from zdemo.guard.cache import CachingIntrospector
from zdemo.guard.forget import Forget, hash_of
from zdemo.guard.instruments import RateLimitedLog
from zdemo.text.masking import B64TOKEN
from zdemo.zitadel.introspection_answer import ROLES_SCOPE, Introspector, audience_scope

DEFAULT_THREADS = 128
ARGUMENTS = "open_routes", "resource", "role", "threads"  # of protect, beside settings
FACES = {"flask": "zdemo.server", "starlette": "zdemo.asgi"}  # the guards, by the packages of their frameworks
GIVE_SETTINGS = """give texts in a mapping: protect(app, {"ZITADEL_DOMAIN": "…"}) with all settings, \
protect(app, dotenv_values(FILE)) of python-dotenv, or protect(app, zitadel_emulator.env) in a test"""
FORM = "application/x-www-form-urlencoded"
LARGEST_FORM_BYTES = 64 * 1024  # that are searched for a second token
FORM_SECONDS = 3.0  # a later form is not searched
# What some part between client and view may take for another path, as it is or still escaped.
AMBIGUOUS = re.compile(r"\.\.|//|\\|%(?:25)*(?:2e|2f|5c)", re.IGNORECASE)
ORIGIN = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?]*", re.IGNORECASE)  # of an absolute target
PATH = re.compile(r"(?!.*/:)/[^*?#<>{}]*(?:/\*)?")
RULE = re.compile(r"/.*<")
OTHER_RULE = r"(?<=/):(\w+)|{(\w+)}"  # how other frameworks write one


@dataclass(frozen=True, kw_only=True)
class OpenRoutes:
    """The routes of an app that need no token. ``prefixes`` end in a slash, ``rules`` are Flask's."""

    paths: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    rules: frozenset[str] = frozenset()

    @classmethod
    def of(cls, routes: Collection[str], *, with_rules: bool = False) -> Self | None:
        """Return the routes that an app names, None for none. Raises GuardError if one matches no request, or any."""
        if not isinstance(routes, list | tuple | set | frozenset):
            raise GuardError("open_routes is not a list of paths", hint='write open_routes=["/healthz"]')
        for route in routes:
            is_text = isinstance(route, str)
            is_path = is_text and PATH.fullmatch(route) and not AMBIGUOUS.search(route)
            if not (is_path or (with_rules and is_text and RULE.match(route))):
                hint = 'name paths, such as "/healthz", or all below one: "/static/*" ("/*" would open the whole app)'
                if is_text and with_rules and (rule := re.sub(OTHER_RULE, r"<\1\2>", route)) != route:
                    hint = f'write "{rule}"'
                raise GuardError(f"open_routes cannot hold {route!r}", hint=hint)
        if not routes:
            return None
        paths = [route for route in routes if "<" not in route]
        return cls(
            paths=frozenset(path for path in paths if not path.endswith("/*")),
            prefixes=tuple(path.removesuffix("*") for path in paths if path.endswith("/*")),
            rules=frozenset(route for route in routes if "<" in route),
        )

    def include(self, path: str) -> bool:
        """Tell whether a path, counted from the app's root, is open unless it ``is_ambiguous``.

        A prefix alone is not below itself: a router may take ``/a/`` for the closed route ``/a``.
        """
        return path in self.paths or (path.startswith(self.prefixes) and path not in self.prefixes)


def is_ambiguous(path: str, target: str) -> bool:
    """Tell whether something between client and view may take a path for another one.

    ``target`` is the path as the client sent it, with origin and query, or empty if the server hides it.
    """
    return AMBIGUOUS.search(f"{path} {path_in(target)}") is not None


def path_in(target: str) -> str:
    """Return the path in the target of a request, still escaped."""
    return ORIGIN.sub("", target).partition("?")[0] if target else ""


@dataclass(frozen=True, kw_only=True)
class ProtectedResource:
    """An API as a protected resource: its metadata (RFC 9728), and what each challenge says of it.

    Nothing of it depends on a request. ``paths`` are those of the metadata, from the root of the server.
    """

    metadata: bytes
    metadata_url: str
    paths: frozenset[str]
    scope: str

    @classmethod
    def of(cls, settings: Settings, resource: str) -> Self:
        """Return the resource with this identifier. Raises GuardError if the settings have no project."""
        if not settings.project_id:
            raise GuardError("resource needs the project's ID, ZITADEL_PROJECT_ID", hint="set project_id in Settings")
        scopes = (audience_scope(settings.project_id), ROLES_SCOPE)
        document = {
            "resource": resource,
            "authorization_servers": [settings.issuer],
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
        }
        path = urlsplit(resource).path
        return cls(
            metadata=json.dumps(document).encode(),
            metadata_url=resource.removesuffix(path) + WELL_KNOWN + path,
            paths=frozenset({WELL_KNOWN, WELL_KNOWN + path}),
            scope=" ".join(scopes),
        )

    def answer(self, method: str) -> tuple[bytes, int, dict[str, str]]:
        """Return body, status and header fields of the answer to a request for the metadata, which anybody may read."""
        if method in ("GET", "HEAD"):
            return self.metadata, 200, {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}
        if method == "OPTIONS":
            allowed = {"Origin": "*", "Methods": "GET", "Headers": "*"}
            return b"", 204, {f"Access-Control-Allow-{what}": value for what, value in allowed.items()}
        return b"", 405, {"Allow": "GET, HEAD, OPTIONS"}


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What a protected app needs. ``now`` returns epoch seconds.

    A guard for ASGI waits up to ``form_seconds`` for a form.
    """

    introspector: Introspector
    policy: Policy
    open_routes: OpenRoutes | None
    log: RateLimitedLog
    resource: ProtectedResource | None = None
    now: Callable[[], float] = time.time
    form_seconds: float = FORM_SECONDS

    @classmethod
    def of(  # noqa: PLR0913  # what is handed to ``protect``
        cls,
        settings: Settings | Mapping[str, str] | None,
        introspector: Introspector | None,
        open_routes: Collection[str],
        *,
        resource: Any = UNSET,
        role: Any = UNSET,
        threads: int,
        log: logging.Logger,
        with_rules: bool = False,
    ) -> Self:
        """Return the guard of an app, and log what is open. Raises SettingsError and GuardError, see ``protect``."""
        opened = OpenRoutes.of(open_routes, with_rules=with_rules)
        if type(threads) is not int or threads < 1:
            raise GuardError(f"threads is not a whole number: {threads!r}", hint=f"write threads={DEFAULT_THREADS}")
        settings = settings_of(settings, log, resource)
        policy = Policy.from_settings(settings, required_roles(role=role).all_of)
        protected = ProtectedResource.of(settings, settings.resource) if settings.resource else None
        introspector = introspector or build_introspector(settings, threads=threads)
        if not hasattr(introspector, "introspect"):
            hint = "leave it out: the settings name the ZITADEL that is asked"
            raise GuardError(f"introspector has no method introspect: {type(introspector).__name__}", hint=hint)
        without_token = (*open_routes, *sorted(protected.paths if protected else ()))
        log.info("no token needed for: %s", ", ".join(without_token) or "nothing")
        return cls(
            introspector=introspector,
            policy=policy,
            open_routes=opened,
            log=RateLimitedLog(log),
            resource=protected,
        )

    @staticmethod
    def check_arguments(app: object, kind: type, hint: str, others: Iterable[str]) -> None:
        """Raise GuardError unless ``protect`` got an app of this kind, and no other arguments."""
        for name in others:
            meant = next((f"did you mean {known}?" for known in ARGUMENTS if known.startswith(name[:4])), "")
            setting = next((known for known in BY_NAME if f"_{name.upper()}_" in f"_{known}_"), "")
            some = GIVE_SETTINGS if "env" in name or name.upper() in OTHER_NAMES else meant
            settings = f"set {setting} in the environment or .env, or {GIVE_SETTINGS}" if setting else some
            why = WRITE_LISTS if name in ("any_of", "all_of") else settings
            raise GuardError(f"protect has no argument {name}", hint=why or f"it takes {', '.join(ARGUMENTS)}")
        if not isinstance(app, kind):
            own, *packages = (it.__module__.partition(".")[0] for it in (kind, *type(app).__mro__))
            other = next((FACES[package] for package in packages if package in FACES and package != own), "")
            hint = f"write from {other} import protect, requires_token" if other else hint
            what = f"the class {app.__name__}" if isclass(app) else type(app).__name__
            raise GuardError(f"protect needs an app of {kind.__name__}, not {what}", hint=hint)

    def opens(self, path: str) -> bool:
        """Tell whether a path is open unless it ``is_ambiguous``; log one that differs in the last slash alone."""
        if not (routes := self.open_routes) or routes.include(path):
            return routes is not None
        for other in {f"{path}/", path.removesuffix("/")} & routes.paths:
            why = f"{path} needs a token: the slash at the end counts"
            self.log.error(f"open_routes names {other}", why, logging.WARNING)
        return False

    def forget(self, *, user_id: str | None = None, token: str | None = None, everything: bool = False) -> int:
        """Forget the answers about a user, about a token, or all of them; return how many this process had.

        An answer that is on its way is not kept. Of other processes, those forget that share the store in
        ``ZDEMO_CACHE_URL``. Raises ValueError unless exactly one of the three is given, and for what no token can be,
        ZdemoError if the store did not take the order.
        """
        if token is not None and not B64TOKEN.fullmatch(token):
            raise ValueError("token must be what follows Bearer, without quotes and spaces")
        token_hash = None if token is None else hash_of(token)
        order = Forget(user_id=user_id, token_hash=token_hash, everything=everything)
        count = self.obey(order)
        if not self.publish(order):
            raise ZdemoError(f"{CACHE_URL} did not take the order to forget", hint="check the store, then try again")
        return count

    def obey(self, order: Forget) -> int:
        """Carry out an order to forget, and return how many answers this process had."""
        return self.introspector.forget(order) if isinstance(self.introspector, CachingIntrospector) else 0

    def publish(self, order: Forget) -> bool:
        """Tell all who share the store, if there is one; return whether that worked."""
        shared = self.introspector.shared if isinstance(self.introspector, CachingIntrospector) else None
        return shared is None or shared.orders.publish(order)


class Refusal(NamedTuple):
    """The answer to a refused request. ``headers`` are those that this refusal alone has."""

    status: int
    error: str
    description: str
    headers: Mapping[str, str] = MappingProxyType({})

    def body(self, request_id: str) -> dict[str, str]:
        """Return the JSON object that refuses a request."""
        return {"error": self.error, "error_description": self.description, "request_id": request_id}


def settings_of(given: Settings | Mapping[str, str] | None, logger: logging.Logger, resource: Any = UNSET) -> Settings:
    """Read settings from variables (None: from the environment and ``.env``), log warnings. Raises SettingsError.

    A ``resource`` replaces that of the settings. Raises GuardError if it cannot be one.
    """
    if resource is not UNSET and not (isinstance(resource, str) and resource.strip()):
        raise GuardError(f"resource is not an address: {resource!r}", hint=f'write resource="{EXAMPLE_RESOURCE}"')
    if isinstance(given, Settings):
        if resource is UNSET:
            return given
        try:
            return replace(given, resource=address.resource(resource, allow_http=False, example=EXAMPLE_RESOURCE))
        except InvalidValue as error:
            hint = f'write resource="{error.corrected or EXAMPLE_RESOURCE}"'
            raise GuardError(f"resource {error}", hint=hint) from None
    if given is not None and not (isinstance(given, Mapping) and all(isinstance(text, str) for text in given.values())):
        values: Any = given.items() if isinstance(given, Mapping) else ()
        others = [f"{type(value).__name__} in {name}" for name, value in values if not isinstance(value, str)]
        what = others[0] if others else type(given).__name__
        raise GuardError(f"settings must be Settings or a mapping of texts, not {what}", hint=GIVE_SETTINGS)
    try:
        variables = read_environment() if given is None else Environment({GIVEN: given})
        if resource is not UNSET:
            variables = variables.giving(RESOURCE, "resource", resource)
        settings = Settings.from_env(variables)
    except SettingsError as error:
        from click import ClickException  # here, since most apps have their settings

        class MissingSettings(SettingsError, ClickException):  # type: ignore[misc]  # both have a message and a code
            """The same error as one of click, which flask run and uvicorn use: it is shown without a traceback."""

            def format_message(self) -> str:
                return "\n".join((self.message, *(f"hint:  {in_lines(step)}" for step in self.steps)))

        raise MissingSettings(error.problems, hint=error.steps) from None
    for warning in settings.warnings:
        logger.warning("%s", warning.in_full.replace("\n", "; "))
    return settings


def new_request_id() -> str:
    """Return an ID for a request: the API's own, never the caller's."""
    return os.urandom(8).hex()


def refusal_of(error: Refused | IntrospectionError, guard: Guard, request_id: str) -> Refusal:
    """Return the answer to a refused request, with a challenge (RFC 6750 §3, of a resource RFC 9728 §5.1).

    Where the API is at fault, the answer says only that, and the log what to fix.
    """
    if isinstance(error, Refused):
        resource, parts = guard.resource, [f'Bearer realm="{REALM}"']
        if error.code:
            parts.append(f'error="{error.code}"')
        if scope := " ".join(filter(None, (resource.scope if resource else "", error.scope))):
            parts.append(f'scope="{scope}"')
        if resource:
            parts.append(f'resource_metadata="{resource.metadata_url}"')
        headers = {"WWW-Authenticate": ", ".join(parts)}
        return Refusal(error.status, error.code or "unauthorized", error.message, headers)
    guard.log.error(error.message, f"{error.hint} (request {request_id}; logged once per minute)")
    if isinstance(error, ZitadelUnavailable):
        headers = {"Retry-After": str(error.retry_after_seconds)}
        return Refusal(error.status, "service_unavailable", "the token cannot be checked now; try again", headers)
    return Refusal(error.status, "bad_gateway", "the token cannot be checked; see this API's log")
