"""Ask ZITADEL about a token or an API's answer, and hand the evidence to diagnosis."""

from zdemo.investigation.admin_lookup import PatIds, pat_ids, usable_admin_pat
from zdemo.investigation.api_comparison import Explanation, explain
from zdemo.investigation.investigate import Investigation, clock_ahead_seconds, investigate
from zdemo.investigation.probes import Prober, Replies, random_token
from zdemo.investigation.sources import DECISIVE, investigate_with
from zdemo.investigation.token_request import IssuedToken, TokenRequest, request_token
from zdemo.investigation.username import username_of

__all__ = [
    "DECISIVE",
    "Explanation",
    "Investigation",
    "IssuedToken",
    "PatIds",
    "Prober",
    "Replies",
    "TokenRequest",
    "clock_ahead_seconds",
    "explain",
    "investigate",
    "investigate_with",
    "pat_ids",
    "random_token",
    "request_token",
    "usable_admin_pat",
    "username_of",
]
