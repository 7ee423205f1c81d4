"use strict";

const ROWS = 12;
const rows = document.getElementById("rows");
const tally = document.querySelector(".tally");

function cell(className, child) {
  const td = document.createElement("td");
  td.className = className;
  td.append(child);
  return td;
}

function badge(tier) {
  const span = document.createElement("span");
  span.className = `tier ${tier}`;
  span.textContent = tier;
  return span;
}

function show(tier, text, time, worker = "") {
  const row = document.createElement("tr");
  const request = cell("path", text);
  const small = document.createElement("small");
  small.textContent = worker;
  request.append(small);
  row.append(cell("", badge(tier)), request, cell("number", time));
  rows.querySelector(".empty")?.remove();
  rows.prepend(row);
  while (rows.children.length > ROWS) rows.lastElementChild.remove();
  const count = tally.querySelector(`[data-tally="${tier}"]`);
  if (count) count.textContent = Number(count.textContent) + 1;
}

// The gateway's own time, from its Server-Timing header: the browser's would mostly be its own.
function timeOf(response) {
  const match = /dur=([\d.]+)/.exec(response.headers.get("Server-Timing") ?? "");
  return match ? `${Number(match[1]).toFixed(2)} ms` : "";
}

function workerOf(response) {
  const match = /worker;desc="(\d+)"/.exec(response.headers.get("Server-Timing") ?? "");
  return match ? `process ${match[1]}` : "";
}

async function ask(path) {
  try {
    const response = await fetch(path, { cache: "no-store" });
    await response.arrayBuffer();
    const failure = response.ok ? "" : ` (${response.status})`;
    const tier = response.headers.get("X-Cache") ?? "failed";
    show(tier, path + failure, timeOf(response), workerOf(response));
  } catch {
    show("failed", `${path}: the gateway did not answer`, "");
  }
}

async function whileDisabled(button, work) {
  button.disabled = true;
  try {
    await work();
  } finally {
    button.disabled = false;
  }
}

const buttons = [...document.querySelectorAll(".ask")];
for (const button of buttons) {
  button.hidden = false;
  button.addEventListener("click", () => whileDisabled(button, () => ask(button.dataset.path)));
}

const all = document.querySelector(".all");
all.hidden = false;
tally.hidden = false;
document.getElementById("answers-note").textContent = "The newest first; times are the gateway's own.";
all.querySelector("button").addEventListener("click", (event) =>
  whileDisabled(event.currentTarget, async () => {
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(buttons.map((button) => ask(button.dataset.path)));
    }
  }),
);
