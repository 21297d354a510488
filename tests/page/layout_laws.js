// The laws of `layout.js`, checked with generated graphs. `brokenLaws` gives what is broken, in words.

const CLOSE = 1e-6;

/** Numbers from 0 to 1, the same for one seed (mulberry32). */
export function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A graph as lineage has it: most edges lead from what is older, near, to what is younger; some close cycles. */
export function generated(count, seed) {
  const random = randomFrom(seed);
  const nodes = [];
  const edges = new Map();
  const reach = 2 + Math.floor(random() * 30);
  const cycles = random() < 0.5 ? 0 : 0.1;
  for (let i = 0; i < count; i++) {
    nodes.push({ id: `n${i}`, width: 100 + Math.floor(random() * 150), height: 30 + 18 * Math.floor(random() * 3) });
    for (let k = Math.floor(random() * 3); i && k > 0; k--) {
      const other = Math.max(0, i - 1 - Math.floor(random() * Math.min(i, reach)));
      const [from, to] = random() < cycles ? [i, other] : [other, i];
      edges.set(`${from} ${to}`, { from: `n${from}`, to: `n${to}` });
    }
  }
  return { nodes, edges: [...edges.values()] };
}

/** Part of a graph, as it was before one of its nodes was opened: without some of the nodes. */
function part(graph, random) {
  const nodes = graph.nodes.filter(() => random() < 0.6);
  const ids = new Set(nodes.map((node) => node.id));
  return { nodes, edges: graph.edges.filter((edge) => ids.has(edge.from) && ids.has(edge.to)) };
}

export function brokenLaws(layout, count, seed) {
  const graph = generated(count, seed);
  const laid = layout(graph);
  const broken = [...overlaps(laid), ...directions(graph, laid), ...ends(graph, laid)];
  if (text(layout(graph)) !== text(laid)) broken.push("the same graph was laid out in two ways");
  const random = randomFrom(seed + 1);
  const before = part(graph, random);
  if (!before.nodes.length) return broken;
  const previous = layout(before);
  const anchor = before.nodes[Math.floor(random() * before.nodes.length)].id;
  const after = layout(graph, { previous, anchor });
  broken.push(...overlaps(after), ...directions(graph, after), ...ends(graph, after), ...disorder(previous, after));
  const [was, is] = [previous.nodes.get(anchor), after.nodes.get(anchor)];
  if (Math.abs(was.x - is.x) > CLOSE || Math.abs(was.y - is.y) > CLOSE) broken.push(`${anchor} was opened, and moved`);
  if (text(layout(graph, { previous, anchor })) !== text(after)) broken.push("the same opening was laid out in two ways");
  return broken;
}

function overlaps({ nodes }) {
  const found = [];
  const all = [...nodes].sort((a, b) => a[1].x - b[1].x);
  for (let i = 0; i < all.length; i++) {
    const [id, one] = all[i];
    for (let j = i + 1; j < all.length && all[j][1].x < one.x + one.width - CLOSE; j++) {
      const [other, two] = all[j];
      if (one.y < two.y + two.height - CLOSE && two.y < one.y + one.height - CLOSE) found.push(`${id} and ${other} overlap`);
    }
  }
  return found;
}

/** Edges point right, except those that close a cycle: their end leads to their start by other edges. */
function directions(graph, laid) {
  const found = [];
  const onwards = new Map(graph.nodes.map((node) => [node.id, []]));
  for (const edge of laid.edges) if (!edge.closesCycle) onwards.get(edge.from).push(edge.to);
  for (const edge of laid.edges) {
    const [from, to] = [laid.nodes.get(edge.from), laid.nodes.get(edge.to)];
    if (!edge.closesCycle && from.x + from.width >= to.x) found.push(`${edge.from} → ${edge.to} does not point right`);
    if (edge.closesCycle && !leads(onwards, edge.to, edge.from)) found.push(`${edge.from} → ${edge.to} closes no cycle`);
  }
  return found;
}

function leads(onwards, start, end) {
  const seen = new Set([start]);
  for (const node of seen) for (const other of onwards.get(node)) seen.add(other);
  return seen.has(end);
}

/** Each edge begins at the side of one node, ends at that of the other, and passes through no third. */
function ends(graph, laid) {
  const found = [];
  if (laid.edges.length !== graph.edges.length) found.push("edges were lost");
  const columns = new Map();
  for (const [id, node] of laid.nodes) columns.set(node.layer, [...(columns.get(node.layer) ?? []), [id, node]]);
  for (const { from, to, points } of laid.edges) {
    if (![from, to].every((id, i) => touches(laid.nodes.get(id), points.at(i ? -1 : 0)))) found.push(`${from} → ${to} does not touch them`);
    for (let i = 1; i < points.length; i++) {
      const [[x1, y1], [x2, y2]] = [points[i - 1], points[i]];
      if (y1 !== y2) continue; // between layers
      for (const [id, node] of laid.nodes) {
        if (id === from || id === to || Math.max(x1, x2) <= node.x + CLOSE || Math.min(x1, x2) >= node.x + node.width - CLOSE) continue;
        if (y1 > node.y + CLOSE && y1 < node.y + node.height - CLOSE) found.push(`${from} → ${to} passes through ${id}`);
      }
    }
  }
  return found;
}

function touches(node, [x, y]) {
  const isBeside = Math.abs(x - node.x) < CLOSE || Math.abs(x - node.x - node.width) < CLOSE;
  return isBeside && y > node.y - CLOSE && y < node.y + node.height + CLOSE;
}

/** Of two nodes that were there, the upper one is the upper one, if they still are above each other. */
function disorder(previous, after) {
  const found = [];
  const kept = [...after.nodes].filter(([id]) => previous.nodes.has(id));
  const middle = ({ y, height }) => y + height / 2;
  for (const [id, node] of kept) {
    for (const [other, below] of kept) {
      if (node.layer !== below.layer || middle(node) >= middle(below)) continue;
      if (middle(previous.nodes.get(id)) > middle(previous.nodes.get(other)) + CLOSE) found.push(`${id} and ${other} changed places`);
    }
  }
  return found;
}

function text({ nodes, edges }) {
  return JSON.stringify([[...nodes], edges]);
}
