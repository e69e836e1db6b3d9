// What the server tells of boards, shown; what buttons ask, told to the server.
"use strict";

const token = new URLSearchParams(location.search).get("token") ?? "";
const boards = new Map();
const cards = new Map();
let knobs = { epochs: 20, rate: 0.003, seed: 0 };

const upward = (low, high) => [0, high > 0 ? high * 1.05 : 1];
const percent = (low) => [Math.max(0, Math.floor((low ?? 0) / 10) * 10), 100];
const charts = [
  new Chart(document.getElementById("loss"), [["loss", []], ["valid_loss", [5, 4]]], 1, upward),
  new Chart(document.getElementById("right"), [["accuracy", []]], 100, percent),
  new Chart(document.getElementById("own"), null, 1, (low, high) => uPlot.rangeNum(low ?? 0, high ?? 1, 0.1, true)),
];

class Card {
  constructor(board) {
    const made = document.getElementById("board").content.cloneNode(true);
    this.index = board.index;
    this.root = made.querySelector("section");
    this.part = {};
    for (const each of made.querySelectorAll("[data-is]")) this.part[each.dataset.is] = each;
    this.form = made.querySelector("form");
    for (const name of ["epochs", "rate", "seed"]) this.form.elements[name].value = knobs[name];
    made.querySelector("h2 i").style.background = `var(${boardColour(board.index)})`;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const value = (name) => Number(this.form.elements[name].value);
      this.ask("start", { epochs: value("epochs"), rate: value("rate"), seed: value("seed") });
    });
    for (const name of ["pause", "stop", "save", "pull"]) {
      this.form.elements[name].addEventListener("click", (event) => this.ask(event.target.dataset.asks ?? name));
    }
  }

  async ask(action, given = {}) {
    let told = "";
    try {
      const answer = await fetch(`/api/boards/${this.index}/${action}`, {
        method: "POST", body: JSON.stringify(given),
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      });
      if (!answer.ok) told = answer.status === 400 ? (await answer.json()).error : await answer.text();
    } catch {
      told = "the dashboard does not answer; start it again";
    }
    this.part.trouble.textContent = told;
  }

  show(board) {
    const { part, form } = this, { last } = board;
    const digits = (value) => (value === undefined ? "–" : value.toFixed(4));
    const state = !board.up ? "not connected" : board.running ? (board.paused ? "paused" : "training") : board.error ? "failed" : "idle";
    part.port.textContent = board.port;
    part.state.textContent = state;
    part.state.className = `pill ${board.running ? "good" : board.up && !board.error ? "" : "bad"}`;
    part.who.textContent = board.who.board
      ? `${board.who.board}, plan ${board.who.digest}, ${thousands(board.who.parameters)} weights, arena ${thousands(board.who.arena_bytes)} B`
      : "";
    part.loss.textContent = digits(last.loss);
    part.accuracy.textContent = last.accuracy === undefined ? "–" : `${(100 * last.accuracy).toFixed(1)} %`;
    part.valid.textContent = last.valid_rows ? digits(last.valid_loss) : "–";
    part.epoch.textContent = board.epoch || "–";
    part.step.textContent = board.step || "–";
    part.channels.textContent = board.channels;
    part.link.textContent = board.lost || board.damaged ? `${board.lost} lost, ${board.damaged} damaged` : board.up ? "good" : "none";
    part.health.className = board.up ? "" : "bad";
    part.trouble.textContent = board.why || board.error || (board.up ? part.trouble.textContent : "");
    part.log.textContent = board.log.join("\n");
    part.log.hidden = !board.log.length;
    form.elements.start.disabled = !board.up || board.running;
    form.elements.stop.disabled = !board.up || !board.running;
    form.elements.pause.disabled = !board.up || !board.running;
    form.elements.pause.textContent = form.elements.pause.dataset.asks = board.paused ? "resume" : "pause";
    form.elements.save.disabled = !board.up || board.running;
    form.elements.pull.disabled = !board.up || board.running || !board.ours;
    this.keep("heldout", board.heldout, (told) => heldout(told));
    part.heldout.classList.toggle("wide", (board.heldout?.count ?? []).length > 12);
    this.keep("memory", board.memory.length ? board.memory : null, (told) => told.map(region));
  }

  // drawn anew only when it has changed, so that what is open stays open
  keep(name, told, draw) {
    const text = JSON.stringify(told);
    if (this[name] === text) return;
    this[name] = text;
    this.part[name].replaceChildren(...(told ? draw(told) : []));
  }
}

function take(board) {
  boards.set(board.index, board);
  if (!cards.has(board.index)) {
    cards.set(board.index, new Card(board));
    const sorted = [...cards].sort(([a], [b]) => a - b).map(([, card]) => card.root);
    document.getElementById("boards").replaceChildren(...sorted);
  }
  cards.get(board.index).show(board);
  const all = [...boards.values()].sort((a, b) => a.index - b.index);
  document.getElementById("firmware").hidden = !all.some((board) => Object.keys(board.own).length);
  for (const chart of charts) chart.show(all);
}

const status = document.getElementById("status");
const source = new EventSource(`/api/events?token=${encodeURIComponent(token)}`);
source.addEventListener("knobs", (event) => { knobs = JSON.parse(event.data); });
source.addEventListener("board", (event) => take(JSON.parse(event.data)));
source.addEventListener("open", () => { status.textContent = "live"; });
source.addEventListener("error", () => { status.textContent = "the dashboard has ended; start it again, and take the address that it prints"; });
