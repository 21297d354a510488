// The picture of a lineage as SVG: shapes, words and edges, from what `layout.js` computed.
//
// Whatever is special about a node is told by its shape, its border and a word, not by colour alone. Words that do not fit
// are shortened in their middle; whole ones are in the title and the label of the node.

const NS = "http://www.w3.org/2000/svg";
const TEXT_WIDTH_MAX = 220;
const [NODE_WIDTH_MIN, PADDING, LINE_HEIGHT, ICON] = [112, 12, 18, 18];
const STACK = 6; // how far the sheets behind a group stick out
const FONTS = { title: "600 13px", detail: "12px", mark: "600 12px" }; // as lineage.css has them
const [ISOLATE, END] = ["\u2068", "\u2069"]; // text of either direction, apart from what is beside it
const GROUPS = ["versions", "runs"];
const SIGNS = { failed: "✕", crashed: "✕", killed: "■", running: "▶", draft: "◌", recalled: "▲", deleted: "⌫", "other project": "↗" };

export function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// --- how large a node is

/** Say how wide texts are, in the fonts of `root`. */
export function measuring(root) {
  const context = document.createElement("canvas").getContext("2d");
  const family = getComputedStyle(root).fontFamily;
  return (text, kind) => {
    context.font = `${FONTS[kind]} ${family}`;
    return context.measureText(text).width;
  };
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** `text`, or its beginning and end where it is wider than there is room. */
export function shortened(text, kind, width) {
  if (width(text, kind) <= TEXT_WIDTH_MAX) return text;
  const parts = [...graphemes.segment(text)].map((part) => part.segment);
  let [low, high] = [0, parts.length];
  const cut = (kept) => {
    const tail = Math.min(Math.floor(kept / 3), 12);
    return `${parts.slice(0, kept - tail).join("")}…${tail ? parts.slice(-tail).join("") : ""}`;
  };
  while (low < high) {
    const kept = Math.ceil((low + high) / 2);
    if (width(cut(kept), kind) <= TEXT_WIDTH_MAX) low = kept;
    else high = kept - 1;
  }
  return cut(low);
}

/** What is written on a node, and how large it is therefore. */
export function sized(node, width) {
  const lines = [{ text: node.title, class: "title" }];
  if (node.detail) lines.push({ text: node.detail, class: "detail" });
  const words = node.marks.map((mark) => (mark === "other project" ? node.project : mark));
  const counts = Object.entries(node.counts).map(([mark, count]) => `${count} ${mark}`);
  for (const [i, word] of words.entries()) lines.push({ text: `${SIGNS[node.marks[i]] ?? "•"} ${word}`, class: "mark" });
  if (counts.length) lines.push({ text: `${SIGNS[Object.keys(node.counts)[0]] ?? "•"} ${counts.join(", ")}`, class: "mark" });
  let widest = 0;
  for (const line of lines) {
    line.short = shortened(line.text, line.class, width);
    widest = Math.max(widest, width(line.short, line.class));
  }
  const stack = GROUPS.includes(node.kind) ? STACK : 0;
  return {
    id: node.id,
    lines,
    stack,
    width: Math.max(NODE_WIDTH_MIN, Math.ceil(widest + ICON + 2 * PADDING)) + stack,
    height: lines.length * LINE_HEIGHT + PADDING + stack,
  };
}

// --- a node

/** The link that a node is; it stands where `placeNode` puts it. */
export function drawnNode(node, size, label) {
  const link = element("a", { class: classesOf(node), href: node.address, "data-id": node.id, tabindex: -1, "aria-label": label });
  link.append(element("title", {}, wholeText(node)));
  if (GROUPS.includes(node.kind)) {
    for (const moved of [STACK, STACK / 2]) link.append(body(node, size, "behind", moved));
  }
  link.append(body(node, size, "body"), icon(node, size.height - size.stack));
  if (node.marks.includes("other project")) link.append(body(node, size, "inner", 0, 4));
  size.lines.forEach((line, i) => {
    const y = PADDING / 2 + LINE_HEIGHT * (i + 0.72);
    link.append(element("text", { class: line.class, x: PADDING + ICON, y }, `${ISOLATE}${line.short}${END}`));
  });
  if (node.opens) link.append(...badges(node, size));
  return link;
}

function classesOf(node) {
  const marks = node.marks.map((mark) => mark.replace(" ", "-"));
  const troubled = ["failed", "crashed", "killed"].some((mark) => mark in node.counts) ? ["has-failed"] : [];
  return ["node", node.kind, ...marks, ...troubled, ...(node.is_subject ? ["subject"] : [])].join(" ");
}

function wholeText(node) {
  const name = node.id.slice(node.id.indexOf(":") + 1);
  return [name, node.detail, ...node.marks].filter(Boolean).join("\n");
}

/** A run is round, a version has corners. `moved` down and to the right, and smaller on all sides. */
function body(node, size, name, moved = 0, smaller = 0) {
  const [width, height] = [size.width, size.height].map((length) => length - size.stack - 2 * smaller);
  const rx = Math.max(isOfRuns(node) ? Math.min(height / 2, 22 - smaller) : 4 - smaller, 1);
  return element("rect", { class: name, x: moved + smaller, y: moved + smaller, width, height, rx });
}

const isOfRuns = (node) => node.kind === "run" || node.kind === "runs";

function icon(node, height) {
  const path = isOfRuns(node) ? "M2 1.5 L10 6 L2 10.5 Z" : "M2 0.5 H8 L11 3.5 V12.5 H2 Z M8 0.5 V3.5 H11";
  return element("path", { class: "icon", d: path, transform: `translate(8 ${height / 2 - 6.5})` });
}

/** How many are hidden, where their edges would leave; of a group, on its corner. A click there opens it. */
function badges(node, { width, height }) {
  const found = GROUPS.includes(node.kind) ? [badge("+", width - STACK, 0)] : [];
  if (node.before) found.push(badge(`+${node.before.toLocaleString("en")}`, -10, height / 2));
  if (node.after) found.push(badge(`+${node.after.toLocaleString("en")}`, width + 10, height / 2));
  return found;
}

function badge(text, x, y) {
  const width = 12 + text.length * 7;
  return element("g", { class: "badge-more", "data-opens": "", transform: `translate(${x} ${y})` },
    element("rect", { x: -width / 2, y: -10, width, height: 20, rx: 10 }),
    element("text", { class: "more", "text-anchor": "middle", y: 4 }, text));
}

// --- an edge

/** A line through points that leaves and arrives level. */
export function curve(points) {
  let [x, y] = points[0];
  let path = `M${round(x)} ${round(y)}`;
  for (const [toX, toY] of points.slice(1)) {
    const middle = round((x + toX) / 2);
    path += y === toY ? `H${round(toX)}` : `C${middle} ${round(y)} ${middle} ${round(toY)} ${round(toX)} ${round(toY)}`;
    [x, y] = [toX, toY];
  }
  return path;
}

const round = (value) => Math.round(value * 10) / 10;

export function drawnEdge(edge, laid) {
  const classes = ["edge", edge.kind, ...(laid.closesCycle ? ["cycle"] : [])].join(" ");
  const made = element("g", { class: classes, "data-from": edge.source, "data-to": edge.target });
  made.append(element("path", { d: curve(laid.points), "marker-end": "url(#arrow)" }));
  if (edge.count > 1) {
    const [[x1, y1], [x2, y2]] = laid.points.slice(-2);
    made.append(element("text", { class: "count", x: (x1 + x2) / 2, y: (y1 + y2) / 2 + (laid.closesCycle ? 12 : -4), "text-anchor": "middle" }, `${edge.count.toLocaleString("en")}×`));
  }
  return made;
}

/** What is needed once in a picture. */
export function definitions() {
  const arrow = { id: "arrow", viewBox: "0 0 8 8", refX: 7.5, refY: 4, markerUnits: "userSpaceOnUse", markerWidth: 10, markerHeight: 10, orient: "auto-start-reverse" };
  return element("defs", {}, element("marker", arrow, element("path", { class: "arrow", d: "M0 0.5 L8 4 L0 7.5 Z" })));
}

/** What a screen reader says of a node. */
export function labelOf(node, before, after) {
  const count = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
  const words = [
    `${node.kind} ${node.title}`,
    node.detail,
    ...node.marks.map((mark) => (mark === "other project" ? `${node.project} (another project)` : mark)),
    ...Object.entries(node.counts).map(([mark, number]) => `${number} ${mark}`),
    `made from ${before}, leads to ${after}`,
    ...(node.before + node.after ? [`${count(node.before + node.after, "neighbour")} hidden`] : []),
    ...(node.is_subject ? ["what this page is about"] : []),
  ];
  return words.filter(Boolean).join(", ");
}
