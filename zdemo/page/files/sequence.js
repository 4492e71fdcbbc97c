/** The sequence of the selected request: an ordered list in the page, drawn as lanes and arrows by the style sheet. */

import { decisionCard } from "./decision.js";
import { byId, make, spoken } from "./dom.js";
import { factsOf, verdictOf } from "./facts.js";
import { LANES, LANE_NAMES, callerOf, duration, isAsked, milliseconds, reasonOf, resultOf } from "./words.js";
import { listen, setFollow, state } from "./state.js";

/** Which steps are open, by lanes and not by number: the next request may have fewer steps. */
const open = new Set();
const DECIDED = "The API decided";
let kept = { reason: "", event: null, before: 0, height: 0 };

/** Draw the sequence whenever another request is selected. */
export function startSequence() {
  const follow = byId("follow");
  follow.addEventListener("change", () => setFollow(follow.checked));
  byId("sequence-shown").addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeAll();
  });
  listen(["selected"], draw);
  listen(["setup"], () => state.selected && draw());
}

function draw() {
  byId("follow").checked = state.follow;
  const event = state.selected;
  const shown = byId("sequence-shown");
  byId("sequence-empty").hidden = Boolean(event);
  shown.hidden = !event;
  if (!event) return;
  const focused = shown.contains(document.activeElement) ? document.activeElement?.id : "";
  shown.className = resultOf(event);
  shown.replaceChildren(verdictOf(event), factsOf(event), laneHeads(event), steps(event));
  if (focused) document.getElementById(focused)?.focus();
  keepHeight(shown, event);
}

/** Keep the height while requests with the same reason follow each other, so that the feed below stays in its place. */
function keepHeight(shown, event) {
  const reason = state.follow && !open.size ? reasonOf(event) : "";
  if (!reason || reason !== kept.reason) kept = { reason, event, before: 0, height: 0 };
  // the reason of one request may be drawn twice: as the feed tells it, and as it was found by asking ZITADEL
  if (event !== kept.event) kept = { ...kept, event, before: Math.max(kept.before, kept.height) };
  shown.style.minHeight = "";
  kept.height = shown.offsetHeight;
  if (reason) shown.style.minHeight = `${Math.max(kept.before, kept.height)}px`;
}

function laneHeads(event) {
  const used = new Set(event.steps.flatMap((step) => [step.from, step.to]));
  if (!isAsked(event)) used.delete("zitadel");
  const below = {
    caller: callerOf(event),
    api: hostOf(state.setup?.api),
    cache: used.has("cache") ? `keeps for ${duration(state.setup?.ttl_seconds ?? 0)}` : cacheUnused(),
    zitadel: isAsked(event) ? hostOf(state.setup?.zitadel) : "not asked",
  };
  return make(
    "div.lanes",
    { "aria-hidden": "true" },
    ...LANES.map((lane) =>
      make(used.has(lane) ? "div.lane" : "div.lane.unused", make("b", LANE_NAMES[lane]), make("span", below[lane])),
    ),
  );
}

const cacheUnused = () => (state.setup?.ttl_seconds === 0 ? "off" : "not used");

function hostOf(address) {
  return (address ?? "").replace(/^https?:\/\//, "");
}

function steps(event) {
  return make("ol.steps", { role: "list" }, ...event.steps.map((step, index) => drawStep(event, step, index)));
}

function drawStep(event, step, index) {
  const key = `${step.from}-${step.to}-${step.decides ? "decision" : ""}`;
  const details = stepDetails(step, index, step.decides ? event.why?.seen : []);
  const button = make(
    "button.step",
    { id: `step-${index}`, type: "button", "aria-expanded": String(open.has(key)), "aria-controls": details.id },
    spoken(`${lanesInWords(step)}: `),
    make("span.to", { "aria-hidden": "true" }, lanesInArrows(step)),
    make("span.title", step.title),
    make("span.time", spoken(step.ms === null ? "" : ", "), milliseconds(step.ms)),
    make("span.arrow", { "aria-hidden": "true" }),
  );
  details.hidden = !open.has(key);
  button.addEventListener("click", () => toggle(key, button, details));
  const item = make(
    classOf(step),
    { "data-arrow": arrowOf(step) },
    button,
    step.decides && decisionCard(event, step),
    details,
  );
  return item;
}

function classOf(step) {
  const classes = ["li"];
  if (step.decides) classes.push("decides");
  if (!step.ok) classes.push("bad");
  if (isBack(step)) classes.push("back");
  return classes.join(".");
}

const isBack = (step) => LANES.indexOf(step.to) < LANES.indexOf(step.from);

/** Return the two lanes from left to right, for the style sheet. */
function arrowOf(step) {
  return [step.from, step.to]
    .map((lane) => LANES.indexOf(lane))
    .sort()
    .join("-");
}

function lanesInWords(step) {
  const from = LANE_NAMES[step.from] ?? "";
  if (step.decides) return DECIDED;
  return step.from === step.to ? from : `${from} to ${LANE_NAMES[step.to] ?? ""}`;
}

function lanesInArrows(step) {
  const from = LANE_NAMES[step.from] ?? "";
  if (step.decides) return DECIDED;
  return step.from === step.to ? from : `${from} → ${LANE_NAMES[step.to] ?? ""}`;
}

/** Return the lines of a step, and those of its reason; what both know is there once. */
function linesOf(step, seen) {
  const known = new Set(seen.map(([name]) => name));
  if (known.has("token")) known.add("active");
  return [...seen, ...(step.lines ?? []).filter(([name]) => !known.has(name))];
}

function stepDetails(step, index, seen = []) {
  const details = make("div.details", { id: `step-${index}-details` });
  const lines = linesOf(step, seen);
  if (step.body) {
    const label = `Body: ${step.title}`;
    details.append(make("pre", { tabIndex: 0, role: "region", "aria-label": label }, step.body));
  }
  if (lines.length) {
    details.append(make("dl.wire", ...lines.map(([name, value]) => make("div", make("dt", name), make("dd", value)))));
  }
  if (!details.childNodes.length) details.append(make("p.note", "Nothing more to show for this step."));
  return details;
}

function toggle(key, button, details) {
  const opens = details.hidden;
  details.hidden = !opens;
  button.setAttribute("aria-expanded", String(opens));
  if (opens) open.add(key);
  else open.delete(key);
}

/** Close every step, and keep the focus on the step that it was in. */
function closeAll() {
  const item = document.activeElement?.closest("li[data-arrow]");
  open.clear();
  for (const button of byId("sequence-shown").querySelectorAll("button.step")) {
    button.setAttribute("aria-expanded", "false");
    byId(button.getAttribute("aria-controls")).hidden = true;
  }
  item?.querySelector("button.step")?.focus();
}
