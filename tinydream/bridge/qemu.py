"""A board that QEMU emulates, on a serial line over loopback TCP."""

import contextlib
import select
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from tinydream.board import EMULATORS, Emulator, Storage
from tinydream.bridge.link import how_it_ended
from tinydream.errors import LinkError

__all__ = ["QemuLink"]

_SLICE = 0.05  # seconds between two looks at whether QEMU still lives
# kills QEMU when we are killed ourselves and can close nothing (util-linux)
_LEASH = ("setpriv", "--pdeathsig", "KILL", "--")

# bytes of what a machine keeps in a file, by the driver of its storage; others end with QEMU
_KEPT = {"memory": 16 << 20, "cfi": 32 << 20}


def _machine(
    qemu: Emulator, program: Path, storage: Storage | None = None, file: Path | None = None
) -> list[str]:
    """QEMU's options for the machine, its program and what it keeps; makes the file if need be."""
    options = ["-M", qemu.machine, *qemu.options]
    start = ["-kernel", str(program)]
    if storage is None or file is None or storage.driver not in _KEPT:
        return [*options, *start]
    size = _KEPT[storage.driver]
    with file.open("ab") as made:
        made.truncate(size)  # a hole, until something is written
    name = str(file).replace(",", ",,")
    if storage.driver == "memory":
        memory = f"memory-backend-file,id=kept,size={size},mem-path={name},share=on"
        return [*options, *start, "-object", memory, "-machine", "memory-backend=kept"]
    # beside a second flash QEMU starts only what it was given as its firmware
    if "-bios" in options:
        at = options.index("-bios")
        del options[at : at + 2]
    flash = f"if=pflash,unit=1,format=raw,file={name}"
    return [*options, "-bios", str(program), "-drive", flash]


class QemuLink:
    """QEMU as a child process that ends with this link, and with this host however that ends.

    QEMU calls us, on a port that was ours before it started: no other program can be given the
    same one. Time stands still while the core does, and ticks are instructions (-icount shift=0).
    kept: the board's storage, and the file that holds it from one run of QEMU to the next.
    """

    name = "qemu"

    def __init__(
        self,
        qemu: Emulator,
        program: Path,
        *,
        kept: tuple[Storage, Path] | None = None,
        start_timeout: float = 10.0,
    ) -> None:
        if not shutil.which(qemu.program):
            raise LinkError(
                f"the emulator {qemu.program} is not on PATH; run `apt-get install"
                f" {EMULATORS[qemu.program]}`"
            )
        self._qemu = qemu
        self._machine = _machine(qemu, program, *kept) if kept else _machine(qemu, program)
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        self._line: socket.socket | None = None
        with socket.create_server(("127.0.0.1", 0), backlog=1) as door:
            self.process = self._start(door.getsockname()[1])
            try:
                self._line = self._wait(door, start_timeout)
            except BaseException:
                self.close()
                raise

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        command = [
            *(_LEASH if shutil.which(_LEASH[0]) else ()),
            *(self._qemu.program, *self._machine, "-icount", "shift=0"),
            *("-display", "none", "-monitor", "none"),
            *("-chardev", f"socket,id=line,host=127.0.0.1,port={port},nodelay=on"),
            *("-serial", "chardev:line"),
        ]
        null = subprocess.DEVNULL
        try:
            # a group of its own: Ctrl-C is for us, and we end QEMU
            return subprocess.Popen(
                command, stdin=null, stdout=null, stderr=self._errors, process_group=0
            )
        except OSError as error:
            self._errors.close()
            raise LinkError(
                f"{self._qemu.program} cannot be started ({error.strerror}); run `tinydream doctor`"
            ) from error

    def _wait(self, door: socket.socket, timeout: float) -> socket.socket:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if select.select([door], [], [], _SLICE)[0]:
                line, _ = door.accept()
                line.settimeout(5.0)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return line
            if self.process.poll() is not None:
                raise self._gone()
        raise LinkError(
            f"{self._qemu.program} started and opened no serial line in {timeout:g} s; the machine"
            " is overloaded, or it is not QEMU: run `tinydream doctor`"
        )

    def read(self, timeout: float) -> bytes:
        if self._line is None:
            raise self._gone()
        if not select.select([self._line], [], [], max(timeout, 0))[0]:
            return b""
        data = b""
        with contextlib.suppress(OSError):  # a line that broke is a line that ended
            data = self._line.recv(65536)
        if not data:
            raise self._gone()
        return data

    def write(self, data: bytes) -> None:
        # an emulator that has ended is told by `read`, after the last that the board said
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.sendall(data)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._line is not None:
            self._line.close()
            self._line = None
        self._errors.close()

    def _gone(self) -> LinkError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        said = self._last_words()
        return LinkError(
            f"the emulator {self._qemu.program} {how_it_ended(self.process.returncode)}"
            + (f", saying {said!r}" if said else "")
            + "; start it again"
        )

    def _last_words(self) -> str:
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        # what QEMU complains of begins with its name; registers may follow it
        return next((x for x in lines if x.startswith("qemu")), lines[-1] if lines else "")[:200]
