// What changes by itself. One connection a browser, whatever the number of its tabs: HTTP/1.1 allows six.
//
// The tab that holds a lock has the connection and tells the others by a channel; when it goes, the next one gets the
// lock and goes on after the last event that any of them saw. A view calls `follow`, or marks what it shows:
// `<section id="versions" data-live="team/vision/images">` is fetched anew when anything below that name changes;
// `data-live` without a name, when anything does. See `regions.js` for how it is put in place.

import { putInPlace } from "./regions.js";

const FEED = "/live";
const NAME = "headwater-live"; // of the lock and of the channel
const SILENCE_MS = 45_000; // three signs of life that did not come
const PAUSE_MS = [1_000, 2_000, 5_000, 15_000]; // between attempts to connect
const GATHER_MS = 300; // changes that come so close together are fetched at once
const REFRESH_EVERY_MS = 2_000; // at most so often

const followers = new Set(); // { scopes, changed }
let cursor = null; // after the last event that was told
let isLive = null; // null: not known yet
let channel = null;

/** Call `changed(events)` when something below one of `scopes` changes, and after times when that was not known.

    A scope is "entity", "entity/project" or the name of a collection or run; "" is everything. */
export function follow(scopes, changed) {
  const follower = { scopes, changed };
  followers.add(follower);
  return () => followers.delete(follower);
}

/** Connect, and keep the marked parts of this page as they are on the server. */
export function followRegions() {
  const scopes = [...document.querySelectorAll("[data-live]")].map((region) => region.dataset.live);
  if (scopes.length) follow(scopes, refreshSoon());
  connect();
}

/** Fetch this page anew, and put what changed in its place. */
export async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" }).catch(() => null);
  if (answer === null) return;
  if (answer.type === "opaqueredirect") {
    location.reload(); // to where one signs in
    return;
  }
  if (answer.ok) putInPlace(new DOMParser().parseFromString(await answer.text(), "text/html"));
}

function refreshSoon() {
  let isDue = false;
  let last = 0;
  const run = async () => {
    if (document.hidden) return document.addEventListener("visibilitychange", run, { once: true });
    isDue = false;
    last = Date.now();
    await refresh();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    setTimeout(run, Math.max(GATHER_MS, last + REFRESH_EVERY_MS - Date.now()));
  };
}

// --- between tabs

function connect() {
  if (!navigator.locks || !window.BroadcastChannel) return; // not a secure context
  channel = new BroadcastChannel(NAME);
  channel.addEventListener("message", ({ data }) => take(data));
  channel.postMessage({ asks: true });
  navigator.locks.request(NAME, lead).catch(() => show(false));
}

function tell(message) {
  channel.postMessage(message);
  take(message);
}

function take(message) {
  if (message.cursor) cursor = message.cursor;
  if ("live" in message) {
    const wasLive = isLive;
    show(message.live);
    if (message.live && (wasLive !== true || message.isFromNow)) call(null); // what happened meanwhile is not known
    if (!message.live && wasLive === true) refresh(); // perhaps whoever looks may not look any more
  }
  if (message.event) call(message.event);
  if (message.asks && leader?.isOpen) channel.postMessage({ live: true, cursor });
}

/** Tell followers of an event; of null: of whatever may have happened. */
function call(event) {
  for (const { scopes, changed } of followers) {
    if (event === null || scopes.some((scope) => isBelow(event.subject, scope))) changed(event === null ? [] : [event]);
  }
}

function isBelow(subject, scope) {
  return scope === "" || subject === scope || subject.startsWith(`${scope}/`);
}

function show(live) {
  isLive = live;
  const shown = document.getElementById("connection");
  if (!shown) return;
  const state = live ? "live" : "off";
  if (shown.dataset.state === state) return;
  shown.dataset.state = state;
  shown.textContent = live ? "Live" : "Not connected";
  shown.title = live ? "What changes shows up by itself" : "What changes now shows up once the server answers again";
}

// --- the tab that has the connection

let leader = null;

function lead() {
  leader = new Connection();
  return new Promise(() => {}); // until the tab goes
}

class Connection {
  isOpen = null; // null: not known yet
  #source = null;
  #failures = 0;
  #watch = null;

  constructor() {
    this.#open();
    addEventListener("pageshow", (event) => event.persisted && this.#again());
    addEventListener("online", () => !this.isOpen && this.#again());
  }

  #open() {
    const after = cursor ? `?after=${encodeURIComponent(cursor)}` : "";
    const source = (this.#source = new EventSource(FEED + after));
    source.addEventListener("open", () => this.#opened(!after));
    source.addEventListener("beat", () => this.#heard());
    source.addEventListener("error", () => this.#failed(source));
    source.addEventListener("message", (message) => {
      this.#heard();
      tell({ event: told(message.data), cursor: message.lastEventId });
    });
    this.#heard();
  }

  /** `isFromNow`: no event was seen before, after which it could go on. */
  #opened(isFromNow) {
    this.#failures = 0;
    this.isOpen = true;
    this.#heard();
    tell({ live: true, isFromNow });
  }

  /** A sign of life. When none comes for long, the connection is dead, whatever the system says. */
  #heard() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#again(), SILENCE_MS);
  }

  #failed(source) {
    this.#closed();
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    if (this.#failures) cursor = null; // it may be of a log that was replaced
    const pause = PAUSE_MS[Math.min(this.#failures++, PAUSE_MS.length - 1)];
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#again(), pause);
  }

  #closed() {
    if (this.isOpen !== false) tell({ live: false });
    this.isOpen = false;
  }

  #again() {
    this.#source.close();
    this.#closed();
    this.#open();
  }
}

function told(data) {
  const { type, subject, time, data: about } = JSON.parse(data);
  return { kind: type.replace(/^headwater\.|\.v\d+$/g, ""), subject, time, ...about };
}
