"""The v1 search in the log of what happened to users, such as tokens that were made and removed."""

from typing import Any

from zdemo.emulator.api.call import Answer, Call
from zdemo.emulator.api.field_types import Count, Flag, Repeated, Text, Time
from zdemo.emulator.api.json_values import moment
from zdemo.emulator.api.v1 import route
from zdemo.emulator.entities import Event

MAX_EVENTS = 1000


@route(
    "POST",
    "/admin/v1/events/_search",
    "ListEvents",
    "events.read",
    sequence=Count(),
    limit=Count(32),
    asc=Flag(),
    editorUserId=Text(most=200),
    eventTypes=Repeated(Text(most=200)),
    aggregateId=Text(most=200),
    aggregateTypes=Repeated(Text(most=200)),
    resourceOwner=Text(most=200),
    creationDate=Time(),
    **{"from": Time()},
)
def list_events(call: Call) -> Answer:
    """List the events that match, newest first unless the request says ``asc``."""
    body = call.body
    events = [event for event in call.world.events if _matches(event, body)]
    if not body.get("asc"):
        events.reverse()
    limit = min(body.get("limit", 0) or MAX_EVENTS, MAX_EVENTS)
    return {"events": [_show(call, event) for event in events[:limit]]} if events else {}


def _matches(event: Event, body: dict[str, Any]) -> bool:
    equal = {"editorUserId": event.editor, "aggregateId": event.aggregate_id, "resourceOwner": event.organization_id}
    return (
        all(not body.get(name) or body[name] == value for name, value in equal.items())
        and (not body.get("eventTypes") or event.type in body["eventTypes"])
        and (not body.get("aggregateTypes") or "user" in body["aggregateTypes"])
        and event.created >= body.get("from", body.get("creationDate", 0.0))
    )


def _show(call: Call, event: Event) -> Answer:
    editor = call.world.users.get(event.editor)
    return {
        "editor": {
            "userId": event.editor or call.world.id,
            "displayName": editor.name if editor else "",
            "service": "zitadel",
        },
        "aggregate": {"id": event.aggregate_id, "type": {"type": "user"}, "resourceOwner": event.organization_id},
        "sequence": str(event.sequence),
        "creationDate": moment(event.created),
        **({"payload": _payload(event)} if event.payload else {}),
        "type": {"type": event.type},
    }


def _payload(event: Event) -> dict[str, object]:
    expires = event.payload.get("expiration")
    times = {"expiration": moment(expires)} if isinstance(expires, float) else {}
    return {**event.payload, **times}
