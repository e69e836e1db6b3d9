"""What a linked program really takes: sections, symbols and compiler, read from its ELF file."""

import struct
from dataclasses import dataclass

from tinydream.errors import InputError

__all__ = ["Linked", "read_elf"]

# of a section: kinds and flags
SYMBOLS, EMPTY = 2, 8
WRITE, ALLOCATED = 1, 2
# by class (1: 32 bits, 2: 64 bits): the header after its identification; a section's header as
# name, type, flags, address, offset, size, link, info, alignment, entry size; a symbol, with the
# places of name and size in it
HEADER = {1: "<HHIIIIIHHHHHH", 2: "<HHIQQQIHHHHHH"}
SECTION = {1: "<IIIIIIIIII", 2: "<IIQQQQIIQQ"}
SYMBOL = {1: ("<IIIBBH", 0, 2), 2: ("<IBBHQQ", 0, 5)}


@dataclass(frozen=True)
class Linked:
    """A program as it was linked. flash: bytes it is stored in; ram: bytes it can write to.

    Initialised data is in both. parts: bytes by name, of symbols and of sections (".text");
    compiler: what it calls itself, or ''.
    """

    flash: int
    ram: int
    parts: dict[str, int]
    compiler: str


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    flags: int
    link: int
    size: int
    body: bytes


def read_elf(data: bytes) -> Linked:
    """Read a little-endian ELF file of 32 or 64 bits. Raises InputError for anything else."""
    if data[:4] != b"\x7fELF" or data[4:5] not in (b"\x01", b"\x02") or data[5:6] != b"\x01":
        raise InputError("the program is not a little-endian ELF file, so its sizes stay unknown")
    sections = _sections(data, data[4])
    used = [section for section in sections if section.flags & ALLOCATED]
    told = [section.body for section in sections if section.name == ".comment"]
    return Linked(
        flash=sum(section.size for section in used if section.kind != EMPTY),
        ram=sum(section.size for section in used if section.flags & WRITE),
        parts=_symbols(sections, data[4]) | {s.name: s.size for s in used},
        compiler=_text(told[0], 0) if told else "",
    )


def _sections(data: bytes, bits: int) -> list[_Section]:
    header = _unpack(HEADER[bits], data, 16)
    start, step, count, names = header[5], header[10], header[11], header[12]
    raw = [_unpack(SECTION[bits], data, start + i * step) for i in range(count)]
    if names >= len(raw):
        raise _damaged()
    bodies = [b"" if each[1] == EMPTY else _take(data, each[4], each[5]) for each in raw]
    return [
        _Section(_text(bodies[names], each[0]), each[1], each[2], each[6], each[5], body)
        for each, body in zip(raw, bodies, strict=True)
    ]


def _symbols(sections: list[_Section], bits: int) -> dict[str, int]:
    form, name, size = SYMBOL[bits]
    found: dict[str, int] = {}
    for section in sections:
        if section.kind != SYMBOLS:
            continue
        if section.link >= len(sections) or len(section.body) % struct.calcsize(form):
            raise _damaged()
        texts = sections[section.link].body
        for symbol in struct.iter_unpack(form, section.body):
            if symbol[size]:
                found[_text(texts, symbol[name])] = symbol[size]
    return found


def _unpack(form: str, data: bytes, at: int) -> tuple[int, ...]:
    return struct.unpack(form, _take(data, at, struct.calcsize(form)))


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise _damaged()
    return data[at : at + size]


def _text(data: bytes, at: int) -> str:
    end = data.find(b"\0", at)
    if end < 0:
        raise _damaged()
    return data[at:end].decode("utf-8", "replace")


def _damaged() -> InputError:
    return InputError("the program is a damaged ELF file; run `tinydream build` again")
