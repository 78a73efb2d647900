// Faults: the effects there are, as the server describes them, and the rules that act.
import { $, Table, el, number, say } from "./dom.js";
import { own, read } from "./api.js";

const TARGETS = { all: "All answers", rows: "Answers of the API", files: "Downloads", signed: "Signed URLs", webhooks: "Callbacks" };
const PATHS = ["*", "*/add", "*/records", "*/remainingCoins", "/api/*", "/results/*"];
// What is asked for first; the rest is a click away.
const FIRST = ["path", "first", "seconds"];
let told, table;

export async function refreshFaults() {
  if (!told) {
    told = await read(own("effects"));
    buildForm();
  }
  table.show(await read(own("faults")));
}

const effectOf = (rule) => told.effects.find((one) => one.effect === rule.effect);
const typeOf = ({ type, anyOf }) => type ?? anyOf.find((one) => one.type !== "null").type;

// One input for a parameter, by its JSON schema.
function field([name, schema]) {
  const type = typeOf(schema), usual = schema.default;
  const hint = el("span", { class: "hint", id: `hint-${name}` }, schema.description);
  const common = { name, "data-type": type, "aria-describedby": hint.id };
  if (type === "boolean") return el("label", {}, el("input", { ...common, type: "checkbox" }), el("span", {}, name, " ", hint));
  if (type === "object") return el("label", {}, name, el("textarea", { ...common, rows: 2, placeholder: "Name: value" }), hint);
  const numeric = type !== "string";
  return el("label", {}, name, el("input", { ...common, type: numeric ? "number" : "text", step: numeric && "any",
    placeholder: usual ?? "none", list: name === "path" && "paths", autocomplete: "off", spellcheck: "false" }), hint);
}

const READ = {
  boolean: (input) => input.checked || undefined,
  string: (input) => input.value || undefined,
  object: (input) => (input.value.trim() ? Object.fromEntries(input.value.trim().split("\n").map((line) => line.split(/:\s*(.*)/, 2))) : undefined),
};
const readNumber = (input) => (input.value ? input.valueAsNumber : undefined);

function buildForm() {
  const choice = el("select", { id: "effect", "aria-describedby": "does" }, ...Object.entries(TARGETS).map(([target, label]) =>
    el("optgroup", { label }, ...told.effects.filter((one) => one.strikes === target).map((one) => el("option", {}, one.effect)))));
  const does = el("p", { class: "hint", id: "does" }), special = el("div", { class: "fields", id: "special" });
  const { enabled, ...common } = told.common;
  const usual = FIRST.map((name) => [name, common[name]]), others = Object.entries(common).filter(([name]) => !FIRST.includes(name));
  const chosen = () => effectOf({ effect: choice.value });
  const choose = () => {
    does.textContent = `${chosen().does}.`;
    special.replaceChildren(...Object.entries(chosen().parameters).map(field));
  };
  choice.addEventListener("change", choose);
  $("rule").replaceChildren(
    el("div", { class: "fields" }, el("label", {}, "effect", choice, does), ...usual.map(field)),
    special,
    el("details", {}, el("summary", {}, "Which requests, how many, how late"), el("div", { class: "fields" }, ...others.map(field))),
    el("datalist", { id: "paths" }, ...PATHS.map((value) => el("option", { value }))),
    el("div", { class: "row" }, el("button", { class: "main" }, "Switch on")),
  );
  choose();
}

// What a rule says beyond its effect, in the words of its fields.
function given(rule, parameters) {
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const said = Object.entries(parameters).filter(([name, { default: usual }]) =>
    name !== "enabled" && text(rule[name]) !== text(usual));
  return el("span", { class: "mono" }, said.map(([name]) => `${name}=${text(rule[name])}`).join(", "));
}

export function startFaults(refresh, attempt) {
  const change = (rule, options, words) => attempt(async () => {
    await read(own(`faults/${rule.id}`), options);
    say(words);
    await refresh("faults");
  });
  table = new Table($("faults").querySelector(".scroll"), "Faults, newest first", "No faults: every answer is as it should be.", [
    ["On", "", (rule) => el("input", { type: "checkbox", role: "switch", class: "switch", checked: rule.enabled, "aria-label": `Fault ${rule.id}, ${rule.effect}`,
      onchange: ({ target }) => change(rule, { method: "PATCH", body: { enabled: target.checked } },
        `Fault ${rule.effect} is ${target.checked ? "on" : "off"}`) })],
    ["Effect", "wide", (rule) => el("div", {}, el("b", {}, rule.effect), " ", given(rule, effectOf(rule).parameters),
      el("span", { class: "sub" }, effectOf(rule).does))],
    ["When", "words rare", (rule) => given(rule, told.common)],
    ["Hits", "number rare", (rule) => number(rule.hits)],
    ["Strikes", "number", (rule) => number(rule.strikes)],
    [el("span", { class: "unseen" }, "Remove"), "", (rule) => el("button", { type: "button", class: "small", "aria-label": `Remove fault ${rule.id}, ${rule.effect}`,
      onclick: () => change(rule, { method: "DELETE" }, `Fault ${rule.effect} removed`) }, "Remove")],
  ], (rule) => rule.id);
  $("rule").addEventListener("submit", (event) => {
    event.preventDefault();
    const body = { effect: $("effect").value };
    for (const input of $("rule").querySelectorAll("[name]")) body[input.name] = (READ[input.dataset.type] ?? readNumber)(input);
    attempt(async () => {
      const rule = await read(own("faults"), { method: "POST", body });
      say(`Fault ${rule.effect} is on`);
      await refresh("faults");
    });
  });
}
