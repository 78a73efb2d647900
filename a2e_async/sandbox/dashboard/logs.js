// Requests, callbacks and coins: what came, what went, and the exact bytes.
import { $, Table, badge, debounced, dialog, el, number, text, time } from "./dom.js";
import { own, read } from "./api.js";

const tables = {};

const status = (code, none = "cut or open") => badge(`status${String(code)[0]}`, code || none);
const effect = (name) => (name ? badge("effect", name) : "");
const quoted = (value) => `'${value.replaceAll("'", `'\\''`)}'`;

export const refreshLog = {
  async requests() {
    const [last, table] = [tables.requests.last, tables.requests];
    const query = new URLSearchParams({ last, brief: true, text: $("requests-text").value, status: $("requests-status").value });
    table.show(await read(own(`requests?${query}`)));
  },
  async webhooks() {
    tables.webhooks.show(await read(own(`webhooks?last=${tables.webhooks.last}`)));
  },
  async ledger() {
    tables.ledger.show((await read(own(`ledger?last=${tables.ledger.last}`))).rows);
  },
};

export function startLogs(refresh, attempt) {
  const open = (entry) => attempt(async () => request(await read(own(`requests/${entry.number}`))));
  tables.requests = new Table($("requests").querySelector(".scroll"), "Requests, newest first", "No such requests.", [
    ["Method", "", (entry) => el("b", {}, entry.method)],
    ["Path", "wide", (entry) => el("button", { type: "button", class: "name mono", onclick: () => open(entry) }, entry.path)],
    ["Status", "", (entry) => status(entry.status)],
    ["Fault", "", (entry) => effect(entry.effect)],
    ["Body", "number rare", (entry) => (entry.size ? `${number(entry.size)} B` : "")],
    ["Time", "when rare", (entry) => time(entry.at)],
  ], (entry) => entry.number);
  tables.webhooks = new Table($("webhooks").querySelector(".scroll"), "Callbacks, newest first", "No callback was due yet.", [
    ["URL", "wide", (callback) => el("button", { type: "button", class: "name mono", onclick: () => webhook(callback) }, callback.url)],
    ["Task", "mono rare", (callback) => callback.task],
    ["Status", "", (callback) => status(callback.status, "no answer")],
    ["Fault", "", (callback) => effect(callback.effect)],
    ["Error", "words rare", (callback) => callback.error],
    ["Time", "when rare", (callback) => time(callback.at)],
  ], (callback) => callback.number);
  tables.ledger = new Table($("ledger").querySelector(".scroll"), "Coins, newest first", "Nothing was booked yet.", [
    ["Reason", "wide", (line) => line.reason],
    ["Task", "mono rare", (line) => line.task],
    ["Coins", "number", (line) => el("span", { class: line.delta < 0 ? "less" : "plus" }, (line.delta > 0 ? "+" : "−") + number(Math.abs(line.delta)))],
    ["Balance", "number", (line) => number(line.balance)],
    ["Time", "when rare", (line) => time(line.at)],
  ], (line) => line.id);
  for (const [name, table] of Object.entries(tables)) table.onMore(() => refresh(name));
  $("requests-text").addEventListener("input", debounced(() => refresh("requests")));
  $("requests-status").addEventListener("change", () => refresh("requests"));
}

function request(entry) {
  const lines = entry.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
  dialog(`${entry.method} ${entry.path}`, el("p", {}, status(entry.status), " ", effect(entry.effect), " ", time(entry.at)),
    entry.query && text("Query", entry.target.split("?").slice(1).join("?")), text("Headers", lines), entry.text && text("Body", entry.text), text("As curl", curl(entry)));
}

const OWN = new Set(["host", "content-length", "connection", "accept-encoding", "authorization", "transfer-encoding", "expect"]);

// A command that sends it again; who does so puts a key in.
function curl({ method, target, headers, text: body }) {
  const parts = [`curl -X ${method} ${quoted(location.origin + target)}`];
  if (headers.some(([name]) => name.toLowerCase() === "authorization")) parts.push(`-H "Authorization: Bearer $A2E_API_KEY"`);
  for (const [name, value] of headers) if (!OWN.has(name.toLowerCase())) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body) parts.push(`--data-raw ${quoted(body)}`);
  return parts.join(" \\\n  ");
}

function webhook(callback) {
  dialog(`Callback for ${callback.task}`, el("p", {}, status(callback.status, "no answer"), " ", effect(callback.effect), " ", time(callback.at)),
    text("URL", callback.url), callback.error && text("Error", callback.error), text("Body", JSON.stringify(callback.body, null, 2)));
}
