"""Messages: every record survives the wire, lengths are checked, the tables agree."""

import re
from pathlib import Path

import numpy as np
import pytest

from tinydream.bridge import answer, message
from tinydream.bridge.answer import MESSAGES
from tinydream.errors import FirmwareError, InputError

ROOT = Path(__file__).parents[1]

EXAMPLES = [
    message.Hello(3, 1 << 31),
    message.Train(1, 2, 3, 4, 0.5, 1, 5, 0.25, 9, False),
    message.Stop(),
    message.Pull(7, 59),
    message.Status(),
    message.Reset(),
    message.Health(),
    message.Pause(True),
    message.Step(7),
    message.Knob(3, 7),
    message.Channels(1),
    message.Evaluate(),
    message.Pushed(0xFFFFFFFF),
    message.Rows(1, 236),
    message.Save(),
    message.Load(True),
    message.Erase(),
    message.Filled(7, b"12345678"),
    answer.Info(3, 1, b"12345678", 600, 150, 240, 64, 9, 7, 1, "native", "µs"),
    answer.State(1, 3, 15, 0xFFFFFFFF, -6),
    answer.Counts(1 << 40, 1, 2, 4, 5, 6, 7, 8, 9, -24, 1, 3, 2, b"abcdefgh", 300),
    answer.Channel(2, 1, "temperature", "°C"),
    answer.Taken(7),
    answer.Laid(9),
    answer.Packed(3, b"abc"),
    answer.Metrics(1, 5, 50, 49, 0.25, 30, 29, 0.5, 1, 1 << 40),
    answer.Done(2, 10, 0xFFFFFFFF, -6),
    answer.Paused(2, 10),
    answer.Evaluation(30, 29, 0.5),
    answer.Values(b"abcd"),
    answer.Log("grün"),
    answer.Failure(-10, 2),
]
ARRAYS = {message.Push, message.Fill, message.Row, answer.Weights, answer.Seen}


@pytest.mark.parametrize("sent", EXAMPLES, ids=lambda m: type(m).__name__)
def test_a_message_survives_the_wire(sent):
    assert MESSAGES[sent.TYPE].unpack(sent.pack()) == sent


def test_weights_survive_the_wire():
    values = np.array([0, -0.0, 1e-45, 3e38, np.pi], np.float32)
    got = answer.Weights.unpack(answer.Weights(7, values).pack())
    assert got.first == 7 and got.values.tobytes() == values.tobytes()


def test_there_is_an_example_of_every_message():
    assert {type(m) for m in EXAMPLES} | ARRAYS == set(MESSAGES.values())


FIXED = [m for m in EXAMPLES if not isinstance(m, answer.Values | answer.Log | answer.Packed)]


@pytest.mark.parametrize("sent", FIXED, ids=lambda m: type(m).__name__)
def test_what_a_later_version_adds_to_a_message_is_not_looked_at(sent):
    assert MESSAGES[sent.TYPE].unpack(sent.pack() + b"later") == sent


@pytest.mark.parametrize("sent", FIXED, ids=lambda m: type(m).__name__)
def test_a_message_that_is_too_short_is_refused(sent):
    if body := sent.pack():
        with pytest.raises(FirmwareError, match=r"bytes where SPEC.md gives.*tinydream build"):
            MESSAGES[sent.TYPE].unpack(body[:-1])


@pytest.mark.parametrize("size", [0, 3, 5, 7])
def test_weights_of_another_length_are_refused(size):
    with pytest.raises(FirmwareError, match="Weights message"):
        answer.Weights.unpack(bytes(size))


def test_a_value_that_does_not_fit_is_refused_by_name():
    with pytest.raises(InputError, match=r"seed=-1.*cannot be sent"):
        message.Train(0, -1, 1, 0, 0.5).pack()


def test_the_errors_are_those_of_the_core():
    text = (ROOT / "firmware/lib/tinydream/src/td_error.def").read_text()
    found = re.findall(r'^X\((\w+),\s*(-\d+), "(.*)"\)$', text, re.M)
    assert {int(n): (name, sentence) for name, n, sentence in found} == message.errors()
    assert len(found) == text.count("\nX(")


def test_an_error_has_a_name_a_number_and_a_sentence():
    assert message.error_text(-10) == "TD_EBUSY (-10): training is under way; stop it first"
    assert "this tinydream does not know it" in message.error_text(-99)


def test_the_types_are_those_of_the_specification():
    spec = (ROOT / "SPEC.md").read_text().split("## Bridge")[1]
    rows = dict(re.findall(r"^\| (0x..) (\w+)(?: \*)? \|", spec, re.M))
    ours = {f"0x{kind.TYPE:02X}".lower(): kind.__name__.lower() for kind in MESSAGES.values()}
    for number, name in rows.items():
        assert ours[number.lower()] == {"error": "failure"}.get(name, name)
    answers = {n for n in ours if 0x80 < int(n, 16) < 0xC0}
    assert set(ours) == {n.lower() for n in rows} | answers
