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
  addNote(text, at);
  const isOpen = state.window && !state.window.closed && !state.window.isElsewhere;
  const last = Math.max(until ?? 0, isOpen ? state.window.until : 0); // an earlier change may still have its time
  open(last, until ? [{ user, after, at }] : [], false);
  return true;
}

/** Show changes that no page told of: they were made just now at the latest. */
export function showChangeElsewhere(changes) {
  open(now() + state.setup.ttl_seconds, changes, true);
}

function open(until, newer, isElsewhere) {
  const earlier = state.window && !state.window.closed ? state.window.changes : [];
  const changes = [...earlier, ...newer];
  state.window = until > now() ? { from: now(), until, changes, closed: false, isElsewhere } : null;
  changed("window");
}

/** Show that an order to forget has reached the API: the window closes when no answer from before is left. */
export function showForgotten(order) {
  state.orders.push(order);
  if (!state.window || state.window.closed) return;
  state.window.changes = notForgotten(state.window.changes, [order]);
  if (!state.window.changes.length) state.window.until = Math.min(state.window.until, now());
}

function tick() {
  tickFacts();
  if (!state.window || state.window.closed) return;
  if (now() >= state.window.until) close();
  draw();
}

function close() {
  if (state.window.isElsewhere) {
    state.window = null; // when it was made is not known, so nothing more is said about it
    return;
  }
  state.window.closed = true;
  addNote("answers from before the change are too old now: the API asks ZITADEL again");
}

function draw() {
  const { window } = state;
  const left = window ? window.until - now() : 0;
  byId("window").dataset.state = !window ? "idle" : window.closed ? "closed" : "open";
  setText(byId("window-text"), textOf(window, left));
  byId("window-bar").hidden = !window && state.setup?.ttl_seconds === 0;
  byId("window-bar").value =
    window && !window.closed ? Math.max(left, 0) / Math.max(window.until - window.from, 0.001) : 0;
}

function textOf(window, left) {
  if (window?.closed) {
    return state.setup?.changes.emulator?.stopped
      ? "ZITADEL is stopped, and answers from before are too old: the API cannot decide about a token, and answers 503."
      : "The API now only uses answers from after the change.";
  }
  if (window) {
    const change = window.isElsewhere ? "ZITADEL was changed outside of this page: answers" : "Answers";
    return `${change} from before the change may still pass for up to ${seconds(left)}.`;
  }
  const ttl = state.setup?.ttl_seconds;
  if (typeof ttl !== "number") return "Loading…";
  if (ttl === 0) return "The API asks ZITADEL for each request, so a change shows at once.";
  const time = duration(ttl);
  return `The API reuses ZITADEL’s answers for up to ${time}, so a change can take that long to show: the removal window.`;
}
