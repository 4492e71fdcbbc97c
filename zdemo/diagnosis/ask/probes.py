"""The probes that an investigation may send to ZITADEL: one request each, in parallel, under one deadline.

A token goes to the configured ZITADEL and nowhere else, and no probe changes anything there.
"""

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Probe
from zdemo.errors import ConnectionFailed, IntrospectionError, ManagementError, ZdemoError
from zdemo.response import Response
from zdemo.zitadel.introspection_answer import TOKEN_PATH
from zdemo.zitadel.introspection_client import IntrospectionClient, basic_credentials
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.own_user import USERINFO, WHOAMI, manager_roles
from zdemo.zitadel.records import RoleAssignment
from zdemo.zitadel.resources import list_assignments

Replies = dict[Probe, Response | ConnectionFailed]

PARALLEL = 8  # probes at a time


class Prober:
    """Sends probes about one token, until ``settings.timeout_seconds`` after it was created."""

    def __init__(self, settings: Settings, token: str, *, admin_pat: str | None = None) -> None:
        self._settings = settings
        self._token = token
        self._bearer = "".join(token.split())  # blanks that ZITADEL ignores cannot stand in a header field
        self._admin_pat = admin_pat
        self._client = IntrospectionClient(settings, connections=PARALLEL)
        self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="probe")
        self._end = time.monotonic() + settings.timeout_seconds  # loading what sends requests takes no part of it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)  # running probes end by the deadline
        self._client.close()

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; negative when it has passed."""
        return self._end - time.monotonic()

    @property
    def has_time(self) -> bool:
        """Whether another probe may be answered before the deadline."""
        from zdemo.http.deadline import LEAST_REQUEST_SECONDS  # here, because help and completion need no requests

        return self.seconds_left > LEAST_REQUEST_SECONDS

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown if a server sends it back: the token and the credentials."""
        return (self._token, self._token.strip(), *self._client.secrets, self._admin_pat or "")

    def introspect(self) -> tuple[Response | ConnectionFailed, Replies]:
        """Send the introspection; when it takes half of the time, probe ZITADEL's health meanwhile."""
        first = self._pool.submit(self._client.ask, self._token, timeout_seconds=self.seconds_left)
        replies: Replies = {}
        try:
            first.exception(timeout=self.seconds_left / 2)
        except TimeoutError:
            replies = self.ask(Probe.HEALTH, Probe.READY)
        try:
            return first.result(), replies
        except ConnectionFailed as failure:
            return failure, replies

    def ask(self, *probes: Probe) -> Replies:
        """Return the replies that come before the deadline. Raises SettingsError for an unusable CA bundle."""
        if not self.has_time:
            return {}
        running = {probe: self._pool.submit(_REQUESTS[probe], self) for probe in probes}
        return {probe: _reply(future) for probe, future in running.items()}

    def assignments(self, user_id: str) -> tuple[tuple[RoleAssignment, ...] | None, Replies]:
        """List the role assignments of the token's user with the token itself; ``None``, and why, when it may not."""
        if not self.has_time:
            return None, {}
        with self._own_management() as client:
            try:
                return list_assignments(client, user_id=user_id), {}
            except ManagementError as error:
                return None, {Probe.ASSIGNMENTS: error.answer}
            except IntrospectionError as error:
                reply = error.answer or error.failure
                return None, {Probe.ASSIGNMENTS: reply} if reply else {}

    def own_rights(self) -> tuple[str, ...]:
        """Return the administrator roles of the token's user, by the token itself; empty when ZITADEL does not say."""
        if not self.has_time:
            return ()
        with self._own_management() as client:
            try:
                return manager_roles(client)
            except ZdemoError:
                return ()

    def _own_management(self) -> ManagementClient:
        """Return a client of the management API with the token itself."""
        return ManagementClient(self._settings.zitadel, self._bearer, timeout_seconds=lambda: self.seconds_left)

    def _send(self, method: str, path: str, **more: Any) -> Response:
        return self._client.transport.send(method, path, timeout_seconds=self.seconds_left, **more)

    def _get(self, path: str, bearer: str = "") -> Response:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return self._send("GET", path, headers={"Accept": "application/json", **headers})

    def _introspect(self, token: str, **more: str) -> Response:
        return self._client.ask(token, timeout_seconds=self.seconds_left, **more)

    def _made_up_client(self) -> Response:
        client_id = "".join(secrets.choice("0123456789") for _ in range(18))
        return self._introspect(random_token(), authorization=basic_credentials(client_id, secrets.token_hex(32)))

    def _own_pair_at_token_endpoint(self) -> Response:
        """Send the credentials where only a service account's are accepted (RFC 6749 §4.4); a token is discarded."""
        own = basic_credentials(self._settings.client_id, self._settings.client_secret)
        form = {"grant_type": "client_credentials", "scope": "openid"}
        return self._send("POST", TOKEN_PATH, headers={"Authorization": own}, form=form)


def random_token() -> str:
    """Return a text of the form of a PAT that was never issued: ZITADEL treats other forms differently."""
    iv, tag, *parts = map(secrets.token_urlsafe, (12, 16, 32, 12, 37, 16))
    header = f'{{"alg":"A256GCMKW","enc":"A256GCM","iv":"{iv}","kid":"oidcKey","tag":"{tag}"}}'
    return ".".join((base64.urlsafe_b64encode(header.encode()).decode().rstrip("="), *parts))


def _reply(future: Future[Response]) -> Response | ConnectionFailed:
    try:
        return future.result()
    except ConnectionFailed as failure:
        return failure


_REQUESTS: Mapping[Probe, Callable[[Prober], Response]] = {
    Probe.MADE_UP_CLIENT: Prober._made_up_client,
    Probe.OWN_PAIR_AT_TOKEN_ENDPOINT: Prober._own_pair_at_token_endpoint,
    Probe.ADMINISTRATOR: lambda prober: prober._introspect(prober._admin_pat or random_token()),
    Probe.ADMINISTRATOR_USERINFO: lambda prober: prober._get(USERINFO, prober._admin_pat or random_token()),
    Probe.USERINFO: lambda prober: prober._get(USERINFO, prober._bearer),
    Probe.WHOAMI: lambda prober: prober._get(WHOAMI, prober._bearer),
    Probe.READY: lambda prober: prober._get("/debug/ready"),
    Probe.HEALTH: lambda prober: prober._get("/debug/healthz"),
    Probe.DISCOVERY: lambda prober: prober._get("/.well-known/openid-configuration"),
    Probe.KEYS: lambda prober: prober._get("/oauth/v2/keys"),
}
