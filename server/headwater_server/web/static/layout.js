// Where the nodes of a directed graph stand: in layers from left to right, as a person would draw them.
//
// Pure functions of numbers: no document, no clock, no chance, so that the same graph always looks the same. Edges point
// right, but for those that close a cycle. What was drawn before keeps its order from top to bottom, and the `anchor`
// keeps its place. Distances are in pixels; x and y are the left upper corner of a node.

const LAYER_GAP = 60; // between two layers, for the edges
const NODE_GAP = 20; // between two nodes of a layer
const [LANE_HEIGHT, LANE_GAP] = [10, 8]; // of an edge that passes through a layer, and beside it
const LANE_WEIGHT = 4; // of a passing edge's wish to be straight; 1 is a node's, to be amid its neighbours
const CYCLE_PORT = 0.3; // of a node's height below its middle, where edges that close a cycle begin and end
const SWEEPS = 12; // for large graphs fewer: see `roundsFor`
const LARGE = 4000; // nodes and passing edges: then crossings are not counted

// graph: {nodes: [{id, width, height}], edges: [{from, to}]}. previous: the result for what was drawn before, or null.
// anchor: the id of a node in both, or null. Gives {nodes: Map of id → {x, y, width, height, layer},
// edges: [{from, to, points: [[x, y], …], closesCycle}] in the order given}.
export function layout(graph, { previous = null, anchor = null } = {}) {
  const net = indexed(graph);
  net.closing = edgesThatCloseCycles(net);
  net.layer = layersOf(net);
  const cells = cellsOf(net, graph.nodes);
  const rows = orderedRows(cells, keptHeights(graph.nodes, previous));
  const y = heightsOf(rows, cells);
  const x = columnsOf(rows, cells);
  const placed = placedNodes(graph.nodes, net, x.left, y);
  const edges = graph.edges.map((edge, e) => routed(edge, e, net, cells, x, y));
  return moved(placed, edges, shift(placed, previous, anchor));
}

// --- which edges there are

function indexed(graph) {
  const at = new Map(graph.nodes.map((node, i) => [node.id, i]));
  const count = graph.nodes.length;
  const from = Int32Array.from(graph.edges, (edge) => at.get(edge.from));
  const to = Int32Array.from(graph.edges, (edge) => at.get(edge.to));
  return { count, from, to, leaving: lists(count, from), entering: lists(count, to) };
}

function lists(count, ends) {
  const found = Array.from({ length: count }, () => []);
  ends.forEach((node, e) => found[node].push(e));
  return found;
}

// The edges that lead back to where a walk in depth came from. The walk begins where nothing leads to.
function edgesThatCloseCycles(net) {
  const closing = new Uint8Array(net.from.length);
  const state = new Uint8Array(net.count); // 1: on the way, 2: done
  const next = new Int32Array(net.count);
  const all = [...Array(net.count).keys()];
  for (const root of [...all.filter((i) => !net.entering[i].length), ...all]) {
    const way = state[root] ? [] : [root];
    state[root] ||= 1;
    while (way.length) {
      const node = way[way.length - 1];
      if (next[node] === net.leaving[node].length) {
        state[node] = 2;
        way.pop();
        continue;
      }
      const e = net.leaving[node][next[node]++];
      const end = net.to[e];
      if (state[end] === 1) closing[e] = 1;
      else if (!state[end]) {
        state[end] = 1;
        way.push(end);
      }
    }
  }
  return closing;
}

// The ends of an edge as the layers see it: those that close a cycle count the other way round.
const start = (net, e) => (net.closing[e] ? net.to[e] : net.from[e]);
const end = (net, e) => (net.closing[e] ? net.from[e] : net.to[e]);

// By the longest way that leads to a node. What has more edges to the right than to the left stands beside those.
function layersOf(net) {
  const layer = new Int32Array(net.count);
  const waiting = new Int32Array(net.count);
  const out = Array.from({ length: net.count }, () => []);
  for (let e = 0; e < net.from.length; e++) {
    if (net.from[e] === net.to[e]) continue;
    out[start(net, e)].push(end(net, e));
    waiting[end(net, e)]++;
  }
  const entering = Int32Array.from(waiting);
  const order = [];
  for (let i = 0; i < net.count; i++) if (!waiting[i]) order.push(i);
  for (let i = 0; i < order.length; i++) {
    for (const node of out[order[i]]) {
      layer[node] = Math.max(layer[node], layer[order[i]] + 1);
      if (!--waiting[node]) order.push(node);
    }
  }
  for (const node of order.reverse()) {
    if (out[node].length <= entering[node]) continue;
    let first = Infinity;
    for (const other of out[node]) first = Math.min(first, layer[other]);
    layer[node] = first - 1;
  }
  return layer;
}

