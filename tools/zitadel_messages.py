"""Write the table of ZITADEL's messages from the code of a version of zitadel-go, which holds the descriptors.

    python -m tools.zitadel_messages v3.26.1 zdemo/emulator/messages/table.txt

It needs Go, which downloads the module. ``zdemo/emulator/messages/table.py`` explains the lines.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from zdemo.emulator.api import SERVICES

MODULE = "github.com/zitadel/zitadel-go/v3"
CORRECTIONS = {  # as a newer ZITADEL answers; fields that this version of the client does not have get the number 0
    "zitadel.user.v2.CreateUserRequest": "metadata:0:[]zitadel.user.v2.Metadata",
    "zitadel.user.v2.CreateUserRequest.Machine": "access_token_type:0:zitadel.user.v2.AccessTokenType:defined",
    "zitadel.user.v2.UpdateUserRequest": "metadata:0:[]zitadel.user.v2.Metadata",
    "zitadel.user.v2.UpdateUserRequest.Machine": "access_token_type:0:?zitadel.user.v2.AccessTokenType:defined",
    "zitadel.user.v2.Metadata": "value:2:bytes:..500000",  # without a value, the key is removed
    "zitadel.session.v2.GetSessionRequest": "session_token:2:?string:1..500",
    "zitadel.oidc.v2.Session": "session_token:2:string:1..500",
    "zitadel.oidc.v2.AuthorizeOrDenyDeviceAuthorizationRequest": "device_authorization_id:1:string:1..500",
}
NO_REST = "zitadel.webkey."  # a newer ZITADEL has none
SCALARS = {1: "double", 3: "int64", 4: "uint64", 5: "int32", 8: "bool", 9: "string", 12: "bytes", 13: "uint32"}
VERBS = {2: "GET", 3: "PUT", 4: "POST", 5: "DELETE", 6: "PATCH"}  # by the fields of google.api.HttpRule
HTTP, AUTH, RULES = 72295728, 50000, 1071  # extensions: google.api.HttpRule, zitadel.v1.AuthOption, validate's rules
STRING, BYTES, LIST, DURATION = 14, 15, 18, 21  # fields of validate.FieldRules
BOUNDS = {STRING: (2, 3), BYTES: (2, 3), LIST: (1, 2), DURATION: (6, 4)}  # their fields for the least and the most
FLAGS = {  # their other fields, with a value
    (13, 1, 1): "true",
    (STRING, 12, 1): "email",
    (STRING, 18, 1): "uri_ref",
    (16, 2, 1): "defined",  # an enumeration
    (16, 4, 0): "set",
    (17, 2, 1): "required",  # a message
    (LIST, 3, 1): "unique",
    (DURATION, 5, b""): "positive",
    (22, 1, 1): "required",  # a time
}
Wire = dict[int, list[Any]]


def wire(*contents: bytes) -> Wire:
    """Return the fields of protobuf messages by their numbers: integers, and bytes for all else."""
    fields: Wire = defaultdict(list)
    content = iter(b"".join(contents))

    def varint() -> int:
        byte = next(content, 0)
        return byte & 127 | (varint() << 7 if byte > 127 else 0)

    while key := varint():  # 0 at the end
        fields[key >> 3].append(bytes(islice(content, {1: 8, 5: 4}.get(key & 7) or varint())) if key & 7 else varint())
    return fields


def text(values: list[bytes]) -> str:
    """Return the text of a field, an empty one if it is absent."""
    return b"".join(values).decode()


def types_of(above: str, messages: list[bytes], enums: list[bytes]) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the name of each type, and what follows it in its line."""
    for enum in map(wire, enums):
        yield f"{above}.{text(enum[1])}", ["=", *(f"{text(word[1])}:{sum(word[2])}" for word in map(wire, enum[2]))]
    for message in map(wire, messages):
        name = f"{above}.{text(message[1])}"
        yield name, fields_of(message)
        yield from types_of(name, message[3], message[4])


