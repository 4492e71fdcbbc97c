"""What ZITADEL says in one run: each question is sent once, to the configured ZITADEL alone, and changes nothing."""

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeVar

from zdemo.config.address import ADMIN_PAT, admin_option, why_withheld
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.emulators_record import apis_questions, emulators_reason
from zdemo.diagnosis.evidence import ClientRecords, Evidence, PatIds, PatRecords, Probe, active_token
from zdemo.diagnosis.finding import quoted
from zdemo.diagnosis.rules.dead_token import DECISIVE_EVENTS
from zdemo.diagnosis.settings_first import settings_problems
from zdemo.diagnosis.token_form import paste_problem, token_form
from zdemo.errors import ConnectionFailed, IntrospectionError, ManagementError, ZdemoError
from zdemo.errors.response import Response
from zdemo.errors.steps import Step
from zdemo.http.api_call import Call
from zdemo.setup.state_file import issued_pat, known_state
from zdemo.zitadel import resources
from zdemo.zitadel.introspection_answer import DISCOVERY_PATH, KEYS_PATH, TOKEN_PATH, USERINFO_PATH, Introspection
from zdemo.zitadel.introspection_client import IntrospectionClient, basic_credentials
from zdemo.zitadel.management import ManagementClient

T = TypeVar("T")
Request = Callable[[], Response | Mapping[str, Any]]  # a mapping: fields of the evidence

PARALLEL = 8  # questions at a time
PATHS = {  # of the probes that need no credentials, and of those that send the token
    Probe.DISCOVERY: DISCOVERY_PATH,
    Probe.READY: "/debug/ready",
    Probe.HEALTH: "/debug/healthz",
    Probe.KEYS: KEYS_PATH,
}
WITH_TOKEN = {Probe.USERINFO: USERINFO_PATH, Probe.WHOAMI: resources.WHOAMI}
MADE_UP = str(secrets.randbelow(10**18)).zfill(18), secrets.token_hex(32)  # of an application that was never created
USER_BY_HAND = "ZDEMO_PAT_USER_ID"
BY_HAND = (USER_BY_HAND, "ZDEMO_PAT_ID")  # in these a person may say whose PAT it is, and which one


def pat_ids(environment: Environment, token: str) -> PatIds | None:
    """Return the IDs of this token from setup's state file, else from variables; ``None`` when they are not known.

    Variables count only from the place where the token comes from: from elsewhere they are most likely another token's.
    """
    if issued := issued_pat(environment.file, token):
        variable, user, pat_id = issued
        return PatIds(variable=variable, user=user, pat_id=pat_id, named_by=())
    user, pat_id = (environment.get(name, "").strip() for name in BY_HAND)
    same_place = environment.source("PAT") == environment.source(USER_BY_HAND)
    if not user or not same_place or environment.get("PAT", "").strip() != token.strip():
        return None
    return PatIds(user=user, pat_id=pat_id, named_by=BY_HAND if pat_id else (USER_BY_HAND,))


