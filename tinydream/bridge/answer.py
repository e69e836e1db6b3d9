"""What a device says: one record per answer and event, and the table of all (SPEC.md)."""

import struct
from dataclasses import astuple, dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tinydream import training
from tinydream.bridge import message
from tinydream.bridge.message import Message, check_size

__all__ = [
    "EVENTS",
    "MESSAGES",
    "STATES",
    "Channel",
    "Counts",
    "Done",
    "Evaluation",
    "Failure",
    "Info",
    "Log",
    "Metrics",
    "Nothing",
    "Packed",
    "Paused",
    "Seen",
    "State",
    "Taken",
    "Values",
    "Weights",
]

STATES = ("idle", "running", "paused", "evaluating")


@dataclass(frozen=True)
class Nothing(Message):
    """An answer that says only: done."""


@dataclass(frozen=True)
class Info(Message):
    """What the firmware was built from, and for what.

    room: bytes that the device keeps while it has no time to read them. boot: the session of the
    first hello since it started. capabilities: bits; 0 learns rows, 1 takes weights, 2 has
    channels, 3 has validation. state: place in STATES.
    """

    TYPE: ClassVar[int] = 0x81
    FORM: ClassVar[str] = "<HH8sIIHHIIB"
    protocol: int
    format: int
    digest: bytes
    arena_bytes: int
    parameters: int
    payload: int
    room: int
    boot: int
    capabilities: int
    state: int
    board: str
    tick_unit: str

    @property
    def running(self) -> bool:
        return self.state in (1, 2)

    def pack(self) -> bytes:
        *fields, board, unit = astuple(self)
        return struct.pack(self.FORM, *fields) + _text(board) + _text(unit)

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        head = struct.calcsize(cls.FORM)
        check_size(cls.__name__, len(body), head + 2)
        board, rest = _take_text(body[head:])
        unit, _ = _take_text(rest)
        fields = *struct.unpack(cls.FORM, body[:head]), board, unit
        return cls(*fields)


@dataclass(frozen=True, eq=False)
class Weights(Message):
    """Weights from number `first` on: float32, in the order of td.h."""

    TYPE: ClassVar[int] = 0x84
    FORM: ClassVar[str] = "<I"
    first: int
    values: NDArray[np.float32]

    def pack(self) -> bytes:
        return struct.pack(self.FORM, self.first) + self.values.astype("<f4").tobytes()

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        check_size(cls.__name__, len(body), max(4, (len(body) + 3) & ~3))
        values = np.frombuffer(body[4:], "<f4").astype(np.float32)
        return cls(struct.unpack(cls.FORM, body[:4])[0], values)


@dataclass(frozen=True)
class State(Message):
    """How far a run is, or how the last one ended.

    crc32 is of the weights, 0 while a run is under way. state: place in STATES.
    """

    TYPE: ClassVar[int] = 0x85
    FORM: ClassVar[str] = "<BIIIh"
    state: int
    epoch: int
    step: int
    crc32: int
    error: int

    @property
    def running(self) -> bool:
        return self.state in (1, 2)


@dataclass(frozen=True)
class Counts(Message):
    """What has come and gone since the device started.

    ticks: now, in the port's unit. node_bytes: RAM of the link and the run's state. kernels: bits,
    as td_node_answer.c lists them. frames_in, damaged, frames_out, dropped: of the device's side of
    the line. learnt: rows that were no drawn ones. kept: 0 when weights are kept over a power cut,
    else an error: why there are none, or why the last save failed. Of the newest record: 1 when it
    holds a run, its number, the epochs that it had done, the digest of its plan. stack: the most
    bytes of it that were ever in use, 0 where nobody knows.
    """

    TYPE: ClassVar[int] = 0x87
    FORM: ClassVar[str] = "<QIIBIIIIIhBII8sI"
    ticks: int
    node_bytes: int
    kernels: int
    tile: int
    frames_in: int
    damaged: int
    frames_out: int
    dropped: int
    learnt: int
    kept: int
    kept_run: int
    kept_number: int
    kept_epoch: int
    kept_digest: bytes
    stack: int


@dataclass(frozen=True)
class Channel(Message):
    """A number of the firmware's own: count of them all; kind: 0 f32, 1 u32, 2 i32."""

    TYPE: ClassVar[int] = 0x8B
    count: int
    kind: int = 0
    name: str = ""
    unit: str = ""

    def pack(self) -> bytes:
        return bytes((self.count, self.kind)) + _text(self.name) + _text(self.unit)

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        check_size(cls.__name__, len(body), 1)
        if len(body) == 1:
            return cls(body[0])
        name, rest = _take_text(body[2:])
        return cls(body[0], body[1], name, _take_text(rest)[0])


