"""Put the words of the diagnosis into the error that ends a command, what is wrong with the settings first."""

import time
from collections.abc import Collection
from contextlib import suppress

from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.investigate import investigate_with
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.unusable_response import finding_for_error
from zdemo.diagnosis.settings_first import settings_problems, with_settings_first
from zdemo.diagnosis.view import brief, heading, why
from zdemo.errors import CredentialsRefused, IntrospectionError, SettingsError, ZdemoError
from zdemo.errors.problem import Problem


def name_cause(error: ZdemoError, environment: Environment, told: Collection[Problem]) -> None:
    """Give an error with a finding, or about a request, its cause; problems that were ``told`` are not said again."""
    if error.finding:
        finding = Finding(id=error.finding, cause=error.lines[0], fix=error.steps)
    elif isinstance(error, IntrospectionError):
        finding = finding_for_error(error)
        with suppress(SettingsError):
            if isinstance(error, CredentialsRefused):
                settings, pat = Settings.from_env(environment), environment.get("PAT")
                finding = investigate_with(environment, settings, pat, now=time.time()).finding or finding
    else:  # a failed connection; ZITADEL's is an IntrospectionError
        elsewhere = (f"add --env-file {environment.nearby}",) if environment.nearby else ()
        finding = Finding(id="api.reachable", cause=error.message, fix=(*elsewhere, *error.steps))
    explained(error, brief(with_settings_first(finding, settings_problems(environment))), told)


def explained(error: ZdemoError, finding: Finding, told: Collection[Problem] = ()) -> ZdemoError:
    """Return the error in the words of a finding."""
    lines = [*(problem.text for problem in finding.because if problem not in told), why(finding)]
    lines += error.lines[1:] if error.finding else ()
    lines += [f"{heading(finding)}:", *finding.candidates] if finding.candidates else []
    lines += [f"{label}: {text}" for label, text in finding.seen]
    error.finding, error.because = finding.id, finding.because
    error.lines, error.message, error.steps = tuple(lines), "\n".join(lines), finding.steps or error.steps
    return error
