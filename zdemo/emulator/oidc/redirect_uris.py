"""Which addresses an application may be sent to: registered ones, and of native ones any loopback port (RFC 8252)."""

from urllib.parse import urlsplit

from zdemo.emulator.entities import Application
from zdemo.emulator.oidc.responses import OAuthError
from zdemo.serving.loopback import names_loopback

ASK = "If you have any questions, you may contact the administrator of the application."


def check_redirect_uri(application: Application, uri: str) -> None:
    """Raise OAuthError if no code may be sent to this URI (ZITADEL)."""
    what, scheme = "", uri.partition(":")[0].lower()
    if not is_registered(application, application.oidc_list("redirectUris"), uri):
        what = "The requested redirect_uri is missing in the client configuration."
    elif scheme == "http" and not application.oidc.get("developmentMode"):
        public = application.auth_method == "OIDC_AUTH_METHOD_TYPE_NONE"
        if not _loopback(uri) if _is_native(application) else public:
            what = "This client's redirect_uri is http and is not allowed."
    elif scheme not in ("http", "https") and not _is_native(application):
        what = "This client's redirect_uri is using a custom schema and is not allowed."
    if what:
        raise OAuthError("invalid_request", f"{what} {ASK}")


def is_registered(application: Application, registered: list[str], uri: str) -> bool:
    """Return whether a URI is one of those, for a native application also with another loopback host or port."""
    given = _loopback(uri) if _is_native(application) else None
    return uri in registered or (given is not None and given in map(_loopback, registered))


def _is_native(application: Application) -> bool:
    return application.oidc.get("applicationType") == "OIDC_APP_TYPE_NATIVE"


def _loopback(uri: str) -> tuple[str, str] | None:
    """Return path and query of a URI on this machine that every browser reads alike, or None."""
    if not uri.isascii() or not uri.isprintable():
        return None
    try:
        parts = urlsplit(uri)
        return (parts.path, parts.query) if parts.scheme in ("http", "https") and names_loopback(parts.netloc) else None
    except ValueError:
        return None