@dataclass(frozen=True, eq=False)
class Seen(Message):
    """A row's class (or whether it was right), its loss, and what was predicted."""

    TYPE: ClassVar[int] = 0x8C
    FORM: ClassVar[str] = "<if"
    result: int
    loss: float
    outputs: NDArray[np.float32]

    def pack(self) -> bytes:
        head = struct.pack(self.FORM, self.result, self.loss)
        return head + self.outputs.astype("<f4").tobytes()

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        check_size(cls.__name__, len(body), max(8, (len(body) + 3) & ~3))
        outputs = np.frombuffer(body[8:], "<f4").astype(np.float32)
        result, loss = struct.unpack(cls.FORM, body[:8])
        return cls(result, loss, outputs)


@dataclass(frozen=True)
class Taken(Message):
    """The weights from number `first` on have been taken."""

    TYPE: ClassVar[int] = 0x8E
    FORM: ClassVar[str] = "<I"
    first: int


@dataclass(frozen=True)
class Laid(Taken):
    """The bytes of representatives from number `first` on have been taken."""

    TYPE: ClassVar[int] = 0x94


@dataclass(frozen=True)
class Packed(Message):
    """Bytes of the packed representatives, from byte `first` on."""

    TYPE: ClassVar[int] = 0x90
    first: int
    data: bytes

    def pack(self) -> bytes:
        return struct.pack("<I", self.first) + self.data

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        check_size(cls.__name__, len(body), 4)
        return cls(struct.unpack("<I", body[:4])[0], body[4:])


# ---- events ----


@dataclass(frozen=True)
class Metrics(training.Metrics, Message):
    """An epoch ended; ticks: spent training in it, in the port's tick unit."""

    TYPE: ClassVar[int] = 0xC1
    FORM: ClassVar[str] = "<IIIIfIIfIQ"


@dataclass(frozen=True)
class Done(Message):
    """A run has ended after `epoch` epochs and `step` updates; crc32 is of the weights."""

    TYPE: ClassVar[int] = 0xC2
    FORM: ClassVar[str] = "<IIIh"
    epoch: int
    step: int
    crc32: int
    error: int


@dataclass(frozen=True)
class Paused(Message):
    """The steps that were asked for are done."""

    TYPE: ClassVar[int] = 0xC3
    FORM: ClassVar[str] = "<II"
    epoch: int
    step: int


@dataclass(frozen=True)
class Evaluation(training.Evaluation, Message):
    """What the device's validation rows came to."""

    TYPE: ClassVar[int] = 0xC4
    FORM: ClassVar[str] = "<IIf"


@dataclass(frozen=True)
class Values(Message):
    """What the channels hold, 4 bytes each, in their order."""

    TYPE: ClassVar[int] = 0xC5
    data: bytes

    def pack(self) -> bytes:
        return self.data

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        return cls(body)


@dataclass(frozen=True)
class Log(Message):
    """A line for the host's log."""

    TYPE: ClassVar[int] = 0xC7
    text: str

    def pack(self) -> bytes:
        return self.text.encode()

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        return cls(body.decode(errors="replace"))


@dataclass(frozen=True)
class Failure(Message):
    """The device refuses a request of type `request`."""

    TYPE: ClassVar[int] = 0xFF
    FORM: ClassVar[str] = "<hB"
    error: int
    request: int


_REQUESTS: tuple[type[Message], ...] = tuple(
    kind
    for kind in vars(message).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind.TYPE
)
_ANSWERS: tuple[type[Message], ...] = (
    Info,
    Weights,
    State,
    Counts,
    Channel,
    Seen,
    Taken,
    Packed,
    Laid,
    Failure,
)
_EVENTS: tuple[type[Message], ...] = (Metrics, Done, Paused, Evaluation, Values, Log)
EVENTS = {kind.TYPE: kind for kind in _EVENTS}
MESSAGES = {kind.TYPE: kind for kind in (*_REQUESTS, *_ANSWERS, *_EVENTS)}


def _text(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


def _take_text(data: bytes) -> tuple[str, bytes]:
    size = data[0] if data else 0
    check_size("text of a", len(data), 1 + size)
    return data[1 : 1 + size].decode(errors="replace"), data[1 + size :]
