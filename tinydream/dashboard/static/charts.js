// Curves of all boards in one chart; colours come from the style sheet, light or dark.
"use strict";

const COLOURS = 7;
const HEIGHT = 240;
const DASHES = [[], [5, 4], [1, 3], [9, 4, 2, 4]]; // of the channels of one board, in turn

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function boardColour(index) {
  return `--m${(index % COLOURS) + 1}`;
}

class Chart {
  // kinds: [curve's name, dashes] pairs, null for all channels; factor: of its values; range: of the axis, from least and most
  constructor(place, kinds, factor, range) {
    Object.assign(this, { place, kinds, factor, range, plot: null, names: "", lines: [] });
    new ResizeObserver(() => this.plot && this.plot.setSize(this.size())).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  told(board) {
    const kinds = this.kinds.filter(([kind]) => board.curves[kind]);
    return kinds.map(([kind, dash]) => ({ board, kind, dash, data: board.curves[kind] }));
  }

  own(board) {
    return Object.entries(board.own).map(([kind, data], i) => ({ board, kind, dash: DASHES[i % DASHES.length], data }));
  }

  size() {
    return { width: Math.max(this.place.clientWidth, 100), height: HEIGHT };
  }

  show(boards) {
    this.lines = boards.flatMap((board) => this.kinds ? this.told(board) : this.own(board));
    const names = this.lines.map(({ board, kind }) => `${board.port} ${kind}`).join("\n");
    if (names !== this.names || !this.plot) {
      this.names = names;
      this.build();
    } else {
      this.plot.setData(this.data());
    }
  }

  data() {
    const tables = this.lines.map(({ data: [x, y] }) => [x, y.map((value) => value * this.factor)]);
    return tables.length ? uPlot.join(tables) : [[]];
  }

  build() {
    if (this.plot) this.plot.destroy();
    this.place.replaceChildren();
    this.plot = null;
    if (!this.lines.length) return this.place.append(h("p", { class: "note" }, "no epoch yet"));
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const series = this.lines.map(({ board, kind, dash }) => ({
      label: board.port.split("/").pop() + (this.kinds ? kind === "valid_loss" ? ", validation" : "" : ` ${kind}`),
      stroke: colour(boardColour(board.index)), width: 1.8, dash, spanGaps: true, points: { show: false },
      value: (plot, value) => (value === null ? "" : Number(value).toPrecision(4)),
    }));
    const options = {
      ...this.size(),
      scales: { x: { time: false }, y: { range: (plot, low, high) => this.range(low, high) } },
      axes: [{ ...axis, values: (plot, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick : "")) },
        { ...axis, size: 52 }],
      series: [{ label: "epoch", value: (plot, value) => value ?? "" }, ...series],
    };
    this.plot = new uPlot(options, this.data(), this.place);
  }
}
