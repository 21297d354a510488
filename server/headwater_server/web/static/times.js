// Times stay true while a page is open, and tell the clock of whoever looks.

const STEPS = [
  [3600, 60, "minute"],
  [86400, 3600, "hour"],
  [86400 * 30, 86400, "day"],
  [86400 * 365, 86400 * 30, "month"],
];
const YEAR_S = 86400 * 365;
const NOW_S = 45;
const EVERY_MS = 20_000;

const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** "3 minutes ago", as the server says it. */
export function since(then, now) {
  const seconds = Math.max(0, Math.floor((now - then) / 1000));
  if (seconds < NOW_S) return "just now";
  const step = STEPS.find(([below]) => seconds < below);
  const [unitS, unit] = step ? step.slice(1) : [YEAR_S, "year"];
  const count = Math.max(1, Math.floor(seconds / unitS));
  return `${count.toLocaleString("en")} ${unit}${count === 1 ? "" : "s"} ago`;
}

/** Bring all times below `root` up to date. */
export function renewTimes(root = document) {
  const now = Date.now();
  for (const time of root.querySelectorAll("time[datetime]")) {
    const then = Date.parse(time.dateTime);
    const text = since(then, now);
    if (time.textContent !== text) time.textContent = text;
    const exact = exactly.format(then);
    if (time.title !== exact) time.title = exact;
  }
}

export function keepTimes() {
  renewTimes();
  setInterval(renewTimes, EVERY_MS);
}
