"""A Flask API that checks ZITADEL access tokens by introspection: one file to copy. flask --app one_file_guard run"""

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from hashlib import sha256
from urllib.parse import quote_plus

from flask import Flask, Response, abort, g, request
from requests import post
from werkzeug.exceptions import HTTPException

URL, CLIENT_ID = os.environ["ZITADEL_DOMAIN"] + "/oauth/v2/introspect", os.environ["CLIENT_ID"]
AUTH = (quote_plus(CLIENT_ID), quote_plus(os.environ["CLIENT_SECRET"]))  # form-encoded (RFC 6749 section 2.3.1)
PROJECT_ID = os.environ.get("ZITADEL_PROJECT_ID")  # if set, tokens must be meant for this project or application
ROLE, PROJECT = "read:messages", "urn:zitadel:iam:org:project"
ROLES = f"{PROJECT}:{PROJECT_ID}:roles" if PROJECT_ID else f"{PROJECT}:roles"  # the name of the roles claim
CACHE_SECONDS, TIMEOUT = (float(os.environ.get(name, "5")) for name in ("ZDEMO_CACHE_TTL", "ZDEMO_TIMEOUT"))
ASK = {"headers": {"Accept-Encoding": "identity"}, "allow_redirects": False, "timeout": TIMEOUT, "stream": True}
OPEN_ROUTES = {"/api/public"}  # every other route needs a token
app = Flask(__name__, static_folder=None)
app.url_map.merge_slashes = False  # //path is not /path
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024  # bytes of a body that somebody reads, as check_token reads a form
app.after_request(lambda response: response.headers.update(g.headers) or response)  # refusals get g.headers too
cache: dict[bytes, tuple[float, dict]] = {}  # SHA-256 of a token: when ZITADEL was asked, and the claims


@app.before_request  # before each view, and before all other functions of this kind
def check_token() -> Response | None:  # ends the request with a refusal, or puts the claims into g.claims
    g.claims, g.headers = {}, {"X-Request-ID": os.urandom(8).hex()}
    if request.routing_exception:
        raise request.routing_exception
    if request.path in OPEN_ROUTES or request.method == "OPTIONS":  # browsers send no token with a preflight
        return app.make_default_options_response() if request.method == "OPTIONS" else None
    g.headers |= {"Cache-Control": "no-store", "Vary": "Authorization"}  # the response depends on the caller
    header = request.headers.get("Authorization", "none")  # servers join two header fields with a comma
    if not re.search(r"(?i)(^|,)\s*(bearer\b|,|$)|[^\t -~]", header):  # Granian empties a field that is not ASCII
        deny(401, "send the header Authorization: Bearer TOKEN")  # without an error code (RFC 6750 section 3.1)
    match = re.fullmatch(r"(?i)bearer +([a-z0-9._~+/-]+=*) *", header)
    if not match or len(match[1]) > 16 * 1024 or "access_token" in request.args or "access_token" in request.form:
        deny(400, "send one token, in one Authorization header only", error="invalid_request")
    g.claims = claims = introspect(match[1])  # a cached answer is judged again: exp may have passed
    is_ours = not PROJECT_ID or any(audience in (PROJECT_ID, CLIENT_ID) for audience in claims.get("aud", []))
    if not (claims["active"] and is_ours and claims.get("nbf", 0) - 5 <= time.time() < claims.get("exp", float("inf"))):
        deny(401, "the token is not active, or not meant for this API", error="invalid_token")


def requires_token(role):  # a decorator below the route; never take roles from scope, which has some without a grant
    def check_role():
        grants = roles.get(role) if isinstance(roles := g.claims.get(ROLES), dict) else None  # organizations' domains
        if not isinstance(grants, dict) or not grants or not all(k and isinstance(v, str) for k, v in grants.items()):
            deny(401, f"the role {role} is missing", error="insufficient_scope", scope=f"{PROJECT}:role:{role}")

    return lambda view: wraps(view)(lambda **values: check_role() or view(**values))


def introspect(token: str) -> dict:  # RFC 7662; only the JSON boolean true in active is active
    key, now, status, claims = sha256(token.encode()).digest(), time.monotonic(), 503, None
    if (entry := cache.get(key)) and now < entry[0] + CACHE_SECONDS:
        return entry[1]
    try:  # in threads, since the timeout of requests is for each wait, and these are for all
        answer = ThreadPoolExecutor(1).submit(post, URL, {"token": token}, auth=AUTH, **ASK).result(TIMEOUT)
        read = ThreadPoolExecutor(1).submit(lambda: answer.raw.read(2**20) + answer.raw.read(1))  # refuses a cut body
        body = read.result(now + TIMEOUT - time.monotonic())
        status = 503 if answer.status_code in (429, 500, 502, 503, 504) or b"QUERY-d3fas" in body else 502
        if answer.status_code == 200:  # it is open which of two members of one name counts
            claims = json.loads(body, object_pairs_hook=lambda p: dict(p) if len(dict(p)) == len(p) else abort(502))
    except Exception as error:  # of requests, urllib3 or json: whatever it is, nobody gets in
        answer = error
    is_valid = isinstance(claims, dict) and type(claims.get("active")) is bool and type(claims.get("aud", [])) is list
    if not is_valid or any(type(claims.get(name, 0)) is not int for name in ("exp", "nbf")):
        app.logger.error("no introspection: %s; check ZITADEL_DOMAIN, CLIENT_ID and CLIENT_SECRET", answer)
        abort(status, "the token cannot be checked; see this API's log", **{"retry_after": 1} if status == 503 else {})
    if claims["active"]:  # no other answer is kept, so that garbage cannot push good tokens out
        if len(cache) >= 10_000:
            cache.clear()
        cache[key] = (now, claims)  # the age counts from the question: the answer holds no later changes
    return claims


def deny(status: int, description: str, **parameters: str) -> None:  # with a challenge (RFC 6750 section 3)
    g.error, pairs = parameters.get("error"), {"realm": "zdemo"} | parameters
    g.headers["WWW-Authenticate"] = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in pairs.items())
    abort(status, description)


@app.errorhandler(HTTPException)
def as_json(error: HTTPException) -> tuple[dict, int, list]:
    name = g.get("error") or error.name.lower().replace(" ", "_")
    body = {"error": name, "error_description": error.description, "request_id": g.headers["X-Request-ID"]}
    return body, error.code, [field for field in error.get_headers() if field[0] in ("Allow", "Retry-After")]


@app.get("/api/public")
def public() -> dict:
    return {"message": "Public route - You don't need to be authenticated to see this."}


@app.get("/api/private")
def private() -> dict:
    return {"message": "Private route - You need to be authenticated to see this."}


@app.get("/api/private-scoped")
@requires_token(role=ROLE)
def private_scoped() -> dict:
    return {"message": f"Private, scoped route - You need to be authenticated and have the role {ROLE} to see this."}
