"""Arrays of a store: any dtype as plain numbers (n, d), and back, byte for byte."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import DataError

__all__ = ["Part"]

WHOLE = np.dtype(np.uint32)  # places of texts


@dataclass(eq=False)
class Part:
    """An array by name. dtype, shape: of the array, rows left out. plain: of the numbers that
    stand for it. texts: what its numbers count, when it holds text; new ones are added."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    plain: str
    texts: list[str | None] | None = None
    _places: dict[Any, int] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, array: NDArray[Any]) -> "Part":
        """Raises DataError for what is neither numbers nor text."""
        dtype = array.dtype
        if dtype.kind in "USO":
            return cls(name, dtype.str if dtype.kind != "O" else "text", array.shape[1:], "<u4", [])
        plain = _plain(dtype)
        if plain is None:
            raise DataError(f"{name!r} has dtype {dtype}; numbers or text are needed")
        return cls(name, dtype.str, array.shape[1:], plain)

    @property
    def width(self) -> int:
        """Plain numbers of a row."""
        numbers = int(np.prod(self.shape, dtype=np.int64))
        if self.texts is not None:
            return numbers
        return numbers * np.dtype(self.dtype).itemsize // np.dtype(self.plain).itemsize

    def to_plain(self, array: NDArray[Any]) -> NDArray[Any]:
        """(n, d) of `plain` for rows that have this dtype and shape; raises DataError."""
        dtype = "text" if array.dtype.kind == "O" else array.dtype.str
        same = dtype == self.dtype or (
            self.texts is not None and array.dtype.kind == self.dtype[1:2]
        )
        if not same or array.shape[1:] != self.shape:
            raise DataError(
                f"{self.name!r} holds rows of {self.dtype} {self.shape}, and these are"
                f" {dtype} {array.shape[1:]}; bring them to the same"
            )
        if self.texts is not None:
            return self._count(array)
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        return (
            little.reshape(len(array), -1).view(self.plain)
            if array.size
            else np.empty((len(array), self.width), self.plain)
        )

    def _count(self, array: NDArray[Any]) -> NDArray[np.uint32]:
        assert self.texts is not None
        flat = array.reshape(-1)
        known: list[str | None]
        if array.dtype.kind == "O":
            for each in flat:
                if each is not None and not isinstance(each, str):
                    raise DataError(f"{self.name!r} holds {each!r}; only text and None are text")
            known, places = _distinct(flat)
        else:
            unique, places = np.unique(flat, return_inverse=True)
            known = [_text(each) for each in unique.tolist()]
            if array.dtype.itemsize > np.dtype(self.dtype).itemsize:
                self.dtype = array.dtype.str
        for each in known:
            if each not in self._places:
                self._places[each] = len(self.texts)
                self.texts.append(each)
        numbers = np.array([self._places[each] for each in known], np.uint32)
        return (
            numbers[places.reshape(len(array), -1)]
            if len(flat)
            else np.empty((len(array), self.width), np.uint32)
        )

    @cached_property
    def _plainly(self) -> bool:
        """Whether an array's bytes are those of its plain numbers."""
        return self.texts is None and self.width > 0 and np.dtype(self.dtype).isnative

    def plain_of(self, array: NDArray[Any]) -> NDArray[Any]:
        """Where the plain numbers of an array are to be written: its own memory, if that may be."""
        if self._plainly:
            return array.view(self.plain).reshape(len(array), self.width)
        return np.empty((len(array), self.width), self.plain)

    def fill(self, array: NDArray[Any], plain: NDArray[Any]) -> None:
        """Makes of plain numbers, where `plain_of` said, the array; raises ValueError."""
        if not self._plainly:
            array[...] = self.from_plain(plain)

    def from_plain(self, plain: NDArray[Any]) -> NDArray[Any]:
        """The array that (n, d) stand for; raises ValueError for places that no text has."""
        shape = (len(plain), *self.shape)
        if self.texts is None:
            if self.width == 0:
                return np.empty(shape, self.dtype)
            dtype = np.dtype(self.dtype)
            little = plain.view(dtype.newbyteorder("<")).reshape(shape)
            return little.astype(dtype, copy=False)
        if plain.size and int(plain.max()) >= len(self.texts):
            raise ValueError("a block counts texts that there are not")
        if self.dtype == "text":
            known: NDArray[Any] = np.array([*self.texts, None], object)[:-1]
        else:
            binary = self.dtype[1] == "S"
            texts = [t.encode("latin-1") if binary else t for t in self.texts if t is not None]
            known = np.array(texts, self.dtype)
        return np.asarray(known[plain].reshape(shape))

    def to_json(self) -> dict[str, Any]:
        told = {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}
        return {**told, "plain": self.plain, "texts": self.texts}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Part":
        """Raises KeyError, TypeError or ValueError for what is no part."""
        texts = told["texts"]
        part = cls(told["name"], told["dtype"], tuple(told["shape"]), told["plain"], texts)
        if min(part.shape, default=0) < 0 or part.plain != _plain_of(part.dtype, texts):
            raise ValueError("an array's dtype, shape or texts are none")
        for place, text in enumerate(texts or ()):
            part._places[text] = place
        return part


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _distinct(flat: NDArray[Any]) -> tuple[list[str | None], NDArray[np.intp]]:
    found: dict[str | None, int] = {}
    places = np.array([found.setdefault(each, len(found)) for each in flat], np.intp)
    return list(found), places


def _plain(dtype: np.dtype[Any]) -> str | None:
    """The dtype that numbers of `dtype` are stored as; None for what are no numbers."""
    if dtype.kind not in "biufcmM" or dtype.hasobject:
        return None
    plain = dtype.newbyteorder("<")
    if dtype.kind in "bmM" or dtype.itemsize > 8 and dtype.kind != "c":
        plain = np.dtype(f"<u{min(8, dtype.itemsize)}")
    elif dtype.kind == "c":
        plain = np.dtype(f"<f{dtype.itemsize // 2}") if dtype.itemsize <= 16 else WHOLE
    return plain.str


def _plain_of(dtype: str, texts: list[str | None] | None) -> str | None:
    """The same of what a file says; None when that is no array."""
    if texts is None:
        return _plain(np.dtype(dtype))
    if dtype != "text" and (np.dtype(dtype).kind not in "US" or None in texts):
        return None
    return WHOLE.str if all(t is None or isinstance(t, str) for t in texts) else None
