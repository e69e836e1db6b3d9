"""Good inputs for the fuzz targets of the bridge: python corpus_bridge.py FOLDER."""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np

from tinydream.bridge import message
from tinydream.bridge.frame import encode

ROW = np.array([1, 2, 3, 1], np.float32)
NEW = bytes((0x21, 0x43, 0x15, 0x57, 0x02, 0x98, 0x10))
FILLED = message.Filled(zlib.crc32(NEW), b"12345678")
CALLS = {
    "train": [message.Train(1, 2, 3, 0, 0.1), message.Status(), message.Health()],
    "hold": [message.Train(1, 2, 300, 0, 0.1), message.Pause(True), message.Step(2)],
    "go": [message.Train(1, 2, 300, 0, 0.1), message.Step(1), message.Pause(False), message.Stop()],
    "rows": [message.Knob.of("rate", 0.1), message.Row(0, 0, ROW[:3]), message.Row(2, 0, ROW)],
    "pieces": [message.Row(1, 0, ROW[:2]), message.Row(1, 2, ROW[2:]), message.Rows(0, 7)],
    "push": [message.Push(0, ROW), message.Push(4, np.ones(27, np.float32)), message.Pushed(7)],
    "fill": [message.Fill(0, NEW[:3]), message.Fill(3, NEW[3:]), FILLED, message.Rows(0, 7)],
    "half": [message.Fill(0, NEW), message.Train(1, 2, 3, 0, 0.1), message.Load(False), FILLED],
    "pull": [message.Pull(0, 31), message.Channels(0), message.Evaluate(), message.Reset()],
    "keep": [message.Save(), message.Load(True), message.Erase(), message.Knob(2, 9)],
    "again": [message.Train(1, 2, 9, 0, 0.1), message.Save(), message.Reset()],
}


def piece(request: message.Message) -> bytes:
    body = request.pack()
    return struct.pack("<BBB", 1, request.TYPE, len(body)) + body


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    hello = piece(message.Hello(message.PROTOCOL, 7))
    for name, calls in CALLS.items():
        (folder / name).write_bytes(hello + b"".join(map(piece, calls)))
    raw = b"".join(encode(k.TYPE, i, k.pack()) for i, k in enumerate(CALLS["train"]))
    (folder / "raw").write_bytes(hello + bytes((0xC1, len(raw))) + raw)
