// Elements from values; text is always text, never markup.
"use strict";

function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function thousands(value) {
  return value.toLocaleString("en");
}

// A bar of `total`, filled from the left with [name, value] pairs, in the report's colours.
function bar(parts, total, label) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const rect = (x, width, kind, title) => {
    const made = document.createElementNS(space, "rect");
    const facts = { x, width, height: 10, class: kind };
    for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
    if (title) made.append(Object.assign(document.createElementNS(space, "title"), { textContent: title }));
    svg.append(made);
  };
  svg.setAttribute("viewBox", "0 0 1000 10");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "stack");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  rect(0, 1000, "bed");
  let at = 0;
  parts.forEach(([name, value], i) => {
    const width = total ? (1000 * value) / total : 0;
    rect(at, width, kindOf(name, i), `${name}: ${thousands(value)} B`);
    at += width;
  });
  return svg;
}

function kindOf(name, i) {
  return name === "stack" ? "m8" : `m${(i % 7) + 1}`;
}

// A region of the board's memory: what the plan puts there.
function region({ name, need, have, parts }) {
  const head = h("h3", {}, name, " ", h("small", {}, `${thousands(need)} of ${thousands(have)} B planned`));
  const whole = h("div", { class: "whole" }, bar([["planned", Math.min(need, have)]], have, `${name}: ${need} of ${have} bytes`));
  const rows = parts.map(([part, bytes, life], i) =>
    h("tr", {},
      h("th", { scope: "row" }, h("i", { class: kindOf(part, i) }), part),
      h("td", {}, thousands(bytes)), h("td", { class: "life" }, life)));
  const table = h("table", { class: "buffers" }, h("tbody", {}, ...rows));
  const label = `${name} by buffer: ${parts.map(([part, bytes]) => `${part} ${bytes}`).join(", ")}`;
  const filled = bar(parts.map(([part, bytes]) => [part, bytes]), need, label);
  return h("div", { class: "region" }, head, whole, filled, h("details", {}, h("summary", {}, "buffers"), table));
}

// Held-out rows: a score, and which classes are taken for which.
function heldout({ rows, score, metric, classes, count }) {
  const told = metric === "R2" ? score.toFixed(3) : `${(100 * score).toFixed(1)} %`;
  const title = h("figcaption", { class: "title" }, `held-out rows: ${metric} ${told} `,
    h("small", {}, `of ${thousands(rows)}, by the weights of the last run`));
  if (!count) return [title];
  const few = classes.length <= 30;
  const table = h("div", { class: "scroll" }, few ? confusion(classes, count) : pairs(classes, count));
  return [title, table, ...(few ? [h("figcaption", {}, "A row for each class as it is, a column as it was predicted.")] : [])];
}

function confusion(classes, count) {
  const short = classes.every((name) => name.length <= 3);
  const heads = classes.map((name, i) => h("th", { scope: "col" }, short ? name : String(i + 1)));
  const lines = count.map((row, i) => {
    const all = row.reduce((a, b) => a + b, 0);
    const cells = row.map((value, j) => {
      const share = all ? value / all : 0;
      const cell = h("td", { class: value ? (i === j ? "hit" : "miss") : "" }, value ? String(value) : "");
      cell.style.setProperty("--s", share.toFixed(3));
      if (share > 0.5) cell.classList.add("deep");
      return cell;
    });
    const name = short ? classes[i] : `${i + 1} ${classes[i]}`;
    return h("tr", {}, h("th", { scope: "row" }, name), ...cells);
  });
  return h("table", { class: classes.length > 12 ? "confusion many" : "confusion" },
    h("thead", {}, h("tr", {}, h("td"), ...heads)), h("tbody", {}, ...lines));
}

function pairs(classes, count) {
  const wrong = count.flatMap((row, i) => row.map((value, j) => [value, i, j])).filter(([v, i, j]) => v && i !== j);
  const most = wrong.sort((a, b) => b[0] - a[0]).slice(0, 12);
  const rows = most.map(([value, i, j]) => h("tr", {}, h("th", { scope: "row" }, classes[i]), h("td", {}, classes[j]), h("td", {}, String(value))));
  const head = h("tr", {}, ...["is", "taken for", "rows"].map((text) => h("th", { scope: "col" }, text)));
  return h("table", { class: "grid pairs" }, h("thead", {}, head), h("tbody", {}, ...rows));
}
