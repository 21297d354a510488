// A version, a run or a file: copy what is to be copied, and open folders in place.
//
// An opened folder is a page of its own that was fetched: its rows stand below it, and the address says which is open, so
// that Back closes it again and a colleague sees the same.

const DEPTH_MAX = 4; // deeper ones open as pages of their own

// --- copying

for (const source of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${source.textContent.slice(0, 80)}`);
  button.addEventListener("click", async () => {
    button.textContent = (await copied(source)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  source.after(button);
}

/** Where the browser lets no script write to the clipboard, the text is selected for who looks. */
async function copied(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(source);
    return false;
  }
}

// --- folders

const tree = document.querySelector("[data-tree]");
if (tree) {
  tree.addEventListener("click", (event) => {
    const link = event.target.closest("[data-folder-link]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const row = link.closest("tr");
    if (depthOf(row) >= DEPTH_MAX) return;
    event.preventDefault();
    if (row.dataset.open) {
      close(row);
      remember(null, row);
    } else {
      open(row, link).then((was) => was && remember(row));
    }
  });
  addEventListener("popstate", () => restore());
  restore();
}

function depthOf(row) {
  return Number(row.dataset.depth ?? 0);
}

async function open(row, link) {
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const rows = [...page.querySelectorAll("[data-tree] tbody tr")];
    const more = page.querySelector("#files .pager a[rel=next]");
    if (more) rows.push(rowThatLeadsOn(more, row));
    for (const one of rows.reverse()) {
      one.dataset.depth = depthOf(row) + 1;
      row.after(document.importNode(one, true));
    }
    row.dataset.open = "true";
    link.setAttribute("aria-expanded", "true");
    return true;
  } catch {
    location.assign(link.href); // as where no script runs
    return false;
  } finally {
    link.removeAttribute("aria-busy");
  }
}

function rowThatLeadsOn(more, row) {
  const line = document.createElement("tr");
  line.dataset.path = `${row.dataset.path}/`;
  const cell = document.createElement("td");
  cell.colSpan = 4;
  const link = document.createElement("a");
  link.href = more.getAttribute("href");
  link.textContent = `More of ${row.dataset.path}/`;
  cell.append(link);
  line.append(cell);
  return line;
}

function close(row) {
  const within = `${row.dataset.path}/`;
  while (row.nextElementSibling?.dataset.path?.startsWith(within)) row.nextElementSibling.remove();
  delete row.dataset.open;
  row.querySelector("[data-folder-link]").setAttribute("aria-expanded", "false");
}

// What is open is in the address after "#", beside the place where the files are.

function opened() {
  return [...tree.querySelectorAll("tr[data-open]")].map((row) => row.dataset.path);
}

function remember() {
  const paths = opened();
  const hash = paths.length ? `#files?${new URLSearchParams(paths.map((path) => ["open", path]))}` : "#files";
  if (location.hash !== hash) history.pushState(null, "", hash);
}

async function restore() {
  const wanted = new Set(new URLSearchParams(location.hash.split("?")[1] ?? "").getAll("open"));
  for (const row of [...tree.querySelectorAll("tr[data-open]")]) {
    if (row.isConnected && !wanted.has(row.dataset.path)) close(row);
  }
  for (const path of [...wanted].sort()) {
    const row = [...tree.querySelectorAll("tr")].find((one) => one.dataset.path === path);
    const link = row?.querySelector("[data-folder-link]");
    if (link && !row.dataset.open) await open(row, link);
  }
}
