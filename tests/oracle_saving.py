"""Records of saved weights once more, in Python, written from SPEC.md alone."""

import struct
from dataclasses import dataclass
from zlib import crc32

__all__ = ["Record", "newest", "record_bytes", "records"]

GRAIN, HEADER = 64, 32
RUN_WORDS = 23


@dataclass(frozen=True)
class Record:
    """One record: where it lies, and what is in it."""

    at: int
    version: int
    run: bool
    sequence: int
    epoch: int
    digest: bytes
    body: bytes

    @property
    def end(self) -> int:
        return self.at + GRAIN + -(-len(self.body) // GRAIN) * GRAIN


def records(image: bytes) -> list[Record]:
    """Every whole record of a storage, in order of place."""
    found = []
    for at in range(0, len(image), GRAIN):
        header, seal = image[at : at + HEADER], image[at + HEADER : at + GRAIN]
        if bytes(255 - byte for byte in header) != seal:
            continue
        magic, version, run, _, sequence, epoch, size, crc, digest = struct.unpack(
            "<4sBBHIIII8s", header
        )
        body = image[at + GRAIN : at + GRAIN + size]
        if magic == b"TDSV" and len(body) == size and crc32(body) == crc:
            found.append(Record(at, version, run == 1, sequence, epoch, digest, body))
    return found


def newest(image: bytes) -> Record | None:
    return max(records(image), key=lambda record: record.sequence, default=None)


def record_bytes(plan, run: bool) -> int:
    """Of a plan's record, with a run or without."""
    moving = sum(layer.moving for layer in plan.layers)
    state = (plan.optimizer.state + plan.keep_best) * moving + RUN_WORDS
    return GRAIN + -(-4 * (plan.parameters + run * state) // GRAIN) * GRAIN
