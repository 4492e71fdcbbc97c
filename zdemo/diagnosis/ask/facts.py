"""What ZITADEL says in one run: each question is sent once, to the configured ZITADEL alone, and changes nothing."""

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

from zdemo.config.address import ADMIN_PAT, ZitadelAddress, admin_option, why_withheld
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import ClientRecords, Evidence, PatIds, PatRecords, Probe
from zdemo.diagnosis.finding import quoted
from zdemo.diagnosis.rules.inactive_pat import DECISIVE_EVENTS
from zdemo.diagnosis.token_form import TokenForm, paste_problem, token_form
from zdemo.errors import ConnectionFailed, IntrospectionError, ManagementError, ZdemoError
from zdemo.errors.response import Response
from zdemo.setup.state_file import issued_pat
from zdemo.zitadel import resources
from zdemo.zitadel.introspection_answer import TOKEN_PATH
from zdemo.zitadel.introspection_client import IntrospectionClient, basic_credentials
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.records import Application, Project, RoleAssignment

T = TypeVar("T")

PARALLEL = 8  # questions at a time
BY_HAND = ("ZDEMO_PAT_USER_ID", "ZDEMO_PAT_ID")  # where a person may say whose PAT it is, and which


def pat_ids(environment: Environment, token: str) -> PatIds | None:
    """Return the IDs of this token from setup's state file, else from variables; ``None`` when they are not known.

    Variables count only from the place where the token comes from: from elsewhere they are most likely another token's.
    """
    if issued := issued_pat(environment.file, token):
        return PatIds(variable=issued[0], user=issued[1], pat_id=issued[2], named_by=())
    user, pat_id = (environment.get(name, "").strip() for name in BY_HAND)
    same_place = environment.source("PAT") == environment.source(BY_HAND[0])
    if not user or not same_place or environment.get("PAT", "").strip() != token.strip():
        return None
    return PatIds(user=user, pat_id=pat_id, named_by=BY_HAND if pat_id else BY_HAND[:1])


def unusable_admin_pat(environment: Environment, zitadel: ZitadelAddress) -> str:
    """Return what to do so that the administrator's PAT that is set can be sent; empty when it can, or none is set."""
    pat = environment.get(ADMIN_PAT, "").strip()
    if pat and (problem := paste_problem(pat)):
        return f"correct {ADMIN_PAT}: {problem.cause}"
    withheld = why_withheld(environment, zitadel)
    return f"{ADMIN_PAT} was not sent, because only .env names this address; {withheld[1]}" if withheld else ""


