"""The report: one record, written as run/report.json (SPEC.md, "Report")."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tinydream.board import Board
from tinydream.budget import budget
from tinydream.errors import InputError
from tinydream.plan import Plan

__all__ = ["SCHEMA", "Report", "make_report"]

SCHEMA = "tinydream.report/1"


@dataclass(frozen=True)
class Report:
    """What a run came to. Field by field: SPEC.md, "Report"."""

    schema: str
    board: str
    port: str
    digest: str
    rows: int
    features: int
    representatives: int
    raw_dtype: str
    raw_bytes: int
    representative_bytes: int
    flash_bytes: int
    arena_bytes: int
    task: str
    metric: str
    seeds: list[int]
    accuracy: dict[str, list[float]]
    weights_crc32: str
    weights_equal: bool | None
    seconds: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report; the suffix says how: .json, or .html, InputError for another.

        A page of these figures alone is short; `make_page` with more Evidence shows more.
        """
        if Path(path).suffix not in (".json", ".html"):
            raise InputError(f"a report is saved as .json or .html, not as {Path(path).name!r}")
        text = self.to_json() if Path(path).suffix == ".json" else self._page()
        Path(path).write_text(text, encoding="utf-8")

    def _page(self) -> str:
        from tinydream.report.evidence import Evidence  # which are made of reports
        from tinydream.report.page import make_page

        return make_page(Evidence(self))


def make_report(
    plan: Plan,
    board: Board,
    *,
    port: str,
    data: Mapping[str, Any],
    weights: NDArray[np.float32],
    weights_equal: bool | None,
    seeds: Sequence[int],
    accuracy: Mapping[str, Sequence[float]],
    seconds: Mapping[str, float],
) -> Report:
    """Gather a report. data: rows, raw_dtype, raw_bytes of the training rows. weights_equal: None
    where no device trained."""
    flash = sum(use.need for use in budget(plan, board) if use.region == "flash")
    return Report(
        schema=SCHEMA,
        board=board.id,
        port=port,
        digest=plan.digest.hex(),
        rows=int(data["rows"]),
        features=plan.inputs.raw_columns,
        representatives=plan.rows.count,
        raw_dtype=str(data["raw_dtype"]),
        raw_bytes=int(data["raw_bytes"]),
        representative_bytes=plan.representative_bytes,
        flash_bytes=flash,
        arena_bytes=plan.arena_bytes,
        task=plan.task,
        metric="accuracy" if plan.task == "classification" else "r2",
        seeds=[int(seed) for seed in seeds],
        accuracy={key: [float(value) for value in values] for key, values in accuracy.items()},
        weights_crc32=f"{crc32(weights.astype('<f4').tobytes()):08x}",
        weights_equal=weights_equal,
        seconds={stage: round(float(value), 3) for stage, value in seconds.items()},
    )
