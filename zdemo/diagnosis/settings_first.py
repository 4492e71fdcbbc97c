"""What is wrong with settings, or their places, comes before all other causes of what these settings decide about."""

from collections.abc import Iterable
from dataclasses import replace

from zdemo.config.environment import Environment
from zdemo.config.names import folder_problem, hiding_problems, misnamed_problems
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.rules.odd_values import changed_tokens, odd_values
from zdemo.errors.problem import Problem, ProblemKind
from zdemo.errors.steps import SetVariable

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
    **dict.fromkeys(("call.not_found", "call.method_not_allowed"), ("ZDEMO_API_URL",)),  # whatever token was sent
    "api": ("ZDEMO_API_URL",),
}

ACCEPTED = (("CLIENT_ID",),)  # ZITADEL showed an active token to this client, whatever the form of its ID
CALLERS = ("PAT", "ZDEMO_VISITOR_PAT")  # ZITADEL cannot show which of its users was meant


def settings_problems(environment: Environment) -> tuple[Problem, ...]:
    """Return all that is wrong with the settings' places, and odd about their values."""
    of_places = (*folder_problem(environment), *hiding_problems(environment), *misnamed_problems(environment))
    return (*of_places, *odd_values(environment), *changed_tokens(environment))


def with_settings_first(finding: Finding, known: Iterable[Problem], name: str = "") -> Finding:
    """Return the finding with those problems of the settings that are about settings which decide about it.

    ``name`` is the ID of a check, where the finding has none.
    """
    area = (finding.id or name).partition(".")[0]
    deciding = DECIDED_BY.get(finding.id, DECIDED_BY.get(area, ()))
    proven = ACCEPTED if area == "role" else ()
    # a form is less than what ZITADEL shows, which is nothing about an administrator's token
    is_of_setting = any(isinstance(step, SetVariable) for step in finding.fix)
    is_certain = finding.certainty in (Certainty.CERTAIN, Certainty.EMULATOR) and area != "admin"
    odd = [p for p in known if p.kind is ProblemKind.ODD and (p.names != CALLERS or is_of_setting)]
    problems = (p for p in known if not (p in odd and (is_certain or p.names in proven)))
    because = (p for p in problems if p not in finding.problems and not set(p.names).isdisjoint(deciding))
    return replace(finding, because=tuple(because))
