"""A board behind a pseudo-terminal that can be pulled out, restarted and plugged in elsewhere."""

import os
import subprocess
import tty

from bridge_double import node_program

from tinydream.bridge import Plugged

__all__ = ["PlugDouble"]


class PlugDouble:
    """Answers as the native firmware does, while it is up. ids: vid and pid of the program."""

    def __init__(self, ids: tuple[int, int], serial: str = "S1", location: str = "1-2") -> None:
        self.ids, self.serial, self.location = ids, serial, location
        self.port = ""
        self._node: subprocess.Popen[bytes] | None = None
        self._ends: tuple[int, ...] = ()

    def up(self, program: str | None = None, noise: bytes = b"") -> str:
        """Plugs it in, under a name that it did not have before; noise: what its boot ROM says."""
        old, (ours, theirs) = self._ends, os.openpty()
        tty.setraw(theirs)
        os.write(ours, noise)
        self._node = subprocess.Popen([program or node_program()], stdin=ours, stdout=ours)
        self.port, self._ends = os.ttyname(theirs), (ours, theirs)
        for end in old:
            os.close(end)
        return self.port

    def down(self) -> None:
        """It is gone from the bus; its name is not given to another one meanwhile."""
        if self._node is not None:
            self._node.kill()
            self._node.wait()
        self._node = None

    def close(self) -> None:
        self.down()
        for end in self._ends:
            os.close(end)
        self._ends = ()

    @property
    def listed(self) -> list[Plugged]:
        """What the system lists of it."""
        if self._node is None:
            return []
        return [Plugged(self.port, *self.ids, self.serial, self.location, "a board")]
