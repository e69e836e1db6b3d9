# SPDX-License-Identifier: MIT
"""`pio device monitor` shows a training device's frames as lines (SPEC.md, "Bridge").

Only listens: `tinydream monitor` says more, and notices what was lost. The encoding must be latin1
(platformio.ini), which leaves each byte as it is.
"""

import binascii
import struct

from platformio.public import DeviceMonitorFilterBase

METRICS, DONE = 0xC1, 0xC2
# epoch, step, rows, correct, loss, validation rows, right, loss, best epoch, ticks
METRICS_FORM, DONE_FORM = "<IIIIfIIfIQ", "<IIIh"
LONGEST = 1100  # bytes of a frame, at most


class Tinydream(DeviceMonitorFilterBase):
    """Keeps what has come since the last zero byte: frames lie between two of them."""

    NAME = "tinydream"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._piece = b""

    def rx(self, text):
        *ended, self._piece = (self._piece + text.encode("latin-1", "replace")).split(b"\0")
        shown = "".join(map(_shown, ended))
        # text does not wait for the next frame, and nothing is kept for ever
        if _printable(self._piece) and self._piece.endswith(b"\n") or len(self._piece) > LONGEST:
            shown += _shown(self._piece)
            self._piece = b""
        return shown

    def tx(self, text):
        return text


def _shown(piece):
    content = _unstuffed(piece)
    if (
        content
        and len(content) >= 4
        and binascii.crc_hqx(content[:-2], 0xFFFF) == int.from_bytes(content[-2:], "little")
    ):
        return _line(content[0], content[2:-2])
    return piece.decode() if _printable(piece) else ""


def _printable(piece):
    try:
        return all(c.isprintable() or c in "\t\r\n\x1b" for c in piece.decode())
    except UnicodeDecodeError:
        return False


def _unstuffed(piece):
    """A frame without its COBS codes; None for what is none."""
    out, at = bytearray(), 0
    while at < len(piece):
        code = piece[at]
        out += piece[at + 1 : at + code]
        at += code
        if at < len(piece) and code < 255:
            out.append(0)
    return bytes(out) if at == len(piece) else None


def _line(kind, body):
    if kind == METRICS and len(body) == struct.calcsize(METRICS_FORM):
        epoch, _, rows, correct, loss, valid_rows, _, valid_loss, *_ = struct.unpack(
            METRICS_FORM, body
        )
        right = f"  drawn rows right {correct / rows:.1%}" if correct else ""
        valid = f"  validation loss {valid_loss:.4f}" if valid_rows else ""
        return f"epoch {epoch}  loss {loss:.4f}{right}{valid}\n"
    if kind == DONE and len(body) == struct.calcsize(DONE_FORM):
        epoch, _, _, error = struct.unpack(DONE_FORM, body)
        return f"done after epoch {epoch}" + (f", error {error}" if error else "") + "\n"
    return ""
