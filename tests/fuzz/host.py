"""Fuzz target: whatever comes in at the host is read without a traceback: host.py RUNS SEED.

An input is a list of pieces: u8 how, then a raw piece (u8 length, bytes) or a good frame (u8 type,
u8 length, body). It comes at once, and in short reads.
"""

import sys
import tempfile
import types

import atheris

from tinydream.bridge import answer, frame, line, message
from tinydream.errors import FirmwareError, LinkError

HEARD = tuple(number for number in answer.MESSAGES if number >= 0x80)


def instrument(module):
    """Coverage of every function; atheris's import hook does not see an editable install."""
    kinds = [each for each in vars(module).values() if isinstance(each, type)]
    for owner in (module, *(each for each in kinds if each.__module__ == module.__name__)):
        for each in list(vars(owner).values()):
            function = getattr(each, "__func__", each)
            if isinstance(function, types.FunctionType) and function.__module__ == module.__name__:
                atheris.instrument_func(function)


class Tape:
    """A link that brings these bytes, so many at once, and then breaks."""

    name = "tape"

    def __init__(self, data, step):
        self.pieces = iter([data[at : at + step] for at in range(0, len(data), step)])

    def read(self, timeout):
        for piece in self.pieces:
            return piece
        raise LinkError("the tape is over")


def stream(data):
    """The bytes of an input, as a line would bring them."""
    out, at = b"", 0
    while at + 2 < len(data):
        how = data[at]
        size = data[at + 1] if how >= 0xC0 else data[at + 2]
        start = at + 2 if how >= 0xC0 else at + 3
        body = data[start : start + size]
        kind = HEARD[data[at + 1] % len(HEARD)]
        out += body if how >= 0xC0 else frame.encode(kind, how, body)
        at = start + size
    return out


def unpack(got):
    try:
        found = answer.MESSAGES[got.type].unpack(got.body)
    except FirmwareError:
        return
    if isinstance(found, answer.Failure):
        assert message.error_text(found.error)


def one_input(data):
    brought = stream(bytes(data))
    decoder = frame.Decoder()
    items = decoder.feed(brought) + decoder.flush()
    frames = [each for each in items if isinstance(each, frame.Frame)]
    for each in frames:
        if each.type in HEARD:
            unpack(each)
    short = line.Line(Tape(brought, len(data) % 7 + 1), on_log=str)
    try:
        while short.next_event(60.0):
            pass
    except LinkError:
        assert short.health.frames == len(frames)


if __name__ == "__main__":
    runs, seed = sys.argv[1:]
    for each in (answer, frame, line, message):
        instrument(each)
    with tempfile.TemporaryDirectory() as folder:
        limits = [f"-runs={runs}", f"-seed={seed}", "-max_len=160"]
        atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", folder], one_input)
        atheris.Fuzz()
