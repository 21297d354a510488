// The picture of a lineage: drawn, moved, walked along by keys, and opened in place.
//
// The server says what is drawn, in the page; opening something is going to another address, of which the page is fetched
// and put in place, so that Back undoes it. What was drawn keeps its order, and what was clicked keeps its place.

import { addKey } from "./keys.js";
import { follow } from "./live.js";
import { layout } from "./layout.js";
import { definitions, drawnEdge, drawnNode, element, labelOf, measuring, sized } from "./lineage-svg.js";
import { saveDrawing } from "./lineage-export.js";
import { Viewport } from "./lineage-viewport.js";

const REGIONS = ["lineage-asked", "lineage-status", "lineage-table", "lineage-data"]; // of the page, beside the picture
const FOLLOW_MS = 1500; // changes that come so close together are drawn at once

class Lineage {
  constructor(root) {
    this.root = root;
    this.panel = document.getElementById("lineage-panel");
    this.edges = element("g", { class: "edges" });
    this.nodes = element("g", { class: "nodes" });
    this.moving = element("g", {}, this.edges, this.nodes);
    this.svg = element("svg", { role: "group", "aria-label": root.dataset.label }, definitions(), this.moving);
    root.prepend(this.svg);
    this.viewport = new Viewport(this.svg, this.moving);
    this.width = measuring(root);
    this.laid = null;
    this.asked = null; // the page that is being fetched
    this.end = null; // the first end of a path of interest that is being chosen
    this.show(null);
    this.viewport.begin(this.laid, this.subject());
    this.listen();
    requestAnimationFrame(() => setTimeout(() => this.painted()));
  }

  /** The first picture is on the screen: tests and benchmarks wait for this. */
  painted() {
    performance.mark("lineage-painted");
    this.root.dataset.drawn = "";
  }

  subject() {
    return this.picture.nodes.find((node) => node.is_subject)?.id ?? this.picture.nodes[0]?.id;
  }

  // --- drawing

  /** Draw what the page says. `anchor`: the node that keeps its place. */
  show(anchor) {
    this.picture = JSON.parse(document.getElementById("lineage-data").textContent);
    const sizes = new Map(this.picture.nodes.map((node) => [node.id, sized(node, this.width)]));
    const graph = {
      nodes: [...sizes.values()],
      edges: this.picture.edges.map((edge) => ({ from: edge.source, to: edge.target })),
    };
    this.byId = new Map(this.picture.nodes.map((node) => [node.id, node]));
    const kept = this.kept(anchor);
    this.laid = layout(graph, { previous: this.laid, anchor: kept });
    this.neighbours();
    this.edges.replaceChildren(...this.picture.edges.map((edge, i) => drawnEdge(edge, this.laid.edges[i])));
    this.placeNodes(sizes);
    this.focusable(this.byId.has(this.current) ? this.current : (kept ?? this.subject()));
  }

  /** The node that keeps its place: where a group was opened whole, the first of what was in it. */
  kept(anchor) {
    if (!this.laid || this.byId.has(anchor)) return anchor;
    const place = this.laid.nodes.get(anchor);
    const kind = anchor?.split(":")[0].replace(/s$/, "");
    const heir = this.picture.nodes.find((node) => node.kind === kind && !this.laid.nodes.has(node.id));
    if (place && heir) this.laid.nodes.set(heir.id, place);
    return place && heir ? heir.id : this.picture.nodes.find((node) => this.laid.nodes.has(node.id))?.id;
  }

  neighbours() {
    this.before = new Map(this.picture.nodes.map((node) => [node.id, []]));
    this.after = new Map(this.picture.nodes.map((node) => [node.id, []]));
    for (const edge of this.picture.edges) {
      this.after.get(edge.source).push(edge.target);
      this.before.get(edge.target).push(edge.source);
    }
    const y = (id) => this.laid.nodes.get(id).y;
    for (const side of [this.before, this.after]) for (const ids of side.values()) ids.sort((a, b) => y(a) - y(b));
  }

