// Keys: each does one thing, the help lists all of them, and single keys can be turned off.
//
// A page adds its own by `addKey`. Rows that `j` and `k` walk along have `data-row`; a link with `data-go="x"` is
// followed by `g x`, and the help calls it by its `data-go-to`, or its text.

const OFF = "headwater-keys-off"; // in the browser's storage
const SECOND_KEY_MS = 1500;

const keys = new Map(); // key → { words, act }
let isAfterG = false;

/** Have `key` do something; `words` say what, in the help. */
export function addKey(key, words, act) {
  keys.set(key, { words, act });
}

export function installKeys() {
  const dialog = document.getElementById("keys");
  if (!dialog) return;
  addKey("/", "search", focusSearch);
  addKey("?", "show these keys", () => showHelp(dialog));
  addKey("j", "next row", () => walk(1));
  addKey("k", "row before", () => walk(-1));
  const button = document.getElementById("show-keys");
  button.disabled = false; // its place was kept
  button.addEventListener("click", () => showHelp(dialog));
  const choice = document.getElementById("keys-on");
  choice.checked = areOn();
  choice.addEventListener("change", () => localStorage.setItem(OFF, choice.checked ? "" : "off"));
  document.addEventListener("keydown", onKey);
}

function areOn() {
  return localStorage.getItem(OFF) !== "off";
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyped(event.target)) return;
  if (document.querySelector("dialog[open]") || !areOn()) return;
  if (isAfterG) {
    isAfterG = false;
    const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
      return;
    }
  }
  if (event.key === "g") {
    isAfterG = true;
    setTimeout(() => (isAfterG = false), SECOND_KEY_MS);
    return;
  }
  const known = keys.get(event.key);
  if (!known) return;
  event.preventDefault();
  known.act(event);
}

function isTyped(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}

function focusSearch() {
  const search = document.getElementById("search");
  search.focus();
  search.select();
}

function walk(step) {
  const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  const next = now < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(now + step, 0), rows.length - 1);
  const target = rows[next].matches("a[href], button") ? rows[next] : rows[next].querySelector("a[href], button");
  target?.focus();
  rows[next].scrollIntoView({ block: "nearest" });
}

function showHelp(dialog) {
  const list = document.getElementById("keys-list");
  list.replaceChildren();
  for (const [key, { words }] of keys) list.append(...described([key], words));
  list.append(...described(["Enter"], "open what has the focus"));
  for (const link of document.querySelectorAll("[data-go]")) {
    list.append(...described(["g", link.dataset.go], link.dataset.goTo ?? link.textContent.trim()));
  }
  dialog.showModal();
}

function described(pressed, words) {
  const term = document.createElement("dt");
  for (const key of pressed) {
    const shown = document.createElement("kbd");
    shown.textContent = key;
    term.append(shown, " ");
  }
  const meaning = document.createElement("dd");
  meaning.textContent = words;
  return [term, meaning];
}
