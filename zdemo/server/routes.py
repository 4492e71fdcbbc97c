"""The three routes of ZITADEL's example API: public, private, and private with a role."""

from flask import Blueprint

from zdemo.server.guard import requires_token

ROLE = "read:messages"

api = Blueprint("api", __name__, url_prefix="/api")


@api.get("/public")
def public() -> dict[str, str]:
    """Answer anyone, without asking ZITADEL."""
    return {"message": "Public route - You don't need to be authenticated to see this."}


@api.get("/private")
@requires_token()
def private() -> dict[str, str]:
    """Answer any active token for this API."""
    return {"message": "Private route - You need to be authenticated to see this."}


@api.get("/private-scoped")
@requires_token(role=ROLE)
def private_scoped() -> dict[str, str]:
    """Answer an active token whose user has the role."""
    return {
        "message": "Private, scoped route - You need to be authenticated and have the role read:messages to see this."
    }