class Facts:
    """Asks ZITADEL about one token, or a random text, until a deadline, and remembers the replies.

    ``requests`` has what sends each probe that can be sent, and was not: some need a token, a PAT, or its IDs.
    """

    def __init__(
        self, environment: Environment, settings: Settings, token: str | None, ids: PatIds | None = None
    ) -> None:
        self.problems = settings_problems(environment)  # first of all: what is wrong with them is named first
        self.settings = settings
        self.made_up = token is None
        self.token = random_token() if token is None else token
        self.form = token_form(self.token)
        self._bearer = "".join(self.token.split())  # blanks that ZITADEL ignores cannot stand in a header field
        ids = ids or (pat_ids(environment, token) if token else None)
        admin_pat, withheld = environment.get(ADMIN_PAT, "").strip(), why_withheld(environment, settings.zitadel)
        unusable: Step = withheld.steps[0] if withheld else ""
        if admin_pat and (problem := paste_problem(admin_pat)):
            unusable = f"correct {ADMIN_PAT}: {problem.cause}"
        self.admin_pat = "" if unusable else admin_pat
        self.known = Evidence(
            with_administrator=bool(self.admin_pat),
            unusable_admin_pat=unusable,
            admin_option=admin_option(environment),
            is_admin_pat=bool(self.admin_pat) and self.admin_pat == self.token.strip(),
            other_pat=environment.shadowed.get("PAT", "") if environment.setting("PAT") == "--pat" else "",
            ids=ids,
            is_setups_client=known_state(environment.file).wrote("CLIENT_ID", settings.client_id),
        )
        self.introspection: Introspection | None = None  # what ZITADEL says of the token, once it is known
        self.administrator_answered = False  # whether ZITADEL let the administrator's PAT look something up
        requests: dict[Probe, Request] = {
            Probe.TOKEN: partial(self._introspect, self.token),
            **{probe: partial(self._get, path) for probe, path in PATHS.items()},
            Probe.MADE_UP_CLIENT: lambda: self._introspect(random_token(), authorization=basic_credentials(*MADE_UP)),
            Probe.EMULATOR: self._emulators_reason,
            Probe.ASSIGNMENTS: self._assignments,
            Probe.OWN_RIGHTS: self._own_rights,
        }
        if settings.key is None:
            requests[Probe.OWN_PAIR_AT_TOKEN_ENDPOINT] = self._own_pair_at_token_endpoint
        if can_be_sent := not self.made_up and self.form.is_clean:
            requests |= {probe: partial(self._get, path, self._bearer) for probe, path in WITH_TOKEN.items()}
        if self.admin_pat:
            requests[Probe.ADMINISTRATOR_RIGHTS] = lambda: {"admin_pat_rights": self.look_up(resources.admin_roles)}
            requests[Probe.CLIENT_RECORDS] = lambda: {"client_records": self.look_up(self._client_records)}
            if can_be_sent:
                requests[Probe.ADMINISTRATOR] = partial(self._introspect, self.admin_pat)
            if token_form(self.admin_pat).may_be_of(settings.issuer):
                requests[Probe.ADMINISTRATOR_USERINFO] = partial(self._get, USERINFO_PATH, self.admin_pat)
            if ids:
                requests[Probe.PAT_RECORDS] = lambda: {"pat_records": self.look_up(partial(self._pat_records, ids))}
        self.requests = requests
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

    def _seconds_left(self) -> float:
        return self._end - time.monotonic()

    @property
    def proxy(self) -> str:
        """The proxy from the environment for requests to ZITADEL; empty when there is none."""
        return self._client.transport.proxy

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown if a server sends it back: the token and the credentials."""
        return (self.token, self.token.strip(), *self._client.secrets, self.admin_pat)

    def ask(self, *probes: Probe, meanwhile: tuple[Probe, ...] = (), now: float | None = None) -> Evidence:
        """Send the probes that were not sent before; if they take half of the time, send those in ``meanwhile`` too.

        Return everything that is known. With ``now`` (epoch seconds), compare ZITADEL's clock. Raises SettingsError
        for an unusable CA bundle.
        """
        from zdemo.http.deadline import LEAST_REQUEST_SECONDS  # here, because help and completion need no requests

        running: dict[Probe, Future[Response | Mapping[str, Any]]] = {}
        late: set[Probe] = set()
        for wave in (probes, meanwhile):
            if running and not wait(running.values(), timeout=self._seconds_left() / 2).not_done:
                break
            requests = {probe: self.requests.pop(probe) for probe in wave if probe in self.requests}
            if self._seconds_left() > LEAST_REQUEST_SECONDS or not self.known.replies:  # the first one names the cause
                running |= {probe: self._pool.submit(request) for probe, request in requests.items()}
            else:
                late.update(requests)
        replies, fields = {**self.known.replies}, dict[str, Any]()
        for probe, future in running.items():
            try:
                reply = future.result()
            except ConnectionFailed as failure:
                replies[probe] = failure
                late.add(probe)
                continue
            if isinstance(reply, Mapping):
                fields |= reply
                continue
            replies[probe] = reply
            if now is not None and fields.get("clock_ahead_seconds") is None:
                fields["clock_ahead_seconds"] = clock_ahead_seconds(reply, now)
            if probe is Probe.KEYS:
                fields["signature_fits"] = self._signature_fits(reply)
        self.known = replace(self.known, replies=replies, late=self.known.late | late, **fields)
        if self.known.administrator_is_active:
            self.requests.pop(Probe.MADE_UP_CLIENT, None)  # it is known that ZITADEL works
        return self.known

    def _send(self, method: str, path: str, **more: Any) -> Response:
        return self._client.transport.send(method, path, timeout_seconds=self._seconds_left(), **more)

    def _get(self, path: str, bearer: str = "") -> Response:
        authorization = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return self._send("GET", path, headers={"Accept": "application/json"} | authorization)

    def _introspect(self, token: str, **more: str) -> Response:
        return self._client.ask(token, timeout_seconds=self._seconds_left(), **more)

    def _own_pair_at_token_endpoint(self) -> Response:
        """Send the credentials where only a service account's are accepted (RFC 6749 §4.4); a token is discarded."""
        own = basic_credentials(self.settings.client_id, self.settings.client_secret)
        form = {"grant_type": "client_credentials", "scope": "openid"}
        return self._send("POST", TOKEN_PATH, headers={"Authorization": own}, form=form)

    def _emulators_reason(self) -> Mapping[str, Any]:
        refusal, sent = self.known.answer(Probe.TOKEN), {"client": self.settings.client_id, "token": self.token}
        return {"emulators_reason": emulators_reason(self._client.transport, refusal, self._seconds_left(), **sent)}

    def apis_questions(self, call: Call) -> Mapping[str, Any]:
        """Return what the API asked zdemo's emulator during a call; nothing if another server was asked here."""
        transport, own = self._client.transport, self.known.answer(Probe.TOKEN)
        return {"apis_questions": apis_questions(transport, own, call, self._seconds_left())}

    # --- records, with the token itself

    def _management(self, token: str) -> ManagementClient:
        address, transport = self.settings.zitadel, self._client.transport
        return ManagementClient(address, token, timeout_seconds=self._seconds_left, transport=transport)

    def _assignments(self) -> Mapping[str, Any]:
        """List the role assignments of the token's user, with the token itself if it may, else as an administrator."""
        if not self.introspection or not (user_id := self.introspection.text("sub")):
            return {}
        if active_token(self.introspection, self.settings).may_list:
            with suppress(IntrospectionError, ManagementError):
                return {"assignments": resources.list_assignments(self._management(self._bearer), user_id=user_id)}
        assignments = self.look_up(partial(resources.list_assignments, user_id=user_id))
        hides = assignments is None or assignments.hidden
        return {} if hides else {"assignments": assignments, "assignments_from": "the administrator's token"}

    def _own_rights(self) -> Mapping[str, Any]:
        """Return the administrator roles of the token's user, by the token itself; none when ZITADEL does not say."""
        with suppress(ZdemoError):
            return {"own_rights": resources.admin_roles(self._management(self._bearer))}
        return {}

    # --- records, with the administrator's PAT

    @cached_property
    def administrator(self) -> ManagementClient:
        """A client of the management API with the administrator's PAT; only where there is one."""
        return self._management(self.admin_pat)

    def look_up(self, question: Callable[[ManagementClient], T]) -> T | None:
        """Return what the administrator's PAT shows; ``None`` without one, or without time, or when ZITADEL refuses."""
        if not self.admin_pat or self._seconds_left() <= 0:
            return None
        try:
            records = question(self.administrator)
        except ZdemoError:
            return None
        self.administrator_answered = True
        return records

    def _client_records(self, client: ManagementClient) -> ClientRecords:
        application = resources.find_application(client, self.settings.client_id)
        if application is None:
            with_own_id = resources.get_application(client, self.settings.client_id)
            whole = with_own_id is None and resources.sees_everything(client)
            return ClientRecords(whole_instance=whole, with_own_id=with_own_id)
        records = ClientRecords(application=application)
        if application.active:
            records = replace(records, project=resources.get_project(client, application.project_id))
        if records.project and records.project.active:
            records = replace(records, organization=resources.get_organization(client, records.project.organization_id))
        if self.settings.key:
            records = replace(records, keys=resources.list_application_keys(client, application.id))
        return records

    def _pat_records(self, ids: PatIds, client: ManagementClient) -> PatRecords:
        """Return the user of the token and the state of the PAT."""
        user = (resources.get_user if ids.user.isdigit() else resources.find_user)(client, ids.user)
        user_id, name = (user.id, user.login_name or user.username) if user else (ids.user, "")
        records = PatRecords(
            **vars(ids) | {"user": quoted(name or ids.user, 60)},
            user_id=user_id if user or user_id.isdigit() else "",
            state=user.state if user else "REMOVED",
        )
        events = resources.list_user_events(client, user_id, DECISIVE_EVENTS)
        pats = resources.list_pats(client, user_id) if records.state == "ACTIVE" else None
        all_events = events is None or len(events) < resources.MOST_EVENTS
        return replace(records, pats=pats, events=events, all_events=all_events)

    def _signature_fits(self, answer: Response) -> bool | None:
        """Return whether the key of this ZITADEL that a JWT names has signed it; ``None`` when that is unknown."""
        import jwt  # here, because it loads cryptography, which is slow to import

        try:  # with the key's own algorithm: a public key is never used as a shared secret (RFC 8725 §3.1)
            key = jwt.PyJWKSet.from_dict(answer.json_object())[str(self.form.header.get("kid"))]
            jwt.PyJWS().decode(self.token.strip(), key)
        except jwt.DecodeError:  # also a signature that is not base64url
            return False
        except (jwt.PyJWTError, LookupError, ValueError, TypeError, AttributeError):  # a key that cannot be used
            return None
        return True


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