def fields_of(message: Wire) -> Iterator[str]:
    """Yield the fields of a message."""
    entries = {text(entry[1]): wire(entry[2][1]) for entry in map(wire, message[3]) if wire(*entry[7])[7]}  # of maps
    for field in map(wire, message[2]):
        name, label, value = text(field[1]), "?" if field[17] else "", field
        if field[4] == [3]:  # repeated
            entry = entries.get(text(field[6]).rpartition(".")[2])
            label, value = ("{}", entry) if entry else ("[]", field)
        elif field[9] and not field[17]:
            choice = wire(message[8][field[9][0]])
            name += f"@{text(choice[1])}{'!' if wire(*choice[2])[RULES] else ''}"
        rules = "".join(f":{rule}" for rule in rules_of(*wire(*field[8])[RULES]))
        yield f"{name}:{field[3][0]}:{label}{text(value[6])[1:] or SCALARS[value[5][0]]}{rules}"


def rules_of(*contents: bytes) -> Iterator[str]:
    """Yield the rules in a ``validate.FieldRules``, those of a list before those of its elements."""
    for kind, bodies in wire(*contents).items():
        rules = {number: value for number, (value,) in wire(*bodies).items()}
        elements = rules.pop(4, b"") if kind == LIST else b""
        length = rules.pop(19, "")  # of a string
        bounds = [rules.pop(number, length) for number in BOUNDS.get(kind, ())]
        if {*bounds} - {""}:
            least, most = (sum(wire(bound)[1]) if isinstance(bound, bytes) else bound for bound in bounds)
            yield f"{'[]' if kind == LIST else ''}{least}..{most}"
        yield from (*(FLAGS[kind, number, value] for number, value in rules.items()), *rules_of(elements))


def lines(folder: Path, wanted: list[str]) -> Iterator[str]:
    """Yield the lines of these methods, and of all types that they need, from the Go code in a folder."""
    types, methods, needed = dict[str, Iterable[str]](), dict[str, Wire](), list[str]()
    for path in folder.rglob("*.pb.go"):
        for code in re.findall(r"_rawDesc = \[\]byte{(.*?)\n}", path.read_text(encoding="utf-8"), re.DOTALL):
            file = wire(bytes.fromhex("".join(re.findall("0x(..)", code))))
            types |= types_of(text(file[2]), file[4], file[5])
            for service in map(wire, file[6]):
                named = {text(method[1]): method for method in map(wire, service[2])}
                methods |= {f"{text(file[2])}.{text(service[1])}/{name}": method for name, method in named.items()}
    for name in wanted:
        needed += [text(methods[name][2])[1:], text(methods[name][3])[1:]]
        base = f"/{name.split('.')[1]}/v1" if ".v1." in name else ""  # which the gateway of v1 adds
        options = wire(*methods[name][4])
        http = wire(*options[HTTP]) if not name.startswith(NO_REST) else wire()
        rest = [f"{verb} {base}{text(http[key])}" for key, verb in VERBS.items() if http[key]]
        permission, project = (text(wire(*options[AUTH])[key]) for key in (1, 2))
        yield " ".join([name, *needed[-2:], *rest, permission, project[:1].lower() + project[1:]]).rstrip()
    for name in needed:  # which grows in the loop
        parts = {part.partition(":")[0]: part for part in (*types[name], *CORRECTIONS.get(name, "").split())}
        new = {part.split(":")[2].lstrip("[]{}?") for part in parts.values() if "=" not in parts}
        needed += sorted(kind for kind in new if kind.startswith("zitadel.") and kind not in needed)
        yield " ".join([name, *parts.values()])


def main(version: str, path: str) -> None:
    """Download a version of the module, and write the table."""
    command = ["go", "mod", "download", "-json", f"{MODULE}@{version}"]
    module = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # noqa: S603 - no shell
    methods = [method.name for service in SERVICES.values() for method in service.methods.values()]
    rows = {*lines(Path(module["Dir"], "pkg", "client", "zitadel"), methods)}
    head = f"# From {MODULE} {version} by tools/zitadel_messages.py; Apache-2.0, see NOTICE"
    Path(path).write_text("\n".join([head, *sorted(rows), ""]), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
