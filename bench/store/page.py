"""docs/results/store.md: the table, its means, and the papers' figures beside them."""

from typing import Any

import numpy as np

from bench.store.measure import SYNTHETIC, TUNED

__all__ = ["make", "summary"]

HEAD = """# The lossless store

Made by `scripts/bench store --write` ({machine}).
Training rows of each set as they are given; "raw" is their bytes in that type. zstd is level 19
over the rows, Parquet is polars' with zstd, column by column. Ours is the whole file: blocks,
models, words, checksums. Seconds are of one thread's processor time: ours decodes five times in a
row, then zstd nine times, all that twice, and the least of each counts (in turns, decode by decode,
ours would leave zstd cold caches, and its time would be too long); encoding is once each, twice.
zstd's are of the first 2 MB of a set, for as many as there are; speeds are ratios to zstd -19
(encoding) and to zstd's decoder. The store uses all processors, unless told otherwise. A warm row
lies in a block that was decoded before (16 are kept); of a cold one the whole block is decoded.
"paper" is the size formula of generalised deduplication on the same integers (bases by increasing
entropy, patience 10), parameters left out; of sets up to 1.5 million numbers. Constants were
chosen on the first {tuned} sets by name; the other {fresh} were first looked at in this table, but
for the decoder's speed: block size, slots of a table and when each value has a token of its own
were chosen with all sets in sight.
"""
TRIED = """
Tried once, on the first rows of a set, share of raw without and with: reversible lifting before the
coder, one level, the better of Haar and 5/3 (in two dimensions: mnist 0.173, 0.371;
fashion_mnist_mini 0.450, 0.697; optdigits 0.279, 0.448; along a window: magic_wand_digits 0.470,
0.485): least squares of neighbours already says what it would, so it is left out. Repeated rows as
places among the different ones (kddcup99_10pct 0.0324, 0.0318; skin_segmentation 0.743, 0.791;
room_occupancy 0.0443, 0.0457; letter 0.337, 0.338): left out. No
two windows of cwru_bearing48k that follow each other overlap by half or more. zstd -19 as the coder
of a block's planes, each in as few bytes a number as it needs: 31 % more bytes in geometric mean
over ten sets (letter 0.455 for 0.323, cwru_bearing48k 0.457 for 0.316; less only on kddcup99_10pct,
0.0125 for 0.0192), decoded two to seven times as fast: left out. Reversible colour (g, r - g, b - g
modulo 256; skin_segmentation is the one set with colours: 0.744, 0.708): left out, for now.
Eight range coders instead of four were no faster, and rows put together in a place of their own
before they are copied were slower.

A file of 2,416,214,728 bytes (`python -m bench.store.large`, random bits): the writer's memory did
not grow after the fourth chunk of 72; opened in 3 ms; rows on both sides of 2 GiB came back right.
"""
ROW = "| {} | {:,} | {:.3f} | {:.3f} | {:.3f} | {} | {:.1f} | {:.2f} | {:.1f} | {:.0f} |"


def _mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Geometric means over the real sets, tuned on or not, and how often ours is the smaller."""
    sets = found["sets"]
    groups = {
        "all": [n for n in sets if n not in SYNTHETIC],
        "tuned": [n for n in sets if n in TUNED],
        "unseen": [n for n in sets if n not in TUNED and n not in SYNTHETIC],
    }
    made = {}
    for group, names in groups.items():
        cells = [sets[name] for name in names]
        if not cells:
            continue
        made[group] = {
            "sets": len(cells),
            **{k: _mean([c[k] / c["raw"] for c in cells]) for k in ("ours", "zstd", "parquet")},
            "smaller": sum(c["ours"] < c["zstd"] for c in cells),
            "encode": _mean([c["zstd_encode"] / c["encode"] for c in cells]),
            "decode": _mean([c["zstd_decode"] / c["decode"] for c in cells]),
            "encode_all": sum(c["zstd_encode"] for c in cells) / sum(c["encode"] for c in cells),
            "decode_all": sum(c["zstd_decode"] for c in cells) / sum(c["decode"] for c in cells),
            "warm": max(c["warm"] for c in cells),
            "cold": max(c["cold"] for c in cells),
        }
    return made


def make(found: dict[str, Any]) -> str:
    sets, told = found["sets"], summary(found)
    lines = [HEAD.format(machine=found["machine"], tuned=len(TUNED), fresh=25 - len(TUNED))]
    names = ("", "sets", "ours", "zstd -19", "Parquet", "smaller than zstd", "encode x", "decode x",
             "by total time", "slowest warm row")  # fmt: skip
    lines += ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    for group, m in told.items():
        lines.append(
            f"| {group} | {m['sets']} | **{m['ours']:.3f}** | {m['zstd']:.3f} | {m['parquet']:.3f}"
            f" | {m['smaller']} | {m['encode']:.1f} | {m['decode']:.2f}"
            f" | {m['encode_all']:.1f}, {m['decode_all']:.2f} | {1e6 * m['warm']:.1f} us |"
        )
    lines += ["", "Shares are geometric means of bytes / raw; so are the speeds.", ""]
    lines.append("| set | raw | ours | zstd -19 | Parquet | paper | encode x | decode x"
                 " | warm us | cold us |")  # fmt: skip
    lines.append("|---" * 10 + "|")
    for name, c in sets.items():
        mark = "" if name in TUNED or name in SYNTHETIC else " (unseen)"
        paper = f"{c['formula'] / c['raw']:.3f}" if c["formula"] else "-"
        lines.append(
            ROW.format(
                name + mark,
                c["raw"],
                c["ours"] / c["raw"],
                c["zstd"] / c["raw"],
                c["parquet"] / c["raw"],
                paper,
                c["zstd_encode"] / c["encode"],
                c["zstd_decode"] / c["decode"],
                1e6 * c["warm"],
                1e6 * c["cold"],
            )  # fmt: skip
        )
    lines += ["", "The papers say of storage: 42 % less (arXiv 2506.22190), 37 % less in its first"
              " version; on sets and widths of their own.", TRIED]  # fmt: skip
    return "\n".join(lines)
