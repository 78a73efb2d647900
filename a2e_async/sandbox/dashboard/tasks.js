// Tasks: how many are in which state, the newest of them, and each with its inputs and its result.
import { $, Table, badge, debounced, dialog, el, number, say, text, time } from "./dom.js";
import { own, read } from "./api.js";
import { move } from "./clock.js";
import { player, still } from "./media.js";

const STATES = ["initialized", "sent", "pending", "processing", "completed", "failed"];
const OVER = new Set(["completed", "failed"]);
let wanted = "", table;

export function showCounts(counts) {
  const sums = Object.fromEntries(STATES.map((state) => [state, 0]));
  for (const { state, count } of counts) sums[state] += count;
  const all = Object.values(sums).reduce((sum, count) => sum + count, 0);
  $("count").textContent = number(all);
  for (const chip of $("states").children) {
    const state = chip.value, count = state ? sums[state] : all;
    chip.hidden = Boolean(state) && !count && state !== wanted;
    chip.lastChild.textContent = number(count);
    chip.setAttribute("aria-pressed", String(state === wanted));
  }
  for (const part of $("bar").children) {
    part.style.flexGrow = sums[part.dataset.state];
    part.hidden = !sums[part.dataset.state];
  }
  const words = `${all - sums.completed - sums.failed} tasks running, ${sums.completed} completed, ${sums.failed} failed`;
  if ($("count").dataset.said !== words) say(words, 5000);
  $("count").dataset.said = words;
}

export async function refreshTasks() {
  const query = new URLSearchParams({ media: true, last: table.last, state: wanted, text: $("tasks-text").value });
  table.show(await read(own(`tasks?${query}`)));
}

export function startTasks(refresh) {
  $("states").append(...["", ...STATES].map((state) => el("button", { type: "button", value: state, class: `chip ${state}`,
    onclick: () => {
      wanted = wanted === state ? "" : state;
      refresh("tasks");
    } }, state || "all", " ", el("b"))));
  $("bar").append(...STATES.map((state) => el("span", { class: state, "data-state": state })));
  table = new Table($("tasks").querySelector(".scroll"), "Tasks, newest first", "No such tasks.", [
    ["Result", "picture", result],
    ["Task", "wide", title],
    ["State", "", state],
    ["Inputs", "rare", (task) => el("span", { class: "stills" }, ...task.media.inputs.map((input, at) => still(input, `Input ${at + 1}`)))],
    ["Coins", "number rare", (task) => number(task.coins)],
    ["Started", "when rare", (task) => time(task.createdAt)],
  ], (task) => task._id);
  table.onMore(() => refresh("tasks"));
  $("tasks-text").addEventListener("input", debounced(() => refresh("tasks")));
}

const nameOf = (task) => task.name || task._id;

function title(task) {
  const open = el("button", { type: "button", class: "name", onclick: () => details(task) }, nameOf(task));
  return el("div", {}, open, el("span", { class: "sub" }, el("span", {}, task.kind), " ", el("span", { class: "mono" }, task._id)));
}

function state(task) {
  const word = badge(task.current_status, task.current_status);
  if (OVER.has(task.current_status)) return el("div", {}, word, task.failure ? el("span", { class: "sub" }, task.failure) : null);
  const part = el("progress", { "data-from": Date.parse(task.createdAt), "data-to": Date.parse(task.endsAt),
    "aria-label": `Progress of ${nameOf(task)}` });
  move(part);
  return el("div", {}, word, part);
}

function result(task) {
  const { result: made } = task.media;
  if (!made) return el("span", { class: `still none ${task.current_status}`, "aria-hidden": "true" });
  return el("button", { type: "button", class: "play", "aria-label": `Open the result of ${nameOf(task)}`,
    onclick: () => details(task) }, still(made, ""));
}

function details(task) {
  const { media, ...record } = task;
  const inputs = media.inputs.map((input, at) => el("figure", {}, player(input, `Input ${at + 1}`), el("figcaption", {}, `Input ${at + 1}`)));
  const made = media.result && el("figure", { class: "result" }, player(media.result, `Result of ${nameOf(task)}`),
    el("figcaption", {}, "Result"));
  dialog(nameOf(task), el("div", { class: "figures" }, ...[made, ...inputs].filter(Boolean)),
    text("Record", JSON.stringify(record, null, 2)));
}
