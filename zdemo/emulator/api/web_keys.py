"""zitadel.webkey.v2.WebKeyService: the keys that sign JWTs, each of the size that is the default of its kind."""

from typing import Any

from zdemo.emulator.api import fields as t
from zdemo.emulator.api.service import Answer, Call, Service
from zdemo.emulator.api_errors import FailedPrecondition, NotFound, existing
from zdemo.emulator.signing_keys import activate, add_signing_key, signing_keys

SERVICE = Service("zitadel.webkey.v2.WebKeyService")
KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "rsa": ("RS256", {"bits": "RSA_BITS_2048", "hasher": "RSA_HASHER_SHA256"}),
    "ecdsa": ("ES256", {"curve": "ECDSA_CURVE_P256"}),
    "ed25519": ("EdDSA", {}),
}
_CHOICE: dict[str, Any] = dict.fromkeys(KINDS, t.Sub(t.Message("Key")))


@SERVICE.method("CreateWebKey", t.OneOf("Key", tuple(KINDS)), permission="iam.web_key.write", **_CHOICE)
def _create_web_key(call: Call) -> Answer:
    """Publish a new key, which does not sign yet."""
    key = add_signing_key(call.world, KINDS[next(iter(call.body), "rsa")][0])
    return {"id": key.id, "creationDate": t.moment(key.created)}


@SERVICE.method("ListWebKeys", permission="iam.web_key.read")
def _list_web_keys(call: Call) -> Answer:
    by_algorithm = {algorithm: {kind: words} for kind, (algorithm, words) in KINDS.items()}
    keys = list(signing_keys(call.world).values())
    states = ["ACTIVE", *("INITIAL" if key.sequence == 1 else "INACTIVE" for key in keys[1:])]
    rows = [{"id": k.id, **t.dates(k), **by_algorithm[k.algorithm]} for k in keys]
    return {"webKeys": [row | {"state": f"STATE_{state}"} for row, state in zip(rows, states, strict=True)]}


@SERVICE.method("ActivateWebKey", permission="iam.web_key.write", id=t.ID)
def _activate_web_key(call: Call) -> Answer:
    unknown = NotFound("Web key not found", "COMMAND-teiG3")
    key = existing(signing_keys(call.world).get(call.body["id"]), unknown)
    return {"changeDate": t.moment(activate(call.world, key))}


@SERVICE.method("DeleteWebKey", permission="iam.web_key.delete", id=t.ID)
def _delete_web_key(call: Call) -> Answer:
    """Remove a key, whose JWTs end, or answer with the date of its removal; for an unknown one the answer is empty."""
    world, id = call.world, call.body["id"]
    if id == next(iter(signing_keys(world))):
        raise FailedPrecondition("Cannot delete active web key", "COMMAND-Chai1")
    if world.signing_keys.pop(id, None):
        world.removed[id] = world.now()
    return {"deletionDate": t.moment(world.removed[id])} if id in world.removed else {}
