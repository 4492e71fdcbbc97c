/** Change it: the switches of ZITADEL's users and, with the emulator, of ZITADEL itself. */

import { change } from "./api.js";
import { byId, confirmed, make, setText, spoken } from "./dom.js";
import { fixes } from "./decision.js";
import { showChange } from "./countdown.js";
import { refreshState } from "./live.js";
import { remember, remembered } from "./remember.js";
import { EVERYBODY, keepChanges, listen, state } from "./state.js";
import { duration } from "./words.js";

const DELAY_SECONDS = 0.3;
const HOUR_SECONDS = 3600;
const NO_CHANGE = "no change was needed";
const AGAIN = "Send again to see what the API answers now.";
const STOPPED = "start ZITADEL first: while it is stopped, nothing can be changed there";

/** The changes that were ordered and are not made yet, and the end of the last one. */
const waiting = new Set();
let last = Promise.resolve();

/** Show the switches, and show them again after each change. */
export function startChange() {
  byId("forget").checked = remembered("forget") === "true";
  remember(byId("forget"));
  listen(["setup"], draw);
}

function draw() {
  const { changes } = state.setup;
  const focused = byId("changes").contains(document.activeElement) ? document.activeElement.id : "";
  const shown = changes.possible ? switches(changes) : [make("p", changes.why_not), fixes(changes.fix)];
  byId("changes").replaceChildren(...shown.filter(Boolean));
  byId("forget-row").hidden = !changes.possible || state.setup.ttl_seconds === 0;
  if (focused) document.getElementById(focused)?.focus();
}

function switches(changes) {
  const groups = changes.users.map(userGroup);
  if (changes.emulator) groups.push(emulatorGroup(changes.emulator));
  return groups;
}

function group(name, rows, whyOff = null) {
  return make("fieldset", make("legend", name, whyOff), ...rows);
}

/** Return a row with what is now, and the button that changes it; while that cannot be, the button says why. */
function row(id, name, now, isOff, label, about, order) {
  const whyNot = order.user_id && state.setup.changes.emulator?.stopped ? STOPPED : "";
  const button = make(
    "button.small",
    {
      type: "button",
      id,
      "aria-disabled": whyNot && "true",
      title: whyNot,
      "data-fixes": isOff && order.change,
      "data-user": order.user_id,
    },
    label,
    about && spoken(` ${about}`),
    whyNot && spoken(`: ${whyNot}`),
  );
  button.addEventListener("click", () => (whyNot ? setText(byId("change-result"), whyNot) : apply(order)));
  return make("div.switch", make("span.what", name), make(isOff ? "span.now.off" : "span.now", now), button);
}

/** Return a row for what cannot be changed now. */
function fixedRow(name, now) {
  return make("div.switch", make("span.what", name), make("span.now.off", now));
}

function userGroup(user) {
  const isOff = state.setup.changes.emulator?.stopped;
  const whyOff = isOff && make("span.note", { "aria-hidden": "true" }, "off while ZITADEL is stopped"); // each button says it
  return group(user.name, [roleRow(user), userRow(user), patRow(user)], whyOff);
}

function roleRow(user) {
  const { role } = state.setup;
  const has = user.roles.includes(role);
  const [label, about] = has ? ["Revoke", `${role} from ${user.name}`] : ["Grant", `${role} to ${user.name}`];
  const order = { change: has ? "revoke" : "grant", user_id: user.id, role };
  return row(`role-${user.id}`, `role ${role}`, has ? "granted" : "not granted", !has, label, about, order);
}

function userRow(user) {
  const isActive = user.state === "active";
  const order = { change: isActive ? "deactivate" : "reactivate", user_id: user.id };
  return row(
    `user-${user.id}`,
    "user",
    user.state,
    !isActive,
    isActive ? "Deactivate" : "Reactivate",
    user.name,
    order,
  );
}

const PAT_STATES = { ended: "ended by deactivating" };
const patState = (user) => PAT_STATES[user.pat] ?? user.pat;

