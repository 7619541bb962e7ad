"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const tasks = new Map(data.tasks.map((task) => [task.id, task]));
const bars = data.bars.map(([attempt, slot, from, to, end, code, cost, model]) =>
  ({ attempt, slot, from, to: to ?? data.to, end, code, cost, model, task: attempt.slice(0, attempt.lastIndexOf(".")) }));
bars.sort((a, b) => a.from - b.from || (a.attempt < b.attempt ? -1 : 1));
const lane = new Map(data.slots.map((slot, number) => [slot.id, number]));
const SHOWN = 100;
const LANE = 22, LEFT = 96, FOOT = 20;
const view = { from: data.from, to: Math.max(data.to, data.from + 1), chosen: -1, shown: SHOWN, rows: [] };

function make(name, text, attributes = {}) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || "#888";
const dollars = (micro) => `$${(micro / 1e6).toFixed(micro && Math.abs(micro) < 10000 ? 6 : 4)}`;
const stamp = (ms) => new Date(ms).toISOString().replace("T", " ").replace("Z", " UTC");
function span(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60000);
  return minutes < 60 ? `${minutes} min ${Math.round((ms % 60000) / 1000)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
const inColour = { completed: "succeeded", failed: "failed", cancelled: "cancelled", sealed: "sealed",
  running: "running", pending: "pending", parked: "parked", pending_review: "asking" };

function head() {
  const status = data.status;
  at("about").textContent = data.subject ?? data.pool;
  at("when").textContent = `${stamp(data.from)} to ${stamp(data.to)}, ${data.position} events`;
  const limit = status.budget_microdollars;
  const figures = { completed: status.completed_tasks, failed: status.failed_tasks, cancelled: status.cancelled_tasks,
    waiting: status.pending_tasks + status.parked_tasks, running: status.running_tasks,
    "need someone": status.sealed_tasks + status.pending_review_tasks, slots: status.total_slots,
    spent: dollars(status.spent_microdollars) + (limit === null ? "" : ` of ${dollars(limit)}`),
    paused: status.paused ? status.paused.reason : "no" };
  for (const [name, value] of Object.entries(figures)) {
    const box = make("div");
    box.append(make("dt", name), make("dd", String(value)));
    at("figures").append(box);
  }
  for (const name of ["succeeded", "failed", "cancelled", "sealed", "running"]) {
    const mark = make("i"), pair = make("span");
    mark.style.background = `var(--${name})`;
    pair.append(mark, name);
    at("legend").append(pair);
  }
}

function canvas(id, height) {
  const element = at(id), scale = window.devicePixelRatio || 1, width = element.clientWidth;
  element.style.height = `${height}px`;
  element.width = Math.round(width * scale);
  element.height = Math.round(height * scale);
  const pen = element.getContext("2d");
  pen.scale(scale, scale);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  return { pen, width, height, left: margin(width) };
}
const margin = (width) => (width < 500 ? 72 : LEFT);
const place = (moment, { width, left }) => left + ((moment - view.from) / (view.to - view.from)) * (width - left - 8);

function axis(paper) {
  const { pen, width, height, left } = paper;
  const wanted = Math.max(2, Math.floor((width - left) / 120));
  const steps = [1, 10, 100, 1000, 2000, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000, 10800000, 21600000, 86400000, 604800000];
  const step = steps.find((each) => (view.to - view.from) / each <= wanted) ?? steps.at(-1) * 4;
  pen.fillStyle = colour("dim");
  pen.strokeStyle = colour("line");
  pen.textAlign = "center";
  for (let moment = Math.ceil(view.from / step) * step; moment <= view.to; moment += step) {
    const x = place(moment, paper), text = new Date(moment).toISOString();
    pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, height - FOOT); pen.stroke();
    pen.fillText(step >= 86400000 ? text.slice(5, 10) : step >= 60000 ? text.slice(11, 16) : step >= 1000 ? text.slice(11, 19) : text.slice(14, 23), x, height - FOOT / 2);
  }
}

function drawLanes() {
  const paper = canvas("lanes", Math.max(1, data.slots.length) * LANE + FOOT), { pen, width, left } = paper;
  axis(paper);
  for (const each of data.spans) {
    if (each.kind !== "paused") continue;
    const from = place(Math.max(each.from, view.from), paper), to = place(Math.min(each.to ?? data.to, view.to), paper);
    pen.globalAlpha = 0.15; pen.fillStyle = colour("parked");
    if (to > from) pen.fillRect(from, 0, to - from, paper.height - FOOT);
    pen.globalAlpha = 1;
  }
  for (let number = 0; number < bars.length; number++) {
    const bar = bars[number];
    if (bar.to < view.from || bar.from > view.to) continue;
    const x = Math.max(left, place(bar.from, paper)), end = Math.max(x + 1.5, Math.min(place(bar.to, paper), width - 8));
    const y = lane.get(bar.slot) * LANE + 3;
    pen.fillStyle = colours[bar.end] ?? colours.cancelled;
    pen.fillRect(x, y, end - x, LANE - 6);
    if (number === view.chosen) { pen.strokeStyle = colour("ink"); pen.lineWidth = 2; pen.strokeRect(x - 1, y - 1, end - x + 2, LANE - 4); pen.lineWidth = 1; }
  }
  pen.clearRect(0, 0, left - 2, paper.height);
  pen.fillStyle = colour("ink");
  pen.textAlign = "left";
  data.slots.forEach((slot, number) => pen.fillText((slot.name ?? slot.id).slice(0, 14), 4, number * LANE + LANE / 2));
}

function drawLines(id, names, format) {
  const paper = canvas(id, 140), { pen, width, left, height } = paper, foot = height - FOOT;
  const seen = data.samples.filter((sample, number) =>
    sample[0] <= view.to && (data.samples[number + 1]?.[0] ?? data.to) >= view.from);
  let most = 1;
  for (const sample of seen) for (const [, index] of names) most = Math.max(most, sample[index] ?? 0);
  axis(paper);
  const y = (value) => foot - 4 - (value / most) * (foot - 26);
  for (const [name, index] of names) {
    pen.strokeStyle = colour(name); pen.lineWidth = 1.6; pen.beginPath();
    let begun = false, before = 0;
    for (const sample of seen) {
      const value = sample[index];
      if (value === null) { begun = false; continue; }
      const x = Math.max(left, place(sample[0], paper));
      if (begun) { pen.lineTo(x, y(before)); pen.lineTo(x, y(value)); } else pen.moveTo(x, y(value));
      begun = true; before = value;
    }
    if (begun) pen.lineTo(Math.min(width - 8, place(data.to, paper)), y(before));
    pen.stroke();
  }
  pen.lineWidth = 1; pen.textAlign = "left";
  pen.fillStyle = colour("dim"); pen.fillText(format(most), 4, 22); pen.fillText(format(0), 4, foot - 6);
  let x = left + 4;
  for (const [name] of names) { pen.fillStyle = colour(name); pen.fillText(name, x, 9); x += pen.measureText(name).width + 12; }
}

let colours = {};
function draw() {
  colours = Object.fromEntries(["succeeded", "failed", "cancelled", "sealed", "running"].map((name) => [name, colour(name)]));
  drawLanes();
  drawLines("queue", [["pending", 1], ["parked", 2], ["running", 3], ["asking", 4]], String);
  drawLines("money", [["spent", 5], ["reserved", 6], ["limit", 7]], dollars);
}

function zoom(factor, centre = (view.from + view.to) / 2) {
  const width = Math.max(10, Math.min(data.to - data.from || 10, (view.to - view.from) * factor));
  const share = (centre - view.from) / (view.to - view.from);
  move(centre - width * share, width);
}
function move(from, width) {
  view.from = Math.max(data.from, Math.min(from, Math.max(data.from, data.to - width)));
  view.to = view.from + width;
  draw();
}

function choose(number, open) {
  if (number < 0 || number >= bars.length) return;
  view.chosen = number;
  const bar = bars[number];
  if (bar.to < view.from || bar.from > view.to) move(bar.from - (view.to - view.from) / 2, view.to - view.from);
  else draw();
  at("spoken").textContent = `${bar.attempt} in ${bar.slot}: ${bar.end}${bar.code ? ` (${bar.code})` : ""}, ${span(bar.to - bar.from)}, ${dollars(bar.cost)}, from ${stamp(bar.from)}`;
  if (open) location.hash = bar.task;
}
function under(event) {
  const box = at("lanes").getBoundingClientRect(), width = at("lanes").clientWidth, left = margin(width);
  const moment = view.from + ((event.clientX - box.left - left) / (width - left - 8)) * (view.to - view.from);
  const number = Math.floor((event.clientY - box.top) / LANE), slack = ((view.to - view.from) / width) * 4;
  let best = -1;
  bars.forEach((bar, index) => {
    if (lane.get(bar.slot) === number && bar.from - slack <= moment && moment <= bar.to + slack &&
      (best < 0 || Math.abs(bar.from + bar.to - 2 * moment) < Math.abs(bars[best].from + bars[best].to - 2 * moment))) best = index;
  });
  return { best, moment };
}

function storyTable(story) {
  const table = make("table"), body = make("tbody");
  for (const [position, moment, actor, cause, text] of story) {
    const row = make("tr");
    row.append(make("td", `#${position}`), make("td", stamp(moment)), make("td", cause === null ? actor : `${actor}, after #${cause}`), make("td", text));
    body.append(row);
  }
  table.append(body);
  const holder = make("div", null, { class: "scroll story" });
  holder.append(table);
  return holder;
}
function facts(pairs) {
  const list = make("dl");
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    const box = make("div");
    box.append(make("dt", name), make("dd", String(value)));
    list.append(box);
  }
  return list;
}
function fold(title, text, open) {
  const box = make("details");
  box.open = open;
  box.append(make("summary", title), make("pre", text));
  return box;
}

