/** The feed: a row for each request, newest first. One row takes the tab stop; the arrow keys move between rows. */

import { byId, make, setText, spoken } from "./dom.js";
import { callerOf, markOf, milliseconds, reasonOf, resultOf, sourceOf, timeOfDay, wordOf } from "./words.js";
import { listen, select, setFollow, state } from "./state.js";

const FILTERS = ["all", "admitted", "refused", "failed"];
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

/** The rows that are in the page, by their item. */
let rows = new Map();
let filter = "all";
/** The items to show while the feed is paused, or null while it runs. */
let held = null;

/** Show requests as they come. */
export function startFeed() {
  byId("filters").append(...FILTERS.map(filterButton));
  byId("pause").addEventListener("click", pause);
  byId("rows").addEventListener("keydown", move);
  listen(["events"], draw);
  listen(["selected"], mark);
}

function filterButton(name) {
  const button = make(
    "button.small",
    { type: "button", "aria-pressed": String(name === filter) },
    name[0].toUpperCase() + name.slice(1),
  );
  button.addEventListener("click", () => {
    filter = name;
    for (const other of byId("filters").children) other.setAttribute("aria-pressed", String(other === button));
    draw();
  });
  return button;
}

function pause() {
  held = held ? null : [...state.events];
  state.paused = held !== null;
  if (!held && state.follow) setFollow(true);
  byId("pause").textContent = held ? "Resume" : "Pause";
  draw();
}

function isShown(item) {
  return filter === "all" || (item.id && resultOf(item) === filter);
}

function draw() {
  const items = (held ?? state.events).filter(isShown);
  const next = new Map(items.map((item) => [item, rowNow(item) ?? row(item)]));
  for (const [item, element] of rows) if (next.get(item) !== element) element.remove();
  // Rows that stay are not moved: a moved row would lose the focus.
  let newer = null;
  for (const element of [...next.values()].reverse()) {
    const follows = newer ? newer.nextSibling : byId("rows").firstChild;
    if (element !== follows) byId("rows").insertBefore(element, follows);
    newer = element;
  }
  rows = next;
  tell(items);
  mark();
}

function tell(items) {
  const shown = items.filter((item) => item.id).length;
  const waiting = held ? state.events.filter((item) => item.id && !held.includes(item)).length : 0;
  const total = state.count === 1 ? "1 request" : `${state.count} requests`;
  const part = shown < state.count ? `${total}, ${shown} shown` : total;
  setText(byId("feed-count"), waiting ? `${part}, ${waiting} new` : state.count ? part : "");
  byId("feed-empty").hidden = items.length > 0;
  setText(byId("feed-empty"), emptyText());
}

function emptyText() {
  return state.count
    ? `No ${filter} request among those that are kept.`
    : "No request yet. The requests of all programs to the API appear here.";
}

/** Return the row of an item, if its number is still the same. */
function rowNow(item) {
  const element = rows.get(item);
  return element?.number === item.number ? element : undefined;
}

function row(item) {
  if (item.note) return make("li.mark", make("span.when", timeOfDay(item.at)), make("span", item.note));
  const result = resultOf(item);
  const button = make(
    `button.row.${result}`,
    { type: "button", tabIndex: -1 },
    make("span.number", spoken("request "), item.number),
    make("span.when", timeOfDay(item.at)),
    make(
      "span.status",
      make("span", { "aria-hidden": "true" }, markOf(result)),
      ` ${item.status}`,
      spoken(` ${wordOf(item)},`),
    ),
    make("code.request", `${item.method} ${item.path}`),
    make("span.who", spoken(" by "), callerOf(item)),
    make("span.reason", spoken(": "), reasonOf(item)),
    make("span.source", spoken(", "), sourceOf(item)),
    make("span.took", spoken(", "), milliseconds(item.ms)),
  );
  button.addEventListener("click", () => select(item, false));
  return make("li", { number: item.number }, button);
}

/** Show which request the sequence shows, and give one row the tab stop. */
function mark() {
  const buttons = [...byId("rows").querySelectorAll("button.row")];
  const selected = rows.get(state.selected)?.querySelector("button");
  const stop = buttons.find((button) => button === document.activeElement) ?? selected ?? buttons[0];
  for (const button of buttons) {
    button.tabIndex = button === stop ? 0 : -1;
    if (button === selected) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

function move(event) {
  const buttons = [...byId("rows").querySelectorAll("button.row")];
  const at = buttons.indexOf(document.activeElement);
  const to = { Home: 0, End: buttons.length - 1 }[event.key] ?? (event.key in STEPS ? at + STEPS[event.key] : null);
  if (at < 0 || to === null) return;
  event.preventDefault();
  const target = buttons[Math.min(Math.max(to, 0), buttons.length - 1)];
  target.focus();
  mark();
}