  /** Those that were there move; new ones appear. */
  placeNodes(sizes) {
    const known = new Map([...this.nodes.children].map((child) => [child.dataset.id, child]));
    const order = [...this.picture.nodes].sort((a, b) => this.rank(a.id) - this.rank(b.id));
    const focused = this.nodes.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    this.nodes.replaceChildren(...order.map((node) => {
      const made = drawnNode(node, sizes.get(node.id), labelOf(node, this.before.get(node.id).length, this.after.get(node.id).length));
      const { x, y } = this.laid.nodes.get(node.id);
      const before = known.get(node.id);
      made.style.transform = before ? before.style.transform : `translate(${x}px, ${y}px)`;
      if (!before) made.classList.add("new");
      return made;
    }));
    if (known.size) this.nodes.getBoundingClientRect(); // so that they move from where they were
    for (const made of this.nodes.children) {
      const { x, y } = this.laid.nodes.get(made.dataset.id);
      made.style.transform = `translate(${x}px, ${y}px)`;
    }
    if (focused && this.byId.has(focused)) this.elementOf(focused).focus({ preventScroll: true });
  }

  /** In the order in which one reads: by layer, from top to bottom. */
  rank(id) {
    const { layer, y } = this.laid.nodes.get(id);
    return layer * 1e7 + y;
  }

  elementOf(id) {
    return this.nodes.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }

  // --- the focus, which is on one node

  focusable(id) {
    this.current = id;
    for (const made of this.nodes.children) made.setAttribute("tabindex", made.dataset.id === id ? 0 : -1);
  }

  focus(id) {
    if (!id) return;
    this.focusable(id);
    this.elementOf(id).focus({ preventScroll: true });
    this.viewport.reveal(this.laid.nodes.get(id));
  }

  /** Light up all that leads to a node, and all that it leads to. */
  light(id) {
    const ways = id === null ? new Set() : new Set([...this.reached(id, this.before), ...this.reached(id, this.after)]);
    const up = id === null ? new Set() : this.reached(id, this.before);
    for (const edge of this.edges.children) {
      const { from, to } = edge.dataset;
      const isUp = up.has(from) && up.has(to);
      edge.classList.toggle("lit", ways.has(from) && ways.has(to) && (isUp || (!up.has(from) || from === id)));
    }
    this.edges.append(...this.edges.querySelectorAll(".lit"));
  }

  reached(id, side) {
    const seen = new Set([id]);
    for (const one of seen) for (const other of side.get(one)) seen.add(other);
    return seen;
  }

  tell(id) {
    const node = this.byId.get(id);
    this.panel.hidden = !node;
    if (!node) return;
    const name = document.createElement("a");
    name.href = node.address;
    name.className = "name";
    name.append(document.createElement("bdi"));
    name.firstChild.textContent = id.slice(id.indexOf(":") + 1);
    const words = document.createElement("p");
    words.className = "soft";
    words.textContent = [node.detail, ...node.marks].filter(Boolean).join(" · ");
    const actions = document.createElement("p");
    actions.className = "actions";
    if (node.opens) actions.append(this.action(`Open what is in it or hidden beside it`, () => this.open(id), node.opens));
    if (this.end && this.end !== id) actions.append(this.action("Show the ways to here", () => this.connect(id)));
    else if (!this.end) actions.append(this.action("Ways from here…", () => this.mark(id)));
    else actions.append(this.action("Choose no end", () => this.mark(null)));
    this.panel.replaceChildren(name, words, actions);
  }

  action(words, act, address = null) {
    const made = document.createElement(address ? "a" : "button");
    made.textContent = words;
    if (address) Object.assign(made, { href: address, className: "button" });
    made.addEventListener("click", (event) => {
      event.preventDefault();
      act();
    });
    return made;
  }

  // --- a path of interest, between two nodes

  mark(id) {
    for (const made of this.nodes.children) made.classList.toggle("end", made.dataset.id === id);
    this.end = id;
    this.tell(this.current);
    this.say(id ? "Now choose the other end: the ways between both are shown." : "");
  }

  connect(id) {
    const address = new URL(location.href);
    address.searchParams.set("from", this.end);
    address.searchParams.set("to", id);
    address.searchParams.delete("open");
    address.searchParams.delete("level");
    this.end = null;
    this.go(address.href, null);
  }

  say(words) {
    document.getElementById("lineage-said").textContent = words;
  }

  // --- other pictures

  open(id) {
    const node = this.byId.get(id);
    if (node?.opens) this.go(node.opens, id);
  }

