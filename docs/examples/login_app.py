"""A Flask app that logs people in at ZITADEL, and calls an API with their token.

flask --app login_app run --port 3000    # in a folder with a .env, see zdemo init
"""

import os

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session, url_for

API = os.environ.get("ZDEMO_API_URL", "http://127.0.0.1:5000")
ISSUER = os.environ["ZITADEL_DOMAIN"]

app = Flask(__name__)
app.secret_key = os.urandom(32)  # each start logs everybody out
zitadel = OAuth(app).register(
    "zitadel",
    client_id=os.environ["ZDEMO_APP_CLIENT_ID"],
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={
        "scope": "openid profile",
        "code_challenge_method": "S256",
        "token_endpoint_auth_method": "none",
    },
)


@app.get("/")
def home():
    if "token" not in session:
        return redirect(url_for("login"))
    answer = zitadel.get(f"{API}/api/private-scoped", token=session["token"])
    return {"name": session["name"], "status": answer.status_code, "api": answer.json()}


@app.get("/login")
def login():
    return zitadel.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    token = zitadel.authorize_access_token()  # checks state, PKCE, nonce and the ID token
    session["name"] = zitadel.userinfo(token=token)["name"]  # ID tokens have no name by default
    session["token"] = {"access_token": token["access_token"], "token_type": "Bearer"}
    return redirect(url_for("home"))
