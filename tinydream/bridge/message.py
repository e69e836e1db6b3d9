"""What host and device say to each other: one record per message, one table of all (SPEC.md)."""

import struct
from dataclasses import astuple, dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tinydream import training
from tinydream.errors import FirmwareError, InputError

__all__ = [
    "ERRORS",
    "MESSAGES",
    "PROTOCOL",
    "Done",
    "Failure",
    "Hello",
    "Info",
    "Message",
    "Metrics",
    "Pull",
    "Reset",
    "Restarting",
    "Started",
    "State",
    "Status",
    "Stop",
    "Stopped",
    "Train",
    "Weights",
    "error_text",
]

PROTOCOL = 2

# td_error.def once more: a wheel and a source tree have it at different places; a test compares
ERRORS = {
    -1: ("TD_EARG", "an argument is out of range"),
    -2: ("TD_EPLAN", "the plan is not valid"),
    -3: ("TD_EFORMAT", "the plan was written for another format of tinydream"),
    -4: ("TD_EARENA", "the arena is too small or not aligned to 4 bytes"),
    -5: ("TD_ENOKERNEL", "the plan needs a kernel that this build left out"),
    -6: ("TD_ENUMERIC", "a loss or a weight is not finite; a lower rate may help"),
    -7: ("TD_ESTATE", "nothing is being trained; start first"),
    -8: ("TD_EFRAME", "a frame is damaged or too long"),
    -9: ("TD_EMESSAGE", "a message is not of the length or kind that SPEC.md gives"),
    -10: ("TD_EBUSY", "training is under way; stop it first"),
    -20: ("TD_ENOSTORAGE", "this board has no storage for weights"),
    -21: ("TD_ESTORAGE", "the storage cannot be read, or does not hold what was written"),
    -22: ("TD_ENOROOM", "the storage is too small for two copies of the weights"),
    -23: ("TD_ENOTHING", "nothing has been saved"),
    -24: (
        "TD_EOTHERPLAN",
        "what has been saved is another plan's; erase it first, or build that plan",
    ),
}


def error_text(code: int) -> str:
    """An error of the device as name, number and sentence."""
    name, sentence = ERRORS.get(code, ("an error", "this tinydream does not know it; is it older?"))
    return f"{name} ({code}): {sentence}"


@dataclass(frozen=True)
class Message:
    """A body of fixed fields; FORM is their layout as in `struct`, little-endian."""

    TYPE: ClassVar[int] = 0
    FORM: ClassVar[str] = "<"

    def pack(self) -> bytes:
        try:
            return struct.pack(self.FORM, *astuple(self))
        except (struct.error, OverflowError) as error:
            raise InputError(
                f"{self} cannot be sent: {error}; choose values within SPEC.md's table"
            ) from None

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        _check_size(cls.__name__, len(body), struct.calcsize(cls.FORM))
        return cls(*struct.unpack(cls.FORM, body))


# ---- requests ----


@dataclass(frozen=True)
class Hello(Message):
    """Who are you?"""

    TYPE: ClassVar[int] = 0x01
    FORM: ClassVar[str] = "<H"
    protocol: int = PROTOCOL


@dataclass(frozen=True)
class Train(Message):
    """Begin a run; with `fresh`, from new initial weights."""

    TYPE: ClassVar[int] = 0x02
    FORM: ClassVar[str] = "<IIIIfBIfI?"
    weights_seed: int
    seed: int
    epochs: int
    epoch_rows: int
    rate: float
    schedule: int = 0
    every: int = 1
    factor: float = 0.0
    patience: int = 0
    fresh: bool = True

    @classmethod
    def of(cls, knobs: training.Knobs, fresh: bool) -> Self:
        fields = knobs.as_dict() | {"schedule": training.SCHEDULES[knobs.schedule], "fresh": fresh}
        return cls(**fields)


@dataclass(frozen=True)
class Stop(Message):
    """End the run, if there is one."""

    TYPE: ClassVar[int] = 0x03


@dataclass(frozen=True)
class Pull(Message):
    """Send `count` weights from number `first` on."""

    TYPE: ClassVar[int] = 0x04
    FORM: ClassVar[str] = "<IH"
    first: int
    count: int


@dataclass(frozen=True)
class Status(Message):
    """How far are you?"""

    TYPE: ClassVar[int] = 0x05


@dataclass(frozen=True)
class Reset(Message):
    """Restart."""

    TYPE: ClassVar[int] = 0x06


# ---- answers ----


@dataclass(frozen=True)
class Info(Message):
    """What the firmware was built from, and for what."""

    TYPE: ClassVar[int] = 0x81
    FORM: ClassVar[str] = "<HH8sIIH?"
    protocol: int
    format: int
    digest: bytes
    arena_bytes: int
    parameters: int
    payload: int
    running: bool
    board: str
    tick_unit: str

    def pack(self) -> bytes:
        *fields, board, unit = astuple(self)
        texts = (text.encode() for text in (board, unit))
        return struct.pack(self.FORM, *fields) + b"".join(bytes((len(t),)) + t for t in texts)

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        head = struct.calcsize(cls.FORM)
        board, rest = _take_text(body[head:])
        unit, rest = _take_text(rest)
        _check_size(cls.__name__, len(body), len(body) - len(rest))
        fields = *struct.unpack(cls.FORM, body[:head]), board, unit
        return cls(*fields)


@dataclass(frozen=True)
class Started(Message):
    """The run has begun."""

    TYPE: ClassVar[int] = 0x82


@dataclass(frozen=True)
class Stopped(Message):
    """No run is under way; a `Done` follows if there was one."""

    TYPE: ClassVar[int] = 0x83


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
        _check_size(cls.__name__, len(body), max(4, len(body) & ~3))
        values = np.frombuffer(body[4:], "<f4").astype(np.float32)
        return cls(struct.unpack(cls.FORM, body[:4])[0], values)


@dataclass(frozen=True)
class State(Message):
    """How far a run is, or how the last one ended. crc32 is of the weights, 0 while running."""

    TYPE: ClassVar[int] = 0x85
    FORM: ClassVar[str] = "<?IIIh"
    running: bool
    epoch: int
    step: int
    crc32: int
    error: int


@dataclass(frozen=True)
class Restarting(Message):
    """The device will restart now."""

    TYPE: ClassVar[int] = 0x86


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
class Failure(Message):
    """The device refuses a request of type `request`."""

    TYPE: ClassVar[int] = 0xFF
    FORM: ClassVar[str] = "<hB"
    error: int
    request: int


_REQUESTS: tuple[type[Message], ...] = (Hello, Train, Stop, Pull, Status, Reset)
_ANSWERS: tuple[type[Message], ...] = (Info, Started, Stopped, Weights, State, Restarting)
_EVENTS: tuple[type[Message], ...] = (Metrics, Done, Failure)
MESSAGES = {kind.TYPE: kind for kind in (*_REQUESTS, *_ANSWERS, *_EVENTS)}


# ---- bytes ----


def _check_size(name: str, got: int, wanted: int) -> None:
    if got != wanted:
        raise FirmwareError(
            f"the device sent a {name} message of {got} bytes where SPEC.md gives {wanted};"
            " its firmware is not of this tinydream: run `tinydream build` and flash it"
        )


def _take_text(data: bytes) -> tuple[str, bytes]:
    size = data[0] if data else 0
    _check_size("Info", len(data[1 : 1 + size]) + bool(data), 1 + size)
    return data[1 : 1 + size].decode(errors="replace"), data[1 + size :]
