"""Which addresses an application may be sent to: registered ones, and of native ones any loopback port (RFC 8252)."""

from urllib.parse import SplitResult, urlsplit

from zdemo.emulator.entities import Application
from zdemo.emulator.oidc.responses import OAuthError
from zdemo.serving.loopback import names_loopback

ASK = "If you have any questions, you may contact the administrator of the application."


def check_redirect_uri(application: Application, uri: str, response_type: str) -> None:
    """Raise OAuthError if no answer may be sent to this URI (ZITADEL)."""
    if not is_registered(application, application.oidc_list("redirectUris"), uri):
        raise _refused("The requested redirect_uri is missing in the client configuration.")
    developing, scheme = application.oidc.get("developmentMode"), uri.partition(":")[0].lower()
    if scheme == "https" or (scheme == "http" and developing):
        return
    if _is_native(application):
        if scheme == "http" and not _loopback(uri):
            raise _refused("This client's redirect_uri is http and is not allowed.")
    elif scheme != "http":
        raise _refused("This client's redirect_uri is using a custom schema and is not allowed.")
    elif response_type != "code" or application.auth_method == "OIDC_AUTH_METHOD_TYPE_NONE":
        raise _refused("This client's redirect_uri is http and is not allowed.")


def is_registered(application: Application, registered: list[str], uri: str) -> bool:
    """Return whether a URI is one of those, for a native application also with another loopback host or port."""
    if uri in registered:
        return True
    given = _loopback(uri) if _is_native(application) else None
    return bool(given) and any(
        (one.path, one.query) == (given.path, given.query) for one in map(_loopback, registered) if one and given
    )


def _is_native(application: Application) -> bool:
    return application.oidc.get("applicationType") == "OIDC_APP_TYPE_NATIVE"


def _loopback(uri: str) -> SplitResult | None:
    """Return the parts of a URI on this machine that every browser reads alike, or None."""
    if not uri.isascii() or not uri.isprintable() or any(c in uri for c in " \\@#"):
        return None
    try:
        parts = urlsplit(uri)
        return parts if parts.scheme in ("http", "https") and names_loopback(parts.netloc) else None
    except ValueError:
        return None


def _refused(what: str) -> OAuthError:
    return OAuthError("invalid_request", f"{what} {ASK}")
