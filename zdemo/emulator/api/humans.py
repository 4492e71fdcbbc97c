"""The parts of a human that requests have: profile, addresses and password, how they are set, checked and shown."""

import re
import secrets
import string

from zdemo.emulator.api.service import Answer, Call
from zdemo.emulator.api_errors import FailedPrecondition, InvalidArgument
from zdemo.emulator.entities import User

RULES = (  # the default password complexity policy
    (r".{8,}", "Password is too short", "HuJf6"),
    (r"[a-z]", "Password must contain lower case", "co3Xw"),
    (r"[A-Z]", "Password must contain upper case", "VoaRj"),
    (r"[0-9]", "Password must contain number", "ZBv4H"),
    (r"[^0-9a-zA-Z]", "Password must contain symbol", "ZDLwA"),
)


def set_parts(user: User, parts: Answer) -> Answer:
    """Set profile, e-mail address and phone number, and return the codes that the request asks for.

    The display name stays when the other names change (ZITADEL).
    """
    profile, codes = parts.get("profile", {}), {}
    user.human["profile"] = user.human.get("profile", {}) | profile
    user.name = profile.get("displayName", user.name)
    for kind in ("email", "phone"):
        if sent := parts.get(kind):
            held = user.human.get(kind, {})
            same = held.get(kind) == sent.get(kind)
            verified = sent.get("isVerified") or (same and held.get("isVerified"))
            user.human[kind] = {kind: sent.get(kind), "isVerified": verified}
            if "returnCode" in sent and not same:
                codes[f"{kind}Code"] = "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(6))
    return codes


def check_rules(password: str, family: str = "COMMA") -> None:
    """Raise InvalidArgument for a password that breaks a rule; ``family`` begins the ID of the error."""
    for pattern, text, error_id in RULES:
        if not re.search(pattern, password):
            raise InvalidArgument(text, f"{family}-{error_id}")


def set_password(call: Call, user: User, sent: Answer) -> None:
    """Set the password of a request, which keeps the rules."""
    user.password, user.password_changed = sent["password"], call.world.now()
    user.password_change_required = sent.get("changeRequired", False)


def change_password(call: Call, user: User, sent: Answer) -> None:
    """Set another password, for callers who know the current one or have the permission. Raises ZitadelError."""
    if "currentPassword" in sent:
        need_password(user, sent["currentPassword"])
    else:
        call.need("user.write", user.organization_id)
    if "password" not in sent:
        raise InvalidArgument("Password is empty", "COMMAND-3klek4sbns")
    check_rules(sent["password"]["password"], "DOMAIN")
    set_password(call, user, sent["password"])


def need_password(user: User, text: str) -> None:
    """Raise an error unless this is the password of a user who is not locked; wrong ones are counted."""
    if user.state == "LOCKED":
        raise FailedPrecondition("User is locked", "COMMAND-JLK35")
    if user.password is None:
        raise FailedPrecondition("User has not set a password", "COMMAND-3nJ4t")
    if user.password != text:
        user.wrong_passwords += 1
        raise InvalidArgument("Password is invalid", "COMMAND-3M0fs", failed_attempts=user.wrong_passwords)
    user.wrong_passwords = 0


def show_human(user: User) -> Answer:
    """Return the human parts of a user."""
    profile, email, phone = (user.human.get(part, {}) for part in ("profile", "email", "phone"))
    defaults: Answer = {"nickName": "", "preferredLanguage": "und", "gender": "GENDER_UNSPECIFIED"}
    names = {"displayName": user.name, "firstName": profile.get("givenName"), "lastName": profile.get("familyName")}
    return {
        "profile": defaults | profile | names,
        "email": email | {"isEmailVerified": email.get("isVerified")},
        "phone": phone | {"isPhoneVerified": phone.get("isVerified")},
        "passwordChangeRequired": user.password_change_required,
        "passwordChanged": (user.password_changed or user.created) if user.password else None,
    }
