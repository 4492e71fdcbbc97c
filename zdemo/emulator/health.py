"""The health endpoints, which are always well: there is no database to be away. Those of ``/debug`` ignore Host."""

from flask import Blueprint, Response

METRICS = """\
# HELP target_info Target metadata
# TYPE target_info gauge
target_info{service_name="ZITADEL"} 1
"""
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

API_PATHS = ("/management/v1/healthz", "/auth/v1/healthz", "/admin/v1/healthz")

blueprint = Blueprint("health", __name__)


@blueprint.get("/debug/healthz")
def alive() -> Response:
    """Whether the process runs."""
    return Response("ok", content_type="text/plain; charset=utf-8")


@blueprint.get("/debug/ready")
@blueprint.get("/debug/validate")
def ready() -> Response:
    """Whether requests can be answered: a JSON string."""
    return Response('"ok"', content_type="application/json")


@blueprint.get("/debug/metrics")
def metrics() -> Response:
    """One metric in the Prometheus text format, so that a scraper finds something."""
    return Response(METRICS, content_type=METRICS_TYPE)


@blueprint.get(API_PATHS[0])
@blueprint.get(API_PATHS[1])
@blueprint.get(API_PATHS[2])
def api_alive() -> Response:
    """Whether an API of the instance runs; needs no token, but a Host that is an instance's."""
    return Response("{}", content_type="application/json")
