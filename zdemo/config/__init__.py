"""Settings, from options, the environment and ``.env``."""

from zdemo.config.settings import AdminSettings, Settings

__all__ = ["AdminSettings", "Settings"]
