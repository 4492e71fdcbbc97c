"""zitadel.user.v2.UserService: secrets, keys and personal access tokens, which users can manage for themselves."""

from contextlib import suppress
from functools import partial

from zdemo.emulator.api.applications import check_expiry
from zdemo.emulator.api.lists import Listing, filters_of, row_of
from zdemo.emulator.api.service import Answer, Call
from zdemo.emulator.api.users import SERVICE, permitted_user, sees
from zdemo.emulator.api_errors import FailedPrecondition, InvalidArgument, NotFound, ZitadelError, existing
from zdemo.emulator.entities import PersonalAccessToken, PublicKey, User
from zdemo.emulator.token_texts import key_file, new_key_pair, new_secret


def _user(call: Call, unknown: ZitadelError) -> User:
    return permitted_user(call, "user.write", unknown, self_service=True)


def _service_user(call: Call, *refusal: str) -> User:
    user = _user(call, FailedPrecondition(*refusal))
    if not user.machine:
        raise FailedPrecondition(*refusal)
    return user


@SERVICE.method("AddSecret")
def _add_secret(call: Call) -> Answer:
    user = _service_user(call, "Errors.User.NotExisting", "COMMAND-x8910n")
    user.secret = new_secret()
    return {"creationDate": call.world.touch(user), "clientSecret": user.secret}


@SERVICE.method("RemoveSecret")
def _remove_secret(call: Call) -> Answer:
    """Remove the secret, and with it client_credentials."""
    user = _service_user(call, "Errors.User.NotExisting", "COMMAND-x7s802")
    if user.secret is None:
        raise FailedPrecondition("Secret doesn't exist", "COMMAND-coi82n")
    user.secret = None
    return {"deletionDate": call.world.touch(user)}


@SERVICE.method("AddKey")
def _add_key(call: Call) -> Answer:
    """Create a key pair and show it once as a key file, or add the public key of the request."""
    given = _pem(call.body["publicKey"]) if call.body.get("publicKey") else ""
    expires = check_expiry(call)
    user = _service_user(call, "User could not be found", "COMMAND-bnipwm1")
    private, public = ("", given) if given else new_key_pair()
    key = call.world.add_key(user, public, expires)
    content = key_file(user, key, private).encode() if private else b""
    return {"creationDate": key.created, "keyId": key.id, "keyContent": content}


def _pem(content: bytes) -> str:
    """Return a public key as ZITADEL takes it; of those, only RSA and P-256 can be used."""
    from cryptography.exceptions import UnsupportedAlgorithm  # here, since few worlds need a key
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    with suppress(ValueError, UnsupportedAlgorithm):
        load_pem_public_key(content)
        if b"BEGIN PUBLIC KEY" in content:
            return content.decode()
    raise InvalidArgument("Public key is not a valid RSA public key in PKIX format with PEM encoding", "COMMAND-5F3h1")


@SERVICE.method("RemoveKey")
def _remove_key(call: Call) -> Answer:
    """Remove a key; assertions that it signed are refused from now on."""
    unknown = NotFound("Machine key not found", "COMMAND-4m77G")
    existing(_user(call, unknown).keys.pop(call.body["keyId"], None), unknown)
    return {"deletionDate": call.world.now()}


@SERVICE.method("AddPersonalAccessToken")
def _add_personal_access_token(call: Call) -> Answer:
    expires = check_expiry(call)
    user = _user(call, FailedPrecondition("User could not be found", "COMMAND-Dggw2"))
    if not user.machine:
        raise FailedPrecondition("Not allowed for this user type", "COMMAND-Df2f1")
    pat = call.world.add_pat(user, expires, by=call.caller.id)
    return {"creationDate": pat.created, "tokenId": pat.id, "token": pat.token}


@SERVICE.method("RemovePersonalAccessToken")
def _remove_personal_access_token(call: Call) -> Answer:
    unknown = NotFound("Personal Access Token not found", "COMMAND-4m77G")
    user = _user(call, unknown)
    existing(user.pats.get(call.body["tokenId"]), unknown)
    call.world.remove_pat(user, call.body["tokenId"], by=call.caller.id)
    return {"deletionDate": call.world.now()}


def _rows(attribute: str, call: Call) -> list[PublicKey | PersonalAccessToken]:
    return [row for user in call.world.users.values() for row in getattr(user, attribute).values()]


for attribute, names, by_id in (("keys", "Keys", "keyIdFilter"), ("pats", "PersonalAccessTokens", "tokenIdFilter")):
    Listing(
        rows=partial(_rows, attribute),
        visible=lambda call, row: sees(call, call.world.users[row.user_id]),
        show=row_of(organizationId="organization_id", expirationDate="expires"),
        filters=filters_of(
            *("userIdFilter", "organizationIdFilter", "createdDateFilter", "expirationDateFilter"), **{by_id: "id"}
        ),
    ).serve(SERVICE, f"List{names}")