class Facts:
    """Asks ZITADEL about one token, or a random text, until a deadline, and remembers the replies."""

    def __init__(
        self, environment: Environment, settings: Settings, token: str | None, ids: PatIds | None = None
    ) -> None:
        self.settings = settings
        self.made_up = token is None
        self.token = random_token() if token is None else token
        self._bearer = "".join(self.token.split())  # blanks that ZITADEL ignores cannot stand in a header field
        self.ids = ids or (pat_ids(environment, token) if token else None)
        unusable = unusable_admin_pat(environment, settings.zitadel)
        self.admin_pat = "" if unusable else environment.get(ADMIN_PAT, "").strip()
        self._given = Evidence(
            with_administrator=bool(self.admin_pat),
            unusable_admin_pat=unusable,
            admin_option=admin_option(environment),
            with_ids=self.ids is not None,
            from_setup=self.ids is not None and not self.ids.named_by,
        )
        self.now = 0.0  # epoch seconds, when the token was asked about
        self.administrator_answered = False  # whether ZITADEL let the administrator's PAT look something up
        self.replies: dict[Probe, Response | ConnectionFailed] = {}
        self._late: set[Probe] = set()
        self._client = IntrospectionClient(settings, connections=PARALLEL)
        self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="probe")
        self.allow(settings.timeout_seconds)  # last, so that loading the HTTP client takes no part of it

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown(cancel_futures=True)  # running questions end by the deadline
        self._client.close()

    def allow(self, seconds: float) -> None:
        """Set the deadline of all that is asked from now on."""
        self._end = time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; negative when it has passed."""
        return self._end - time.monotonic()

    @property
    def has_time(self) -> bool:
        """Whether another question may be answered before the deadline."""
        from zdemo.http.deadline import LEAST_REQUEST_SECONDS  # here, because help and completion need no requests

        return self.seconds_left > LEAST_REQUEST_SECONDS

    @property
    def proxy(self) -> str:
        """The proxy from the environment for requests to ZITADEL; empty when there is none."""
        return self._client.transport.proxy

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown if a server sends it back: the token and the credentials."""
        return (self.token, self.token.strip(), *self._client.secrets, self.admin_pat)

    @cached_property
    def form(self) -> TokenForm:
        """The form of the token."""
        return token_form(self.token)

    def ask(self, *probes: Probe, meanwhile: tuple[Probe, ...] = ()) -> None:
        """Send the probes that were not sent before; if they take half of the time, send those in ``meanwhile`` too.

        Raises SettingsError for an unusable CA bundle.
        """
        running = self._begin(probes)
        if meanwhile and wait(running.values(), timeout=self.seconds_left / 2).not_done:
            running |= self._begin(meanwhile)
        for probe, future in running.items():
            try:
                self.replies[probe] = future.result()
            except ConnectionFailed as failure:
                self.replies[probe] = failure

    def _begin(self, probes: tuple[Probe, ...]) -> dict[Probe, Future[Response]]:
        new = [probe for probe in probes if probe not in self.replies]
        if not self.has_time:
            self._late.update(new)
            return {}
        return {probe: self._pool.submit(_REQUESTS[probe], self) for probe in new}

    def ask_state(self) -> Evidence:
        """Ask for discovery and readiness; ask whether ZITADEL is alive only if it is slow or not ready."""
        self.ask(Probe.DISCOVERY, Probe.READY, meanwhile=(Probe.HEALTH,))
        if not self.known.is_ready:
            self.ask(Probe.HEALTH)
        return self.known

    @property
    def known(self) -> Evidence:
        """The replies so far; times in records are compared with ZITADEL's clock."""
        late = self._late | {probe for probe, reply in self.replies.items() if not isinstance(reply, Response)}
        answer = self.replies.get(Probe.TOKEN)
        ahead = clock_ahead_seconds(answer, self.now) if isinstance(answer, Response) else None
        known = replace(self._given, replies=dict(self.replies), late=frozenset(late), clock_ahead_seconds=ahead)
        return replace(known, looked_up_at=self.now - known.clock_off_by)

    def _send(self, method: str, path: str, **more: Any) -> Response:
        return self._client.transport.send(method, path, timeout_seconds=self.seconds_left, **more)

    def _get(self, path: str, bearer: str = "") -> Response:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return self._send("GET", path, headers={"Accept": "application/json", **headers})

    def _introspect(self, token: str, **more: str) -> Response:
        return self._client.ask(token, timeout_seconds=self.seconds_left, **more)

    def _own_pair_at_token_endpoint(self) -> Response:
        """Send the credentials where only a service account's are accepted (RFC 6749 §4.4); a token is discarded."""
        own = basic_credentials(self.settings.client_id, self.settings.client_secret)
        form = {"grant_type": "client_credentials", "scope": "openid"}
        return self._send("POST", TOKEN_PATH, headers={"Authorization": own}, form=form)

    # --- with the token itself

    def _management(self, token: str) -> ManagementClient:
        address, transport = self.settings.zitadel, self._client.transport
        return ManagementClient(address, token, timeout_seconds=lambda: self.seconds_left, transport=transport)

    def own_assignments(self, user_id: str) -> tuple[RoleAssignment, ...] | None:
        """List the role assignments of the token's user with the token itself; ``None`` when it may not."""
        if not self.has_time:
            self._late.add(Probe.ASSIGNMENTS)
            return None
        try:
            return resources.list_assignments_of(self._management(self._bearer), user_id)[0]
        except (IntrospectionError, ManagementError) as error:
            if reply := error.answer or (error.failure if isinstance(error, IntrospectionError) else None):
                self.replies[Probe.ASSIGNMENTS] = reply
        return None

    def own_rights(self) -> tuple[str, ...]:
        """Return the administrator roles of the token's user, by the token itself; empty when ZITADEL does not say."""
        try:
            return resources.manager_roles(self._management(self._bearer)) if self.has_time else ()
        except ZdemoError:
            return ()

    # --- with the administrator's PAT

    @cached_property
    def administrator(self) -> ManagementClient:
        """A client of the management API with the administrator's PAT; only where there is one."""
        return self._management(self.admin_pat)

    def look_up(self, question: Callable[[ManagementClient], T]) -> T | None:
        """Return what the administrator's PAT shows; ``None`` without one, or without time, or when ZITADEL refuses."""
        if not self.admin_pat or not self.has_time:
            return None
        try:
            found = question(self.administrator)
        except ZdemoError:
            return None
        self.administrator_answered = True
        return found

    def application(self, client: ManagementClient) -> Application | None:
        """Return the application of the client ID, as the administrator sees it."""
        return resources.find_application(client, self.settings.client_id)

    def client_records(self, client: ManagementClient) -> ClientRecords:
        """Return what the client ID belongs to, up to the first thing that is inactive."""
        application = self.application(client)
        if application is None:
            with_own_id = resources.get_application(client, self.settings.client_id)
            whole = with_own_id is None and any(m.whole_instance for m in resources.list_memberships(client))
            return ClientRecords(whole_instance=whole, with_own_id=with_own_id)
        found = ClientRecords(application=application)
        if application.active:
            found = replace(found, project=_project_of(client, application, self.settings.project_id))
        if found.project and found.project.active:
            found = replace(found, organization=resources.get_organization(client, found.project.organization_id))
        if self.settings.key:
            found = replace(found, keys=resources.list_application_keys(client, application.id))
        return found

    def pat_records(self, client: ManagementClient) -> PatRecords | None:
        """Return the user of the token and the state of the PAT; ``None`` when the PAT is surely another one."""
        ids = self.ids
        if ids is None:
            return None
        user = (resources.get_user if ids.user.isdigit() else resources.find_user)(client, ids.user)
        user_id = user.id if user else ids.user
        records = PatRecords(
            **vars(ids) | {"user": quoted((user and (user.login_name or user.username)) or ids.user, 60)},
            user_id=user_id if user or user_id.isdigit() else "",
            state=user.state if user else "REMOVED",
        )
        if records.id_bytes not in (None, self.form.sealed_bytes):
            return None
        events = resources.list_user_events(client, user_id, DECISIVE_EVENTS)
        return replace(
            records,
            pats=resources.list_pats(client, user_id) if records.state == "ACTIVE" else None,
            events=events,
            all_events=events is None or len(events) < resources.MOST_EVENTS,
        )

    def assignments(self, user_id: str) -> tuple[RoleAssignment, ...] | None:
        """Return a user's role assignments; ``None`` when the administrator does not see all of them."""
        found = self.look_up(lambda client: resources.list_assignments_of(client, user_id))
        return None if found is None or found[1] else found[0]


