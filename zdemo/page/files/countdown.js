/** The removal window: how long the API may still use answers from before a change. */

import { byId, setText } from "./dom.js";
import { duration, seconds } from "./words.js";
import { tickFacts } from "./facts.js";
import { addNote, changed, listen, notForgotten, now, state } from "./state.js";

const TICK_MS = 100;

/** The changes that were shown, by their time: the page that made one is told of it twice. */
const shown = new Set();

/** Run the clocks. */
export function startCountdown() {
  listen(["setup", "window"], draw);
  setInterval(tick, TICK_MS);
}

/**
 * Show a change of ZITADEL: in the feed, and for how long answers from before it may still pass.
 * @param {{text: string, after: number, at: number, until: number | null, user_id: string}} change made between two
 *   times on the server's clock; null: no older answer may pass; the ID is empty for a change of ZITADEL itself
 * @returns {boolean} whether it was not shown before
 */
export function showChange({ text, after, at, until, user_id: user }) {
  if (shown.has(at)) return false;
  shown.add(at);
  if (isOpen() && state.window.until <= at) close(); // a page that was opened later is told all at once
  addNote(text, at);
  // an earlier change may still have its time
  const last = Math.max(until ?? 0, isOpen() && !state.window.isElsewhere ? state.window.until : 0);
  open(at, last, until ? [{ user, after, at }] : [], false);
  return true;
}

/** Show changes that no page told of: they were made just now at the latest. */
export function showChangeElsewhere(changes) {
  if (state.setup.ttl_seconds) open(now(), now() + state.setup.ttl_seconds, changes, true);
}

function open(from, until, newer, isElsewhere) {
  const changes = [...(isOpen() ? state.window.changes : []), ...newer];
  state.window = { from, until, changes, closed: !until, isElsewhere };
  changed("window");
}

const isOpen = () => state.window && !state.window.closed;

/** Show that an order to forget has reached the API: the window closes when no answer from before is left. */
export function showForgotten(order) {
  state.orders.push(order);
  if (!isOpen()) return;
  state.window.changes = notForgotten(state.window.changes, [order]);
  if (!state.window.changes.length) state.window.until = Math.min(state.window.until, now());
}

function tick() {
  tickFacts();
  if (!isOpen()) return;
  if (now() >= state.window.until) close();
  draw();
}

function close() {
  if (state.window.isElsewhere) {
    state.window = null; // when it was made is not known, so nothing more is said about it
    return;
  }
  state.window.closed = true;
  addNote("answers from before the change are too old now: the API asks ZITADEL again", state.window.until);
}

function draw() {
  if (!state.setup) return;
  const { window } = state;
  const left = Math.max(window ? window.until - now() : 0, 0);
  const ttl = state.setup.ttl_seconds;
  byId("window").dataset.state = isOpen() ? "open" : ttl === 0 ? "none" : "idle";
  byId("again").hidden = !window;
  const text = isOpen() ? whileOpen(window, left) : otherwise(window, ttl);
  setText(byId("window-text"), window ? `: ${text[0].toLowerCase()}${text.slice(1)}` : text);
  byId("window-bar").hidden = !isOpen();
  if (isOpen()) byId("window-bar").value = left / Math.max(window.until - window.from, 0.001);
}

function whileOpen({ isElsewhere }, left) {
  const from = isElsewhere
    ? "After a change of ZITADEL outside of this page, answers from before"
    : "Answers from before the change";
  return `${from} may still pass for up to ${seconds(left)}.`;
}

function otherwise(window, ttl) {
  const time = duration(ttl);
  if (state.setup.changes.emulator?.stopped) {
    const then = ttl ? `uses answers that are up to ${time} old. Without one,` : "cannot decide about a token:";
    return `While ZITADEL is stopped, the API ${then} it answers 503.`;
  }
  if (!ttl) return "The API asks ZITADEL for each request, so a change shows at once.";
  if (window) return "The API now only uses answers from after the change.";
  return `The API reuses ZITADEL’s answers for up to ${time}, so a change can take that long to show: the removal window.`;
}
