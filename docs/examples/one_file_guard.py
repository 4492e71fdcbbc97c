"""A Flask API that checks ZITADEL access tokens, to copy: flask --app one_file_guard run"""

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from hashlib import sha256
from urllib.parse import quote_plus

import requests
from flask import Flask, abort, g, request
from werkzeug.exceptions import HTTPException

URL = os.environ["ZITADEL_DOMAIN"] + "/oauth/v2/introspect"  # RFC 7662
CLIENT_ID = os.environ["CLIENT_ID"]
AUTH = quote_plus(CLIENT_ID), quote_plus(os.environ["CLIENT_SECRET"])  # RFC 6749 section 2.3.1
PROJECT_ID = os.environ.get("ZITADEL_PROJECT_ID")  # if set, tokens must be meant for this project
CACHE_SECONDS = float(os.environ.get("ZDEMO_CACHE_TTL", "5"))  # a removed role passes for so long
TIMEOUT = float(os.environ.get("ZDEMO_TIMEOUT", "5"))  # seconds for all of a question to ZITADEL
OPEN_ROUTES = {"/api/public"}  # every other route needs a token
PROJECT = "urn:zitadel:iam:org:project"
ROLES_CLAIM = f"{PROJECT}:{PROJECT_ID}:roles" if PROJECT_ID else f"{PROJECT}:roles"
BEARER = re.compile(r"bearer +([a-z0-9._~+/-]+=*) *", re.IGNORECASE)
OTHER_SCHEME = re.compile(r"(?!bearer\b)[!-~][\t -~]*", re.IGNORECASE)  # such as Basic
cache = {}  # from the SHA-256 of a token to the time of the question, and the claims
zitadel_threads = ThreadPoolExecutor(max_workers=64)  # questions to ZITADEL at the same time


class GuardedFlask(Flask):
    def preprocess_request(self):  # Flask calls it before any function of the app
        g.claims = {}
        g.headers = {"X-Request-ID": os.urandom(8).hex()}
        if request.routing_exception:  # there is no such route, or it does not have this method
            raise request.routing_exception
        if request.method == "OPTIONS":  # browsers send no token with a preflight
            return self.make_default_options_response()
        if request.path not in OPEN_ROUTES:
            g.headers |= {"Cache-Control": "no-store", "Vary": "Authorization"}
            g.claims = check_token()
        return super().preprocess_request()

    def process_response(self, response):
        response.headers.update(g.headers)
        return super().process_response(response)


app = GuardedFlask(__name__, static_folder=None)
app.url_map.merge_slashes = False  # //path is not /path
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024  # bytes of a form


def check_token():  # returns its claims, or refuses the request
    header = request.headers.get("Authorization", "none")  # servers join two with a comma
    if all(OTHER_SCHEME.fullmatch(part.strip()) for part in header.split(",")):
        deny(401, "send the header Authorization: Bearer TOKEN")
    match = BEARER.fullmatch(header)
    is_sent_twice = match and ("access_token" in request.args or "access_token" in request.form)
    if not match or is_sent_twice or len(match[1]) > 16 * 1024:
        deny(400, "send one token, in one Authorization header only", error="invalid_request")
    claims = introspect(match[1])  # from the cache, if possible: the token may have expired since
    is_current = claims.get("nbf", 0) - 5 <= time.time() < claims.get("exp", float("inf"))
    audience = claims.get("aud", [])
    is_for_us = not PROJECT_ID or PROJECT_ID in audience or CLIENT_ID in audience
    if not claims["active"] or not is_current or not is_for_us:
        deny(401, "the token is not active, or not for this API", error="invalid_token")
    return claims


def introspect(token):
    key = sha256(token.encode()).digest()
    asked_at, claims = cache.get(key, (0, None))
    now = time.monotonic()
    if claims and now < asked_at + CACHE_SECONDS:
        return claims
    question = zitadel_threads.submit(ask_zitadel, token)
    status = 503
    try:
        status, body = question.result(TIMEOUT)
        claims = read_claims(status, body)
    except Exception as error:  # whatever it is, the token is not known to be active
        question.cancel()  # if it still waits for a thread
        app.logger.error("%s %s: check ZITADEL_DOMAIN and CLIENT_SECRET", type(error), error)
        if status in (429, 500, 502, 503, 504):
            abort(503, "ZITADEL is not available; see this API's log", retry_after=1)
        abort(502, "the token cannot be checked; see this API's log")
    if claims["active"]:  # garbage must not push good tokens out of the cache
        if len(cache) >= 10_000:
            cache.clear()
        cache[key] = now, claims
    return claims


def ask_zitadel(token):
    end = time.monotonic() + TIMEOUT
    options = {"stream": True, "allow_redirects": False, "headers": {"Accept-Encoding": "identity"}}
    with requests.post(URL, {"token": token}, auth=AUTH, timeout=TIMEOUT, **options) as answer:
        body = b""
        while len(body) < 1024 * 1024 and (part := answer.raw.read1(4096)):
            body += part
            if time.monotonic() > end:
                raise TimeoutError("the answer came too slowly")
    return 503 if b"QUERY-d3fas" in body else answer.status_code, body  # its database is down


def read_claims(status, body):
    if status != 200:
        raise ValueError(f"ZITADEL answered with status {status}")
    claims = json.loads(body, object_pairs_hook=unique_names)
    if type(claims["active"]) is not bool or type(claims.get("aud", [])) is not list:
        raise ValueError("active is not true or false, or aud is not a list")
    if type(claims.get("exp", 0)) is not int or type(claims.get("nbf", 0)) is not int:
        raise ValueError("exp or nbf is not a whole number")
    return claims


def unique_names(members):  # an object in JSON that has one name twice is ambiguous
    if len(dict(members)) < len(members):
        raise ValueError("a name occurs twice")
    return dict(members)


def requires_token(role):  # a decorator, below the route
    def decorator(view):
        @wraps(view)
        def guarded_view(**values):
            roles = g.claims.get(ROLES_CLAIM)  # the claim scope names roles without a grant, too
            grants = roles.get(role) if isinstance(roles, dict) else None
            domains = grants if isinstance(grants, dict) else {}  # by the ID of the organization
            if not domains or not all(key and isinstance(domains[key], str) for key in domains):
                scope = f"{PROJECT}:role:{role}"
                deny(401, f"the role {role} is missing", error="insufficient_scope", scope=scope)
            return view(**values)

        return guarded_view

    return decorator


def deny(status, description, **parameters):  # with a challenge (RFC 6750 section 3)
    challenge = [f'{name}="{value}"' for name, value in parameters.items()]
    g.headers["WWW-Authenticate"] = "Bearer " + ", ".join(['realm="zdemo"', *challenge])
    g.error = parameters.get("error")
    abort(status, description)


@app.errorhandler(HTTPException)
def as_json(error):
    word = g.get("error") or error.name.lower().replace(" ", "_")
    request_id = g.headers["X-Request-ID"]
    body = {"error": word, "error_description": error.description, "request_id": request_id}
    return body, error.code, dict(error.get_headers()) | {"Content-Type": "application/json"}


@app.get("/api/public")
def public():
    return {"message": "Public route - You don't need to be authenticated to see this."}


@app.get("/api/private")
def private():
    return {"message": "Private route - You need to be authenticated to see this."}


@app.get("/api/private-scoped")
@requires_token(role="read:messages")
def private_scoped():
    message = "You need to be authenticated and have the role read:messages to see this."
    return {"message": f"Private, scoped route - {message}"}
