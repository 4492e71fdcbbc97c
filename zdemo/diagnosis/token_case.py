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


@dataclass(frozen=True, kw_only=True)
class TokenCase:
    """What is known about a token: ZITADEL's ``introspection``, or the ``error`` that came instead of one.

    ``settings`` are ``None`` where they are unknown, and so is ``token`` where a random text was sent in its place.
    ``role`` is what the API requires; ``refused_for_role`` whether it said itself that this role is missing. ``now`` is
    in epoch seconds.
    """

    settings: Settings | None = None
    token: str | None = field(default=None, repr=False)
    role: str | None = None
    refused_for_role: bool = False
    introspection: Introspection | None = field(default=None, repr=False)
    error: IntrospectionError | ConnectionFailed | None = None
    evidence: Evidence = NOTHING
    now: float = 0.0

    @property
    def answer(self) -> Response | None:
        """The response that is not what was asked for, if one came."""
        return self.error.answer if isinstance(self.error, IntrospectionError) else None

    @property
    def failure(self) -> ConnectionFailed | None:
        """Why no response came."""
        return self.error if isinstance(self.error, ConnectionFailed) else self.error.failure if self.error else None

    @property
    def is_active(self) -> bool:
        """Whether introspection calls the token active."""
        return self.introspection is not None and self.introspection.active

    @cached_property
    def form(self) -> TokenForm:
        """The form of the token."""
        return token_form(self.token or "")

    @cached_property
    def refusal(self) -> Refused | None:
        """Why the API refuses the token, decided by the function that the API uses; ``None`` when it accepts it."""
        if self.introspection is None or self.settings is None:
            return None
        return refusal_of(self.introspection, self.settings, role=self.role, now=self.now)


def refusal_of(introspection: Introspection, settings: Settings, *, role: str | None, now: float) -> Refused | None:
    """Return the API's refusal, decided by the function that the API uses; ``None`` when it accepts the token."""
    roles = NO_ROLE if role is None else RequiredRoles(all_of=(role,))
    try:
        authorize(introspection, Policy.from_settings(settings), now=now, roles=roles)
    except Refused as refusal:
        return refusal.with_traceback(None)  # its frames hold what was asked about
    return None


def settings_of(case: TokenCase) -> Settings:
    """Return the settings; only for rules whose table is for cases with some."""
    assert case.settings is not None  # noqa: S101  # as said above
    return case.settings
