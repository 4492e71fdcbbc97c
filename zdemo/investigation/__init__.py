"""Ask ZITADEL about a token or an API's answer, and hand the evidence to diagnosis."""

from zdemo.investigation.admin_lookup import AdminLookup, PatIds, pat_ids, usable_admin_pat
from zdemo.investigation.api_comparison import COMPARE, RESTART, Explanation, explain
from zdemo.investigation.investigate import Investigation, clock_ahead_seconds, investigate
from zdemo.investigation.probes import Prober, Replies

__all__ = [
    "COMPARE",
    "RESTART",
    "AdminLookup",
    "Explanation",
    "Investigation",
    "PatIds",
    "Prober",
    "Replies",
    "clock_ahead_seconds",
    "explain",
    "investigate",
    "pat_ids",
    "usable_admin_pat",
]
