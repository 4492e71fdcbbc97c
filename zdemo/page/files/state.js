/** What the page knows, in one place. Each part of the page listens for what it shows. */

const MOST_EVENTS = 200; // as many as the server keeps
export const EVERYBODY = ""; // in place of a user ID
const CLIENT_ERROR = 400;

/** @typedef {{user: string, after: number, at: number}} Change made between these two times */
/** @typedef {"setup" | "events" | "selected" | "connection" | "view" | "window"} Topic */

/** @type {Map<Topic, Set<() => void>>} */
const listeners = new Map();
/** Request IDs that were seen: the feed sends the last events again when it reconnects. */
const seen = new Map();
/** Why requests of the page were refused, by their ID. The page may ask ZITADEL, so it may know more than the event. */
const reasons = new Map();

export const state = {
  /** The answer of /-/state, once it came. */
  setup: null,
  /** Requests and notes, oldest first. */
  events: [],
  /** How many requests were seen in all. */
  count: 0,
  selected: null,
  follow: true,
  /** Whether the person has stopped the feed, and with it what the sequence shows. */
  paused: false,
  /** The request that the person has just sent, which is shown as soon as its event comes. */
  wanted: null,
  connection: "connecting",
  /** How many changes of this page were answered. */
  answers: 0,
  /** Until when answers from before changes may pass, on the server's clock, and from before which. */
  window: null,
  /** The orders to forget that have reached the API since the last look at ZITADEL. */
  orders: [],
  /** The server's clock minus this machine's, in seconds. */
  clockOffset: 0,
};

/** Call `listener` whenever one of the topics changes. @param {Topic[]} topics @param {() => void} listener */
export function listen(topics, listener) {
  for (const topic of topics) {
    if (!listeners.has(topic)) listeners.set(topic, new Set());
    listeners.get(topic).add(listener);
  }
}

const pending = new Set();
const LONGEST_PRESS_MS = 1000; // a press whose end is not told must not stop the page
let pressedAt = -LONGEST_PRESS_MS;

addEventListener("pointerdown", () => (pressedAt = performance.now()), true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (pressedAt = -LONGEST_PRESS_MS), true);

/** Tell the listeners of a topic, at most once per frame. @param {Topic} topic */
export function changed(topic) {
  if (!pending.size) schedule(tell);
  pending.add(topic);
}

/** Call a function before the next frame; a hidden page draws none, and still must not pile up work. */
function schedule(call) {
  if (document.hidden) setTimeout(call, 250);
  else requestAnimationFrame(call);
}

function tell() {
  // a button that is redrawn between press and release would lose the click
  if (performance.now() - pressedAt < LONGEST_PRESS_MS) return schedule(tell);
  const called = new Set([...pending].flatMap((topic) => [...(listeners.get(topic) ?? [])]));
  pending.clear();
  called.forEach((listener) => listener());
}

/** Return the server's time in seconds since 1970. */
export function now() {
  return Date.now() / 1000 + state.clockOffset;
}

/**
 * Keep the answer of /-/state. Return the changes that it shows, if the API may still use answers from before them.
 * @returns {Change[]}
 */
export function keepSetup(setup) {
  const before = state.setup;
  if (before && before.now > setup.now) return []; // overtaken by a later one
  state.setup = setup;
  const offset = setup.now - Date.now() / 1000;
  // less than a second is the time that the answer took, and not another clock
  state.clockOffset = Math.abs(offset) < 1 ? 0 : offset;
  if (!before || !isSame({ ...before, now: setup.now }, setup)) changed("setup");
  const { orders } = state;
  state.orders = []; // a change that is not seen yet comes after them
  if (!before?.changes.possible || !setup.changes.possible) return [];
  const users = changedUsers(before.changes, setup.changes);
  return notForgotten(
    users.map((user) => ({ user, after: before.now, at: setup.now })),
    orders,
  );
}

