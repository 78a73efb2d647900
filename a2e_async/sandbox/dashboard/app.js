// The page as a whole: which account and view it shows, and what it reads again when something has changed.
import { $, el, fill, number, say } from "./dom.js";
import { hasKey, listen, own, read, shown, useKey } from "./api.js";
import { startClock, tell } from "./clock.js";
import { refreshTasks, showCounts, startTasks } from "./tasks.js";
import { refreshLog, startLogs } from "./logs.js";
import { refreshFaults, startFaults } from "./faults.js";

const VIEWS = { tasks: refreshTasks, requests: refreshLog.requests, ledger: refreshLog.ledger, webhooks: refreshLog.webhooks, faults: refreshFaults };
const OVERVIEW = ["clock", "tasks", "ledger"];
const EVERYTHING = ["accounts", "clock", ...Object.keys(VIEWS)];

let view = "tasks", stale = new Set(), busy = false, stream = new AbortController();

async function attempt(work) {
  try {
    await work();
    $("problem").hidden = true;
  } catch (error) {
    if (error.status === 401) show("entry");
    if (error.status === 401 && !hasKey()) return;
    $("problem").textContent = error.message;
    $("problem").hidden = false;
  }
}

function show(part) {
  for (const id of ["entry", "empty", "shown"]) $(id).hidden = id !== part;
}

// Reads what is stale, once at a time: what changes meanwhile is read afterwards.
async function refresh(...topics) {
  topics.forEach((topic) => stale.add(topic));
  if (busy || document.hidden) return;
  busy = true;
  while (stale.size) {
    const due = stale;
    stale = new Set();
    await attempt(async () => {
      if (due.has("accounts")) await readAccounts();
      if (shown.account && OVERVIEW.some((topic) => due.has(topic))) await readOverview();
      if (shown.account && due.has(view)) await VIEWS[view]();
    });
  }
  busy = false;
}

async function readAccounts() {
  const accounts = await read("/sandbox/accounts");
  fill($("account"), accounts, (one) => one.label, (one) => el("option", { value: one.label }, one.label));
  show(accounts.length ? "shown" : "empty");
  if (accounts.length && !accounts.some((one) => one.label === shown.account)) go(accounts[0].label, view);
  $("account").value = shown.account;
}

async function readOverview() {
  const { clock, coins, diamonds, balances, counts } = await read(own("overview"));
  tell(clock);
  showCounts(counts);
  $("coins").textContent = number(coins);
  $("diamonds").textContent = diamonds ? `and ${number(diamonds)} diamonds` : "";
  const least = Math.min(...balances), most = Math.max(...balances, least + 1), wide = 100 / Math.max(balances.length - 1, 1);
  const points = balances.map((balance, at) => `${at * wide},${29 - (28 * (balance - least)) / (most - least)}`);
  $("curve").setAttribute("points", points.join(" "));
}

// The address holds account and view, so that a reload or a bookmark shows the same.
function go(label, name) {
  location.hash = `${label}/${name}`;
}

function arrive() {
  const [label, name] = decodeURIComponent(location.hash.slice(1)).split("/");
  const moved = label !== shown.account;
  [shown.account, view] = [label, name in VIEWS ? name : "tasks"];
  $("account").value = shown.account;
  for (const link of $("views").children) {
    link.hash = `${shown.account}/${link.dataset.view}`;
    link.toggleAttribute("aria-current", link.dataset.view === view);
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    $(link.dataset.view).hidden = link.dataset.view !== view;
  }
  if (moved) stream.abort();
  refresh(...EVERYTHING);
}

function state(word, words) {
  $("link").className = `link ${word}`;
  if ($("link").textContent !== words) $("link").textContent = words;
}

const once = (target, name) => new Promise((happened) => target.addEventListener(name, happened, { once: true }));

// One stream of news as long as the page is seen: a browser has few connections to one host.
async function follow() {
  for (let wait = 500; ; ) {
    while (document.hidden) await once(document, "visibilitychange");
    stream = new AbortController();
    let first = true;
    try {
      await listen(shown.account ? own("events") : "/sandbox/events", stream.signal, (topics) => {
        state("live", "Live");
        refresh(...(first ? EVERYTHING : topics));
        [first, wait] = [false, 500];
      });
    } catch (error) {
      if (error.name === "AbortError") continue;
      if (error.status === 404) shown.account = "";
      if (error.status === 401) {
        state("", "Waiting for a key");
        await once($("entry"), "submit");
        continue;
      }
    }
    state("lost", "No connection");
    await new Promise((over) => setTimeout(over, wait));
    wait = Math.min(wait * 2, 5000);
  }
}

document.addEventListener("visibilitychange", () => document.hidden && stream.abort());
window.addEventListener("hashchange", arrive);
$("details").addEventListener("close", () => $("details-body").replaceChildren());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
$("account").addEventListener("change", () => go($("account").value, view));
$("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey($("key").value);
  $("key").value = "";
  shown.account = "";
  refresh("accounts");
});
$("settings").textContent = `export A2E_BASE_URL=${location.origin}\nexport A2E_API_KEY=sk_test`;
$("views").append(...Object.keys(VIEWS).map((name) => el("a", { "data-view": name, href: "#" }, name[0].toUpperCase() + name.slice(1))));
startClock(attempt);
startTasks(refresh);
startLogs(refresh, attempt);
startFaults(refresh, attempt);
arrive();
follow();