function detail() {
  const task = tasks.get(decodeURIComponent(location.hash.slice(1))), part = at("detail");
  part.hidden = !task;
  part.replaceChildren();
  if (!task) return;
  const title = make("h2", task.id), state = make("span", ` ${task.state}`, { class: "state" });
  state.style.color = `var(--${inColour[task.state] ?? "ink"})`;
  title.append(state);
  part.append(title, facts([["error", task.error], ["waits for", task.reason], ["step", task.step], ["chain", task.chain],
    ["cost", dollars(task.cost) + (task.estimated ? " (estimated)" : "")], ["tokens", task.tokens], ["turns", task.turns],
    ["ran", span(task.elapsed)], ["waited", span(task.waited)], ["attempts", task.attempts], ["model", task.model],
    ["slot", task.slot], ["session", task.session], ["skill", task.skill], ["tags", task.tags.join(", ")]]));
  part.append(fold("Prompt", task.prompt, true));
  if (task.output) part.append(fold("Output", task.output, true));
  for (const [attempt, text] of task.transcripts) part.append(fold(`Transcript of ${attempt}`, text, false));
  part.append(make("h3", "Causes"), storyTable(task.story));
  const close = make("button", "Close", { type: "button" });
  close.addEventListener("click", () => { location.hash = ""; at("find").focus(); });
  part.append(close);
  part.focus();
  part.scrollIntoView({ block: "nearest" });
}

