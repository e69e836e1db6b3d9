"""What a device keeps over a power cut, and how often until its flash is worn out."""

from dataclasses import dataclass

from tinydream.board import Storage
from tinydream.plan import Plan

__all__ = ["BOOTS", "SAVE_BEST", "Keeping", "keeping", "record_bytes"]

BOOTS = ("idle", "predict", "train")  # by TD_BOOT
SAVE_BEST = 2**32 - 1
GRAIN = 64
RUN_WORDS = 23


@dataclass(frozen=True)
class Keeping:
    """How a plan's weights are kept in a storage.

    record_bytes: of one save; runs: whether it holds a run under way, or weights only, for want of
    room. places: records side by side. saves: until the first block has been erased as often as
    it may.
    """

    record_bytes: int
    runs: bool
    places: int
    saves: int

    def words(self, mark: str = "") -> str:
        """In a sentence; mark: behind an endurance that nobody verified."""
        what = "with its run" if self.runs else "of weights only"
        lasts = f"flash lasts {self.saves:,}{mark} saves"
        return f"a save {what} takes {self.record_bytes:,} B; {lasts}"


def record_bytes(plan: Plan, run: bool) -> int:
    """Bytes of a record, with a run under way or of the weights only (SPEC.md, "Saved weights")."""
    words = plan.parameters
    if run:
        words += (plan.optimizer.state + plan.keep_best) * plan.moving + RUN_WORDS
    return GRAIN + -(-4 * words // GRAIN) * GRAIN


def keeping(plan: Plan, storage: Storage) -> Keeping | None:
    """None when two records do not fit."""
    for runs in (True, False):
        size = record_bytes(plan, runs)
        area = -(-size // storage.erase_bytes) * storage.erase_bytes
        areas = storage.bytes // area
        if areas >= 2:
            places = areas * (area // size)
            return Keeping(size, runs, places, places * storage.endurance)
    return None
