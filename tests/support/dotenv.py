"""Change a ``.env`` file as a person would."""

from collections.abc import Mapping
from pathlib import Path

from zdemo.config.dotenv_file import Dotenv, assignment, load_dotenv, save_dotenv


def update_dotenv(path: Path, values: Mapping[str, str | None]) -> None:
    """Set variables in a ``.env`` file, or remove those that are ``None``; all other lines stay as they are."""
    dotenv = load_dotenv(path) if path.exists() else Dotenv()
    for name, value in values.items():
        dotenv.put(name, "" if value is None else assignment(name, value))
    save_dotenv(path, dotenv)
