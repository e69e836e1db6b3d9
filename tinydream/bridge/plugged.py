"""What is plugged in: serial ports, and what USB and the system tell of each."""

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Plugged", "hindrance", "plugged", "port_names"]


@dataclass(frozen=True)
class Plugged:
    """A serial port. vid, pid: of the USB device behind it, None where there is none. serial,
    location: its serial number and where on the bus it hangs, "" where USB does not tell."""

    port: str
    vid: int | None = None
    pid: int | None = None
    serial: str = ""
    location: str = ""
    text: str = ""

    @property
    def usb(self) -> str:
        """Its USB ids as they are usually written: "10c4:ea60"; "" for another port."""
        return "" if self.vid is None or self.pid is None else f"{self.vid:04x}:{self.pid:04x}"

    def same(self, other: "Plugged") -> bool:
        """Is this the device that `other` was? A board changes ids in its boot loader, and a
        system may give it another name: the place on the bus stays, and the serial number often."""
        if self.location and other.location:
            return self.location == other.location
        if self.serial and other.serial:
            return self.serial == other.serial
        return self.port == other.port


def plugged() -> list[Plugged]:
    """The serial ports of this machine, sorted by name."""
    from serial.tools import list_ports  # type: ignore[import-untyped]

    found = [
        Plugged(
            port.device,
            port.vid,
            port.pid,
            port.serial_number or "",
            # Linux adds the interface, which differs between a program and its boot loader
            (port.location or "").split(":")[0],
            "" if port.description in (None, "n/a") else port.description,
        )
        for port in list_ports.comports()
    ]
    return sorted(found, key=lambda each: each.port)


def port_names() -> list[str]:
    """The serial ports of this machine, sorted."""
    return [each.port for each in plugged()]


def hindrance(port: str) -> str:
    """Why a port cannot be used, as far as can be seen without opening it, and what helps; ""."""
    if not os.path.exists(port):
        return ""
    if not os.access(port, os.R_OK | os.W_OK):
        return (
            f"{port} may not be used by this user; join the group that owns it (often"
            " `sudo usermod -aG dialout $USER`) and log in again"
        )
    holder = _holder(port)
    return f"{port} is held by {holder}; close that first" if holder else ""


def _holder(port: str) -> str:
    """The program that has a port open, where /proc tells; not this one."""
    wanted = os.path.realpath(port)
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        process = handle.parts[2]
        try:
            if os.readlink(handle) == wanted and int(process) != os.getpid():
                return f"{Path('/proc', process, 'comm').read_text().strip()} (process {process})"
        except OSError:  # it has ended, or is another user's
            continue
    return ""
