"""Settings: what zdemo is told, and where each value came from."""

from zdemo.config.settings import AdminSettings, Settings

__all__ = ["AdminSettings", "Settings"]
