"""zitadel.management.v1.ManagementService: the methods that v2 has too, by ``methods.txt``.

Each line has the name of a method, its kind of object, and the method of v2 that does the work; for a list, where its
rows are. Then come the filters of a list with the values that they compare, or the name of the time in an answer
(``date``) and errors: for an object that is ``unknown``, or in another organization (``elsewhere``), and for an update
that leaves it ``unchanged``. All other errors are v2's.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from zdemo.emulator.api.fields import details, message_of
from zdemo.emulator.api.lists import Listing, filters_of, value_of
from zdemo.emulator.api.service import Answer, Call, Refusal, Service
from zdemo.emulator.api.v1 import kinds
from zdemo.emulator.api.v1.kinds import APPLICATION, Kind, in_v1
from zdemo.emulator.api_errors import FailedPrecondition, InvalidArgument

SERVICE = Service("zitadel.management.v1.ManagementService")


def _oidc(fields: Answer) -> Answer:
    known = message_of("zitadel.application.v2.CreateOIDCApplicationRequest").fields
    return {name: value for name, value in fields.items() if name in known and value != []}


BODIES: dict[str, Callable[[Answer, Any], Answer]] = {  # what v2's methods need besides the fields of the request
    "AddAPIApp": lambda fields, _: {"apiConfiguration": fields},
    "AddOIDCApp": lambda fields, _: {"oidcConfiguration": _oidc(fields)},
    "AddMachineUser": lambda fields, _: {"machine": fields},
    "UpdateMachine": lambda fields, _: {"machine": {"description": "", "accessTokenType": ""} | fields},
    "UpdateUserName": lambda _, user: {"machine" if user.machine else "human": {}},
    "UpdateProjectGrant": lambda _, grant: {"grantedOrganizationId": grant.granted_organization_id},
    "AddOrgMember": lambda fields, _: {"resource": {"organizationId": fields["organizationId"]}},
    "RemoveProjectGrant": lambda _, grant: {"grantedOrganizationId": grant.granted_organization_id},
}


def _change(name: str, kind: Kind, by: str, refusals: Mapping[str, Refusal], date: str, call: Call) -> Answer:
    """Change an object as the method ``by`` of v2 does."""
    fields = kind.fields(call)
    entity = kind.existing(call, fields, refusals.get("unknown"), refusals.get("elsewhere"))
    before = entity and entity.sequence
    body = fields | (BODIES[name](fields, entity) if name in BODIES else {})
    done = kind.service.methods[by].answer(replace(call, body=body))
    fields |= done | ({kind.owner: done["id"]} if "id" in done else {})
    present = kind.existing(call, fields, None)
    if entity and not present:
        call.world.touch(entity)
    entity = entity or present or call.world.projects.get(fields["projectId"])  # which never had the role
    if entity is None:
        return {"details": {"resourceOwner": call.organization_id}}
    if "unchanged" in refusals and entity.sequence == before:
        raise FailedPrecondition(*refusals["unchanged"])
    ids = dict.fromkeys(("id", "userId", "grantId", "userGrantId"), entity.id)
    answer = {"clientId": getattr(entity, "username", "")} | in_v1(done) | ids
    answer |= done.get("apiConfiguration", {}) | in_v1(done.get("oidcConfiguration", {}))
    answer["details"] = details(entity, call.organization_id, date=date)
    return answer


def _get(kind: Kind, refusals: Mapping[str, Refusal], call: Call) -> Answer:
    entity = kind.existing(call, kind.fields(call), refusals["unknown"], refusals.get("elsewhere"))
    return {next(iter(message_of(call.method.row.answer).fields)): kind.show(call.world, entity)}


def _rows(objects: str, call: Call) -> Any:
    project = call.world.projects.get(call.body.get("projectId", ""))
    return getattr(project if hasattr(project, objects) else call.world, objects, {}).values()


def _is_visible(call: Call, row: Any) -> bool:
    """Return whether a row is in the call's organization, and in a project that the caller may see and asks for."""
    owner, asked_for = value_of(call.world, row, "organization_id"), call.body.get("projectId", row.project_id)
    may = call.may(call.method.row.permission, owner, row.project_id)
    return may and (owner, row.project_id) == (call.organization_id, asked_for)


def _declare(name: str, kind: Kind, by: str, more: dict[str, str]) -> None:
    date = more.pop("date", "changeDate")
    if name.startswith("List"):
        Listing[Any](
            rows=partial(_rows, by),
            visible=_is_visible,
            show=kind.show,
            filters=filters_of(**more),
        ).serve(SERVICE, name)
        return
    refusals = {case: (text, id[:-1]) for case, error in more.items() for text, id in [error.rsplit(" (", 1)]}
    SERVICE.method(name)(
        partial(_get, kind, refusals) if by == "-" else partial(_change, name, kind, by, refusals, date)
    )


for line in Path(__file__).with_name("methods.txt").read_text(encoding="utf-8").splitlines():
    name, kind, by, *more = line.split(" | ")
    _declare(name, getattr(kinds, kind), by, dict(part.split(": ") for part in more))


# --- methods that differ from those of v2 ---


def _update_configuration(kind: str, wrong_kind: Refusal, call: Call) -> Answer:
    """Replace the settings of an application; absent lists stay. An update without a change is refused (ZITADEL)."""
    fields = APPLICATION.fields(call)
    application = APPLICATION.existing(call, fields, ("Application doesn't exist", "COMMAND-2n8uU"))
    if application.kind != kind.lower():
        raise InvalidArgument(*wrong_kind)
    answer_of = message_of(SERVICE.methods["GetAppByID"].row.answer).show
    before = answer_of({"app": APPLICATION.show(call.world, application)})
    if kind == "OIDC":
        kept = {name: value for name, value in application.oidc.items() if isinstance(value, list)}
        application.oidc = kept | _oidc(fields)
    application.auth_method = fields.get("authMethodType", f"{kind}_AUTH_METHOD_TYPE_BASIC")
    if answer_of({"app": APPLICATION.show(call.world, application)}) == before:
        raise FailedPrecondition("No changes", "COMMAND-1m88i")
    call.world.touch(application)
    return {"details": details(application, call.organization_id)}


for kind, error_id in (("API", "COMMAND-Gnwt3"), ("OIDC", "COMMAND-GBr34")):
    wrong_kind = f"Application is not type {kind}", error_id
    SERVICE.method(f"Update{kind}AppConfig")(partial(_update_configuration, kind, wrong_kind))