// --- cells: what takes room in a layer, which is a node, or the lane of the long edges that leave one node

function cellsOf(net, nodes) {
  const [height, width] = [nodes.map((node) => node.height), nodes.map((node) => node.width)];
  const [left, right] = [nodes.map(() => []), nodes.map(() => [])]; // neighbours in the layers beside
  const ways = []; // of each edge: the cells from its start to its end
  const cells = { nodes: net.count, layer: [...net.layer], height, width, left, right, ways };
  const lanes = new Map(); // the lanes that belong to a node, one a layer
  for (let e = 0; e < net.from.length; e++) {
    const way = [start(net, e)];
    const last = end(net, e);
    const key = way[0] * 2 + net.closing[e];
    if (!lanes.has(key)) lanes.set(key, []);
    const own = lanes.get(key);
    for (let i = 0; net.layer[way[0]] + 1 + i < net.layer[last]; i++) {
      if (i === own.length) own.push(newLane(cells, net.layer[way[0]] + 1 + i, way[i]));
      way.push(own[i]);
    }
    if (way[0] !== last) join(cells, way[way.length - 1], last);
    way.push(last);
    ways.push(way);
  }
  return cells;
}

function newLane(cells, layer, before) {
  const lane = cells.layer.push(layer) - 1;
  for (const [list, value] of [[cells.height, LANE_HEIGHT], [cells.width, 0], [cells.left, []], [cells.right, []]]) {
    list.push(value);
  }
  join(cells, before, lane);
  return lane;
}

function join(cells, left, right) {
  cells.right[left].push(right);
  cells.left[right].push(left);
}

const roundsFor = (cells, rounds) => (cells.layer.length > LARGE ? Math.ceil(rounds / 6) : rounds);

// --- the order from top to bottom

// The middles of those nodes that were drawn before, by index; null where nothing was.
function keptHeights(nodes, previous) {
  const kept = nodes.map((node) => {
    const before = previous?.nodes.get(node.id);
    return before ? before.y + before.height / 2 : null;
  });
  return kept.some((height) => height !== null) ? kept : null;
}

// The cells of each layer from top to bottom, each near the middle of its neighbours. Those that were `kept` stay in
// their order: only what is new moves between them.
function orderedRows(cells, kept) {
  const rows = [];
  cells.layer.forEach((layer, cell) => (rows[layer] ??= []).push(cell));
  const key = Float64Array.from(cells.layer, (_, cell) => kept?.[cell] ?? 0);
  const place = (row) => row.forEach((cell, i) => { if (!kept) key[cell] = i; });
  rows.forEach(place);
  let best = { crossings: Infinity };
  for (let round = 0; round < roundsFor(cells, SWEEPS) * 2; round++) {
    const towards = round % 2 ? cells.right : cells.left;
    for (const row of round % 2 ? [...rows].reverse() : rows) {
      for (const cell of row) {
        if ((kept?.[cell] ?? null) === null && towards[cell].length) key[cell] = mean(towards[cell], key);
      }
      row.sort((a, b) => key[a] - key[b]);
      place(row);
    }
    if (kept || cells.layer.length > LARGE) continue;
    const crossings = crossingsOf(rows, cells);
    if (crossings <= best.crossings) best = { crossings, rows: rows.map((row) => [...row]) };
    if (!crossings) break;
  }
  return best.rows ?? rows;
}

const mean = (cells, values) => cells.reduce((sum, cell) => sum + values[cell], 0) / cells.length;

function crossingsOf(rows, cells) {
  const place = new Int32Array(cells.layer.length);
  rows.forEach((row) => row.forEach((cell, i) => (place[cell] = i)));
  let count = 0;
  for (let l = 0; l + 1 < rows.length; l++) {
    const tree = new Int32Array(rows[l + 1].length + 1); // how many edges end at most there, by a binary indexed tree
    let passed = 0;
    for (const cell of rows[l]) {
      const ends = cells.right[cell].map((other) => place[other] + 1);
      for (const one of ends) {
        count += passed;
        for (let i = one; i > 0; i -= i & -i) count -= tree[i];
      }
      for (const one of ends) for (let i = one; i < tree.length; i += i & -i) tree[i]++;
      passed += ends.length;
    }
  }
  return count;
}

