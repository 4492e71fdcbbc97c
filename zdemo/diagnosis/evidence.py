"""What ZITADEL answered to the questions that were asked after the first one: what a diagnosis may rest on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from zdemo.diagnosis.admin_records import ClientRecords, PatRecords
from zdemo.diagnosis.token_form import TokenKind
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.http.response import Response
from zdemo.management.model import RoleAssignment


class Probe(StrEnum):
    """The questions; the value says in two words what is asked."""

    AGAIN = "introspection, once more"
    RANDOM_TOKEN = "random token"  # noqa: S105  # the name of a question, no password
    MADE_UP_CLIENT = "made-up client"
    USERINFO = "userinfo"
    WHOAMI = "own user"
    READY = "readiness"
    HEALTH = "health"
    DISCOVERY = "discovery"
    KEYS = "keys"
    OWN_PAIR_AT_TOKEN_ENDPOINT = "token endpoint"  # noqa: S105  # likewise
    ASSIGNMENTS = "role assignments"
    ADMINISTRATOR = "administrator's PAT"
    ADMINISTRATOR_USERINFO = "userinfo of the administrator's PAT"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The replies by question. A question that is missing was not asked, for want of time or of need.

    ``assignments`` is ``None`` when they could not be learned, and so is ``signature_fits`` of a JWT;
    ``assignments_from`` says with what they were asked for.
    ``clock_ahead_seconds``: by how much this machine's clock is ahead of ZITADEL's, to a second. The records are what
    an administrator's PAT showed, and ``None`` when it showed nothing; ``looked_up_at`` is when (epoch seconds).
    ``token_kind`` is the form of what was asked about, and ``None`` when that was a text of our own.
    ``with_administrator``: there is such a PAT; ``with_ids``: it is known which PAT the token is said to be.
    """

    replies: Mapping[Probe, Response | ConnectionFailed] = field(default_factory=dict)
    assignments: tuple[RoleAssignment, ...] | None = None
    assignments_from: str = "the token itself"
    signature_fits: bool | None = None
    clock_ahead_seconds: float | None = None
    client_records: ClientRecords | None = None
    pat_records: PatRecords | None = None
    looked_up_at: float = 0
    token_kind: TokenKind | None = None
    with_administrator: bool = False
    with_ids: bool = False

    def answer(self, question: Probe) -> Response | None:
        """The answer to a question, if one came."""
        reply = self.replies.get(question)
        return reply if isinstance(reply, Response) else None

    def status(self, question: Probe) -> int | None:
        """The status of that answer."""
        answer = self.answer(question)
        return answer.status if answer else None

    def timed_out(self, question: Probe) -> bool:
        """Whether a question was asked and no answer came in time."""
        reply = self.replies.get(question)
        return isinstance(reply, ConnectionFailed) and reply.kind is FailureKind.TIMEOUT

    @property
    def token_is_alive(self) -> bool:
        """Whether userinfo takes the token: JSON with the user's ID, which no page for all paths is."""
        answer = self.answer(Probe.USERINFO)
        subject = answer.json_object().get("sub") if answer and answer.status == 200 else None
        return isinstance(subject, str) and subject != ""

    @property
    def token_is_dead(self) -> bool:
        """Whether userinfo refuses the token, in ZITADEL's own words."""
        return _refused_by_userinfo(self.answer(Probe.USERINFO))

    @property
    def administrator_is_dead(self) -> bool:
        """Whether userinfo refuses the administrator's PAT."""
        return _refused_by_userinfo(self.answer(Probe.ADMINISTRATOR_USERINFO))

    @property
    def is_ready(self) -> bool:
        """Whether ZITADEL says that its database answers: JSON, which no page for all paths is (ZITADEL: ``"ok"``)."""
        answer = self.answer(Probe.READY)
        return answer is not None and answer.status == 200 and answer.json() == "ok"

    @property
    def is_healthy(self) -> bool:
        """Whether ZITADEL's process lives (ZITADEL: text ``ok``)."""
        answer = self.answer(Probe.HEALTH)
        return answer is not None and answer.status == 200 and answer.text.strip() == "ok"

    @property
    def database_away(self) -> bool:
        """Whether ZITADEL itself says that it cannot reach its database (ZITADEL: 412, API-F24h2)."""
        answer = self.answer(Probe.READY)
        return answer is not None and answer.status == 412

    @property
    def administrator_is_active(self) -> bool | None:
        """Whether the administrator's PAT is active at introspection; ``None`` when that was not asked or not told."""
        answer = self.answer(Probe.ADMINISTRATOR)
        active = answer.json_object().get("active") if answer and answer.status == 200 else None
        return active if isinstance(active, bool) else None

    def project_id(self, client_id: str) -> str | None:
        """The API application's project, as the administrator's PAT shows it when it is introspected.

        ZITADEL appends the client ID and then the project to the audience of every PAT.
        """
        answer = self.answer(Probe.ADMINISTRATOR)
        audience = answer.json_object().get("aud") if answer else None
        return project_behind(client_id, audience) if isinstance(audience, list) else None


def _refused_by_userinfo(answer: Response | None) -> bool:
    """A 401 of a proxy that wants credentials of its own says nothing of the token; ZITADEL's is JSON."""
    return answer is not None and answer.status == 401 and answer.json_object().get("error") == "access_denied"


def project_behind(client_id: str, audience: Sequence[object]) -> str | None:
    """The project in a PAT's audience: what follows the API application's client ID (ZITADEL: ``[..., C, P]``)."""
    for first, second in itertools.pairwise(audience):
        if first == client_id and isinstance(second, str):
            return second
    return None


NOTHING = Evidence()
