// Making elements and keeping tables up to date. Texts go in as text nodes; nothing is ever parsed as HTML.

export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const focusable = "a, button, input, select, textarea";

// Brings the children of a parent into line with items; what has not changed is left alone, players and focus included.
export function fill(parent, items, keyOf, make) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const key = String(keyOf(item)), text = JSON.stringify(item), known = old.get(key);
    old.delete(key);
    if (known?.made === text) return known;
    const fresh = Object.assign(make(item), { made: text });
    fresh.dataset.key = key;
    const at = known ? [...known.querySelectorAll(focusable)].indexOf(document.activeElement) : -1;
    known?.replaceWith(fresh);
    if (at >= 0) fresh.querySelectorAll(focusable)[at]?.focus();
    return fresh;
  });
  for (const gone of old.values()) gone.remove();
  wanted.forEach((child, at) => child !== parent.children[at] && parent.insertBefore(child, parent.children[at] ?? null));
}

const STEP = 100, MOST = 1000;

// A table of the newest rows, newest first, with a button for more. Columns: [title, class, item => cell].
export class Table {
  constructor(place, caption, none, columns, keyOf) {
    this.last = STEP;
    this.none = none;
    this.keyOf = keyOf;
    this.body = el("tbody");
    this.foot = el("p", { class: "foot" });
    this.more = el("button", { type: "button", hidden: true }, `Show ${STEP} more`);
    const heads = columns.map(([title, kind]) => el("th", { scope: "col", class: kind }, title));
    const table = el("table", {}, el("caption", { class: "unseen" }, caption), el("thead", {}, el("tr", {}, ...heads)), this.body);
    place.append(table);
    place.after(this.foot, this.more);
    this.row = (item) => el("tr", {}, ...columns.map(([, kind, cell]) => el("td", { class: kind }, cell(item))));
  }

  onMore(refresh) {
    this.more.addEventListener("click", () => {
      this.last = Math.min(this.last + STEP, MOST);
      refresh();
    });
  }

  show(rows) {
    fill(this.body, rows.toReversed(), this.keyOf, this.row);
    this.body.parentElement.hidden = !rows.length;
    this.more.hidden = rows.length < this.last || this.last === MOST;
    const capped = rows.length === MOST ? " The search finds older ones." : "";
    this.foot.textContent = rows.length ? `${rows.length} shown, newest first.${capped}` : this.none;
  }
}

export const time = (iso) =>
  el("time", { datetime: iso, title: iso, class: "mono" }, iso.slice(5, 19).replace("T", " "));

export const number = (value) => value.toLocaleString("en", { maximumFractionDigits: 2 });

export const badge = (kind, text) => el("span", { class: `badge ${kind}` }, text);

export function dialog(title, ...parts) {
  $("details-title").textContent = title;
  $("details-body").replaceChildren(...parts.filter(Boolean));
  $("details").showModal();
}

// Long text that can be scrolled by keyboard and copied.
export function text(name, value) {
  const copy = el("button", { type: "button", class: "small", onclick: async () => {
    await navigator.clipboard.writeText(value);
    say(`${name} copied`);
  } }, "Copy");
  return el("section", {}, el("div", { class: "row" }, el("h3", {}, name), copy),
    el("pre", { tabindex: "0", "aria-label": name }, value));
}

let last = 0, later;

// Tells those who do not see the page; not more often than can be listened to.
export function say(words, pause = 0) {
  clearTimeout(later);
  const wait = Math.max(0, last + pause - Date.now());
  later = setTimeout(() => {
    last = Date.now();
    $("said").textContent = words;
  }, wait);
}

export function debounced(run, pause = 250) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, pause);
  };
}
