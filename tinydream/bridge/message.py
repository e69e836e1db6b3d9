"""What a host says to a device: one record per request (SPEC.md, "Bridge")."""

import functools
import re
import struct
from dataclasses import astuple, dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tinydream import training
from tinydream.errors import FirmwareError, InputError
from tinydream.resources import firmware_folder

__all__ = [
    "PROTOCOL",
    "Channels",
    "Erase",
    "Evaluate",
    "Fill",
    "Filled",
    "Health",
    "Hello",
    "Knob",
    "Load",
    "Message",
    "Pause",
    "Pull",
    "Push",
    "Pushed",
    "Reset",
    "Row",
    "Rows",
    "Save",
    "Status",
    "Step",
    "Stop",
    "Train",
    "check_size",
    "error_text",
    "errors",
]

PROTOCOL = 3


@functools.cache
def errors() -> dict[int, tuple[str, str]]:
    """Name and sentence of every error of a device: the table that the core is compiled with."""
    text = (firmware_folder() / "lib/tinydream/src/td_error.def").read_text(encoding="utf-8")
    found = re.findall(r'^X\((\w+),\s*(-\d+), "(.*)"\)$', text, re.M)
    return {int(number): (name, sentence) for name, number, sentence in found}


def error_text(code: int) -> str:
    """An error of the device as name, number and sentence."""
    unknown = ("an error", "this tinydream does not know it; is it older?")
    name, sentence = errors().get(code, unknown)
    return f"{name} ({code}): {sentence}"


def check_size(name: str, got: int, least: int) -> None:
    """Raise FirmwareError for a body that is shorter than SPEC.md gives."""
    if got < least:
        raise FirmwareError(
            f"the device sent a {name} message of {got} bytes where SPEC.md gives {least};"
            " its firmware is not of this tinydream: run `tinydream build` and flash it"
        )


@dataclass(frozen=True)
class Message:
    """A body of fixed fields; FORM is their layout as in `struct`, little-endian.

    What a body holds beyond them is of a later version, and not looked at.
    """

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
        size = struct.calcsize(cls.FORM)
        check_size(cls.__name__, len(body), size)
        return cls(*struct.unpack(cls.FORM, body[:size]))

    def halves(self) -> tuple["Message", ...]:
        """The same asked in two, for a line too bad for long frames; itself if that cannot be."""
        return (self,)


@dataclass(frozen=True)
class Hello(Message):
    """Who are you? A host draws its session at random, to be told from others."""

    TYPE: ClassVar[int] = 0x01
    FORM: ClassVar[str] = "<HI"
    protocol: int
    session: int


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

    def halves(self) -> tuple["Pull", ...]:
        if self.count == 1:
            return (self,)
        near = self.count // 2
        return Pull(self.first, near), Pull(self.first + near, self.count - near)


@dataclass(frozen=True)
class Status(Message):
    """How far are you?"""

    TYPE: ClassVar[int] = 0x05


@dataclass(frozen=True)
class Reset(Message):
    """Restart."""

    TYPE: ClassVar[int] = 0x06


@dataclass(frozen=True)
class Health(Message):
    """What has come and gone?"""

    TYPE: ClassVar[int] = 0x07


@dataclass(frozen=True)
class Pause(Message):
    """Hold the run, or let it go on."""

    TYPE: ClassVar[int] = 0x08
    FORM: ClassVar[str] = "<?"
    hold: bool


@dataclass(frozen=True)
class Step(Message):
    """Go on for so many updates, then pause."""

    TYPE: ClassVar[int] = 0x09
    FORM: ClassVar[str] = "<I"
    count: int


@dataclass(frozen=True)
class Knob(Message):
    """Set the rate (1), drawn rows with each learnt one (2), epochs a report (3) or a save (4)."""

    TYPE: ClassVar[int] = 0x0A
    FORM: ClassVar[str] = "<BI"
    which: int
    value: int

    @classmethod
    def of(cls, name: str, value: float) -> Self:
        if name == "rate":
            return cls(1, int(np.float32(value).view(np.uint32)))
        others = {"mix": 2, "report": 3, "save_every": 4}
        if name not in others:
            raise InputError(f"no knob is called {name!r}; there are rate, {', '.join(others)}")
        return cls(others[name], int(value))


@dataclass(frozen=True)
class Channels(Message):
    """How many channels are there, and what is number `index`?"""

    TYPE: ClassVar[int] = 0x0B
    FORM: ClassVar[str] = "<B"
    index: int


@dataclass(frozen=True, eq=False)
class Row(Message):
    """Numbers of a row from number `first` on; use: 0 predict, 1 judge, 2 learn."""

    TYPE: ClassVar[int] = 0x0C
    FORM: ClassVar[str] = "<BH"
    use: int
    first: int
    values: NDArray[np.float32]

    def pack(self) -> bytes:
        return struct.pack(self.FORM, self.use, self.first) + self.values.astype("<f4").tobytes()


@dataclass(frozen=True)
class Evaluate(Message):
    """Look at all validation rows."""

    TYPE: ClassVar[int] = 0x0D


@dataclass(frozen=True, eq=False)
class Push(Message):
    """Take these weights, from number `first` on."""

    TYPE: ClassVar[int] = 0x0E
    FORM: ClassVar[str] = "<I"
    first: int
    values: NDArray[np.float32]

    def pack(self) -> bytes:
        return struct.pack(self.FORM, self.first) + self.values.astype("<f4").tobytes()

    def halves(self) -> tuple["Push", ...]:
        if len(self.values) == 1:
            return (self,)
        near = len(self.values) // 2
        return Push(self.first, self.values[:near]), Push(self.first + near, self.values[near:])


@dataclass(frozen=True)
class Pushed(Message):
    """All weights have been pushed, and this is their CRC-32."""

    TYPE: ClassVar[int] = 0x0F
    FORM: ClassVar[str] = "<I"
    crc32: int


@dataclass(frozen=True)
class Rows(Message):
    """Send `count` bytes of the packed representatives from byte `first` on."""

    TYPE: ClassVar[int] = 0x10
    FORM: ClassVar[str] = "<IH"
    first: int
    count: int

    def halves(self) -> tuple["Rows", ...]:
        if self.count == 1:
            return (self,)
        near = self.count // 2
        return Rows(self.first, near), Rows(self.first + near, self.count - near)


@dataclass(frozen=True)
class Save(Message):
    """Keep the weights over a power cut."""

    TYPE: ClassVar[int] = 0x11


@dataclass(frozen=True)
class Load(Message):
    """Take what was saved; with `run`, the run that was under way as well."""

    TYPE: ClassVar[int] = 0x12
    FORM: ClassVar[str] = "<?"
    run: bool


@dataclass(frozen=True)
class Erase(Message):
    """Forget what was saved."""

    TYPE: ClassVar[int] = 0x13


@dataclass(frozen=True)
class Fill(Message):
    """Take these bytes of packed representatives, from byte `first` on."""

    TYPE: ClassVar[int] = 0x14
    FORM: ClassVar[str] = "<I"
    first: int
    data: bytes

    def pack(self) -> bytes:
        return struct.pack(self.FORM, self.first) + self.data

    def halves(self) -> tuple["Fill", ...]:
        if len(self.data) == 1:
            return (self,)
        near = len(self.data) // 2
        return Fill(self.first, self.data[:near]), Fill(self.first + near, self.data[near:])


@dataclass(frozen=True)
class Filled(Message):
    """All representatives have been pushed; their CRC-32, and the digest of the plan with them."""

    TYPE: ClassVar[int] = 0x15
    FORM: ClassVar[str] = "<I8s"
    crc32: int
    digest: bytes
