"""
Any message of the contract as JSON, by one rule for each kind of field.

Names are the proto's. Enums are their words in lower case, ids and names of resources
stay text, times are RFC 3339, durations are seconds, bytes are base64. Money is dollars:
a Cost `x` and a number `x_usd_micros` both become `x_usd`, null where it is not known.
"""

import base64
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from chassis import errors
from imagestudio.type.v1.cost_pb2 import COST_BASIS_UNSPECIFIED, Cost

_MICROS = "_usd_micros"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- UTC, which the Z tells
_EXACT = 2**53  # to here a float is the number that was written


def plain(message: Message) -> dict[str, Any]:
    """Render *message* with all its fields; those of a oneof only where they are set."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof and not message.HasField(field.name):
            if field.has_presence and field.containing_oneof.name.startswith("_"):
                found[_name(field)] = None  # `optional`
            continue
        found[_name(field)] = _field(message, field)
    return found


def dollars(micros: int) -> float:
    """Turn millionths of a dollar into dollars, with up to six decimals."""
    return round(micros / 1_000_000, 6)


def cost(found: Cost) -> float | None:
    """Turn a Cost into dollars; None where it is not known."""
    return None if found.basis == COST_BASIS_UNSPECIFIED else dollars(found.usd_micros)


def word(enum: EnumDescriptor, number: int) -> str:
    """Return the lower-case word of an enum's value, without the enum's own name."""
    value = enum.values_by_number.get(number)
    if value is None:  # of a newer contract
        return "unspecified"
    return value.name.removeprefix(_prefix(enum.name)).lower()


def time(found: Timestamp) -> str:
    """Turn a time into RFC 3339, with as many digits as it needs: none, three, six or nine."""
    fraction = f"{found.nanos:09}"
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{_second(found.seconds)}.{fraction}Z" if fraction else f"{_second(found.seconds)}Z"


def _field(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.message_type and field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"]
        return {str(key): _value(inner, value[key]) for key in value}
    if field.is_repeated:
        return [_value(field, one) for one in value]
    if field.message_type and not message.HasField(field.name):
        return {} if field.message_type is Struct.DESCRIPTOR else None
    return _value(field, value)


def _value(field: Any, value: Any) -> Any:
    if field.enum_type:
        return word(field.enum_type, value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if field.name.endswith(_MICROS):
        return dollars(value)
    return _message(value) if isinstance(value, Message) else value


def _message(value: Message) -> Any:
    match value:
        case Cost():
            return cost(value)
        case Timestamp():
            return time(value)
        case Duration():
            return value.ToMilliseconds() / 1000
        case Struct():
            return _whole(MessageToDict(value))
        case Status():
            return {"reason": errors.from_status(value).reason, "message": value.message}
    return plain(value)


def _whole(found: Any) -> Any:
    """Write what has no fraction without one: a Struct knows no integers."""
    match found:
        case dict():
            return {name: _whole(inner) for name, inner in found.items()}
        case list():
            return [_whole(inner) for inner in found]
        case float() if found.is_integer() and abs(found) <= _EXACT:
            return int(found)
    return found


@lru_cache(maxsize=1024)  # what happens at once is told of many times
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()


@cache  # of each field of the contract
def _name(field: Any) -> str:
    if field.message_type is Cost.DESCRIPTOR:
        return f"{field.name}_usd"
    name: str = field.name
    return name.removesuffix("_micros") if name.endswith(_MICROS) else name


@cache
def _prefix(name: str) -> str:
    """JobState → JOB_STATE_."""
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in name)
    return words.strip("_").upper() + "_"
