"""The serial protocol, host side: frames, messages, links, and the device at the other end."""

from tinydream.bridge.answer import Channel, Counts, Done, Evaluation, Info, Metrics, State
from tinydream.bridge.device import Device
from tinydream.bridge.line import Health
from tinydream.bridge.link import FakeLink, Link, ProcessLink, SerialLink
from tinydream.bridge.plugged import Plugged, hindrance, plugged, port_names
from tinydream.bridge.qemu import QemuLink

__all__ = [
    "Channel",
    "Counts",
    "Device",
    "Done",
    "Evaluation",
    "FakeLink",
    "Health",
    "Info",
    "Link",
    "Metrics",
    "Plugged",
    "ProcessLink",
    "QemuLink",
    "SerialLink",
    "State",
    "hindrance",
    "plugged",
    "port_names",
]
