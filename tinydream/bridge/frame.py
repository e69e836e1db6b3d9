"""Frames on a serial line, and whatever else comes along with them (SPEC.md, "Bridge").

Pure: bytes in, bytes or records out. The same rules in C are td_frame.h.
"""

import binascii
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["BODY_MAX", "OLD_HELLO", "Damage", "Decoder", "Frame", "Item", "Text", "encode"]

BODY_MAX = 1024  # the largest body that any device may be built for
_HEADER = 2
_CRC = 4
_BLOCK = 254  # bytes that one COBS code can stand for


@dataclass(frozen=True)
class Frame:
    """A good frame: its CRC was right."""

    type: int
    sequence: int
    body: bytes


@dataclass(frozen=True)
class Text:
    """What a device printed between frames: boot messages, printf."""

    text: str


@dataclass(frozen=True)
class Damage:
    """Bytes that are neither a good frame nor text."""

    data: bytes


Item = Frame | Text | Damage


def encode(type_: int, sequence: int, body: bytes = b"") -> bytes:
    """One frame, ready to be sent."""
    content = bytes((type_, sequence)) + body
    return b"\0" + _stuff(content + zlib.crc32(content).to_bytes(_CRC, "little")) + b"\0"


# a hello as protocols 1 and 2 had it, in a frame with their CRC-16: nothing of ours reads it
OLD_HELLO = bytes.fromhex("00040101020326a300")


class Decoder:
    """Takes bytes as they come and gives what they hold; in step again at every zero byte.

    body_max: longer bodies count as damage. Never keeps more than about one frame.
    """

    def __init__(self, body_max: int = BODY_MAX) -> None:
        self._content_max = _HEADER + body_max + _CRC
        self._piece_max = self._content_max + self._content_max // _BLOCK + 1
        self._piece = bytearray()
        self.old_protocol = 0  # that firmware with another checksum says it speaks
        self._too_long = False  # the rest up to the next zero is no frame either

    def feed(self, data: bytes) -> list[Item]:
        """Every item that ended within `data`, in order."""
        items: list[Item] = []
        *ended, rest = data.split(b"\0")
        for piece in ended:
            items += self._grow(piece)
            items += self._end()
            self._too_long = False
        return items + list(self._grow(rest))

    def flush(self) -> list[Item]:
        """Text that still waits for a zero byte, when the line has fallen silent.

        Anything else is kept: it may be the first half of a frame.
        """
        if not self._piece or _as_text(bytes(self._piece)) is None:
            return []
        return list(self._end())

    def _grow(self, piece: bytes) -> Iterator[Item]:
        self._piece += piece
        while len(self._piece) > self._piece_max:
            head = bytes(self._piece[: self._piece_max])
            del self._piece[: self._piece_max]
            self._too_long = True
            yield _text_or_damage(head)

    def _look_for_old(self, content: bytes) -> None:
        """Firmware of an earlier protocol that answers OLD_HELLO is worth a better sentence."""
        crc = binascii.crc_hqx(content[:-2], 0xFFFF)
        if content[0] == 0x81 and crc.to_bytes(2, "little") == content[-2:]:
            self.old_protocol = int.from_bytes(content[2:4], "little")

    def _end(self) -> Iterator[Item]:
        if self._piece:
            piece = bytes(self._piece)
            self._piece.clear()
            frame = None if self._too_long else self._frame(piece)
            yield frame or _text_or_damage(piece)

    def _frame(self, piece: bytes) -> Frame | None:
        content = _unstuff(piece)
        if content is None or not _HEADER + _CRC <= len(content) <= self._content_max:
            return None
        if zlib.crc32(content[:-_CRC]).to_bytes(_CRC, "little") != content[-_CRC:]:
            self._look_for_old(content)
            return None
        return Frame(content[0], content[1], content[_HEADER:-_CRC])


# ---- COBS: no zero inside a frame ----


def _stuff(content: bytes) -> bytes:
    out = bytearray()
    parts = content.split(b"\0")
    for i, part in enumerate(parts):
        while len(part) > _BLOCK or (len(part) == _BLOCK and i < len(parts) - 1):
            out += b"\xff" + part[:_BLOCK]
            part = part[_BLOCK:]
        out += bytes((len(part) + 1,)) + part
    return bytes(out)


def _unstuff(piece: bytes) -> bytes | None:
    out = bytearray()
    at = 0
    while at < len(piece):
        code = piece[at]
        out += piece[at + 1 : at + code]
        at += code
        if at < len(piece) and code <= _BLOCK:
            out.append(0)
    return bytes(out) if at == len(piece) else None  # else the last block is cut short


# ---- text ----


def _as_text(piece: bytes) -> str | None:
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        return None
    # escape: boot loaders colour their messages
    return text if all(c.isprintable() or c in "\t\r\n\x1b" for c in text) else None


def _text_or_damage(piece: bytes) -> Text | Damage:
    text = _as_text(piece)
    return Damage(piece) if text is None else Text(text)
