/** The live connection: the feed of requests, and what to say when it is lost. */

import { readFeed, readState } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { showChange, showChangeElsewhere, showForgotten } from "./countdown.js";
import { callerOf, reasonOf, wordOf } from "./words.js";
import { addEvent, addNote, explain, keepSetup, listen, setConnection, state } from "./state.js";

const RETRY_MS = 5000;
const MOST_FEEDS = 4; // a browser opens six connections to a server: without the others, no page could send a request
const REFRESH_MS = 500;
const LOOK_MS = { emulator: 3000, real: 10000 }; // a real ZITADEL is not asked that often
const SPOKEN_MS = 2000;
const SHORT = {
  connecting: "Connecting",
  live: "Live",
  gone: "No connection",
  key: "No valid key",
  too_many: "Too many pages",
  refused: "No feed",
};
const PROBLEMS = {
  gone: "The API does not answer. If it was restarted, open the new address that it prints. Otherwise this page connects again by itself.",
  key: "This page has no valid key: the API was restarted, or this browser or another server on this machine removed the key. Open the address that zdemo serve printed at its last start, in the row “page”: type or paste it, with its key.",
  too_many:
    "Too many pages are open, so this one gets no requests. Close another one; this page tries again every 5 s.",
  refused: "The API refuses to send its requests. This page tries again every 5 s.",
};

/** Connect, and stay connected. */
export function startLive() {
  listen(["connection"], showConnection);
  listen(["setup"], showSetup);
  listen(["events"], speakSoon);
  document.addEventListener("visibilitychange", () => document.hidden || refreshState());
  addEventListener("focus", () => refreshState());
  listenToFeed();
  lookAgain();
  connect();
}

/** Read the state again and again while somebody looks: a change may be made in another page, or by a command. */
async function lookAgain() {
  const isLost = state.connection === "gone" || state.connection === "key";
  if (!document.hidden && !isLost) await refreshState();
  setTimeout(lookAgain, state.setup && !state.setup.emulator ? LOOK_MS.real : LOOK_MS.emulator);
}

let pending = 0; // changes from the feed: until the state has been read again, any answer may show them

/** Read the state again. A failure is left to the feed, which notices it too and says so. */
export async function refreshState() {
  const asked = state.answers;
  try {
    const setup = await readState();
    if (state.answers !== asked) return; // a change was answered meanwhile, and knows better
    const changes = keepSetup(setup);
    if (changes.length && !pending) showChangeElsewhere(changes);
  } catch (error) {
    if (error.kind === "key") setConnection("key");
  }
}

let isDue = false;

/** Read the state a moment later: what ZITADEL has just answered may show a change that was not made on this page. */
function refreshSoon() {
  if (isDue || !state.setup?.emulator) return;
  isDue = true;
  setTimeout(() => refreshState().finally(() => (isDue = false)), REFRESH_MS);
}

/** Take one of the places that the pages in this browser share; return what gives it back, or null. */
async function takePlace() {
  if (!navigator.locks) return () => {};
  for (let place = 0; place < MOST_FEEDS; place += 1) {
    const giveBack = await new Promise((found) => {
      const held = (lock) => (lock ? new Promise((release) => found(release)) : found(null));
      navigator.locks.request(`feed ${place}`, { ifAvailable: true }, held);
    });
    if (giveBack) return giveBack;
  }
  return null;
}

const feed = new EventTarget();

function listenToFeed() {
  feed.addEventListener("hello", () => {
    if (state.connection !== "connecting") refreshState(); // the API may have been restarted
    setConnection("live");
  });
  feed.addEventListener("request", (message) => {
    const event = parsed(message.data);
    addEvent(event);
    if (event?.source === "asked" || event?.status === 503) refreshSoon();
  });
  feed.addEventListener("explained", (message) => {
    const found = parsed(message.data);
    if (found) explain(found.request, found.why);
  });
  feed.addEventListener("changed", (message) => {
    const change = parsed(message.data);
    if (!change || !showChange(change)) return;
    pending += 1;
    refreshState().finally(() => (pending -= 1));
  });
  feed.addEventListener("forgotten", (message) => {
    addNote("the API forgot ZITADEL’s answers: it asks again");
    showForgotten(parsed(message.data) ?? {});
    refreshState();
  });
  feed.addEventListener("skipped", (message) => {
    addNote(`too many requests at a time: ${parsed(message.data)?.count} are not shown`);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // one unreadable event must not end the feed
  }
}

async function connect() {
  const giveBack = await takePlace();
  if (!giveBack) return retry("too_many");
  try {
    await readFeed(feed);
  } catch (error) {
    giveBack();
    retry(error.code === "too_many_pages" ? "too_many" : error.kind);
  }
}

function retry(why) {
  setConnection(why);
  setTimeout(connect, RETRY_MS);
}

function showConnection() {
  const chip = byId("connection");
  chip.dataset.state = state.connection;
  setText(chip.firstElementChild, SHORT[state.connection]);
  const text = PROBLEMS[state.connection] ?? "";
  byId("problem").hidden = !text;
  byId("problem").replaceChildren(...(text ? [make("p", text)] : []));
}

function showSetup() {
  const { setup } = state;
  setText(byId("setup-api"), setup.api.replace(/^https?:\/\//, ""));
  setText(
    byId("setup-zitadel"),
    setup.zitadel.replace(/^https?:\/\//, "") + (setup.emulator ? ` (emulator ${setup.emulator})` : ""),
  );
  setText(byId("setup-ttl"), setup.ttl_seconds ? `${setup.ttl_seconds} s` : "0 s: none is kept");
}

let speaking = 0;

/** Say the latest outcome, at most once per 2 s, and never the ones that were there when the page opened. */
function speakSoon() {
  speaking ||= setTimeout(() => {
    speaking = 0;
    const latest = state.events.findLast((item) => item.id);
    if (!latest || Date.now() / 1000 - latest.at > SPOKEN_MS / 500) return;
    const request = `${latest.method} ${latest.path} by ${callerOf(latest)}`;
    setText(byId("live"), `${latest.status} ${wordOf(latest)}: ${request}, ${reasonOf(latest)}`);
  }, SPOKEN_MS);
}
