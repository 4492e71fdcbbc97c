"""Methods about the whole instance: zitadel.feature.v2.FeatureService and zitadel.settings.v2.SettingsService."""

from zdemo.emulator.api.call import Answer, Call, Service
from zdemo.emulator.api.json_values import moment
from zdemo.emulator.api.messages import Flag
from zdemo.emulator.oidc.discovery import LOCALES

FEATURES = Service("zitadel.feature.v2.FeatureService", "feature")
SETTINGS = Service("zitadel.settings.v2.SettingsService", "settings")
_FLAGS = (
    "loginDefaultOrg",
    "userSchema",
    "oidcTokenExchange",
    "debugOidcParentError",
    "oidcSingleV1SessionTermination",
    "enableBackChannelLogout",
    "permissionCheckV2",
    "consoleUseV2UserApi",
)


def _details(call: Call) -> Answer:
    return {"sequence": "1", "changeDate": moment(call.world.now()), "resourceOwner": call.world.id}


@FEATURES.method("GetInstanceFeatures", inheritance=Flag())
def get_instance_features(call: Call) -> Answer:
    """Show the features, with a source only where the instance set one."""
    features: Answer = {name: {} for name in (*_FLAGS, "improvedPerformance", "loginV2")}
    for name, enabled in call.world.features.items():
        on = {"enabled": True} if enabled else {}
        features[name] = on | {"source": "SOURCE_INSTANCE"}
    return {"details": _details(call), **features}


@FEATURES.guarded("SetInstanceFeatures", "iam.feature.write", **dict.fromkeys(_FLAGS, Flag()))
def set_instance_features(call: Call) -> Answer:
    """Set the features in the request."""
    call.world.features.update(call.body)
    return {"details": _details(call)}


@FEATURES.guarded("ResetInstanceFeatures", "iam.feature.delete")
def reset_instance_features(call: Call) -> Answer:
    """Forget all features that were set."""
    call.world.features.clear()
    return {"details": _details(call)}


@SETTINGS.guarded("GetGeneralSettings", "policy.read")
def get_general_settings(call: Call) -> Answer:
    """Show the languages and the default organization."""
    default = call.world.default_organization
    return {
        **({"defaultOrgId": default.id} if default else {}),
        "defaultLanguage": "en",
        "supportedLanguages": LOCALES,
        "allowedLanguages": LOCALES,
    }
