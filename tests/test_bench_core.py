"""scripts/bench core: what is counted is what ran, and what is estimated follows its table."""

from types import SimpleNamespace
from xml.etree import ElementTree
from zlib import crc32

import numpy as np
import pytest

from bench.core import differences, draw, functions, page_curves
from bench.core.counts import CASES, count
from bench.core.curves import PEER, Rival, choose, multiply_adds, peer_cost, reaches
from bench.core.learn import SETTINGS
from bench.core.profile import Code, Instruction, estimated_cycles
from tinydream.simulator import Simulator

TABLE = {
    "taken": 2,
    "after_load": 1,
    "consumed": 1,
    "pop_pc": 0,
    "rules": [["push|pop|vldmia", 1, 1], ["ldr|vldr", 2, 0], ["vdiv", 14, 0]],
}


def lines(*texts):
    each = (text.partition(" ") for text in texts)
    return [Instruction(2 * i, "f", name, rest) for i, (name, _, rest) in enumerate(each)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("movs", "mov"), ("muls", "mul"), ("mls", "mls"), ("bls.n", "b"), ("bics.w", "bic")),
        *(("vmovgt.f32", "vmov"), ("ldrne", "ldr"), ("lsls", "lsl"), ("blx", "blx"), ("bl", "bl")),
        *(("addeq.w", "add"), ("adcs", "adc"), ("teq", "teq"), ("vcmpe.f32", "vcmpe")),
    ],
)
def test_an_opcode_is_known_without_condition_width_and_flags(written, meant):
    assert Instruction(0, "f", written, "").base == meant


@pytest.mark.parametrize(
    ("block", "cycles"),
    [
        (lines("adds r0, r0, #1", "cmp r0, r1", "bne.n 10"), 3),
        (lines("push {r4, r5, r6, lr}"), 5),
        (lines("pop {r4-r7, pc}"), 6),
        (lines("vldmia r0!, {s0-s3}"), 5),
        (lines("ldr r0, [r1]", "ldr r2, [r3]", "adds r0, r0, r2"), 4),
        (lines("vmul.f32 s0, s1, s2", "vadd.f32 s3, s3, s0"), 3),
        (lines("vmul.f32 s0, s1, s2", "vadd.f32 s3, s3, s4"), 2),
        (lines("vdiv.f32 s0, s1, s2", "vstr s0, [r0]"), 16),
    ],
)
def test_cycles_of_a_block_follow_the_table(block, cycles):
    assert estimated_cycles(block, TABLE) == cycles


def test_what_differs_between_two_results_is_named():
    old = {"a": {"x": 1, "y": 2}, "b": 3}
    assert differences(old, old, "all") == []
    assert differences(old, {"a": {"x": 1, "y": 5}}, "all") == [
        "all, a, y: 2 -> 5",
        "all, b: 3 -> None",
    ]


def test_the_worst_path_adds_up_and_does_not_go_round():
    def symbol(stack, *calls):
        return SimpleNamespace(stack=stack, calls=set(calls))

    tree = {
        "a": symbol(8, "b", "c", "printf"),
        "b": symbol(16),
        "c": symbol(4, "d"),
        "d": symbol(20),
    }
    assert functions._worst("a", tree) == (32, "c")
    with pytest.raises(RuntimeError, match="calls itself"):
        functions._worst("a", tree | {"d": symbol(20, "a")})


# ---- curves ----


def test_work_of_a_peer_is_scaled_by_multiply_adds():
    assert multiply_adds(64, 10) == 5056
    adam, sgd = SETTINGS[-1], SETTINGS[0]
    assert (peer_cost(64, 10, sgd), peer_cost(64, 10, adam)) == (20 * 103_600, 20 * 131_800)
    assert peer_cost(16, 26, sgd) == round(20 * 103_600 * multiply_adds(16, 26) / 5056)


