/** The removal window: how long the API may still use answers from before a change. */

import { byId, setText } from "./dom.js";
import { duration, seconds } from "./words.js";
import { tickFacts } from "./facts.js";
import { addNote, changed, listen, now, state } from "./state.js";

const TICK_MS = 100;

/** Run the clocks. */
export function startCountdown() {
  listen(["setup", "window"], draw);
  setInterval(tick, TICK_MS);
}

/**
 * Start the time in which the API may still use answers from before a change.
 * @param {number} until on the server's clock
 * @param {boolean} removes whether the change took a right away
 */
export function openWindow(until, removes) {
  state.window = { from: now(), until, closed: false, removes };
  changed("window");
}

/** Close the window early: the API was told to forget its answers. */
export function closeWindow() {
  if (!state.window || state.window.closed) return;
  state.window.until = Math.min(state.window.until, now());
}

function tick() {
  tickFacts();
  if (!state.window || state.window.closed) return;
  if (now() >= state.window.until) {
    state.window.closed = true;
    addNote(`${state.window.removes ? "removal window closed: " : ""}the API only uses answers from after the change`);
  }
  draw();
}

function draw() {
  const { window } = state;
  const left = window ? window.until - now() : 0;
  byId("window").dataset.state = !window ? "idle" : window.closed ? "closed" : "open";
  setText(byId("window-text"), textOf(window, left));
  byId("window-bar").value =
    window && !window.closed ? Math.max(left, 0) / Math.max(window.until - window.from, 0.001) : 0;
}

function textOf(window, left) {
  if (window?.closed) return "The API now only uses answers from after the change.";
  if (window) {
    const start = window.removes ? "Removal window: the" : "The";
    return `${start} API may still use answers from before the change for ${seconds(left)}.`;
  }
  const ttl = state.setup?.ttl_seconds;
  if (typeof ttl !== "number") return "Loading…";
  if (ttl === 0) return "The API asks ZITADEL for each request, so a change shows at once.";
  return `The API reuses ZITADEL’s answers for up to ${duration(ttl)}, so a change can take that long to show.`;
}
