"""All figures from cells that were measured: means, intervals, and each row that must hold."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.codec.cells import Cells
from bench.codec.fit_time import FIT_SETS, fit_unit
from bench.codec.sets import SETS, facts_of, load
from bench.codec.statistics import Difference, paired, spread
from bench.codec.suite import (
    ABLATION_SETS,
    BUDGETS,
    FEWER,
    LADDER,
    LEARNER_SETS,
    NOISE_SETS,
    NOISES,
    PAPER_ROWS,
    PAPER_SET,
    PEERS,
    SEEDS,
    UNSEEN_SETS,
    ablations,
    cnn_units,
    projections,
)
from bench.codec.units import METHODS, Unit
from tinydream.data import raw_dtype

__all__ = ["Figures"]

DREAMS = ("ours", "means", "random, dreamt", "k-means, dreamt")  # not peers, nor the rival


class Figures:
    """Scores in points: share right in %, or R2 x 100 (below 0 counts as 0, as the mean would)."""

    def __init__(self, names: Iterable[str], seeds: int, cells: Cells) -> None:
        self.names, self.seeds, self.cells = list(names), seeds, cells

    def scores(self, unit: Unit, seeds: int | None = None) -> list[float] | None:
        """Points of each seed, None while cells are missing; as many seeds as there are."""
        for count in (seeds,) if seeds else (self.seeds, SEEDS, FEWER):
            found = self.cells.scores(unit, range(count))
            if found:
                regression = facts_of(unit.set).task == "regression"
                return [100 * (max(each, 0.0) if regression else each) for each in found]
        return None

    def main(self, name: str, method: str, budget: int) -> list[float] | None:
        """Points of a method on a set; all rows have no budget."""
        return self.scores(Unit(name, method, 0 if method == "all" else budget))

    def cell(self, unit: Unit) -> dict[str, Any] | None:
        """Mean, interval, and what the choice on held-out rows was."""
        found, first = self.scores(unit), self.cells.get(unit, 0)
        if found is None or first is None:
            return None
        told = {key: first[key] for key in ("bits", "rate", "nbytes", "rows")}
        seconds = first["read"] + first["compress"] + first["train"]
        mean, reach = float(np.mean(found)), spread(found)
        return {"mean": mean, "interval": reach, "seeds": len(found), "seconds": seconds, **told}

    def table(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By set, budget and method."""
        told: dict[str, dict[str, dict[str, Any]]] = {}
        for name in self.names:
            for budget in BUDGETS:
                units = {m: Unit(name, m, 0 if m == "all" else budget) for m in METHODS}
                row = {m: self.cell(unit) for m, unit in units.items()}
                told.setdefault(name, {})[str(budget)] = {m: c for m, c in row.items() if c}
        return told

    def means(self, task: str) -> dict[str, dict[str, float]]:
        """By method and budget, over the sets of a task where every method was measured."""
        names = [name for name in self.names if SETS[name].task == task]
        present = [
            m for m in METHODS if any(self.main(n, m, b) for n in self.names for b in BUDGETS)
        ]
        names = [n for n in names if all(self.main(n, m, b) for m in present for b in BUDGETS)]
        if not names:
            return {}
        return {
            m: {
                str(b): float(np.mean([np.mean(self.main(n, m, b) or [0.0]) for n in names]))
                for b in BUDGETS
            }
            for m in present
        } | {"sets": {name: 1.0 for name in names}}

    def difference(self, name: str, budget: int, peer: str) -> Difference | None:
        """Ours less the peer, in points, over the seeds that both have."""
        a, b = self.main(name, "ours", budget), self.main(name, peer, budget)
        if not a or not b:
            return None
        count = min(len(a), len(b))
        return paired(a[:count], b[:count])

    def against(self, peers: Iterable[str]) -> dict[str, Any]:
        """In how many cells we are above or below these peers, and where we are below."""
        told: dict[str, Any] = {"cells": 0, "above": 0, "sure above": 0, "sure below": []}
        for name in self.names:
            for budget in BUDGETS:
                for peer in peers:
                    apart = self.difference(name, budget, peer)
                    if apart is None:
                        continue
                    told["cells"] += 1
                    told["above"] += apart.mean > 0
                    told["sure above"] += apart.above
                    if apart.below:
                        where = f"{name} {budget} {peer}"
                        told["sure below"].append([where, apart.mean, apart.low, apart.high])
        return told

    def not_winning(self) -> list[list[Any]]:
        """Sets and budgets where something other than ours has the best mean, the rival aside."""
        told = []
        for name in self.names:
            for budget in BUDGETS:
                means = {
                    m: float(np.mean(found))
                    for m in METHODS
                    if m not in ("all", "rival") and (found := self.main(name, m, budget))
                }
                best = max(means, key=lambda m: means[m], default="ours")
                if best != "ours" and "ours" in means:
                    told.append([name, budget, best, means["ours"] - means[best]])
        return told

    def gaps(self) -> dict[str, dict[str, float]]:
        """Mean of all rows less ours, by budget: tabular and sensor sets, by task and together."""
        told: dict[str, dict[str, float]] = {}
        names = [name for name in self.names if SETS[name].kind != "image"]
        for budget in BUDGETS:
            gaps = {n: self.difference(n, budget, "all") for n in names}
            by_task = {n: -gap.mean for n, gap in gaps.items() if gap}
            for task in ("classification", "regression", "both"):
                some = [g for n, g in by_task.items() if task in (SETS[n].task, "both")]
                if some:
                    told.setdefault(task, {})[str(budget)] = float(np.mean(some))
        return told

    def memory(self) -> list[dict[str, Any]]:
        """The smallest budget at which no more than 1 point is lost, and how much less it is."""
        told = []
        for name in self.names:
            if self.scores(Unit(name, "ours", LADDER[0]), FEWER) is None:
                continue
            fold = load(name)
            dtype, size = raw_dtype(fold.X)
            row: dict[str, Any] = {"set": name, "dtype": dtype, "raw": fold.X.size * size}
            everything = self.scores(Unit(name, "all"), FEWER) or [0.0]
            for budget in LADDER:
                ours = self.scores(Unit(name, "ours", budget), FEWER)
                if ours and np.mean(everything) - np.mean(ours) <= 1:
                    cell = self.cells.get(Unit(name, "ours", budget), 0) or {}
                    row |= {"budget": budget, "lost": float(np.mean(everything) - np.mean(ours))}
                    row |= {"bytes": cell["nbytes"], "ratio": row["raw"] / cell["nbytes"]}
                    break
            told.append(row)
        return told

    def smaller(self) -> dict[str, Any]:
        """The questions beside the main one: wrong labels, other learners, options, what is new."""

        def means(units: dict[str, Unit]) -> dict[str, float]:
            found = {key: self.scores(unit) for key, unit in units.items()}
            return {key: float(np.mean(each)) for key, each in found.items() if each}

        def row(name: str, **more: Any) -> dict[str, float]:
            return means({m: Unit(name, m, 0 if m == "all" else 8192, **more) for m in PEERS})

        pick = [n for n in self.names if n in NOISE_SETS]
        noise = {n: {str(s): row(n, noise=s) for s in (0.0, *NOISES)} for n in pick}
        pick = [n for n in self.names if n in LEARNER_SETS]
        learners = {n: {k: row(n, learner=k) for k in ("mlp", "linear", "boosting")} for n in pick}
        return {
            "noise": noise,
            "learners": learners,
            "cnn": {str(b): means({u.method: u for u in cnn_units(b)}) for b in (0, *BUDGETS)},
            "ablation": {b: self._ablation(int(b)) for b in map(str, BUDGETS[:2])},
            "fit": {n: c for n in FIT_SETS if (c := self.cells.get(fit_unit(n), 0))},
            "paper": self._paper(),
            "unseen": self._unseen(),
        }

    def _ablation(self, budget: int) -> dict[str, dict[str, float]]:
        """Points lost (below 0) or won against the defaults, by option and set."""
        told: dict[str, dict[str, float]] = {}
        for name in [n for n in ABLATION_SETS if n in self.names]:
            for options in ablations(name):
                label = ", ".join(f"{key}={value}" for key, value in options)
                base = self.scores(Unit(name, "ours", budget), FEWER)
                other = self.scores(Unit(name, "ours", budget, options=options), FEWER)
                if base and other:
                    told.setdefault(label, {})[name] = paired(other, base).mean
        return told

    def _paper(self) -> dict[str, Any]:
        if PAPER_SET not in self.names:
            return {}
        units = {m: Unit(PAPER_SET, m, rows=PAPER_ROWS) for m in PEERS if m != "all"}
        units["all"] = Unit(PAPER_SET, "all")
        return {m: cell for m, unit in units.items() if (cell := self.cell(unit))}

    def _unseen(self) -> dict[str, dict[str, list[float]]]:
        """By set and projection: mean and interval; and of the last less the first."""
        told: dict[str, dict[str, list[float]]] = {}
        options = projections()
        for name in UNSEEN_SETS:
            found = [
                self.scores(Unit(name, "ours", 8192, options=each, held=True)) for each in options
            ]
            lists = [each for each in found if each]
            if len(lists) < len(options):
                continue
            row = {
                str(dict(each).get("projection", "default")): [float(np.mean(got)), spread(got)]
                for each, got in zip(options, lists, strict=True)
            }
            if len(lists) > 1:
                apart = paired(lists[-1], lists[0])
                row["difference"] = [apart.mean, apart.low, apart.high]
            told[name] = row
        return told
