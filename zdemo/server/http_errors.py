"""The answers to what Flask and werkzeug refuse by themselves, and to errors that nobody expected."""

from werkzeug.exceptions import HTTPException

from zdemo.guard.guard import Refusal

KEPT_HEADERS = ("allow", "retry-after")  # from werkzeug's errors
DESCRIPTIONS = {
    400: "the request body is malformed, or ends early",  # no view reads any other part of a request
    404: "no such path",
    405: "the path does not allow this method",
}
UNEXPECTED = Refusal(
    status=500, error="internal_server_error", description="unexpected error; see this API's log", headers={}
)


def refusal_of_http(error: HTTPException) -> Refusal:
    """Return the answer to an error of werkzeug."""
    status = error.code or 500
    return Refusal(
        status=status,
        error=error.name.lower().replace(" ", "_"),  # werkzeug's, since Python renames statuses between its versions
        description=DESCRIPTIONS.get(status) or error.description or error.name,
        headers={name: value for name, value in error.get_headers() if name.lower() in KEPT_HEADERS},
    )
