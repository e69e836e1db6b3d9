"""A line that spoils bytes, and keeps book of what was really sent."""

import random
import time

from tinydream.bridge import Link
from tinydream.bridge.frame import Decoder, Frame, Item

__all__ = ["FAULTS", "NoisyLink"]

FAULTS = ("drop", "flip", "twice", "insert", "split", "delay", "cut", "boot")
BOOT = b"\r\nrst:0x1 (POWERON_RESET),boot:0x13\r\n"
RARE = 50  # of a split, a delay, a cut or a boot message there are fewer than of spoilt bytes


class NoisyLink:
    """Each byte, both ways, suffers one of the first four FAULTS with probability `share`.

    The last four strike whole pieces, less often. `wrong` counts frames that a receiver took for
    good and that nobody had sent: the host's own decoder, and for the other way one of the same
    rules as the device's (tests/test_frame.py holds them together).
    """

    def __init__(self, link: Link, seed: int, share: float) -> None:
        self.link, self.name, self.share = link, link.name, share
        self.injected = dict.fromkeys(FAULTS, 0)
        self.frames = self.arrived = self.wrong = 0
        self._random = random.Random(seed)
        self._sent: tuple[set[Frame], set[Frame]] = (set(), set())
        self._clean = Decoder(), Decoder()
        self._heard = Decoder(), Decoder(240)
        self._late = b""

    def read(self, timeout: float) -> bytes:
        if self._late:
            data, self._late = self._late, b""
            return data
        data = self._pass(0, self.link.read(timeout))
        if len(data) > 1 and self._strikes(1 / RARE, "split"):
            at = self._random.randrange(1, len(data))
            data, self._late = data[:at], data[at:]
        return data

    def write(self, data: bytes) -> None:
        self.link.write(self._pass(1, data))

    def close(self) -> None:
        self.link.close()

    def _strikes(self, chance: float, fault: str) -> bool:
        if self._random.random() >= chance:
            return False
        self.injected[fault] += 1
        return True

    def _pass(self, way: int, data: bytes) -> bytes:
        for item in self._clean[way].feed(data):
            self._note(way, item)
        if not data:
            return data
        if self._strikes(self.share / RARE, "delay"):
            time.sleep(0.002)
        if self._strikes(self.share / RARE, "cut"):
            data = data[: self._random.randrange(len(data))]
        spoilt = b"".join(map(self._spoil, data))
        if self._strikes(self.share / RARE, "boot"):
            spoilt = BOOT + spoilt
        for item in self._heard[way].feed(spoilt):
            if isinstance(item, Frame):
                self.arrived += 1
                self.wrong += item not in self._sent[way]
        return spoilt

    def _note(self, way: int, item: Item) -> None:
        if isinstance(item, Frame):
            self.frames += 1
            self._sent[way].add(item)

    def _spoil(self, byte: int) -> bytes:
        if self._random.random() >= self.share:
            return bytes((byte,))
        fault = FAULTS[self._random.randrange(4)]
        self.injected[fault] += 1
        if fault == "flip":
            return bytes((byte ^ 1 << self._random.randrange(8),))
        if fault == "drop":
            return b""
        return bytes((byte, byte if fault == "twice" else self._random.randrange(256)))
