"""From evidence to cause and fix: why a token is refused, or why ZITADEL or the API cannot be used. Pure.

First rule: never a wrong single cause. Where the evidence does not decide, a finding is open and lists the candidates
and the next step. ``zdemo.investigation`` gathers the evidence; call, introspect and doctor show the findings.
"""

from zdemo.diagnosis.active_token import finding_for_active, notes, refusal_of
from zdemo.diagnosis.admin_records import ClientRecords, GuestRecords, PatRecords
from zdemo.diagnosis.api_response import (
    CHALLENGE_LOST,
    code_of,
    finding_before_the_api,
    finding_for_changed_refusal,
    finding_for_gateway,
    finding_for_no_example_api,
    finding_for_no_such_route,
    finding_for_page,
    finding_for_refusal_elsewhere,
    is_from_zdemo,
    lost_challenge,
)
from zdemo.diagnosis.assertions import assertions_are_refused
from zdemo.diagnosis.cases import UserCase
from zdemo.diagnosis.client_records import uses_the_other_method
from zdemo.diagnosis.disagreement import (
    COMPARE,
    DISAGREES,
    RESTART,
    STARTED_BEFORE,
    can_be_cached,
    finding_for_disagreement,
    finding_for_unsteady,
)
from zdemo.diagnosis.evidence import NOT_ASKED, NOTHING, Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, quoted, without_secrets
from zdemo.diagnosis.hidden_values import (
    also_hidden,
    finding_for_hidden,
    finding_for_known_value,
    hiding_words,
    unhiding,
)
from zdemo.diagnosis.inactive_pat import DECISIVE_EVENTS
from zdemo.diagnosis.inactive_token import finding_for_inactive, zitadel_is_sick
from zdemo.diagnosis.missing_role import OWN_API_SCOPE
from zdemo.diagnosis.near_ids import meant_id
from zdemo.diagnosis.odd_values import OddValue, finding_for_users_secret, odd_values
from zdemo.diagnosis.phrases import CLOCK_TOLERANCE_SECONDS, SYNCHRONISE, audience_scope, clock_words, described, span
from zdemo.diagnosis.refused_user import finding_for_refused_user
from zdemo.diagnosis.rejected_client import SWAPPED_WITH_TOKEN
from zdemo.diagnosis.role_case import own_project
from zdemo.diagnosis.token_form import TokenForm, TokenKind, paste_problem, token_form
from zdemo.diagnosis.unshown_role import JUST_CHANGED
from zdemo.diagnosis.unusable_response import finding_for_error
from zdemo.diagnosis.zitadel_identity import finding_for_issuer, finding_for_server, zitadels_signs

__all__ = [
    "CHALLENGE_LOST",
    "CLOCK_TOLERANCE_SECONDS",
    "COMPARE",
    "DECISIVE_EVENTS",
    "DISAGREES",
    "JUST_CHANGED",
    "NOTHING",
    "NOT_ASKED",
    "OWN_API_SCOPE",
    "RESTART",
    "STARTED_BEFORE",
    "SWAPPED_WITH_TOKEN",
    "SYNCHRONISE",
    "Certainty",
    "ClientRecords",
    "Evidence",
    "Finding",
    "GuestRecords",
    "OddValue",
    "PatRecords",
    "Probe",
    "TokenForm",
    "TokenKind",
    "UserCase",
    "also_hidden",
    "assertions_are_refused",
    "audience_scope",
    "can_be_cached",
    "clock_words",
    "code_of",
    "described",
    "finding_before_the_api",
    "finding_for_active",
    "finding_for_changed_refusal",
    "finding_for_disagreement",
    "finding_for_error",
    "finding_for_gateway",
    "finding_for_hidden",
    "finding_for_inactive",
    "finding_for_issuer",
    "finding_for_known_value",
    "finding_for_no_example_api",
    "finding_for_no_such_route",
    "finding_for_page",
    "finding_for_refusal_elsewhere",
    "finding_for_refused_user",
    "finding_for_server",
    "finding_for_unsteady",
    "finding_for_users_secret",
    "hiding_words",
    "is_from_zdemo",
    "lost_challenge",
    "meant_id",
    "notes",
    "odd_values",
    "own_project",
    "paste_problem",
    "quoted",
    "refusal_of",
    "span",
    "token_form",
    "unhiding",
    "uses_the_other_method",
    "without_secrets",
    "zitadel_is_sick",
    "zitadels_signs",
]
