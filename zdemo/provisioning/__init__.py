"""Setup as a plan: what is, what is missing, what to do; then do it, prove it, or take it all back.

Knows nothing of the terminal. The way through: ``EnvFile``, ``look``, ``make_plan``, ``carry_out``, ``prove``; and
``plan_teardown``, ``tear_down``.
"""

from zdemo.provisioning.alone import alone
from zdemo.provisioning.bench import Story
from zdemo.provisioning.calls import Administrator
from zdemo.provisioning.carry_out import carry_out
from zdemo.provisioning.env_file import EnvFile
from zdemo.provisioning.git import git_warning
from zdemo.provisioning.look import Situation, look
from zdemo.provisioning.plan import Action, Kind, Plan, Step, make_plan
from zdemo.provisioning.proof import prove
from zdemo.provisioning.rotation import Rotation
from zdemo.provisioning.teardown import Removal, Teardown, knows_nothing, plan_teardown, tear_down
from zdemo.provisioning.wishes import Wishes

__all__ = [
    "Action",
    "Administrator",
    "EnvFile",
    "Kind",
    "Plan",
    "Removal",
    "Rotation",
    "Situation",
    "Step",
    "Story",
    "Teardown",
    "Wishes",
    "alone",
    "carry_out",
    "git_warning",
    "knows_nothing",
    "look",
    "make_plan",
    "plan_teardown",
    "prove",
    "tear_down",
]
