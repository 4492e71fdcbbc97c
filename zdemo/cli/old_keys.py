"""The names that keys of JSON documents had in ``camelCase``, which stay for one version beside the new ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

OLD_KEYS = {
    "added_by_others": "addedByOthers",
    "admin_pat": "adminPat",
    "client_id": "clientId",
    "client_secret": "clientSecret",
    "dry_run": "dryRun",
    "granted_by": "grantedBy",
    "login_name": "loginName",
    "needs_rotation": "needsRotation",
    "put_back": "putBack",
    "shown_after_milliseconds": "shownAfterMilliseconds",
}


def with_old_keys(value: Any) -> Any:
    """Return a document in which each object has its old keys too, at its end."""
    if isinstance(value, Mapping):
        new = {key: with_old_keys(item) for key, item in value.items()}
        return new | {OLD_KEYS[key]: item for key, item in new.items() if key in OLD_KEYS}
    if isinstance(value, Collection) and not isinstance(value, str):
        return [with_old_keys(item) for item in value]
    return value
