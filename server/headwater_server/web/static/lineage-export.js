// The picture as a file: SVG that stands alone, with its colours and fonts in it, or PNG.

import { boundsOf } from "./lineage-viewport.js";

const MARGIN = 24;
const PIXELS_MAX = 16_000; // on a side, and in all some hundred million: more than browsers draw
const AREA_MAX = 100_000_000;
const LOOKS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "text-decoration-line", "paint-order", "display"];

/** Have the browser save a picture. */
export async function saveDrawing(svg, moving, laid, kind, name) {
  const { text, width, height } = standalone(svg, moving, laid);
  const drawn = new Blob([text], { type: "image/svg+xml" });
  save(kind === "svg" ? drawn : await pixels(text, width, height), `${name}.${kind}`);
}

/** The whole picture, in which every element says itself how it looks. */
export function standalone(svg, moving, laid) {
  const copy = svg.cloneNode(true);
  dress(svg, copy);
  const bounds = boundsOf(laid);
  const [width, height] = [bounds.width + 2 * MARGIN, bounds.height + 2 * MARGIN].map(Math.ceil);
  copy.lastElementChild.removeAttribute("transform"); // where whoever looks has moved it
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("viewBox", `${bounds.x - MARGIN} ${bounds.y - MARGIN} ${width} ${height}`);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [key, value] of Object.entries({ x: bounds.x - MARGIN, y: bounds.y - MARGIN, width, height })) ground.setAttribute(key, value);
  ground.setAttribute("fill", getComputedStyle(svg.parentElement).backgroundColor);
  copy.prepend(ground);
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

function dress(from, to) {
  const look = getComputedStyle(from);
  for (const name of LOOKS) {
    const value = look.getPropertyValue(name);
    if (value) to.setAttribute(name === "text-decoration-line" ? "text-decoration" : name, value);
  }
  const place = from.style?.transform;
  if (place) to.setAttribute("transform", place.replaceAll("px", ""));
  for (const name of ["style", "class", "tabindex"]) to.removeAttribute(name);
  if (to.tagName === "a") to.setAttribute("href", new URL(from.getAttribute("href"), location.href).href);
  [...from.children].forEach((child, i) => dress(child, to.children[i]));
}

async function pixels(text, width, height) {
  const scale = Math.min(2, PIXELS_MAX / width, PIXELS_MAX / height, Math.sqrt(AREA_MAX / (width * height)));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = Math.floor(width * scale);
  canvas.height = Math.floor(height * scale);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
