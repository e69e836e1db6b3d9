"""The file of a store: sections by name, each with its checksum; SPEC.md, "Store"."""

import os
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from tinydream.errors import DataError

__all__ = ["damaged", "read_sections", "write_sections"]

MAGIC = b"\x89TDS\r\n\x1a\n"
VERSION = 2
HEAD = struct.Struct("<8sHHIQQ")  # magic, version, sections, 0, directory, bytes; and a CRC
ENTRY = struct.Struct("<4sIQQ")  # tag, CRC, offset, bytes
START = HEAD.size + 4
TAGS = (b"BLKS", b"META", b"COLS", b"WORD", b"MODL", b"INDX")


def damaged(name: str, why: str) -> DataError:
    return DataError(f"{name} is damaged ({why}); copy it again or write it anew")


def read_sections(data: memoryview, name: str) -> dict[str, memoryview]:
    """Sections of a file's bytes by tag; raises DataError.

    Blocks are not looked at: each has its own checksum, for when it is read.
    """
    if len(data) < START or bytes(data[: len(MAGIC)]) != MAGIC:
        if MAGIC.startswith(bytes(data[:8])) and len(data):
            raise damaged(name, "it ends in its head")
        raise DataError(f"{name} is no store; `tinydream compress` writes one")
    _, version, count, zero, directory, size = HEAD.unpack_from(data)
    if zlib.crc32(data[: HEAD.size]) != int.from_bytes(data[HEAD.size : START], "little"):
        raise damaged(name, "its head does not match its checksum")
    if version != VERSION or zero:
        what = "update it" if version > VERSION else "compress the table again"
        raise DataError(f"{name} has format {version}; this version reads {VERSION}: {what}")
    if size != len(data):
        raise damaged(name, f"it has {len(data)} bytes of {size}")
    if count != len(TAGS) or directory + count * ENTRY.size + 4 != size:
        raise damaged(name, "its directory is not where its head says")
    table = data[directory : size - 4]
    if zlib.crc32(table) != int.from_bytes(data[size - 4 :], "little"):
        raise damaged(name, "its directory does not match its checksum")
    found, at = {}, START
    for k, tag in enumerate(TAGS):
        told, crc, offset, length = ENTRY.unpack_from(table, k * ENTRY.size)
        if told != tag or offset != at or length > directory - at:
            raise damaged(name, f"section {tag.decode()} is not in its place")
        at += length
        section = data[offset:at]
        if crc if tag == b"BLKS" else zlib.crc32(section) ^ crc:
            raise damaged(name, f"section {tag.decode()} does not match its checksum")
        found[tag.decode()] = section
    if at != directory:
        raise damaged(name, "something lies between its sections and its directory")
    return found


def write_sections(
    path: Path, blocks: Iterable[bytes], others: Callable[[], Mapping[str, bytes]]
) -> None:
    """Write a file under a temporary name, then rename it.

    blocks: written as they come. others: called when all of them are, gives the other sections.
    Raises DataError.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        with open(temporary, "wb") as file:
            _write(file, blocks, others)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write(
    file: BinaryIO, blocks: Iterable[bytes], others: Callable[[], Mapping[str, bytes]]
) -> None:
    file.write(bytes(START))
    at = START
    for block in blocks:
        at += file.write(block)
    table = ENTRY.pack(b"BLKS", 0, START, at - START)
    sections = others()
    for tag in TAGS[1:]:
        data = sections[tag.decode()]
        table += ENTRY.pack(tag, zlib.crc32(data), at, len(data))
        at += file.write(data)
    file.write(table + zlib.crc32(table).to_bytes(4, "little"))
    head = HEAD.pack(MAGIC, VERSION, len(TAGS), 0, at, at + len(table) + 4)
    file.seek(0)
    file.write(head + zlib.crc32(head).to_bytes(4, "little"))
