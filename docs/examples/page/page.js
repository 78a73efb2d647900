"use strict";

// The address says what is shown: `?task=ID` a swap, nothing the form. So a reload, at any time, goes on where it was.

const the = (id) => document.getElementById(id);
const form = the("form");
const STEPS = ["queued", "running", "done"];
const SAID = {
  queued: "Waiting for its turn",
  running: "Being made",
  done: "Done",
  failed: "It failed",
  unknown: "Going on, in a state that is not known here",
};
const SAMPLES = { face: ["face.jpg", "image/jpeg"], clip: ["clip.mp4", "video/mp4"] };
const PAUSE = 2000;
const SLACK = 2000; // what a form has besides its files
const PENDING = "form sent";
const EMPTY = Object.fromEntries(
  ["face", "clip"].map((id) => [id, { hint: the(`${id}-hint`).textContent, icon: the(`${id}-preview`).firstElementChild }]),
);

/* The form */

let number = ""; // of the form as it is filled in: the server starts one swap for each
let sending = false;

function renew() {
  number = Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36).padStart(2, "0")).join("");
}

function complain(text) {
  the("problem").textContent = text;
  the("problem").hidden = !text;
}

/** Show what was chosen. Another choice is another form. */
function preview(input) {
  const file = input.files[0];
  const shown = document.createElement(input.id === "face" ? "img" : "video");
  if (file) shown.src = URL.createObjectURL(file);
  shown.onerror = () => shown.replaceWith("Cannot be shown here");
  the(`${input.id}-preview`).replaceChildren(file ? shown : EMPTY[input.id].icon);
  the(`${input.id}-hint`).textContent = file ? `${file.name}, ${size(file.size)}` : EMPTY[input.id].hint;
  renew();
}

function size(bytes) {
  const unit = bytes < 1e6 ? "kilobyte" : "megabyte";
  const value = bytes / (bytes < 1e6 ? 1e3 : 1e6);
  return value.toLocaleString([], { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 });
}

async function takeSamples() {
  for (const [id, [name, type]] of Object.entries(SAMPLES)) {
    const answer = await fetch(`/page/${name}`);
    const files = new DataTransfer();
    files.items.add(new File([await answer.blob()], name, { type }));
    the(id).files = files.files;
    preview(the(id));
  }
}

/** Send a form, tell `onProgress` what part of it has left, and return the id of its task. */
function send(key, body, onProgress = () => {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much was sent
    request.open("POST", "/swaps");
    request.setRequestHeader("Idempotency-Key", key);
    request.responseType = "json";
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onload = () => {
      const { id, detail, field, spent } = request.response ?? {};
      if (id) return resolve(id);
      const text = detail?.replace(`${field}: `, "") ?? `The server answered with status ${request.status}.`;
      reject(new Refusal(text, spent === "unknown"));
    };
    request.onerror = () => reject(new Refusal("The server cannot be reached.", true));
    request.send(body);
  });
}

/** No task: certainly none, or perhaps one that nobody has heard of yet. */
class Refusal extends Error {
  constructor(text, unsure) {
    super(unsure ? `${text} Press the button again: if the swap has begun, it is found, and not paid for twice.` : text);
    this.unsure = unsure;
  }
}

function settle(refusal) {
  complain(refusal.message);
  if (!refusal.unsure) sessionStorage.removeItem(PENDING);
}

async function submit(event) {
  event.preventDefault();
  if (sending) return;
  const body = new FormData(form);
  const [face, clip] = [body.get("face"), body.get("clip")];
  if (face.size + clip.size > form.dataset.largest - SLACK) {
    return complain(`Face and clip are too large: together they may have ${size(form.dataset.largest)}.`);
  }
  sessionStorage.setItem(PENDING, number);
  busy(true);
  complain("");
  try {
    const task = await send(number, body, (part) => {
      the("sent").value = part;
      the("start").textContent = part < 1 ? "Uploading" : "Starting";
    });
    sessionStorage.removeItem(PENDING);
    history.pushState(null, "", `/?task=${encodeURIComponent(task)}`);
    show();
    the("main").focus();
  } catch (refusal) {
    settle(refusal);
  } finally {
    busy(false);
  }
}

