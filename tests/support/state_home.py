"""Keep the state of zdemo's that tests make out of the home of the person who runs them."""

import atexit
import os
import tempfile
from functools import cache


@cache
def own_state_home() -> dict[str, str]:
    """Let this process and all that it starts keep their state in a folder that ends with it; return the variables."""
    folder = tempfile.TemporaryDirectory(prefix="zdemo-state-")
    atexit.register(folder.cleanup)
    variables = {"XDG_STATE_HOME": folder.name, "LOCALAPPDATA": folder.name}
    os.environ.update(variables)
    return variables
