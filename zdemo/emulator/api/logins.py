"""For login pages of one's own: zitadel.session.v2.SessionService and zitadel.oidc.v2.OIDCService."""

from zdemo.emulator import sessions
from zdemo.emulator.api import lists
from zdemo.emulator.api.fields import attributes, details
from zdemo.emulator.api.humans import need_password
from zdemo.emulator.api.service import Answer, Call, Service
from zdemo.emulator.api.users import unknown_user
from zdemo.emulator.api_errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, existing
from zdemo.emulator.entities import NEVER, LoginSession, User
from zdemo.emulator.incoming.reasons import Why
from zdemo.emulator.token_texts import PAT_KEY_NAME, canonical, sealed
from zdemo.emulator.world import World

SERVICE = Service("zitadel.session.v2.SessionService")


@SERVICE.method("CreateSession")
@SERVICE.method("SetSession")
def _set_session(call: Call) -> Answer:
    """Begin a session with the checks of the request, even none, or change one, which gives it a new token.

    An unknown one is created (ZITADEL). The user can be a service account.
    """
    user, id = _user_to_check(call), call.body.get("sessionId")
    held = call.world.login_sessions.get(id or "")
    call.need("session.write", _owner(call.world, held))
    session = held or LoginSession(id=id or call.world.new_id(), created=call.world.now(), creator=call.caller.id)
    _active(call.world, session)
    if not _apply(call, session, user) and id:
        return {"details": details(session, call.world.id)}
    if held is None:
        session.user_agent = call.body.get("userAgent", {})
        sessions.keep_session(call.world, session)
    if id:
        call.world.touch(session)
    token = sessions.new_session_token(call.world, session)
    return {"details": details(session, call.world.id), "sessionId": session.id, "sessionToken": token}


def _user_to_check(call: Call) -> User | None:
    """Return the user whom the request names, who is active. Raises ZitadelError."""
    checks = call.body.get("checks", {})
    if checks.keys() - {"user", "password"} or "challenges" in call.body:
        raise FailedPrecondition("the zdemo emulator checks users and passwords only")
    if "user" not in checks:
        return None
    asked = checks["user"]
    user = call.world.users.get(asked.get("userId", "")) or call.world.user_named(asked.get("loginName", ""))
    user = existing(user, unknown_user())
    if user.state != "ACTIVE":
        raise FailedPrecondition("Errors.User.NotActive", "SESSION-Gj4ko")
    return user


def _apply(call: Call, session: LoginSession, user: User | None) -> bool:
    """Do the checks, then set what the request has; return whether there was anything. Raises ZitadelError."""
    body, now = call.body, call.world.now()
    password = body.get("checks", {}).get("password")
    if user and session.user_id not in ("", user.id):
        raise InvalidArgument("user change not possible", "")
    if password:
        unknown = FailedPrecondition("User ID missing", "COMMAND-Sfw3f")
        need_password(existing(user or call.world.users.get(session.user_id), unknown), password["password"])
    metadata = {name: value for name, value in (session.metadata | body.get("metadata", {})).items() if value}
    changed = bool(user or password or "lifetime" in body or metadata != session.metadata)
    session.metadata = metadata
    if user:
        session.user_id, session.user_checked = user.id, now
    if password:
        session.password_checked = now
    if "lifetime" in body:
        session.expires = now + body["lifetime"]
    return changed


def _owner(world: World, session: LoginSession | None) -> str:
    """Return the organization whose administrators have permissions for a session, or the ID of the instance."""
    user = world.users.get(session.user_id) if session else None
    return user.organization_id if user else world.id


def _active(world: World, session: LoginSession | None) -> LoginSession:
    """Return a session that has not ended. Raises FailedPrecondition."""
    session = existing(session, FailedPrecondition("Session does not exist", "COMMAND-Flk38"))
    if session.ended:
        raise FailedPrecondition("Session already terminated", "COMMAND-Hewfq")
    if session.expires <= world.now():
        raise FailedPrecondition("Session has expired", "COMMAND-Hkl3d")
    return session


def _need_token(session: LoginSession | None, token: str, *refusal: str) -> None:
    """Refuse every token but the session's own. Raises PermissionDenied."""
    if session is None or canonical(session.token) != canonical(token):
        raise PermissionDenied(*(refusal or ("Session Token is invalid", "COMMAND-sGr42")))


@SERVICE.method("DeleteSession")
def _delete_session(call: Call) -> Answer:
    """End a session. The user's own, or one whose token is sent, needs no permission; an unknown one is accepted."""
    session = call.world.login_sessions.get(call.body["sessionId"])
    if token := call.body.get("sessionToken"):
        _need_token(session, token)
    elif session is None or session.user_id != call.caller.id:
        call.need("session.delete", _owner(call.world, session))
    if session is None:
        return {"details": {"resourceOwner": call.world.id}}
    if not session.ended:
        sessions.end_session(call.world, session, Why.SESSION_DELETED)
    return {"details": details(session, call.world.id)}


def _show(world: World, session: LoginSession) -> Answer:
    user = world.users.get(session.user_id)
    factors = None
    if user and session.user_checked:
        factor = {"verifiedAt": session.user_checked, "id": user.id, "loginName": user.username}
        factor |= {"displayName": "" if user.machine else user.name, "organizationId": user.organization_id}
        factors = {"user": factor, "password": session.password_checked and {"verifiedAt": session.password_checked}}
    return {
        **attributes(session),
        "factors": factors,
        "metadata": session.metadata or None,
        "userAgent": session.user_agent or None,
        "expirationDate": session.expires if session.expires != NEVER else None,
    }


