"""What can stand where a file belongs."""

import os
import socket
from pathlib import Path


def other_than_a_file(kind: str, folder: Path) -> Path:
    """Make a thing of this kind, or a link to one, and return its path."""
    path = folder / "other"
    if kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        here = Path.cwd()
        os.chdir(folder)  # a socket's path has at most some 100 bytes
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)
        finally:
            os.chdir(here)
    return path