function layers(steps) {
  const known = new Map(), byName = new Map(steps.map((step) => [step.name, step]));
  const depth = (name, path = new Set()) => {
    if (known.has(name)) return known.get(name);
    if (path.has(name) || !byName.has(name)) return 0;
    path.add(name);
    const found = Math.max(0, ...byName.get(name).needs.map((need) => depth(need, path) + 1));
    known.set(name, found);
    return found;
  };
  const found = [];
  for (const step of steps) (found[depth(step.name)] ??= []).push(step);
  return found;
}
function shape(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
function drawChain() {
  const chain = data.chains.find((each) => each.id === at("chain").value);
  at("graph").replaceChildren();
  at("chain-detail").replaceChildren();
  if (!chain) return;
  const found = layers(chain.steps), wide = 170, tall = 64, spot = new Map();
  const height = Math.max(...found.map((layer) => layer.length)) * tall + 10;
  const svg = shape("svg", { width: found.length * wide + 10, height, role: "group", "aria-label": `Steps of ${chain.id}` });
  found.forEach((layer, x) => layer.forEach((step, y) => spot.set(step.name, [x * wide + 10, y * tall + 10])));
  for (const step of chain.steps) for (const need of step.needs) {
    if (!spot.has(need)) continue;
    const [x1, y1] = spot.get(need), [x2, y2] = spot.get(step.name);
    svg.append(shape("path", { class: "edge", d: `M${x1 + 140} ${y1 + 22} C${x1 + 155} ${y1 + 22} ${x2 - 15} ${y2 + 22} ${x2} ${y2 + 22}` }));
  }
  for (const step of chain.steps) {
    const [x, y] = spot.get(step.name), link = shape("a", step.task ? { href: `#${step.task}`, "aria-label": `${step.name}: ${step.state}${step.reused ? ", reused" : ""}` } : {});
    link.append(shape("rect", { class: step.reused ? "box reused" : "box", x, y, width: 140, height: 44, rx: 6, stroke: `var(--${inColour[step.state] ?? "line"})` }),
      shape("text", { x: x + 8, y: y + 18 }, step.name.slice(0, 17)),
      shape("text", { x: x + 8, y: y + 36 }, step.reused ? `${step.state}, reused` : `${step.state} ${step.cost ? dollars(step.cost) : ""}`));
    if (step.reused) link.append(shape("title", {}, `It ran in ${step.reused}.`));
    svg.append(link);
  }
  at("graph").append(svg);
  at("chain-detail").append(facts([["state", chain.state], ["error", chain.error], ["cost", dollars(chain.cost)],
    ["branch", chain.branch], ["waits", chain.reason], ["fork of", chain.fork]]));
  const story = make("details");
  story.append(make("summary", "Causes"), storyTable(chain.story));
  at("chain-detail").append(story);
}

function filter() {
  const state = at("state").value, wanted = at("find").value.toLowerCase();
  view.rows = data.tasks.filter((task) => (!state || task.state === state) && (!wanted ||
    [task.id, task.prompt, task.error ?? "", task.model ?? "", task.step ?? "", task.chain ?? "", ...task.tags].some((text) => text.toLowerCase().includes(wanted))));
  view.shown = SHOWN;
  list();
}
function list() {
  const body = at("tasks").tBodies[0], rows = document.createDocumentFragment();
  for (const task of view.rows.slice(0, view.shown)) {
    const row = make("tr"), name = make("td"), state = make("td", task.state, { class: "state" });
    name.append(make("a", task.step ? `${task.step} (${task.id})` : task.id, { href: `#${task.id}` }));
    state.style.color = `var(--${inColour[task.state] ?? "ink"})`;
    row.append(name, state, make("td", task.slot), make("td", dollars(task.cost)), make("td", span(task.elapsed)),
      make("td", task.attempts), make("td", task.prompt.slice(0, 120)));
    rows.append(row);
  }
  body.replaceChildren(rows);
  at("counted").textContent = `${view.rows.length} of ${data.tasks.length} tasks`;
  at("more").hidden = view.rows.length <= view.shown;
}

head();
for (const state of new Set(data.tasks.map((task) => task.state))) at("state").append(make("option", state, { value: state }));
for (const chain of data.chains) at("chain").append(make("option", `${chain.id} (${chain.state})`, { value: chain.id }));
at("chains-part").hidden = data.chains.length === 0;
at("closer").addEventListener("click", () => zoom(0.5));
at("wider").addEventListener("click", () => zoom(2));
at("earlier").addEventListener("click", () => move(view.from - (view.to - view.from) / 2, view.to - view.from));
at("later").addEventListener("click", () => move(view.from + (view.to - view.from) / 2, view.to - view.from));
at("all").addEventListener("click", () => move(data.from, Math.max(1, data.to - data.from)));
at("lanes").addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  zoom(event.deltaY < 0 ? 0.8 : 1.25, under(event).moment);
}, { passive: false });
at("lanes").addEventListener("click", (event) => { const { best } = under(event); if (best >= 0) choose(best, true); });
at("lanes").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) { event.preventDefault(); choose(view.chosen < 0 ? (step > 0 ? 0 : bars.length - 1) : view.chosen + step, false); }
  else if (event.key === "Enter" && view.chosen >= 0) choose(view.chosen, true);
  else if (event.key === "+") zoom(0.5);
  else if (event.key === "-") zoom(2);
});
at("state").addEventListener("change", filter);
at("find").addEventListener("input", filter);
at("more").addEventListener("click", () => { view.shown += SHOWN; list(); });
at("chain").addEventListener("change", drawChain);
window.addEventListener("hashchange", detail);
window.addEventListener("resize", draw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
filter();
drawChain();
draw();
detail();
document.documentElement.dataset.ready = "yes";
