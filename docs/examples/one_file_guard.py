"""A Flask API that checks ZITADEL access tokens by introspection: one file to copy. flask --app one_file_guard run"""

import os
import re
import time
from hashlib import sha256
from urllib.parse import quote_plus

import requests
from flask import Flask, abort, g, request
from werkzeug.exceptions import HTTPException

DOMAIN, CLIENT_ID, CLIENT_SECRET = (os.environ[name] for name in ("ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET"))
PROJECT_ID = os.environ.get("ZITADEL_PROJECT_ID")  # if set, tokens must be meant for this project or application
CACHE_SECONDS = float(os.environ.get("ZDEMO_CACHE_TTL", "5"))  # how long a deleted token or removed role still passes
TIMEOUT_SECONDS, CACHE_SIZE, LONGEST_TOKEN, LARGEST_BODY = 5, 10_000, 16 * 1024, 64 * 1024
ROLES = f"urn:zitadel:iam:org:project:{PROJECT_ID}:roles" if PROJECT_ID else "urn:zitadel:iam:org:project:roles"
BEARER = re.compile(r"(?ai)bearer +([\w.~+/-]+=*) *\Z|(?:.*,\s*)?bearer(?![\w!#$%&'*+.^`|~-])")  # RFC 6750 section 2.1
app = Flask(__name__)
app.url_map.merge_slashes = False  # //path is not /path
app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY + 1  # one more: werkzeug cuts chunked bodies here without an error
app.after_request(lambda response: response.headers.update(g.headers) or response)  # on refusals too
cache: dict[bytes, tuple[float, dict | None]] = {}  # SHA-256 of a token: when ZITADEL was asked, and the claims


@app.before_request
def begin() -> None:
    g.headers = {"X-Request-ID": os.urandom(8).hex()}
    if len(request.get_data()) > LARGEST_BODY:
        abort(413)


def require_token(role: str | None = None) -> dict:  # returns the claims, or ends the request with a refusal
    g.headers |= {"Cache-Control": "no-store", "Vary": "Authorization"}  # the response depends on the caller
    credentials = BEARER.match(request.headers.get("Authorization", ""))  # servers join two fields with a comma
    if not credentials:  # no error code, because no token was sent (RFC 6750 section 3.1)
        deny(401, "send the header Authorization: Bearer TOKEN")
    if not credentials[1] or len(credentials[1]) > LONGEST_TOKEN or "access_token" in {*request.args, *request.form}:
        deny(400, "send one token, in one Authorization header only", "invalid_request")
    claims, now = introspect(credentials[1]), time.time()  # a cached answer is judged again: exp may have passed
    if not claims["active"] or now >= claims.get("exp", now + 1) or now + 5 < claims.get("nbf", now):
        deny(401, "the token is not active", "invalid_token")
    if PROJECT_ID and not {PROJECT_ID, CLIENT_ID}.intersection(claims.get("aud", [])):
        deny(401, "the token is not meant for this API", "invalid_token")
    if role and not (isinstance(held := claims.get(ROLES), dict) and isinstance(held.get(role), dict) and held[role]):
        deny(401, f"the role {role} is missing", "insufficient_scope", scope="urn:zitadel:iam:org:project:role:" + role)
    return claims  # roles never come from scope: for a PAT, ZITADEL lists roles there that are not granted


def introspect(token: str) -> dict:  # RFC 7662; fails closed: only the JSON boolean true in active is active
    key, now, status = sha256(token.encode()).digest(), time.monotonic(), 503
    asked_at, claims = cache.get(key, (float("-inf"), None))
    if now < asked_at + CACHE_SECONDS:
        return claims
    url, auth = f"{DOMAIN}/oauth/v2/introspect", (quote_plus(CLIENT_ID), quote_plus(CLIENT_SECRET))  # RFC 6749 2.3.1
    try:  # without redirects, which could take the token to another host
        answer = requests.post(url, {"token": token}, auth=auth, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        status = 503 if answer.status_code in {429, *range(500, 600)} or "QUERY-d3fas" in answer.text else 502
        claims = answer.json() if answer.status_code == 200 else None
    except (requests.RequestException, RecursionError) as error:
        answer, claims = error, None
    if not isinstance(claims, dict) or [type(claims.get(k, 0)) for k in ("active", "exp", "nbf")] != [bool, int, int]:
        app.logger.error("no introspection: %s; check ZITADEL_DOMAIN, CLIENT_ID and CLIENT_SECRET", answer)
        g.headers |= {"Retry-After": "1"} if status == 503 else {}
        abort(status, "the token cannot be checked; see this API's log")
    if claims["active"]:  # no other answer is kept, so that garbage cannot push good tokens out
        if len(cache) >= CACHE_SIZE:
            cache.clear()
        cache[key] = (now, claims)  # the age counts from the question: the answer holds no later changes
    return claims


def deny(status: int, description: str, error: str = "", **parameters: str) -> None:  # a challenge: RFC 6750 section 3
    pairs = {"realm": "zdemo"} | ({"error": error} if error else {}) | parameters
    g.error, g.headers["WWW-Authenticate"] = error, "Bearer " + ", ".join(f'{k}="{v}"' for k, v in pairs.items())
    abort(status, description)


@app.errorhandler(HTTPException)
def as_json(error: HTTPException) -> tuple[dict, int, list]:
    name = g.get("error") or error.name.lower().replace(" ", "_")
    body = {"error": name, "error_description": error.description, "request_id": g.headers["X-Request-ID"]}
    return body, error.code, [field for field in error.get_headers() if field[0] == "Allow"]


@app.get("/api/public")
def public() -> dict:
    return {"message": "Public route - You don't need to be authenticated to see this."}


@app.get("/api/private")
def private() -> dict:
    require_token()
    return {"message": "Private route - You need to be authenticated to see this."}


@app.get("/api/private-scoped")
def private_scoped() -> dict:
    require_token(role := "read:messages")
    return {"message": f"Private, scoped route - You need to be authenticated and have the role {role} to see this."}
