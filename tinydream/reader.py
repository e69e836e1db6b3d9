"""Length-checked reading of a plan's bytes, and the texts in them."""

import struct
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinydream.errors import PlanError

__all__ = ["Reader", "pack_text", "pack_texts"]


def pack_text(text: str) -> bytes:
    data = text.encode()
    if len(data) > 0xFFFF:
        raise PlanError(f"the name {text[:40]!r}... has {len(data)} bytes; at most 65535 are kept")
    return struct.pack("<H", len(data)) + data


def pack_texts(texts: tuple[str, ...]) -> bytes:
    if len(texts) > 0xFFFF:
        raise PlanError(f"{len(texts)} names are too many; a plan keeps at most 65535")
    return struct.pack("<H", len(texts)) + b"".join(map(pack_text, texts))


class Reader:
    """Length-checked reading; every failure is a PlanError that names the section."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._at, self._what = bytes(data), 0, what

    def check(self, good: bool, why: str) -> None:
        if not good:
            raise PlanError(f"plan, {self._what}: {why}; make it again with `tinydream plan`")

    def take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        self.check(len(piece) == count, f"{count} bytes wanted, {len(piece)} left")
        self._at += count
        return piece

    def unpack(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def array(self, dtype: DTypeLike, count: int) -> NDArray[Any]:
        kind = np.dtype(dtype)
        return np.frombuffer(self.take(count * kind.itemsize), kind)

    def text(self) -> str:
        try:
            return self.take(self.unpack("<H")[0]).decode()
        except UnicodeDecodeError:
            raise PlanError(f"plan, {self._what}: a name is not UTF-8; make it again") from None

    def texts(self) -> tuple[str, ...]:
        return tuple(self.text() for _ in range(self.unpack("<H")[0]))

    def end(self, good: bool, why: str) -> None:
        self.check(good, why)
        self.check(self._at == len(self._data), f"{len(self._data) - self._at} bytes too many")
