// Which part of a picture one sees: moved by dragging, and scaled by buttons, keys, pinching and the wheel with Ctrl.

const [SCALE_MIN, SCALE_MAX] = [0.1, 3];
const READABLE = 0.75; // the least scale at which words can be read
const LARGEST = 1.25; // the most that is chosen by itself
const TEXT = 16; // pixels, for which a picture is laid out
const MARGIN = 32;
const DRAG_MIN = 4; // pixels before a press counts as dragging

export class Viewport {
  #pointers = new Map();
  #pressed = null;
  wasMoved = false;

  constructor(svg, moving) {
    this.svg = svg;
    this.moving = moving;
    this.x = this.y = 0;
    this.scale = 1;
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, (event) => this.#up(event));
    svg.addEventListener("dragstart", (event) => event.preventDefault());
    svg.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** All of it where that can be read; else its subject in the middle. */
  begin(laid, subject) {
    const bounds = boundsOf(laid);
    const { width, height } = this.size();
    const unit = ofText();
    const whole = this.#whole(bounds);
    if (whole >= READABLE * unit) return this.#centre(bounds, whole);
    this.#centre(laid.nodes.get(subject) ?? bounds, width < 480 ? 0.85 * unit : unit);
    this.x += towards(this.x + bounds.x * this.scale, bounds.width * this.scale, width);
    this.y += towards(this.y + bounds.y * this.scale, bounds.height * this.scale, height);
    this.#apply();
  }

  fit(laid) {
    const bounds = boundsOf(laid);
    this.#centre(bounds, this.#whole(bounds));
  }

  zoom(factor, at = this.#middle()) {
    const scale = Math.min(Math.max(this.scale * factor, SCALE_MIN), SCALE_MAX);
    this.x = at.x - ((at.x - this.x) * scale) / this.scale;
    this.y = at.y - ((at.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.#apply();
  }

  /** Move as little as is needed to see a node. */
  reveal(node) {
    const { width, height } = this.size();
    this.x += inside(this.x + node.x * this.scale, node.width * this.scale, width);
    this.y += inside(this.y + node.y * this.scale, node.height * this.scale, height);
    this.#apply(true);
  }

  size() {
    return this.svg.getBoundingClientRect();
  }

  /** The scale at which all of it is seen. */
  #whole(bounds) {
    const { width, height } = this.size();
    return Math.min((width - 2 * MARGIN) / bounds.width, (height - 2 * MARGIN) / bounds.height, LARGEST * ofText());
  }

  #middle() {
    const { width, height } = this.size();
    return { x: width / 2, y: height / 2 };
  }

  #centre({ x, y, width, height }, scale) {
    const middle = this.#middle();
    this.scale = Math.max(scale, SCALE_MIN);
    this.x = middle.x - (x + width / 2) * this.scale;
    this.y = middle.y - (y + height / 2) * this.scale;
    this.#apply();
  }

  #apply(isSmooth = false) {
    this.moving.classList.toggle("smooth", isSmooth);
    this.moving.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
  }

  #down(event) {
    this.#pointers.set(event.pointerId, event);
    this.#pressed = event;
    this.wasMoved = false;
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    if (!this.wasMoved) {
      if (Math.hypot(event.clientX - this.#pressed.clientX, event.clientY - this.#pressed.clientY) < DRAG_MIN) return;
      this.wasMoved = true;
      this.svg.setPointerCapture(event.pointerId);
    }
    const others = [...this.#pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    if (others.length) this.#pinch(before, event, others[0]);
    else {
      this.x += event.clientX - before.clientX;
      this.y += event.clientY - before.clientY;
      this.#apply();
    }
    this.#pointers.set(event.pointerId, event);
  }

  #pinch(before, now, other) {
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    const { left, top } = this.size();
    const at = { x: (now.clientX + other.clientX) / 2 - left, y: (now.clientY + other.clientY) / 2 - top };
    this.zoom(apart(now) / apart(before), at);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
  }

  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    const { left, top } = this.size();
    this.zoom(Math.exp(-event.deltaY / 300), { x: event.clientX - left, y: event.clientY - top });
  }
}

/** Around all nodes and edges. */
export function boundsOf(laid) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  const take = (x, y) => {
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  };
  for (const node of laid.nodes.values()) {
    take(node.x, node.y);
    take(node.x + node.width, node.y + node.height);
  }
  for (const edge of laid.edges) for (const [x, y] of edge.points) take(x, y);
  return { x: left, y: top, width: Math.max(right - left, 1), height: Math.max(bottom - top, 1) };
}

/** How far to move what begins at `start` so that less room is empty on one side while something is hidden on the other:
    at most a quarter of it, so that what was in the middle stays near that. */
function towards(start, length, room) {
  const [before, after] = [start - MARGIN, room - MARGIN - start - length];
  if (before > 0 && after < 0) return -Math.min(before, -after, room / 4);
  if (after > 0 && before < 0) return Math.min(after, -before, room / 4);
  return 0;
}

/** How far to move what is at `start` so that it is inside. */
function inside(start, length, room) {
  if (start < MARGIN) return MARGIN - start;
  return Math.min(0, Math.max(room - MARGIN - length - start, MARGIN - start));
}

/** How large text is on this page, by the browser's setting and the size of the window. */
function ofText() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / TEXT;
}