def _project_of(client: ManagementClient, application: Application, likely: str | None) -> Project | None:
    """Return the application's project. Some versions of ZITADEL do not name it: then search in each project."""
    if application.project_id:
        return resources.get_project(client, application.project_id)
    for project in sorted(resources.list_projects(client), key=lambda project: project.id != likely):
        if application.id in [other.id for other in resources.list_applications(client, project_id=project.id)]:
            return project
    return None


def clock_ahead_seconds(answer: Response, now: float) -> float | None:
    """Return how far this machine's clock is ahead of the answer's ``Date`` (resolution: 1 s); ``None`` without one.

    ``now`` is when the request was sent; the answer is assumed to have been written halfway. A difference that the time
    of the answer explains is 0.
    """
    if answer.date is None:
        return None
    ahead = now + answer.seconds / 2 - (answer.date + 0.5)
    return ahead if abs(ahead) > (answer.seconds + 1) / 2 else 0.0


def random_token() -> str:
    """Return a text of the form of a PAT that was never issued: ZITADEL treats other forms differently."""
    iv, tag, *parts = map(secrets.token_urlsafe, (12, 16, 32, 12, 37, 16))
    header = f'{{"alg":"A256GCMKW","enc":"A256GCM","iv":"{iv}","kid":"oidcKey","tag":"{tag}"}}'
    return ".".join((base64.urlsafe_b64encode(header.encode()).decode().rstrip("="), *parts))


def _made_up_client() -> str:
    return basic_credentials("".join(secrets.choice("0123456789") for _ in range(18)), secrets.token_hex(32))


_REQUESTS: Mapping[Probe, Callable[[Facts], Response]] = {
    Probe.TOKEN: lambda facts: facts._introspect(facts.token),
    Probe.MADE_UP_CLIENT: lambda facts: facts._introspect(random_token(), authorization=_made_up_client()),
    Probe.OWN_PAIR_AT_TOKEN_ENDPOINT: Facts._own_pair_at_token_endpoint,
    Probe.ADMINISTRATOR: lambda facts: facts._introspect(facts.admin_pat),
    Probe.ADMINISTRATOR_USERINFO: lambda facts: facts._get(resources.USERINFO, facts.admin_pat),
    Probe.USERINFO: lambda facts: facts._get(resources.USERINFO, facts._bearer),
    Probe.WHOAMI: lambda facts: facts._get(resources.WHOAMI, facts._bearer),
    Probe.READY: lambda facts: facts._get("/debug/ready"),
    Probe.HEALTH: lambda facts: facts._get("/debug/healthz"),
    Probe.DISCOVERY: lambda facts: facts._get("/.well-known/openid-configuration"),
    Probe.KEYS: lambda facts: facts._get("/oauth/v2/keys"),
}
