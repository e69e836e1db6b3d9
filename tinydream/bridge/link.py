"""How bytes reach a device: a serial port, a process, or a double for tests.

A link moves bytes and knows nothing of what they mean.
"""

import contextlib
import errno
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tinydream.bridge.plugged import port_names
from tinydream.errors import LinkError

__all__ = [
    "FakeLink",
    "Link",
    "ProcessLink",
    "SerialLink",
    "how_it_ended",
]

_SLICE = 0.05  # seconds a serial read may wait before it looks at its deadline


class Link(Protocol):
    """What a device needs from whatever it is plugged into.

    `name` is what messages call it. `read` waits at most `timeout` seconds and returns what has
    come, b"" when nothing has. When the other end is gone `read` raises LinkError, and `write` does
    or leaves it to `read`. `close` may be called twice.
    """

    name: str

    def read(self, timeout: float) -> bytes: ...

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class SerialLink:
    """A serial port, or any URL that pyserial knows (`socket://host:port`, `rfc2217://...`).

    The port is held for us alone where the system can do that. DTR and RTS are both asserted, and
    never one without the other: that is what systems do themselves, so that nothing changes when
    we come; the transistors beside an ESP32 (and the USB of its successors) reset it only while
    the two differ, and boards with USB of their own talk only while DTR is asserted. A system may
    drop both when the last program closes the port (HUPCL); it drops them together, too.
    """

    def __init__(self, port: str, *, baud: int = 115_200, write_timeout: float = 5.0) -> None:
        import serial  # type: ignore[import-untyped]  # here: only who has a board waits for it

        self.name = port
        options: dict[str, Any] = {"exclusive": True} if os.name == "posix" else {}
        try:
            self._serial = serial.serial_for_url(
                port,
                baudrate=baud,
                timeout=_SLICE,
                write_timeout=write_timeout,
                do_not_open=True,
                **options,
            )
            self._serial.dtr = self._serial.rts = True
            self._serial.open()
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise LinkError(_why_not_opened(port, error)) from error

    def read(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while True:
            try:
                data: bytes = self._serial.read(max(1, self._serial.in_waiting))
            except (OSError, TypeError) as error:  # pyserial: TypeError when closed meanwhile
                raise self._broken(error) from error
            if data or time.monotonic() >= deadline:
                return data

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except OSError as error:
            raise self._broken(error) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._serial.close()

    def _broken(self, error: Exception) -> LinkError:
        return LinkError(
            f"the link to {self.name!r} broke ({error}); check cable and power, then connect again"
        )


class ProcessLink:
    """The native firmware (or an emulator) as a child process, over its stdin and stdout.

    env: variables for it, beside our own.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.name = command[0]
        self._errors = tempfile.TemporaryFile()
        pipe = subprocess.PIPE
        try:
            self.process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=pipe,
                stdout=pipe,
                stderr=self._errors,
                cwd=cwd,
                env=os.environ | (env or {}),
            )
        except OSError as error:
            self._errors.close()
            raise LinkError(
                f"the firmware program {self.name!r} cannot be started ({error.strerror});"
                " build it with `tinydream build`"
            ) from error

    def read(self, timeout: float) -> bytes:
        output = self.process.stdout
        if output is None or output.closed:
            raise self._gone()
        if not select.select([output], [], [], max(timeout, 0))[0]:
            return b""
        data: bytes = os.read(output.fileno(), 65536)
        if not data:
            raise self._gone()
        return data

    def write(self, data: bytes) -> None:
        # a program that has ended is told by `read`, after the last that it said
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError, ValueError):  # ValueError: we closed it
                self.process.stdin.write(data)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _gone(self) -> LinkError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        said = self._last_words()
        return LinkError(
            f"the firmware program {self.name!r} {how_it_ended(self.process.returncode)}"
            + (f", saying {said!r}" if said else "")
            + "; start it again"
        )

    def _last_words(self) -> str:
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        # a sanitizer's first lines say what happened, a program's last line does
        return next((line for line in lines if "ERROR" in line), lines[-1] if lines else "")[:200]


class FakeLink:
    """A double without a device: `answer` maps what is written to what can be read afterwards.

    `sent` holds all that was written; `feed` adds bytes that come unasked.
    """

    name = "fake"

    def __init__(self, answer: Callable[[bytes], bytes] | None = None) -> None:
        self.sent: list[bytes] = []
        self.closed = False
        self._answer = answer
        self._waiting = b""

    def feed(self, data: bytes) -> None:
        self._waiting += data

    def read(self, timeout: float) -> bytes:
        if not self._waiting:
            time.sleep(max(timeout, 0))
        data, self._waiting = self._waiting, b""
        return data

    def write(self, data: bytes) -> None:
        self.sent.append(data)
        if self._answer is not None:
            self.feed(self._answer(data))

    def close(self) -> None:
        self.closed = True


# ---- sentences ----


def _why_not_opened(port: str, error: Exception) -> str:
    number = getattr(error, "errno", None)
    there = ", ".join(port_names()) or "none"
    if number == errno.ENOENT:
        return (
            f"port {port!r} does not exist (serial ports here: {there}); plug in the board, or"
            " name one that `tinydream ports` lists"
        )
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"port {port!r} may not be used by this user; join the group that owns it (often"
            " `sudo usermod -aG dialout $USER`) and log in again"
        )
    if number in (errno.EBUSY, errno.EAGAIN):
        return f"port {port!r} is held by another program; close that (a serial monitor?) first"
    return f"port {port!r} cannot be opened ({error}); name one that `tinydream ports` lists"


def how_it_ended(code: int | None) -> str:
    """A child's exit status in words; None: it still runs."""
    if code is None:
        return "closed its output but still runs"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit status {code}"
