"""What is wrong with settings, or their places, comes before all other causes of what these settings decide about."""

from dataclasses import replace

from zdemo.config.environment import Environment
from zdemo.config.sources import source_problems
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.rules.odd_values import odd_values

ADDRESS = ("ZITADEL_DOMAIN", "ZITADEL_INTERNAL_URL")
CLIENT = (*ADDRESS, "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE")
DECIDED_BY = {  # the settings that decide about a finding or a check, by the beginning of its ID
    "net": ADDRESS,
    "zitadel": ADDRESS,
    "client": CLIENT,
    "token": ("PAT",),
    "role": ("CLIENT_ID", "PAT", "ZITADEL_PROJECT_ID"),
    "user": ("ZDEMO_USER_CLIENT_ID", "ZDEMO_USER_CLIENT_SECRET", "ZDEMO_USER_KEY_FILE", *ADDRESS),
    "admin": ("ZITADEL_ADMIN_PAT",),
    "cache": ("ZDEMO_CACHE_URL",),
    "call": ("ZDEMO_API_URL", "PAT"),
    "api": ("ZDEMO_API_URL",),
}


def with_settings_first(finding: Finding, environment: Environment, name: str = "") -> Finding:
    """Return the finding with what is wrong with the places of the settings that decide about it.

    ``name`` is the ID of a check, where the finding has none.
    """
    deciding = DECIDED_BY.get((finding.id or name).partition(".")[0], ())
    is_certain = finding.certainty is Certainty.CERTAIN  # a form is less than what ZITADEL shows
    problems = (*source_problems(environment), *(() if is_certain else odd_values(environment)))
    because = (p for p in problems if p not in finding.problems and not set(p.names).isdisjoint(deciding))
    return replace(finding, because=tuple(because))