  /** What was opened is closed by a link; here without leaving the page. */
  close(event) {
    const link = event.target.closest?.(".opened a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.go(link.href, this.current);
  }

  async go(address, anchor) {
    history.replaceState({ anchor: this.current }, "");
    if (await this.fetch(address, anchor)) history.pushState({ anchor }, "", address);
  }

  /** Put the page of an address in the place of this one; false where another was asked for meanwhile. */
  async fetch(address, anchor) {
    const asked = (this.asked = Symbol(address));
    this.root.setAttribute("aria-busy", "true");
    const answer = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
    if (this.asked !== asked) return false;
    this.root.removeAttribute("aria-busy");
    if (!answer?.ok || answer.redirected) {
      location.assign(address);
      return false;
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (this.asked !== asked) return false;
    this.asked = null;
    const data = fresh.getElementById("lineage-data").textContent;
    if (data === document.getElementById("lineage-data").textContent) return true; // nothing changed
    for (const id of REGIONS) document.getElementById(id).replaceWith(fresh.getElementById(id));
    const before = this.byId.size;
    this.show(anchor);
    if (!anchor) this.viewport.begin(this.laid, this.subject());
    if (anchor && !this.byId.has(anchor)) this.focusable(this.subject());
    this.say(`${this.byId.size} nodes are drawn; before, ${before}.`);
    this.tell(this.nodes.contains(document.activeElement) ? this.current : null);
    return true;
  }

  // --- what people do

  listen() {
    this.nodes.addEventListener("focusin", ({ target }) => {
      const id = target.closest(".node").dataset.id;
      this.focusable(id);
      this.light(id);
      this.tell(id);
    });
    this.nodes.addEventListener("focusout", () => this.light(null));
    this.nodes.addEventListener("click", (event) => this.click(event));
    this.nodes.addEventListener("dblclick", ({ target }) => location.assign(target.closest(".node").href.baseVal));
    this.nodes.addEventListener("keydown", (event) => this.key(event));
    addEventListener("popstate", ({ state }) => this.fetch(location.href, state?.anchor ?? this.current));
    document.addEventListener("click", (event) => this.close(event));
    document.getElementById("lineage-tools").addEventListener("click", ({ target }) => this.tool(target.closest("button")?.value));
    follow([this.root.dataset.project], this.freshSoon());
    addKey("+", "in the picture: open what a node hides", () => this.open(this.current));
    addKey("p", "in the picture: choose the ends of a way", () => this.choose());
  }

  click(event) {
    const isPressed = event.detail === 0; // by a key: it opens the page of the node
    if (isPressed || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (this.viewport.wasMoved) return;
    const id = event.target.closest(".node").dataset.id;
    if (event.target.closest("[data-opens]")) this.open(id);
    else this.focus(id);
  }

  choose() {
    if (this.end && this.end !== this.current) this.connect(this.current);
    else this.mark(this.end ? null : this.current);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = {
      ArrowRight: () => this.focus(this.nearest(this.after)),
      ArrowLeft: () => this.focus(this.nearest(this.before)),
      ArrowUp: () => this.focus(this.beside(-1)),
      ArrowDown: () => this.focus(this.beside(1)),
      Home: () => this.focus(this.subject()),
      Escape: () => this.mark(null),
      "]": () => this.viewport.zoom(1.25),
      "[": () => this.viewport.zoom(0.8),
      0: () => this.viewport.fit(this.laid),
    };
    if (!steps[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    steps[event.key]();
  }

  /** Of the neighbours on one side, the one that is drawn nearest. */
  nearest(side) {
    const y = (id) => this.laid.nodes.get(id).y;
    const here = y(this.current);
    return [...side.get(this.current)].sort((a, b) => Math.abs(y(a) - here) - Math.abs(y(b) - here))[0];
  }

  beside(step) {
    const { layer } = this.laid.nodes.get(this.current);
    const column = [...this.laid.nodes].filter(([, node]) => node.layer === layer).sort((a, b) => a[1].y - b[1].y);
    const at = column.findIndex(([id]) => id === this.current);
    return column[at + step]?.[0];
  }

  tool(name) {
    if (name === "in") this.viewport.zoom(1.25);
    if (name === "out") this.viewport.zoom(0.8);
    if (name === "fit") this.viewport.fit(this.laid);
    if (name === "subject") this.viewport.begin(this.laid, this.subject());
    if (name === "png" || name === "svg") saveDrawing(this.svg, this.moving, this.laid, name, this.root.dataset.name);
  }

  /** Draw anew when something happened; not when it is only known that one hears of it from now on. */
  freshSoon() {
    let [due, isFirst] = [null, true];
    return (events) => {
      const isNews = events.length > 0 || !isFirst;
      isFirst = false;
      clearTimeout(due);
      if (isNews) due = setTimeout(() => this.asked ?? this.fetch(location.href, this.current), FOLLOW_MS);
    };
  }
}

const root = document.getElementById("lineage");
if (root) new Lineage(root);
