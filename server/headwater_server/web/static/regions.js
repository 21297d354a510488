// Put what was fetched anew in its place, and touch nothing else: focus, opened details and places of scrolling stay.
//
// Regions have an id and `data-live`; what comes and goes in them has `data-key`. Rows that appear would push others
// away from under the eyes of whoever reads: they are held back, and a button over the page shows them.

import { renewTimes } from "./times.js";

const KEPT = new Set(["open", "hidden", "data-held", "data-new"]); // attributes that whoever looks, or we, have set

/** Have all regions of this page as they are in another document. */
export function putInPlace(fresh) {
  for (const region of document.querySelectorAll("[data-live][id]")) {
    const other = fresh.getElementById(region.id);
    if (other) become(region, other);
  }
  renewTimes();
  offerHeld();
}

function become(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !KEPT.has(name)) old.setAttribute(name, value);
  }
  becomeInside(old, fresh);
}

function becomeInside(old, fresh) {
  const byKey = new Map([...old.children].filter(keyOf).map((child) => [keyOf(child), child]));
  const isKeyed = byKey.size > 0;
  let place = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const known = next.nodeType === Node.ELEMENT_NODE && keyOf(next) ? byKey.get(keyOf(next)) : alike(place, next);
    if (known) {
      if (known === place) place = place.nextSibling;
      else old.insertBefore(known, place);
      byKey.delete(keyOf(known));
      if (known.nodeType === Node.ELEMENT_NODE) become(known, next);
      else if (known.nodeValue !== next.nodeValue) known.nodeValue = next.nodeValue;
    } else {
      const added = old.insertBefore(document.importNode(next, true), place);
      if (isKeyed && keyOf(added) && isFollowedByShown(place)) hold(added);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.dataset.key : undefined;
}

/** The node at this place, where it can become `next`. */
function alike(place, next) {
  if (!place || place.nodeType !== next.nodeType || keyOf(place)) return null;
  return place.nodeName === next.nodeName ? place : null;
}

function isFollowedByShown(node) {
  for (; node; node = node.nextSibling) if (node.nodeType === Node.ELEMENT_NODE && !node.hidden) return true;
  return false;
}

// --- rows that are held back

function hold(row) {
  row.hidden = true;
  row.dataset.held = "";
}

function offerHeld() {
  const held = document.querySelectorAll("[data-held]");
  let offer = document.getElementById("held");
  if (!held.length) return void offer?.remove();
  if (!offer) {
    offer = document.createElement("p");
    offer.id = "held";
    offer.setAttribute("role", "status");
    const button = document.createElement("button");
    button.addEventListener("click", showHeld);
    offer.append(button);
    document.body.append(offer);
  }
  const text = held.length === 1 ? "1 new: show it" : `${held.length} new: show them`;
  if (offer.firstChild.textContent !== text) offer.firstChild.textContent = text;
}

function showHeld() {
  const held = [...document.querySelectorAll("[data-held]")];
  for (const row of held) {
    row.hidden = false;
    delete row.dataset.held;
    row.dataset.new = "";
  }
  document.getElementById("held").remove();
  held[0]?.querySelector("a[href], button")?.focus();
}