function patRow(user) {
  const isPresent = user.pat === "present";
  // a real ZITADEL does not bring a deleted PAT back, and of an inactive user nobody can tell
  if (user.state !== "active" && user.pat === "ended") return fixedRow("PAT", PAT_STATES.ended);
  if (user.pat === "unknown" || (!isPresent && !state.setup.changes.emulator)) return fixedRow("PAT", patState(user));
  const order = { change: isPresent ? "delete_pat" : "create_pat", user_id: user.id };
  return row(
    `pat-${user.id}`,
    "PAT",
    patState(user),
    !isPresent,
    isPresent ? "Delete PAT" : "Restore PAT",
    `of ${user.name}`,
    order,
  );
}

function emulatorGroup({ stopped, slow_seconds: slow, advanced_seconds: advanced, applications }) {
  return group("ZITADEL (emulator)", [
    row(
      "emulator-runs",
      "server",
      stopped ? "stopped" : "running",
      stopped,
      stopped ? "Start ZITADEL" : "Stop ZITADEL",
      "",
      { change: stopped ? "start" : "stop" },
    ),
    row("emulator-slow", "delay", slow ? duration(slow) : "none", slow > 0, slow ? "No delay" : "Add 300 ms", "", {
      change: "slow",
      seconds: slow ? 0 : DELAY_SECONDS,
    }),
    row(
      "emulator-clock",
      "clock",
      advanced ? `${duration(advanced / HOUR_SECONDS).replace("s", "h")} ahead` : "on time",
      advanced > 0,
      "Advance the clock 1 hour",
      "",
      { change: "advance", seconds: HOUR_SECONDS },
    ),
    ...applications.map((app) => make("p.note", `${app.name}: client ID ${app.client_id}, redirect URIs ${app.redirect_uris}`)),
  ]);
}

/** What cannot be taken back with a ZITADEL of one's own. */
const FOR_GOOD = {
  delete_pat: [
    "Delete this personal access token?",
    "This is your own ZITADEL. A deleted PAT never works again, and a new one has another text.",
    "Delete PAT",
  ],
  deactivate: [
    "Deactivate this user?",
    "This is your own ZITADEL. The user’s PATs and tokens never work again, even if you reactivate the user.",
    "Deactivate",
  ],
};

/** Return whether the person agrees to what cannot be taken back. */
function agreed(order) {
  if (order.change === "advance") {
    const text =
      "Tokens that would expire within the hour are expired then. The clock cannot be set back while the emulator runs.";
    return confirmed("Advance the emulator’s clock by 1 hour?", text, "Advance");
  }
  const question = state.setup.changes.emulator ? null : FOR_GOOD[order.change];
  return question ? confirmed(...question) : true;
}

/** Make a change after those that are on their way. Pressing a button twice is one change. */
async function apply(order) {
  const name = `${order.change} ${order.user_id}`;
  if (waiting.has(name) || !(await agreed(order))) return;
  waiting.add(name);
  byId("changes").setAttribute("aria-busy", "true");
  last = last.then(() => carryOut(order));
  await last;
  waiting.delete(name);
  if (!waiting.size) byId("changes").removeAttribute("aria-busy");
}

async function carryOut(order) {
  try {
    const answer = await change({ ...order, forget: byId("forget").checked });
    const { error, text, after, at, until, shown_after_ms: shown, ...changes } = answer;
    const took = typeof shown === "number" ? ` (ZITADEL showed it after ${Math.round(shown)} ms)` : "";
    setText(byId("change-result"), error ?? (text ? `${text}${took}. ${AGAIN}` : NO_CHANGE));
    if (text) showChange({ text, after, at, until, user_id: order.user_id ?? EVERYBODY });
    keepChanges(changes);
  } catch (error) {
    setText(byId("change-result"), error.hint ? `${error.message}: ${error.hint}` : error.message);
    refreshState();
  }
}
