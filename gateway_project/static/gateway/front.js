"use strict";

const ROWS = 12;
const rows = document.getElementById("rows");
const tally = document.querySelector(".tally");
const servers = document.querySelector(".servers");

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

function show(tier, text, age) {
  const row = document.createElement("tr");
  row.append(cell("", badge(tier)), cell("path", text), cell("number", age));
  rows.querySelector(".empty")?.remove();
  rows.prepend(row);
  while (rows.children.length > ROWS) rows.lastElementChild.remove();
  const count = tally.querySelector(`[data-tally="${tier}"]`);
  if (count) count.textContent = Number(count.textContent) + 1;
}

// Which tier answered, as Cache-Status (RFC 9211) says it.
function tierOf(response) {
  const told = response.headers.get("Cache-Status") ?? "";
  const kept = /detail=(memory|redis|stale)/.exec(told);
  return kept?.[1] ?? (response.ok && told.includes("fwd=") ? "upstream" : "failed");
}

function ageOf(response) {
  const age = response.headers.get("Age");
  return age === null ? "" : `${age} s`;
}

async function ask(path) {
  try {
    const response = await fetch(path, { cache: "no-store" });
    await response.arrayBuffer();
    const failure = response.ok ? "" : ` (${response.status})`;
    show(tierOf(response), path + failure, ageOf(response));
  } catch {
    show("failed", `${path}: the gateway did not answer`, "");
  }
}

function serverItem(pool, server) {
  const state = document.createElement("span");
  state.className = `state ${server.state}`;
  state.textContent = server.state;
  const item = document.createElement("li");
  const address = server.address ? `, ${server.address}` : "";
  item.append(`${pool} ${server.number}${address} `, state);
  return item;
}

// What the worker that happens to answer knows of the upstream servers.
async function showServers() {
  try {
    const { pools } = await (await fetch(servers.dataset.stats, { cache: "no-store" })).json();
    const items = Object.entries(pools).flatMap(([pool, listed]) =>
      listed.map((server) => serverItem(pool, server)),
    );
    if (items.length) servers.replaceChildren(...items);
  } catch {
    servers.replaceChildren("The gateway did not answer.");
  }
}

async function whileDisabled(button, work) {
  button.disabled = true;
  try {
    await work();
    await showServers();
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
document.getElementById("answers-note").textContent = "The newest first.";
all.querySelector("button").addEventListener("click", (event) =>
  whileDisabled(event.currentTarget, async () => {
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(buttons.map((button) => ask(button.dataset.path)));
    }
  }),
);
