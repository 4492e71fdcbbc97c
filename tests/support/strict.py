"""Answers of the API held against the table of messages: protobuf must read them, and write the same JSON."""

import json
import re
from functools import cache
from typing import Any

import requests
from google.protobuf.json_format import Error

from zdemo.emulator.api import SERVICES
from zdemo.emulator.messages import protobuf


def deviation(message: str, value: Any) -> str:
    """Say how an object is not the JSON of a message of the table; empty if it is."""
    try:
        written = json.loads(protobuf.json_of(message, protobuf.bytes_of(message, value)))
    except Error as error:
        return str(error)
    return "" if written == value else f"{value} instead of {written}"


@cache
def _answer_of(verb: str, path: str) -> str:
    """Return the message of the answer of a call, or an empty text for what is not a call."""
    for method in (method for service in SERVICES.values() for method in service.methods.values()):
        pattern = re.sub(r"{\w+}", "[^/]+", method.row.path).replace("{role_key=**}", ".+")
        if (verb, path) == ("POST", f"/{method.name}") or (verb == method.row.verb and re.fullmatch(pattern, path)):
            return method.row.answer
    return ""


def hold(response: requests.Response) -> None:
    """Fail the test that sees an answer which is not as the table says."""
    verb, path = str(response.request.method), response.request.path_url.partition("?")[0]
    if response.status_code == 200 and (message := _answer_of(verb, path)):
        deviating = deviation(message, response.json())
        assert not deviating, f"{verb} {path}: {deviating}"
