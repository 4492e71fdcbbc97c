"""The cases that findings are about: all that is known about one question."""

from dataclasses import dataclass
from functools import cached_property

from zdemo.config.settings import Settings, UserSettings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import quoted
from zdemo.diagnosis.phrases import CLOCK_TOLERANCE_SECONDS, Lines, clock_words, described, health_lines, url
from zdemo.diagnosis.rules.token_form import TokenForm, TokenKind, token_form
from zdemo.errors import IntrospectionError
from zdemo.response import Response
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, TOKEN_PATH


@dataclass(frozen=True, kw_only=True)
class ResponseCase:
    """A response that is not an introspection, or not a discovery document; ``error`` says what it is instead."""

    answer: Response
    error: IntrospectionError
    evidence: Evidence

    @property
    def host(self) -> str:
        """Host and port that answered."""
        return url(self.answer).netloc

    @property
    def path(self) -> str:
        """The path that was requested."""
        return url(self.answer).path

    @property
    def request(self) -> str:
        """Method and path of the request."""
        return f"{'POST' if self.path in (INTROSPECTION_PATH, TOKEN_PATH) else 'GET'} {self.path}"

    @property
    def subject(self) -> str:
        """What was requested, as sentences name it."""
        return "introspection" if self.path == INTROSPECTION_PATH else self.path

    @property
    def client(self) -> str:
        """Who authenticates with a request for this."""
        return "service account" if self.path == TOKEN_PATH else "API application"

    @property
    def seen(self) -> Lines:
        """The response and the health checks as evidence."""
        return (("answer", f"{described(self.answer)} at {self.path}"), *health_lines(self.evidence))


@dataclass(frozen=True, kw_only=True)
class ClientCase:
    """A response that refuses the API application's credentials: its client ID and secret, or its key."""

    answer: Response
    settings: Settings
    evidence: Evidence

    @property
    def refused(self) -> str:
        """The refusal as the beginning of a sentence."""
        return f"ZITADEL refuses the API application's {'key' if self.settings.key else 'credentials'}"

    @property
    def seen(self) -> Lines:
        """The refusal and what other requests showed."""
        oauth_error = (quoted(self.answer.json_object().get(name)) for name in ("error", "error_description"))
        lines = [("answer", f"{described(self.answer)}: {' '.join(filter(None, oauth_error))}")]
        if self.evidence.token_is_dead:
            lines.append(("userinfo", "refuses the caller as well: everything may be from another ZITADEL"))
        elif self.evidence.token_is_alive:
            lines.append(("userinfo", "200: the caller is known to this ZITADEL"))
        return tuple(lines)


@dataclass(frozen=True, kw_only=True)
class UserCase:
    """A response of the token endpoint that refuses a service account."""

    answer: Response
    settings: UserSettings
    evidence: Evidence
    now: float

    @property
    def user(self) -> str:
        """The user in a sentence: by its login name, or by its ID if that is all that is known."""
        key = self.settings.key
        return f"the user {quoted(key.user_id if key else self.settings.client_id, 60)}"


@dataclass(frozen=True, kw_only=True)
class InactiveCase:
    """A token that introspection calls inactive."""

    token: str
    settings: Settings
    evidence: Evidence
    now: float

    @cached_property
    def form(self) -> TokenForm:
        """The form of the token."""
        return token_form(self.token)

    @property
    def seen(self) -> Lines:
        """The evidence that most findings rest on."""
        evidence, lines = self.evidence, []
        used = "key" if self.settings.key else "client ID and secret"
        if evidence.status(Probe.MADE_UP_CLIENT) == 400:
            lines.append(("credentials", f"accepted: ZITADEL answers this API's {used}, and refuses made-up ones"))
        elif evidence.administrator_is_active:
            lines.append(("credentials", f"accepted: ZITADEL answers this API's {used}"))
        lines.append(("form", self.form.described))
        if evidence.token_is_dead:
            lines.append(("userinfo", "refused too, so a wrong audience alone is not the cause"))
        elif evidence.token_is_alive:
            lines.append(("userinfo", "accepted: the token is alive"))
        elif userinfo := evidence.answer(Probe.USERINFO):
            lines.append(("userinfo", f"{described(userinfo)}: not ZITADEL's answer, so it says nothing"))
        if evidence.administrator_is_active:
            lines.append(("ZITADEL", "works: the administrator's PAT is active"))
        if silent := [probe.value for probe in (Probe.MADE_UP_CLIENT, Probe.USERINFO) if probe in evidence.late]:
            lines.append(("not known", f"no answer in time: {', '.join(silent)}"))
        ahead = evidence.clock_ahead_seconds or 0
        if self.form.kind is TokenKind.JWT and abs(ahead) > CLOCK_TOLERANCE_SECONDS:
            lines.append(("clock", f"{clock_words(ahead)}, by the Date of its answer"))
        return tuple(lines)
