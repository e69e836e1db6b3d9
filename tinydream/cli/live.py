"""What devices tell, drawn in the terminal as it comes."""

from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tinydream.watch import Event, Seen, step_time

__all__ = ["View"]

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-=^"  # where a terminal has no others
WIDTH = 40  # of a curve
LOGGED = 3  # lines of a device's log


class View:
    """A sink that shows one block a device, drawn anew a few times a second.

    memory: a plan's digest to the words about its memory, "" for a plan that is not known.
    epochs: of the run that is under way, where they are known; such a view is gone at its end.
    """

    def __init__(self, console: Console, memory: Callable[[str], str], epochs: int = 0) -> None:
        self._seen: dict[str, Seen] = {}
        self._memory, self._epochs = memory, epochs
        utf = (console.encoding or "").lower().startswith("utf")
        self._blocks = BLOCKS if utf else PLAIN_BLOCKS
        self._live = Live(
            console=console,
            get_renderable=self._draw,
            refresh_per_second=8,
            transient=epochs > 0,
        )
        self._live.start()

    def take(self, event: Event) -> None:
        self._seen.setdefault(event.device, Seen(event.device)).take(event)

    def close(self) -> None:
        self._live.stop()

    def _draw(self) -> Group:
        return Group(*(self._block(seen) for seen in list(self._seen.values())))

    def _block(self, seen: Seen) -> Group:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="dim", width=10)
        table.add_column()
        for name, text in self._rows(seen):
            table.add_row(name, text)
        head = f"{escape(seen.port)}  [not bold]{escape(self._state(seen))}"
        return Group(Rule(f"[bold]{head}", align="left", style="dim"), table)

    def _state(self, seen: Seen) -> str:
        if not seen.up:
            return "waiting for the device" if seen.why else "connecting"
        of = f" of {self._epochs}" if self._epochs else ""
        at = f"epoch {seen.epoch}{of}" if seen.epoch else ""
        word = "training" if seen.running else "stopped" if seen.error else "idle"
        return ", ".join(filter(None, (word, at)))

    def _rows(self, seen: Seen) -> list[tuple[str, Text]]:
        who, last, rows = seen.who, seen.last, list[tuple[str, Text]]()
        if "loss" in last:
            rows.append(("loss", self._curve(seen, "loss", f"{last['loss']:.4f}")))
        if "valid_loss" in seen.tracks:
            told = f"{last['valid_loss']:.4f}, least in epoch {last['best']}"
            rows.append(("validation", self._curve(seen, "valid_loss", told)))
        if "accuracy" in seen.tracks and "accuracy" in last:
            told = f"{last['accuracy']:.1%} of drawn rows"
            rows.append(("right", self._curve(seen, "accuracy", told)))
        if "step_ticks" in last and who.get("tick_unit"):
            step = step_time(float(last["step_ticks"]), str(who["tick_unit"]))
            rows.append(("a step", Text(step)))
        if who:
            rows.append(("plan", Text(f"{who['digest']} for {who['board']}")))
            rows.append(("memory", Text(self._space(seen))))
        rows.append(("link", self._link(seen)))
        if seen.error:
            rows.append(("ended", Text(seen.error, "red")))
        rows += [("log", Text(line, "dim")) for line in list(seen.log)[-LOGGED:]]
        return rows

    def _curve(self, seen: Seen, name: str, told: str) -> Text:
        values = seen.tracks[name].shape(WIDTH)
        low, high = min(values), max(values)
        top, over = len(self._blocks) - 1, (high - low) or 1.0
        line = "".join(self._blocks[round(top * (v - low) / over)] for v in values)
        return Text.assemble((line, "cyan"), "  ", (told, "bold"))

    def _space(self, seen: Seen) -> str:
        known = self._memory(str(seen.who["digest"]))
        return known or f"arena {seen.who['arena_bytes']:,} B"

    def _link(self, seen: Seen) -> Text:
        if not seen.up:
            return Text(seen.why or "connecting", "yellow")
        health = f"{seen.lost:,} events lost, {seen.damaged:,} pieces damaged"
        return Text(health, "yellow" if seen.lost or seen.damaged else "")
