"""Setup as a plan: what is, what is missing, what to do; then do it, prove it, or take it all back.

Knows nothing of the terminal. The way through: ``EnvFile``, ``look``, ``make_plan``, ``carry_out``, ``prove``; and
``plan_teardown``, ``tear_down``.
"""

from zdemo.management.resources import Administrator
from zdemo.provisioning.apply import carry_out
from zdemo.provisioning.context import Reporter
from zdemo.provisioning.current import CurrentState, look
from zdemo.provisioning.env_file import EnvFile
from zdemo.provisioning.git import git_warning
from zdemo.provisioning.lock import alone
from zdemo.provisioning.options import SetupOptions
from zdemo.provisioning.plan import Action, Kind, Plan, Step, make_plan
from zdemo.provisioning.rotation import Rotation
from zdemo.provisioning.teardown import Removal, Teardown, knows_nothing, plan_teardown, tear_down
from zdemo.provisioning.verify import prove

__all__ = [
    "Action",
    "Administrator",
    "CurrentState",
    "EnvFile",
    "Kind",
    "Plan",
    "Removal",
    "Reporter",
    "Rotation",
    "SetupOptions",
    "Step",
    "Teardown",
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
