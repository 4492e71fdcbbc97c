"""The messages of the table in protobuf: their descriptors, and the conversion between bytes and JSON."""

import re
from functools import cache
from typing import Any

from google.protobuf import duration_pb2, json_format, struct_pb2, timestamp_pb2
from google.protobuf.descriptor_database import DescriptorDatabase
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from zdemo.emulator.messages.table import field_rows, lines, method_row, words_of


def json_of(name: str, content: bytes) -> bytes:
    """Return a message as JSON. Raises ValueError if the bytes are not a message, or JSON cannot hold it."""
    try:
        return json_format.MessageToJson(_class_of(name).FromString(content), indent=None).encode()
    except (DecodeError, json_format.Error) as error:
        raise ValueError(str(error)) from None


def bytes_of(name: str, value: dict[str, Any]) -> bytes:
    """Return the bytes of a message, whose fields must be those of the table."""
    return json_format.ParseDict(value, _class_of(name)()).SerializeToString()


@cache
def _class_of(name: str) -> type[Message]:
    return GetMessageClass(pool().FindMessageTypeByName(name))


@cache
def pool() -> DescriptorPool:
    """Return the descriptors, one file per package. The default pool may hold others of the same names."""
    known = FileDescriptorProto()
    for module in (duration_pb2, struct_pb2, timestamp_pb2):
        known.MergeFromString(module.DESCRIPTOR.serialized_pb)
    known.name = known.package
    parents: dict[str, Any] = {known.package: known}  # files, services and messages by their full names
    for full_name in list(lines())[1:]:  # a message comes before those inside it
        above, name = re.split(r"[./](?=\w+$)", full_name)
        package = _package(full_name)
        file = parents.setdefault(package, FileDescriptorProto(name=package, package=package, syntax="proto3"))
        if "/" in full_name:
            if above not in parents:
                parents[above] = file.service.add(name=above.removeprefix(f"{package}."))
            row = method_row(full_name)
            parents[above].method.add(name=name, input_type=f".{row.request}", output_type=f".{row.answer}")
        elif words := words_of(full_name):
            values = [{"name": word, "number": number} for word, number in words.items()]
            parents[above].enum_type.add(name=name, value=values)
        else:
            messages = file.message_type if above == package else parents[above].nested_type
            parents[full_name] = messages.add(name=name)
            _add_fields(file, parents[full_name], full_name)
    database = DescriptorDatabase()
    for file in parents.values():
        if isinstance(file, FileDescriptorProto):
            database.Add(file)
    return DescriptorPool(database)


def _add_fields(file: FileDescriptorProto, message: DescriptorProto, full_name: str) -> None:
    """Add the fields of a message, and let its file import the files of their types."""
    rows = [row for row in field_rows(full_name) if row.number]
    for row in sorted(rows, key=lambda row: row.label == "?"):  # their choices must be the last
        field = message.field.add(name=row.name, number=row.number, proto3_optional=row.label == "?", **_type(row.type))
        if row.label in ("[]", "{}"):
            field.label = field.LABEL_REPEATED
        if row.label == "{}":  # a list of pairs
            entry = f"{row.name.title().replace('_', '')}Entry"
            pair = [{"name": "key", "number": 1, **_type("string")}, {"name": "value", "number": 2, **_type(row.type)}]
            message.nested_type.add(name=entry, field=pair, options={"map_entry": True})
            field.type, field.type_name = field.TYPE_MESSAGE, f".{full_name}.{entry}"
        if choice := f"_{row.name}" if row.label == "?" else row.choice.rstrip("!"):
            choices = [held.name for held in message.oneof_decl]
            if choice not in choices:
                message.oneof_decl.add(name=choice)
            field.oneof_index = [*choices, choice].index(choice)
        if "." in row.type and (package := _package(row.type)) not in (file.name, *file.dependency):
            file.dependency.append(package)


def _type(name: str) -> dict[str, Any]:
    """Return the type of a field. For a full name, protobuf finds out whether it is a message or an enum."""
    return {"type_name": f".{name}"} if "." in name else {"type": f"TYPE_{name.upper()}"}


def _package(full_name: str) -> str:
    return re.split(r"\.(?=[A-Z])", full_name)[0]
