"""From evidence to reason and fix: why a token is refused, or why nobody can say. Pure; asks nobody.

First rule: never a wrong single cause. What the evidence does not decide is said to be open, with the candidates and
the next step. ``zdemo.investigation`` gathers the evidence; call, introspect and doctor say what comes out here.
"""

from zdemo.diagnosis.answers import finding_for_error
from zdemo.diagnosis.api import finding_before_the_api, finding_for_gateway, speaks_as_zdemo
from zdemo.diagnosis.credentials import SWAPPED_WITH_TOKEN
from zdemo.diagnosis.evidence import NOTHING, Evidence, Question
from zdemo.diagnosis.findings import Certainty, Finding, quoted, without_secrets
from zdemo.diagnosis.inactive import finding_for_inactive, zitadel_is_sick
from zdemo.diagnosis.recorded import uses_the_other_method
from zdemo.diagnosis.records import ApplicationRecord, ClientRecords, PatRecords
from zdemo.diagnosis.refused import finding_for_active, refusal_of
from zdemo.diagnosis.remarks import remarks
from zdemo.diagnosis.server import finding_for_issuer, finding_for_server, zitadels_signs
from zdemo.diagnosis.token_form import LINE_END_INSIDE, TokenForm, TokenKind, paste_problem, token_form

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
    "Question",
    "TokenForm",
    "TokenKind",
    "finding_before_the_api",
    "finding_for_active",
    "finding_for_error",
    "finding_for_gateway",
    "finding_for_inactive",
    "finding_for_issuer",
    "finding_for_server",
    "paste_problem",
    "quoted",
    "refusal_of",
    "remarks",
    "speaks_as_zdemo",
    "token_form",
    "uses_the_other_method",
    "without_secrets",
    "zitadel_is_sick",
    "zitadels_signs",
]
