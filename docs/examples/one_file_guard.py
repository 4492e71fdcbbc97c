"""A Flask API that checks ZITADEL access tokens by introspection: one file to copy. flask --app one_file_guard run"""

import os
import re
import time
from hashlib import sha256
from urllib.parse import quote_plus

from flask import Flask, abort, g, request
from requests import RequestException, post
from werkzeug.exceptions import HTTPException

DOMAIN, CLIENT_ID, CLIENT_SECRET = (os.environ[name] for name in ("ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET"))
AUTH = (quote_plus(CLIENT_ID), quote_plus(CLIENT_SECRET))  # form-encoded before Basic (RFC 6749 section 2.3.1)
PROJECT_ID = os.environ.get("ZITADEL_PROJECT_ID")  # if set, tokens must be meant for this project or application
ROLE, PROJECT = "read:messages", "urn:zitadel:iam:org:project"
ROLES = f"{PROJECT}:{PROJECT_ID}:roles" if PROJECT_ID else f"{PROJECT}:roles"  # the name of the roles claim
CACHE_SECONDS = float(os.environ.get("ZDEMO_CACHE_TTL", "5"))  # how long a deleted token or removed role still passes
app = Flask(__name__)
app.url_map.merge_slashes = False  # //path is not /path
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024 + 1  # one too many: werkzeug cuts chunked bodies without an error
app.after_request(lambda response: response.headers.update(g.headers) or response)  # refusals get g.headers too
cache: dict[bytes, tuple[float, dict]] = {}  # SHA-256 of a token: when ZITADEL was asked, and the claims


@app.before_request
def begin() -> None:
    g.headers = {"X-Request-ID": os.urandom(8).hex()}
    body = request.get_data() if "Transfer-Encoding" in request.headers else b""  # a proxy must limit its time
    if max(len(body), request.content_length or 0) >= app.config["MAX_CONTENT_LENGTH"]:
        abort(413)


def require_token(role: str = "") -> None:  # ends the request with a refusal, or puts the claims into g.claims
    g.headers.update({"Cache-Control": "no-store", "Vary": "Authorization"})  # the response depends on the caller
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
    roles = claims.get(ROLES)  # never take roles from scope: for a PAT, ZITADEL lists some there that are not granted
    if role and not (isinstance(roles, dict) and isinstance(roles.get(role), dict) and roles[role]):
        deny(401, f"the role {role} is missing", error="insufficient_scope", scope=f"{PROJECT}:role:{role}")


def introspect(token: str) -> dict:  # RFC 7662; only the JSON boolean true in active is active
    key, now, status = sha256(token.encode()).digest(), time.monotonic(), 503
    if (entry := cache.get(key)) and now < entry[0] + CACHE_SECONDS:
        return entry[1]
    try:  # without redirects, which could take the token to another host
        answer = post(f"{DOMAIN}/oauth/v2/introspect", {"token": token}, auth=AUTH, timeout=5, allow_redirects=False)
        status = 503 if answer.status_code in (429, 500, 502, 503, 504) or "QUERY-d3fas" in answer.text else 502
        claims = answer.json() if answer.status_code == 200 else None
    except (RequestException, RecursionError, ValueError) as error:  # ValueError: headers or JSON that are broken
        answer, claims = error, None
    is_valid = isinstance(claims, dict) and type(claims.get("active")) is bool and type(claims.get("aud", [])) is list
    if not is_valid or type(claims.get("exp", 0)) is not int or type(claims.get("nbf", 0)) is not int:
        g.headers |= {"Retry-After": "1"} if status == 503 else {}
        app.logger.error("no introspection: %s; check ZITADEL_DOMAIN, CLIENT_ID and CLIENT_SECRET", answer)
        abort(status, "the token cannot be checked; see this API's log")  # QUERY-d3fas: ZITADEL has no database now
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
    require_token(ROLE)
    return {"message": f"Private, scoped route - You need to be authenticated and have the role {ROLE} to see this."}
