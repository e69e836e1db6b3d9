"""A board on a serial port, for tests: firmware as a process behind a pseudo-terminal."""

import os
import subprocess
import tty
from pathlib import Path

from bridge_double import FAST, node_program

from tinydream.bridge import Device
from tinydream.training import Knobs

__all__ = ["SLOW", "PluggedBoard"]

SLOW = 668  # the fake trainer's seed for 2 ms a batch


class PluggedBoard:
    """`port` is its serial port's name, which comes and goes with `plug` and `unplug`."""

    def __init__(self, port: Path, program: str | None = None) -> None:
        self.port = str(port)
        self._program = program or node_program()
        self.plug()

    def plug(self) -> None:
        """A board that has just started."""
        master, self._line = os.openpty()
        tty.setraw(self._line)
        self._process = subprocess.Popen([self._program], stdin=master, stdout=master)
        os.close(master)
        os.symlink(os.ttyname(self._line), self.port)

    def unplug(self) -> None:
        """Its port is gone, and power with it."""
        os.unlink(self.port)
        self._process.kill()
        self._process.wait()
        os.close(self._line)

    def train(self, **knobs: int) -> None:
        """Begin a run that nobody watches yet."""
        with Device.open(self.port, **FAST) as device:
            device.start(Knobs(**knobs))

    def running(self) -> bool:
        with Device.open(self.port, **FAST) as device:
            return device.status().running
