"""Links: processes and serial ports, and the sentences when there is none."""

import os
import subprocess
import tty

import pytest
import serial
from bridge_double import FAST, node_program, process, two_runs

from tinydream.bridge import Device, ProcessLink, SerialLink, link
from tinydream.errors import LinkError

# ---- processes ----


def test_a_program_that_cannot_be_started_is_named():
    with pytest.raises(LinkError, match=r"'/nowhere/node' cannot be started.*tinydream build"):
        ProcessLink(["/nowhere/node"])


def test_a_program_that_ended_says_how_and_why():
    short = ProcessLink(["sh", "-c", "echo no memory >&2; exit 3"])
    short.process.wait()
    with pytest.raises(LinkError, match="'sh' ended with exit status 3, saying 'no memory'"):
        short.read(1)
    short.close()
    short.close()


def test_the_program_ends_when_its_host_does():
    node = subprocess.Popen([node_program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    node.communicate(timeout=5)
    assert node.returncode == 0


def test_the_last_words_of_a_program_are_logged_although_no_zero_follows():
    logs = []
    dying = ProcessLink(["sh", "-c", "printf 'boot\\r\\nHardFault'; exit 1"])
    with pytest.raises(LinkError, match="ended with exit status 1"):
        Device.open(dying, **FAST, on_log=logs.append)
    assert logs == ["boot", "HardFault"]


# ---- serial ports ----


@pytest.fixture(scope="module")
def weights():
    with Device.open(process(), **FAST) as device:
        return two_runs(device)


@pytest.fixture
def port():
    """The native program behind a pseudo-terminal; the name of its other end."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    node = subprocess.Popen([node_program()], stdin=ours, stdout=ours)
    yield os.ttyname(theirs)
    node.kill()
    node.wait()
    os.close(ours)
    os.close(theirs)


def test_a_device_is_trained_over_a_terminal(port, weights):
    with Device.open(port, **FAST) as device:
        assert (two_runs(device) == weights).all()


def test_a_port_that_another_program_holds_is_refused(port):
    with Device.open(port, **FAST):
        with pytest.raises(LinkError, match="is held by another program; close that"):
            SerialLink(port)


def test_a_port_that_does_not_exist_is_refused_with_those_that_do(monkeypatch):
    monkeypatch.setattr(link, "port_names", lambda: ["/dev/ttyACM0", "/dev/ttyUSB7"])
    with pytest.raises(LinkError, match="'/dev/none' does not exist.*/dev/ttyACM0, /dev/ttyUSB7"):
        SerialLink("/dev/none")


def test_a_port_without_permission_names_the_group(monkeypatch):
    def refuse(*_, **__):
        raise serial.SerialException(13, "Permission denied")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(LinkError, match="may not be used by this user.*dialout"):
        SerialLink("/dev/ttyUSB0")


def test_a_port_that_is_unplugged_breaks_the_link(port):
    serial_link = SerialLink(port)
    serial_link.close()
    with pytest.raises(LinkError, match="the link to .* broke"):
        serial_link.read(0.1)
    with pytest.raises(LinkError, match="the link to .* broke"):
        serial_link.write(b"x")
