"""Methods about the whole instance and its organizations: zitadel.{org,feature,settings,webkey}.v2."""

from zdemo.emulator.api.fields import NO_TIME, attributes, details
from zdemo.emulator.api.lists import Listing, filters_of
from zdemo.emulator.api.service import Answer, Call, Service
from zdemo.emulator.api_errors import FailedPrecondition, NotFound, existing
from zdemo.emulator.entities import Organization
from zdemo.emulator.oidc import ABILITIES
from zdemo.emulator.signing_keys import activate, add_signing_key, signing_keys

SERVICE = Service("zitadel.org.v2.OrganizationService")
FILTERS = filters_of("nameQuery", "idQuery", domainQuery="primary_domain")


Listing[Organization](
    rows=lambda call: call.world.organizations.values(),
    visible=lambda call, organization: call.may("org.read", organization.id),
    show=lambda _, o: attributes(o) | {"details": details(o, o.id, created=True)},
    filters=FILTERS
    | filters_of(stateQuery=lambda _, row: f"ORGANIZATION_STATE_{row.state}")
    | {"defaultQuery": lambda world, organization, _: organization is world.default_organization},
    counts_all=True,
).serve(SERVICE, "ListOrganizations")


@SERVICE.method("AddOrganization", permission="org.create")
def _add_organization(call: Call) -> Answer:
    organization = call.world.add_organization(call.body["name"], id=call.body.get("organizationId"))
    return {"details": details(organization, organization.id), "organizationId": organization.id}


@SERVICE.method("UpdateOrganization")
def _update_organization(call: Call) -> Answer:
    """Rename an organization; an update that changes nothing is refused."""
    unknown = NotFound("Organisation not found", "ORG-1MRds")
    organization = existing(call.world.organizations.get(call.body["organizationId"]), unknown)
    call.need("org.write", organization.id)
    if organization.name == call.body["name"]:
        raise FailedPrecondition("Organisation not changed", "ORG-4VSdf")
    return {"changeDate": call.world.rename_organization(organization, call.body["name"])}


@SERVICE.method("DeleteOrganization")
def _delete_organization(call: Call) -> Answer:
    """Delete an organization with all that it owns; an unknown one is answered with no time."""
    organization = call.world.organizations.get(call.body["organizationId"])
    if organization is None:
        return {"deletionDate": NO_TIME}
    call.need("org.delete", organization.id)
    call.world.remove_organization(organization)
    return {"deletionDate": call.world.now()}


# --- the instance's features and settings ---

FEATURES = Service("zitadel.feature.v2.FeatureService")
SETTINGS = Service("zitadel.settings.v2.SettingsService")
FLAGS: tuple[str, ...] = ("loginDefaultOrg", "userSchema", "debugOidcParentError", "oidcSingleV1SessionTermination")
FLAGS += ("permissionCheckV2", "consoleUseV2UserApi")


def _instance_details(call: Call) -> Answer:
    return {"sequence": 1, "changeDate": call.world.now(), "resourceOwner": call.world.id}


@FEATURES.method("GetInstanceFeatures")
def _get_instance_features(call: Call) -> Answer:
    """Show the features, with a source only where the instance set one."""
    features: Answer = {name: {} for name in (*FLAGS, "improvedPerformance", "loginV2")}
    for name, enabled in call.world.features.items():
        features[name] = ({"enabled": True} if enabled else {}) | {"source": "SOURCE_INSTANCE"}
    return {"details": _instance_details(call), **features}


@FEATURES.method("SetInstanceFeatures", permission="iam.feature.write")
def _set_instance_features(call: Call) -> Answer:
    call.world.features.update({name: on for name, on in call.body.items() if name in FLAGS})
    return {"details": _instance_details(call)}


@SETTINGS.method("GetGeneralSettings", permission="policy.read")
def _get_general_settings(call: Call) -> Answer:
    default = call.world.default_organization
    return {
        **({"defaultOrgId": default.id} if default else {}),
        "defaultLanguage": "en",
        **dict.fromkeys(("supportedLanguages", "allowedLanguages"), ABILITIES["ui_locales_supported"]),
    }


@SETTINGS.method("SetSecuritySettings", permission="iam.policy.write")
def _set_security_settings(call: Call) -> Answer:
    """Set whether actors can impersonate users; an update that changes nothing is refused."""
    settings: Answer = {name: on for name, on in call.body.items() if on}
    if settings == call.world.security:
        raise FailedPrecondition("No changes", "POLICY-EWsf3")
    call.world.security = settings
    return {"details": _instance_details(call)}


# --- the keys that sign JWTs, each of the size that is the default of its kind ---

WEB_KEYS = Service("zitadel.webkey.v2.WebKeyService")
KEY_KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "rsa": ("RS256", {"bits": "RSA_BITS_2048", "hasher": "RSA_HASHER_SHA256"}),
    "ecdsa": ("ES256", {"curve": "ECDSA_CURVE_P256"}),
    "ed25519": ("EdDSA", {}),
}


@WEB_KEYS.method("CreateWebKey", permission="iam.web_key.write")
def _create_web_key(call: Call) -> Answer:
    """Publish a new key, which does not sign yet."""
    key = add_signing_key(call.world, KEY_KINDS[next(iter(call.body), "rsa")][0])
    return {"id": key.id, "creationDate": key.created}


@WEB_KEYS.method("ListWebKeys", permission="iam.web_key.read")
def _list_web_keys(call: Call) -> Answer:
    by_algorithm = {algorithm: {kind: words} for kind, (algorithm, words) in KEY_KINDS.items()}
    keys = list(signing_keys(call.world).values())
    states = ["ACTIVE", *("INITIAL" if key.sequence == 1 else "INACTIVE" for key in keys[1:])]
    rows = [{**attributes(k), **by_algorithm[k.algorithm]} for k in keys]
    return {"webKeys": [row | {"state": state} for row, state in zip(rows, states, strict=True)]}


@WEB_KEYS.method("ActivateWebKey", permission="iam.web_key.write")
def _activate_web_key(call: Call) -> Answer:
    key = existing(signing_keys(call.world).get(call.body["id"]), NotFound("Web key not found", "COMMAND-teiG3"))
    return {"changeDate": activate(call.world, key)}


@WEB_KEYS.method("DeleteWebKey", permission="iam.web_key.delete")
def _delete_web_key(call: Call) -> Answer:
    """Remove a key, whose JWTs end, or answer with the date of its removal; for an unknown one the answer is empty."""
    world, id = call.world, call.body["id"]
    if id == next(iter(signing_keys(world))):
        raise FailedPrecondition("Cannot delete active web key", "COMMAND-Chai1")
    if world.signing_keys.pop(id, None):
        world.removed[id] = world.now()
    return {"deletionDate": world.removed.get(id)}
