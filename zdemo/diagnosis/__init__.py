"""From evidence to reason and fix: why a token is refused, or why nobody can say. Pure; asks nobody.

First rule: never a wrong single cause. What the evidence does not decide is said to be open, with the candidates and
the next step. ``zdemo.investigation`` gathers the evidence; call, introspect and doctor say what comes out here.
"""

from zdemo.diagnosis.admin_records import ApplicationRecord, ClientRecords, PatRecords
from zdemo.diagnosis.api_response import finding_before_the_api, finding_for_gateway, speaks_as_zdemo
from zdemo.diagnosis.client_records import uses_the_other_method
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, quoted, without_secrets
from zdemo.diagnosis.inactive_token import finding_for_inactive, zitadel_is_sick
from zdemo.diagnosis.notes import notes
from zdemo.diagnosis.rejected_client import SWAPPED_WITH_TOKEN
from zdemo.diagnosis.rejected_token import finding_for_active, refusal_of
from zdemo.diagnosis.token_form import LINE_END_INSIDE, TokenForm, TokenKind, paste_problem, token_form
from zdemo.diagnosis.unusable_response import finding_for_error
from zdemo.diagnosis.zitadel_identity import finding_for_issuer, finding_for_server, zitadels_signs

__all__ = [
    "LINE_END_INSIDE",
    "NOTHING",
    "SWAPPED_WITH_TOKEN",
    "ApplicationRecord",
    "Certainty",
    "ClientRecords",
    "Evidence",
    "Finding",
    "PatRecords",
    "Probe",
    "TokenForm",
    "TokenKind",
    "finding_before_the_api",
    "finding_for_active",
    "finding_for_error",
    "finding_for_gateway",
    "finding_for_inactive",
    "finding_for_issuer",
    "finding_for_server",
    "notes",
    "paste_problem",
    "quoted",
    "refusal_of",
    "speaks_as_zdemo",
    "token_form",
    "uses_the_other_method",
    "without_secrets",
    "zitadel_is_sick",
    "zitadels_signs",
]