function changedUsers({ users: before, ...others }, { users, ...othersNow }) {
  if (!isSame(others, othersNow) || before.length !== users.length) return [EVERYBODY];
  return users.filter((user, index) => !isSame(user, before[index])).map((user) => user.id);
}

/** Return the changes about which no order to forget is. @param {Change[]} changes @param {any[]} orders */
export function notForgotten(changes, orders) {
  return changes.filter(({ user }) => !orders.some((order) => order.everything || order.user_id === user));
}

/** Return whether a request was admitted after a change, by an answer from before it. */
function isFromBefore({ at, status, answer, caller }) {
  const changes = state.window && !state.window.closed ? state.window.changes : [];
  const isOlder = (change) => typeof answer?.asked_at === "number" && answer.asked_at < change.after && change.at <= at;
  const isAbout = (change) => change.user === EVERYBODY || change.user === caller?.user_id;
  return status < CLIENT_ERROR && changes.some((change) => isAbout(change) && isOlder(change));
}

const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Keep the changes part of the state, which the answer to each change has. */
export function keepChanges(changes) {
  state.answers += 1;
  state.orders = [];
  if (state.setup) state.setup = { ...state.setup, changes: { ...state.setup.changes, ...changes } };
  changed("setup");
}

/** Add a request to the feed. */
export function addEvent(event) {
  if (typeof event?.id !== "string" || seen.has(event.id)) return;
  state.count += 1;
  event.number = state.count;
  event.isFromBefore = isFromBefore(event);
  if (reasons.has(event.id)) event.why = reasons.get(event.id);
  seen.set(event.id, event);
  limit(seen);
  if (event.is_past) {
    keepInTime(event); // each worker tells of those that it answered
    countAgain();
  } else keep(event);
  if (state.wanted === event.id) select(event, state.follow);
  else if (state.follow && !state.paused) setFollow(true);
}

/** Number the requests in their order. */
function countAgain() {
  const requests = state.events.filter((item) => item.id);
  requests.forEach((request, index) => (request.number = state.count - requests.length + index + 1));
}

/**
 * Add a line between the requests that says what was changed. It stands at its time, since requests may overtake it.
 * @param {string} text
 * @param {number} [at]
 */
export function addNote(text, at = now()) {
  keepInTime({ note: text, at });
}

function keepInTime(item) {
  keep(item, state.events.findLastIndex(({ at }) => at <= item.at) + 1);
}

function keep(item, index = state.events.length) {
  state.events.splice(index, 0, item);
  if (state.events.length > MOST_EVENTS) {
    state.events.shift();
  }
  changed("events");
}

/** Keep the newest of a map; more than the feed shows, since the server may send those again. */
function limit(map) {
  if (map.size > 2 * MOST_EVENTS) map.delete(map.keys().next().value);
}

/** Show a request in the sequence. @param {any} event @param {boolean} follow whether newer ones replace it */
export function select(event, follow = false) {
  state.selected = event;
  state.follow = follow;
  state.wanted = null;
  changed("selected");
}

/** Show newer requests as they come, or keep the one that is shown. @param {boolean} follow */
export function setFollow(follow) {
  const newest = state.events.findLast((item) => item.id);
  if (follow && newest) select(newest, true);
  else state.follow = follow;
}

/** Show the request that was just sent, now or when its event comes. @param {string} id */
export function want(id) {
  const event = seen.get(id);
  if (event) select(event, state.follow);
  else state.wanted = id;
}

/** Show why a request was refused, now or when its event comes. @param {string} id @param {any} why */
export function explain(id, why) {
  reasons.set(id, why);
  limit(reasons);
  const event = seen.get(id);
  if (!event) return;
  event.why = why;
  if (event === state.selected) changed("selected");
}

/** @param {string} connection */
export function setConnection(connection) {
  if (state.connection === connection) return;
  state.connection = connection;
  changed("connection");
}
