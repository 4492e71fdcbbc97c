"""A case: everything that is known about one token, and about the ZITADEL that was asked, for the rules to judge."""

from dataclasses import dataclass, field
from functools import cached_property

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import NOTHING, Evidence
from zdemo.diagnosis.token_form import TokenForm, token_form
from zdemo.errors import ConnectionFailed, IntrospectionError, Refused
from zdemo.errors.response import Response
from zdemo.guard.authorization import NO_ROLE, Policy, RequiredRoles, authorize
from zdemo.zitadel.introspection_answer import Introspection

NO_SETTINGS = Settings(issuer="", client_id="", client_secret="")  # where they are unknown
NOT_ASKED = Introspection(active=False)  # where ZITADEL did not say whether the token is active


@dataclass(frozen=True, kw_only=True)
class TokenCase:
    """What is known about a token: ZITADEL's ``introspection``, or the ``error`` that came instead of one.

    ``token`` is empty where a random text was sent in its place. ``role`` is what the API requires, if anything;
    ``refused_for_role`` whether it said itself that this role is missing. ``now`` is in epoch seconds.
    """

    settings: Settings = NO_SETTINGS
    token: str = field(default="", repr=False)
    role: str = ""
    refused_for_role: bool = False
    introspection: Introspection = field(default=NOT_ASKED, repr=False)
    error: IntrospectionError | ConnectionFailed | None = None
    evidence: Evidence = NOTHING
    now: float = 0.0

    @property
    def has_answer(self) -> bool:
        """Whether a response came that is not what was asked for."""
        return isinstance(self.error, IntrospectionError) and self.error.answer is not None

    @property
    def answer(self) -> Response:
        """That response; only where there is one."""
        assert isinstance(self.error, IntrospectionError) and self.error.answer  # noqa: S101, PT018  # as said above
        return self.error.answer

    @property
    def failure(self) -> ConnectionFailed | None:
        """Why no response came."""
        return self.error if isinstance(self.error, ConnectionFailed) else self.error.failure if self.error else None

    @property
    def is_inactive(self) -> bool:
        """Whether introspection calls the token of these settings inactive."""
        return (
            self.settings is not NO_SETTINGS and self.introspection is not NOT_ASKED and not self.introspection.active
        )

    @property
    def zitadels_now(self) -> float:
        """The time by ZITADEL's clock: this machine's may be wrong."""
        return self.now - self.evidence.clock_off_by

    @cached_property
    def form(self) -> TokenForm:
        """The form of the token."""
        return token_form(self.token)

    @cached_property
    def refusal(self) -> Refused | None:
        """Why the API refuses the token, decided by the function that the API uses; ``None`` when it accepts it."""
        if self.introspection is NOT_ASKED or self.settings is NO_SETTINGS:
            return None
        return refusal_of(self.introspection, self.settings, role=self.role, now=self.now)


def refusal_of(introspection: Introspection, settings: Settings, *, role: str | None, now: float) -> Refused | None:
    """Return the API's refusal, decided by the function that the API uses; ``None`` when it accepts the token."""
    roles = RequiredRoles(all_of=(role,)) if role else NO_ROLE
    try:
        authorize(introspection, Policy.from_settings(settings), now=now, roles=roles)
    except Refused as refusal:
        return refusal.with_traceback(None)  # its frames hold what was asked about
    return None
