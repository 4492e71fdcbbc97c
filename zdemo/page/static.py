"""The files of the page, as they are in the package."""

import re
from importlib.resources import files

from zdemo.page.access import PREFIX
from zdemo.page.answers import HTML, PageRefusal

FILES = f"{PREFIX}files/"
NAME = re.compile(r"[a-z][a-z0-9_-]*\.([a-z]+)", re.ASCII)
MEDIA_TYPES = {
    "html": HTML,
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def page_file(name: str) -> tuple[bytes, str]:
    """Return a file and its media type. Raises PageRefusal if the page has no such file."""
    found = NAME.fullmatch(name)
    file = files("zdemo.page") / "files" / name if found else None
    if found is None or file is None or found[1] not in MEDIA_TYPES or not file.is_file():
        raise PageRefusal(404, "not_found", "the page has no such file")
    return file.read_bytes(), MEDIA_TYPES[found[1]]