function busy(now) {
  sending = now;
  the("start").setAttribute("aria-disabled", now);
  the("start").textContent = now ? "Uploading" : "Swap the face";
  the("upload").hidden = !now;
  the("sent").value = 0;
}

/** A page that was left while its form was under way asks what became of it. */
async function pending() {
  try {
    const task = await send(sessionStorage.getItem(PENDING), new FormData());
    sessionStorage.removeItem(PENDING);
    history.replaceState(null, "", `/?task=${encodeURIComponent(task)}`);
    show();
  } catch (refusal) {
    settle(refusal);
  }
}

/* The swap that is watched */

let source = null;

function watch(task) {
  source = new EventSource(`/swaps/${encodeURIComponent(task)}/events`);
  source.onopen = () => link("live", "Live");
  source.onerror = () => {
    link("lost", "No connection, trying again");
    // A browser tries again by itself where the connection is lost, and gives up where it gets another answer.
    if (source.readyState === EventSource.CLOSED) ask(task);
  };
  source.addEventListener("state", (event) => move(task, JSON.parse(event.data)));
  source.addEventListener("problem", (event) => end(JSON.parse(event.data).detail));
}

async function ask(task) {
  try {
    const answer = await fetch(`/swaps/${encodeURIComponent(task)}/events`, { headers: { Accept: "text/event-stream" } });
    if (answer.status >= 400 && answer.status < 500) {
      const problem = await answer.json();
      return end(problem.detail || problem.title);
    }
    answer.body?.cancel();
  } catch {} // nobody is there yet
  setTimeout(() => watch(task), PAUSE);
}

function link(kind, text) {
  the("link").className = kind;
  the("link").textContent = text;
}

function move(task, { state, at, result_url: url, error }) {
  const times = JSON.parse(sessionStorage.getItem(task) ?? "{}");
  times[state] ??= at;
  sessionStorage.setItem(task, JSON.stringify(times));
  const reached = state === "failed" ? 2 : STEPS.indexOf(state);
  for (const [place, step] of reached < 0 ? [] : the("steps").querySelectorAll("li").entries()) {
    const name = place === 2 && state === "failed" ? state : STEPS[place];
    step.className = place < reached ? "passed" : place > reached ? "" : place < 2 ? "now" : name;
    if (place === reached) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
    step.querySelector("b").textContent = name[0].toUpperCase() + name.slice(1);
    step.querySelector("time").textContent = times[name] ? new Date(times[name]).toLocaleTimeString() : "";
  }
  the("status").textContent = SAID[state];
  document.title = `${SAID[state]} – Face swap`;
  the("screen").className = `screen ${state === "done" || state === "failed" ? state : "waiting"}`;
  if (state === "done") finish(url);
  if (state === "failed") end(error.detail);
}

function finish(url) {
  const player = document.createElement("video");
  Object.assign(player, { src: url, controls: true, playsInline: true, preload: "auto" });
  player.setAttribute("aria-label", "Result");
  the("screen").replaceChildren(player);
  the("file").href = url;
  the("file").hidden = false;
  end("");
}

/** Nothing more will come; a reason where it did not end well. */
function end(reason) {
  source.close();
  if (reason) {
    the("screen").className = "screen failed";
    the("screen").replaceChildren();
  }
  link("", "Ended");
  the("reason").textContent = reason;
}

/* Which of the two */

function show() {
  source?.close();
  const task = new URLSearchParams(location.search).get("task");
  form.hidden = Boolean(task);
  the("watch").hidden = !task;
  complain("");
  if (task) {
    the("task").textContent = task;
    the("screen").className = "screen waiting";
    the("screen").replaceChildren(...the("clip-preview").querySelectorAll("video"));
    watch(task);
  } else if (sessionStorage.getItem(PENDING)) pending();
}

form.addEventListener("submit", submit);
form.addEventListener("change", (event) => event.target.type === "file" && preview(event.target));
the("samples").addEventListener("click", takeSamples);
addEventListener("popstate", () => location.reload());
form.querySelectorAll("[type=file]").forEach(preview); // a browser may have kept what was chosen
show();
