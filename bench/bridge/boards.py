"""Several boards at once: is a frame lost, does memory grow?"""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench.bridge.device import make_program
from tinydream.bridge import Device, ProcessLink

__all__ = ["watch"]

BOARDS = 8
SLOW = 668  # the fake trainer's seed for 2 ms a batch, 10 ms an epoch


def watch(seconds: float) -> dict[str, Any]:
    """A thread a board, each trains run after run; what was heard, what was lost, what it took."""
    with tempfile.TemporaryDirectory() as folder:
        program = make_program(Path(folder))
        links = [ProcessLink([program]) for _ in range(BOARDS)]
        devices = [Device.open(link) for link in links]
    deadline = time.monotonic() + seconds
    heard = [0] * BOARDS
    failed: list[str] = []

    def train(index: int) -> None:
        def hear(_: object) -> None:
            heard[index] += 1

        epochs = 0
        try:
            while time.monotonic() < deadline:
                epochs += devices[index].train(epochs=300, seed=SLOW, on_metrics=hear).epoch
                devices[index].pull()
        except Exception as error:  # told at the end: the others go on
            failed.append(f"board {index}: {error}")
        if epochs != heard[index]:
            failed.append(f"board {index} had {epochs} epochs, {heard[index]} were heard of")

    threads = [threading.Thread(target=train, args=(i,)) for i in range(BOARDS)]
    for thread in threads:
        thread.start()
    time.sleep(min(20.0, seconds / 4))  # everything has been imported and grown by then
    before = _memory(links)
    time.sleep(max(0.0, deadline - time.monotonic() - 5))
    after = _memory(links)
    for thread in threads:
        thread.join()
    told: dict[str, Any] = {"boards": BOARDS, "seconds": seconds, "metrics": sum(heard)}
    for name in ("frames", "damaged", "lost_events", "repeated"):
        told[name] = sum(getattr(device.health, name) for device in devices)
    told["dropped"] = sum(device.counts().dropped for device in devices)
    for device in devices:
        device.close()
    return told | {"kilobytes_before": before, "kilobytes_after": after, "failed": failed}


def _memory(links: list[ProcessLink]) -> dict[str, int]:
    """Resident kilobytes of this process, and of the largest firmware."""
    return {
        "host": _resident("self"),
        "firmware": max(_resident(str(link.process.pid)) for link in links),
    }


def _resident(process: str) -> int:
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])