def _sees(call: Call, session: LoginSession) -> bool:
    return call.caller.id in (session.creator, session.user_id) or call.may("session.read", _owner(call.world, session))


@SERVICE.method("GetSession")
def _get_session(call: Call) -> Answer:
    """Show a session to its user, its creator, and callers who have its token or the permission."""
    session = call.world.login_sessions.get(call.body["sessionId"])
    if session is None or session.ended:
        raise NotFound("Session does not exist", "QUERY-SFeaa")
    if token := call.body.get("sessionToken"):
        _need_token(session, token, "Errors.PermissionDenied", "QUERY-dsfr3")
    elif not _sees(call, session):
        call.need("session.read", _owner(call.world, session))
    return {"session": _show(call.world, session)}


lists.Listing[LoginSession](
    rows=lambda call: [session for session in call.world.login_sessions.values() if not session.ended],
    visible=_sees,
    show=_show,
    filters=lists.filters_of("userIdQuery", "creatorQuery", idsQuery="id"),
    counts_all=True,
).serve(SERVICE, "ListSessions")


# --- the requests of applications and devices ---

OIDC = Service("zitadel.oidc.v2.OIDCService")
_OTHER_WORDS = {"unspecified": "server_error", "temporary_unavailable": "temporarily_unavailable"}  # of OAuth
_PROMPTS = ("none", "login", "consent", "select_account", "create")


def _session(call: Call) -> LoginSession:
    """Return the session of the request, which has its token. Raises ZitadelError."""
    given = call.body["session"]
    session = _active(call.world, call.world.login_sessions.get(given["sessionId"]))
    _need_token(session, given["sessionToken"])
    return session


@OIDC.method("GetAuthRequest")
def _get_auth_request(call: Call) -> Answer:
    """Show what an application asked for, until it has its answer."""
    request = call.world.auth_requests.get(call.body["authRequestId"])
    if request is None or not request.id.startswith("V2_") or (request.answered and not request.code):
        raise NotFound("Auth Request does not exist", "QUERY-Thee9")
    call.need("session.read", call.world.id)
    answer = {
        **attributes(request),
        "scope": request.scopes,
        "prompt": [f"PROMPT_{word.upper()}" for word in request.prompt.split() if word in _PROMPTS],
        "uiLocales": request.ui_locales.split(),
        "loginHint": request.login_hint or None,
    }
    return {"authRequest": answer}


@OIDC.method("CreateCallback")
def _create_callback(call: Call) -> Answer:
    """Answer the request of an application once, with a code for the person of a session or with an error."""
    request, error = call.world.auth_requests.get(call.body["authRequestId"]), call.body.get("error")
    if request is None and error is None:
        raise NotFound("Auth Request does not exist", "COMMAND-jae5P")
    if request is None or request.answered:
        error_id = "COMMAND-Sx208nt" if error is None else "COMMAND-Sx202nt"
        raise FailedPrecondition("Auth Request has already been handled", error_id)
    call.need("session.link", call.world.id)
    if error is None:
        session = _session(call)
        user = call.world.users.get(session.user_id)
        if user and (refusal := sessions.refusal(call.world, request, user)):
            raise PermissionDenied(refusal, "OIDC-foSyH49RvL")
        url = sessions.callback_with_code(call.world, request, session)
    else:
        word = error.get("error", "ERROR_REASON_UNSPECIFIED").removeprefix("ERROR_REASON_").lower()
        word, description = _OTHER_WORDS.get(word, word), error.get("errorDescription", "")
        url = sessions.callback_with_error(call.world, request, word, description)
    return {"details": details(request, call.world.id), "callbackUrl": url}


_NO_DEVICE = "Device Authorization Request does not exist"


@OIDC.method("GetDeviceAuthorizationRequest")
def _get_device_authorization_request(call: Call) -> Answer:
    """Show the request of a device, found by the code that the person types; its ID is another text each time."""
    request = existing(sessions.waiting_device(call.world, call.body["userCode"]), NotFound(_NO_DEVICE, "QUERY-Sah9a"))
    request.id = sealed(request.code, PAT_KEY_NAME)
    answer: Answer = {"id": request.id, "clientId": request.client_id, "scope": request.scopes}
    if application := call.world.application_of(request.client_id):
        answer |= {"appName": application.name, "projectName": call.world.projects[application.project_id].name}
    return {"deviceAuthorizationRequest": answer}


@OIDC.method("AuthorizeOrDenyDeviceAuthorization")
def _decide_device_authorization(call: Call) -> Answer:
    """Admit a device for the person of a session, or refuse it."""
    id, denied = call.body["deviceAuthorizationId"], "deny" in call.body
    request = next((r for r in call.world.device_requests.values() if r.id == id), None)
    request = existing(request, NotFound(_NO_DEVICE, "COMMAND-gee5A" if denied else "COMMAND-D2hf2"))
    if not denied and request.answered:
        raise FailedPrecondition("Device Authorization Request has already been handled", "COMMAND-D30Jf")
    call.need("session.link", call.world.id)
    sessions.decide(call.world, request, None if denied else _session(call))
    return {}
