/** Try it: sends a request once or every second, as the caller that is chosen. */

import { byId, make } from "./dom.js";
import { send } from "./api.js";
import { remember, remembered } from "./remember.js";
import { markOf, milliseconds, resultOf, wordOf } from "./words.js";
import { explain, listen, setFollow, state, want } from "./state.js";

const OTHER = "other";
const PASTED = "pasted";
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const EVERY_MS = 1000;
const FIRST = { route: "GET /api/private-scoped", caller: "reader" };

let timer = 0;
let repeating = false;

/** Make the form work. */
export function startTry() {
  byId("method").append(...METHODS.map((method) => make("option", { value: method }, method)));
  byId("method").value = remembered("method") || METHODS[0];
  byId("path").value = remembered("path") || "/";
  for (const id of ["route", "caller", "method", "path"]) remember(byId(id));
  listen(["setup"], fill);
  byId("route").addEventListener("change", showFields);
  byId("caller").addEventListener("change", showFields);
  byId("try").addEventListener("submit", (event) => {
    event.preventDefault();
    sendOnce(true);
  });
  byId("again").addEventListener("click", () => byId("sequence").scrollIntoView({ block: "nearest" }));
  byId("repeat").addEventListener("click", () => (repeating ? stop() : start()));
}

function fill() {
  const routes = state.setup.routes.map((route) => [`${route.method} ${route.path}`, optionOf(route)]);
  setOptions(byId("route"), [...routes, [OTHER, "another path…"]]);
  const callers = state.setup.callers.map((caller) => [caller.id, `${caller.name}: ${caller.about}`]);
  setOptions(byId("caller"), [...callers, [PASTED, "another token…"]]);
  showFields();
  byId("try").inert = false; // until then, there is nothing to choose
}

function optionOf(route) {
  return `${route.method === "GET" ? "" : `${route.method} `}${route.path}: ${needs(route)}`;
}

function needs(route) {
  if (route.role) return `needs ${route.role}`;
  return route.guarded ? "needs a token" : "open to all";
}

/** Give a select its options, unless it has them: a change would close an open list. */
function setOptions(select, options) {
  const shown = [...select.options].map((option) => [option.value, option.text]);
  if (JSON.stringify(shown) === JSON.stringify(options)) return;
  const before = select.value || remembered(select.id) || FIRST[select.id];
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  if (options.some(([value]) => value === before)) select.value = before;
}

function showFields() {
  showField("path-fields", "path", byId("route").value === OTHER);
  showField("token-field", "token", byId("caller").value === PASTED);
}

/** Show a field that must be filled in, or hide it: the browser then says what is missing before anything is sent. */
function showField(id, input, isShown) {
  byId(id).hidden = !isShown;
  byId(input).required = isShown;
  byId(input).disabled = !isShown;
}

function chosen() {
  const [method, path] = byId("route").value.split(" ");
  const request =
    byId("route").value === OTHER ? { method: byId("method").value, path: byId("path").value } : { method, path };
  const caller = byId("caller").value;
  return caller === PASTED ? { ...request, caller, token: byId("token").value.trim() } : { ...request, caller };
}

function start() {
  if (!byId("try").reportValidity()) return;
  repeating = true;
  showRepeating();
  setFollow(true);
  again();
}

function stop() {
  repeating = false;
  clearTimeout(timer);
  showRepeating();
}

function showRepeating() {
  byId("repeat").textContent = repeating ? "Stop" : "Send every second";
  byId("repeat").classList.toggle("running", repeating);
}

/** Send, and send again a second after the start, or at once if the answer took longer. */
async function again() {
  if (!byId("try").checkValidity()) return stop();
  const started = performance.now();
  await sendOnce(false);
  if (repeating) timer = setTimeout(again, Math.max(EVERY_MS - (performance.now() - started), 0));
}

async function sendOnce(isOnce) {
  try {
    const answer = await send({ ...chosen(), explain: isOnce });
    if (answer.error) return show("failed", answer.error);
    if (answer.why) explain(answer.id, answer.why); // the feed tells it too, if it is open
    if (isOnce) want(answer.id);
    const result = resultOf(answer);
    show(result, `${answer.status} ${wordOf(answer)}`, `in ${milliseconds(answer.ms)}`);
  } catch (error) {
    show("failed", error.hint ? `${error.message}: ${error.hint}` : error.message);
  }
}

function show(result, text, more = "") {
  byId("result").replaceChildren(
    make(`span.badge.${result}`, make("span", { "aria-hidden": "true" }, markOf(result)), ` ${text}`),
    ` ${more}`,
  );
}