// --- places

// The middle of each cell: as near to the middle of its neighbours as its layer has room.
function heightsOf(rows, cells) {
  const y = new Float64Array(cells.layer.length);
  const offsets = rows.map((row) => stacked(row, cells, y));
  for (let round = 0; round <= 2 * roundsFor(cells, SWEEPS / 2); round++) {
    const side = round % 2 ? cells.right : cells.left; // at last the left one: what follows one node is straight behind it
    const order = [...rows.keys()];
    for (const l of round % 2 ? order.reverse() : order) settle(rows[l], offsets[l], cells, side, y);
  }
  return y;
}

// Puts the cells of a layer one under the other; gives how far each middle is below the first at least.
function stacked(row, cells, y) {
  const offsets = new Float64Array(row.length);
  for (let i = 1; i < row.length; i++) {
    const gap = row[i] < cells.nodes && row[i - 1] < cells.nodes ? NODE_GAP : LANE_GAP;
    offsets[i] = offsets[i - 1] + (cells.height[row[i - 1]] + cells.height[row[i]]) / 2 + gap;
  }
  row.forEach((cell, i) => (y[cell] = offsets[i] - offsets[row.length - 1] / 2));
  return offsets;
}

// Least squares under the order: neighbours that want to pass each other form a block at their mean.
function settle(row, offsets, cells, side, y) {
  const first = new Int32Array(row.length + 1);
  const [weight, sum] = [new Float64Array(row.length), new Float64Array(row.length)];
  let blocks = 0;
  for (let i = 0; i < row.length; i++) {
    const around = side[row[i]];
    weight[blocks] = around.length ? (row[i] < cells.nodes ? 1 : LANE_WEIGHT) : 0.01;
    sum[blocks] = ((around.length ? mean(around, y) : y[row[i]]) - offsets[i]) * weight[blocks];
    first[blocks++] = i;
    for (; blocks > 1 && sum[blocks - 2] / weight[blocks - 2] > sum[blocks - 1] / weight[blocks - 1]; blocks--) {
      weight[blocks - 2] += weight[blocks - 1];
      sum[blocks - 2] += sum[blocks - 1];
    }
  }
  first[blocks] = row.length;
  for (let b = 0; b < blocks; b++) {
    for (let i = first[b]; i < first[b + 1]; i++) y[row[i]] = sum[b] / weight[b] + offsets[i];
  }
}

function columnsOf(rows, cells) {
  const left = new Float64Array(rows.length);
  const right = new Float64Array(rows.length);
  for (let l = 0; l < rows.length; l++) {
    left[l] = l ? right[l - 1] + LAYER_GAP : 0;
    right[l] = left[l] + rows[l].reduce((widest, cell) => Math.max(widest, cells.width[cell]), 0);
  }
  return { left, right };
}

function placedNodes(nodes, net, left, y) {
  return new Map(nodes.map(({ id, width, height }, i) => {
    const layer = net.layer[i];
    return [id, { x: left[layer], y: y[i] - height / 2, width, height, layer }];
  }));
}

// An edge as points: straight through each layer that it passes, free between them.
function routed(edge, e, net, cells, x, y) {
  const closesCycle = Boolean(net.closing[e]) || net.from[e] === net.to[e];
  const way = cells.ways[e];
  const points = way.flatMap((cell, i) => {
    const layer = cells.layer[cell];
    if (cell >= cells.nodes) return [x.left, x.right].map((side) => [side[layer], y[cell]]);
    const port = y[cell] + (closesCycle ? cells.height[cell] * CYCLE_PORT : 0);
    return [[i ? x.left[layer] : x.left[layer] + cells.width[cell], port]];
  });
  return { ...edge, points: net.closing[e] ? points.reverse() : points, closesCycle };
}

// --- what stays where it was

function shift(placed, previous, anchor) {
  const now = placed.get(anchor);
  const before = previous?.nodes.get(anchor);
  if (now && before) return [before.x - now.x, before.y + before.height / 2 - now.y - now.height / 2];
  let top = Infinity;
  for (const node of placed.values()) top = Math.min(top, node.y);
  return [0, placed.size ? -top : 0];
}

function moved(placed, edges, [dx, dy]) {
  for (const node of placed.values()) [node.x, node.y] = [node.x + dx, node.y + dy];
  for (const edge of edges) edge.points = edge.points.map(([x, y]) => [x + dx, y + dy]);
  return { nodes: placed, edges };
}
