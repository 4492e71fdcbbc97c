"""Change a ``.env`` file as a person would."""

from collections.abc import Mapping
from pathlib import Path

from zdemo.config.dotenv_file import Dotenv, load_dotenv, save_dotenv


def update_dotenv(path: Path, values: Mapping[str, str | None]) -> None:
    """Set variables in a ``.env`` file, or remove those that are ``None``; every other line and comment stays."""
    dotenv = load_dotenv(path) if path.exists() else Dotenv()
    for name, value in values.items():
        if value is not None:
            dotenv.set(name, value)
            continue
        while statement := dotenv.find(name):
            dotenv.remove(statement)
    save_dotenv(path, dotenv)
