"""What concerns the whole instance: zitadel.feature.v2.FeatureService and zitadel.settings.v2.SettingsService."""

from zdemo.emulator.api.call import Answer, Call, Service
from zdemo.emulator.api.kinds import Flag
from zdemo.emulator.api.schema import Message
from zdemo.emulator.api.values import moment

FEATURES = Service("zitadel.feature.v2.FeatureService", "feature")
SETTINGS = Service("zitadel.settings.v2.SettingsService", "settings")
LANGUAGES = [
    "bg",
    "cs",
    "de",
    "en",
    "es",
    "fr",
    "hu",
    "id",
    "it",
    "ja",
    "ko",
    "mk",
    "nl",
    "pl",
    "pt",
    "ro",
    "ru",
    "sv",
    "tr",
    "uk",
    "zh",
]
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


@FEATURES.method(Message("GetInstanceFeaturesRequest", inheritance=Flag()))
def get_instance_features(call: Call) -> Answer:
    """Who set a feature shows only where the instance did."""
    features: Answer = {name: {} for name in (*_FLAGS, "improvedPerformance", "loginV2")}
    for name, enabled in call.world.features.items():
        on = {"enabled": True} if enabled else {}
        features[name] = on | {"source": "SOURCE_INSTANCE"}
    return {"details": _details(call), **features}


@FEATURES.method(Message("SetInstanceFeaturesRequest", **dict.fromkeys(_FLAGS, Flag())), permission="iam.feature.write")
def set_instance_features(call: Call) -> Answer:
    """What is absent stays."""
    call.world.features.update(call.body)
    return {"details": _details(call)}


@FEATURES.method(Message("ResetInstanceFeaturesRequest"), permission="iam.feature.delete")
def reset_instance_features(call: Call) -> Answer:
    """All as it was at first."""
    call.world.features.clear()
    return {"details": _details(call)}


@SETTINGS.method(Message("GetGeneralSettingsRequest"), permission="policy.read")
def get_general_settings(call: Call) -> Answer:
    """Languages, and the organization of users who name none."""
    default = call.world.default_organization
    return {
        **({"defaultOrgId": default.id} if default else {}),
        "defaultLanguage": "en",
        "supportedLanguages": LANGUAGES,
        "allowedLanguages": LANGUAGES,
    }
