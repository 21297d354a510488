// Search while typing: what begins with the text, below the field. Arrows choose, Enter opens, Escape closes.

const PAUSE_MS = 60; // after a key, before it is asked
const field = document.getElementById("search");
let asked = 0;
let timer;

if (field) {
  const list = document.createElement("ul");
  list.id = "suggestions";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "What begins with this");
  list.hidden = true;
  field.after(list);
  for (const [name, value] of [
    ["role", "combobox"],
    ["aria-autocomplete", "list"],
    ["aria-controls", list.id],
    ["aria-expanded", "false"],
  ]) {
    field.setAttribute(name, value);
  }
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => ask(list), PAUSE_MS);
  });
  field.addEventListener("keydown", (event) => onKey(event, list));
  field.addEventListener("blur", () => setTimeout(() => show(list, []), 150));
  field.addEventListener("focus", () => field.value.trim() && ask(list));
}

async function ask(list) {
  const number = ++asked;
  const text = field.value.trim();
  if (!text) return show(list, []);
  try {
    const answer = await fetch(`/search/begins?${new URLSearchParams({ q: text })}`, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(answer.ok ? await answer.text() : "", "text/html");
    if (number === asked && document.activeElement === field) show(list, [...page.querySelectorAll("[data-hit]")]);
  } catch {
    if (number === asked) show(list, []); // Enter still asks for the page of results
  }
}

function show(list, hits) {
  list.replaceChildren(
    ...hits.map((hit, index) => {
      const option = document.importNode(hit, true);
      option.id = `suggestion-${index}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      return option;
    }),
  );
  list.hidden = hits.length === 0;
  field.setAttribute("aria-expanded", String(hits.length > 0));
  field.removeAttribute("aria-activedescendant");
}

function onKey(event, list) {
  const options = [...list.children];
  const now = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "Escape") {
    if (!list.hidden) event.preventDefault();
    asked++;
    show(list, []);
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (!options.length) return;
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    choose(options, now < 0 ? (step > 0 ? 0 : options.length - 1) : (now + step + options.length) % options.length);
  } else if (event.key === "Enter" && now >= 0) {
    event.preventDefault();
    options[now].querySelector("a").click();
  }
}

function choose(options, index) {
  options.forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
  field.setAttribute("aria-activedescendant", options[index].id);
  options[index].scrollIntoView({ block: "nearest" });
}
