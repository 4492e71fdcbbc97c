"""What keeps a setup from doing harm: one run at a time in a folder, and the right ZITADEL."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zdemo.config.files import remove_leftovers
from zdemo.errors import ZdemoError
from zdemo.provisioning.plan import domain_line
from zdemo.provisioning.state import SetupState
from zdemo.provisioning.state_file import FOLDER, state_path


@contextmanager
def only_setup_in_folder(env_path: Path) -> Iterator[None]:
    """Keep other setups out of the folder of this ``.env`` while the block runs; remove what killed ones left there.

    The folder itself is locked, so that no file is left behind. Where that is impossible (Windows, some network
    folders, a missing folder), no other setup is kept out, and nothing is removed. Raises ZdemoError when another one
    is running there.
    """
    folder = Path(os.path.realpath(env_path)).parent
    with ExitStack() as stack:
        try:
            import fcntl  # not on Windows

            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for place in (folder, folder / FOLDER):
                remove_leftovers(place)
        except BlockingIOError:
            raise ZdemoError(
                f"another zdemo setup is running in {folder}",
                hint="wait until it has finished, then run zdemo setup again; nothing was changed",
            ) from None
        except (ImportError, OSError):
            pass
        yield


def check_same_zitadel(state: SetupState, env_path: Path, issuer: str) -> None:
    """Raise ZdemoError when the state, none of whose objects is at ``issuer``, was recorded at another address."""
    place = state.zitadel
    if not place or domain_line(place, issuer) == place:
        return
    path = state_path(env_path)
    raise ZdemoError(
        f"{path} belongs to the ZITADEL at {place}, and none of its objects is at {issuer}",
        hint=f"add --domain {place}, or use another --env-file for {issuer}; if {place} is gone for good: "
        f"mv {path} {path}.old; nothing was changed",
    )
