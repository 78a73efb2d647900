// The clock of the account: it runs here as it does there, from the last time that was told.
import { $, el, say } from "./dom.js";
import { own, read } from "./api.js";

const RATES = [[0, "Pause"], [1, "×1"], [10, "×10"], [60, "×60"]];
let told = { at: 0, rate: 0 }, heard = 0;

const now = () => told.at + (performance.now() - heard) * told.rate;

export function tell({ now: iso, rate, step }) {
  [told, heard] = [{ at: Date.parse(iso), rate }, performance.now()];
  const steps = step ? `, and ${step} s with each status read` : "";
  $("pace").textContent = (rate ? `runs at ×${rate}` : "stands still") + steps;
  for (const button of $("rates").children) {
    button.setAttribute("aria-pressed", String(Number(button.value) === rate && !step));
  }
  tick();
}

function tick() {
  $("now").textContent = new Date(now()).toISOString().slice(0, 19).replace("T", " ");
  $("now").dateTime = new Date(now()).toISOString();
  document.querySelectorAll("progress").forEach(move);
}

// Shows how far between two moments the clock is.
export function move(progress) {
  const { from, to } = progress.dataset;
  progress.value = Math.min(1, (now() - from) / (to - from));
}

export function startClock(attempt) {
  const set = (body, words) => attempt(async () => {
    tell(await read(own("clock"), { method: "POST", body }));
    say(words);
  });
  $("rates").append(...RATES.map(([rate, name]) => el("button", { type: "button", value: rate,
    onclick: () => set({ rate }, rate ? `The clock runs at ${rate} times real time` : "The clock is paused") }, name)));
  $("step").addEventListener("submit", (event) => {
    event.preventDefault();
    const advance = $("seconds").valueAsNumber;
    set({ advance }, `The clock is ${advance} seconds ahead`);
  });
  setInterval(() => document.hidden || told.rate && tick(), 200);
}
