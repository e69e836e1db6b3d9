"""The serial protocol, host side: frames, messages, links, and the device at the other end."""

from tinydream.bridge.device import Device
from tinydream.bridge.link import FakeLink, Link, ProcessLink, SerialLink, port_names, port_notes
from tinydream.bridge.message import Done, Info, Metrics, State
from tinydream.bridge.qemu import QemuLink

__all__ = [
    "Device",
    "Done",
    "FakeLink",
    "Info",
    "Link",
    "Metrics",
    "ProcessLink",
    "QemuLink",
    "SerialLink",
    "State",
    "port_names",
    "port_notes",
]