def test_the_setting_with_the_fewest_instructions_to_the_level_is_chosen():
    points = [1, 2, 4]
    seen = {("a", setting): np.array([0.1, 0.2, 0.3]) for setting in SETTINGS}
    seen["a", SETTINGS[1]] = np.array([0.1, 0.9, 0.9])
    seen["a", SETTINGS[2]] = np.array([0.1, 0.2, 0.95])
    costs = dict.fromkeys(SETTINGS, 100)
    assert reaches(seen["a", SETTINGS[1]], 0.9, points) == 2
    assert choose(Rival("r", "a", costs, 0, 16), seen, 0.9, points) == SETTINGS[1]
    costs[SETTINGS[2]] = 10  # later, but each step costs less
    assert choose(Rival("r", "a", costs, 0, 16), seen, 0.9, points) == SETTINGS[2]
    assert choose(Rival("r", "a", costs, 0, 16), seen, 0.99, points) == SETTINGS[2]


def told(size, step, needed, **more):
    steps = {p: n and n // step for p, n in zip(("90", "95", "98"), needed, strict=True)}
    need = dict(zip(("90", "95", "98"), needed, strict=True))
    curve = {"curve": [0.2, 0.8, 0.9], "final": 0.9, "spread": 0.01, "setting": "Adam 0.003"}
    return {
        "bytes": size,
        "inputs": 16,
        "step": step,
        "steps_to": steps,
        "instructions_to": need,
        **curve,
        **more,
    }


FOUND = {
    "seeds": 2,
    "sets": {
        "letters & more": {
            **{"steps": 40, "points": [1, 10, 40], "all_rows_reach": 0.91},
            "all_rows_setting": "SGD 0.1",
            "rivals": {
                "representatives": told(800, 10, (50, 100, None), by_bytes=[[100, 0.5]]),
                "random rows": told(790, 9, (90, None, None), by_bytes=[[99, 0.4]]),
                "all rows": told(9000, 9, (90, 180, 270)),
                PEER: told(9000, 40, (400, 800, 1200)),
            },
        }
    },
}


def test_pictures_are_well_formed_and_tables_say_never():
    for picture in (draw.by_instructions(FOUND), draw.by_bytes(FOUND)):
        lines = ElementTree.fromstring(picture).findall("{http://www.w3.org/2000/svg}polyline")
        assert len(lines) in (3, 4)
    text = page_curves.make(FOUND)
    assert "| letters & more | 0.089 | 8.0x | 8.0x | never |" in text
    assert "1 of 1 sets reach 4x" in text and "0 of 1 sets reach 20x" in text


# ---- on the emulated cores ----


@pytest.mark.slow
@pytest.mark.needs("arm")
def test_every_function_of_the_core_has_its_line():
    rows = [line.split(",") for line in functions.make().splitlines()]
    code = {row[1]: row for row in rows if row[2] == "code"}
    assert {"td_train_step", "td_predict", "td_rows_draw", "td_node_poll", "start"} <= set(code)
    step, poll = (int(code[name][5]) for name in ("td_train_step", "td_node_poll"))
    assert 0 < step < poll


@pytest.mark.slow
@pytest.mark.needs("qemu")
@pytest.mark.parametrize("name", ["M4F SGD 20 tile 4", "M3 Adam 20 tile 4"])
def test_counts_are_exact_and_of_the_training_that_the_simulator_does(name):
    case = next(case for case in CASES if case.name == name)
    figures, program, ran = count(case)
    again, _, _ = count(case)
    assert figures == again
    simulator = Simulator(case.plan)
    simulator.train(epochs=1, epoch_rows=figures.samples, rate=0.05, seed=1, weights_seed=1)
    assert f"{crc32(simulator.weights.tobytes()):08x}" == figures.weights_crc32
    code, blocks = Code(program), ran.blocks[1, 0]
    told = code.functions(blocks)
    assert sum(told.values()) == sum(code.opcodes(blocks).values()) == figures.train
    assert "td_rows_dream" not in told and "td_rows_dream" in code.functions(ran.blocks[1, 1])
    assert figures.train < code.cycles(blocks) < figures.estimated_cycles < 5 * figures.train
