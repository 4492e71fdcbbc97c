/** What stands above the lanes: the answer, the request, and what the API knew about the token. */

import { make } from "./dom.js";
import {
  duration,
  isAsked,
  markOf,
  milliseconds,
  reasonOf,
  resultOf,
  seconds,
  timeOfDay,
  wordOf,
} from "./words.js";
import { now } from "./state.js";

const SOURCES = {
  asked: "just asked",
  hit: "from the cache",
  joined: "shared with a request that was already asking",
  shared: "from the shared store",
};

const PAST = ", before this page was open: its headers and bodies were not kept";

/** Return the line with the answer and the request. */
export function verdictOf(event) {
  const result = resultOf(event);
  return make(
    "p.verdict",
    make(
      `span.badge.${result}`,
      make("span", { "aria-hidden": "true" }, markOf(result)),
      ` ${event.status} ${wordOf(event)}`,
    ),
    make("code", `${event.method} ${event.path}`),
    make("span.note", `request ${event.number}, ${timeOfDay(event.at)}${event.is_past ? PAST : ""}`),
  );
}

/** Return who called, with what, and where ZITADEL's answer came from. */
export function factsOf(event) {
  return make(
    "dl.facts",
    fact("caller", event.caller ? event.caller.name || "unknown" : "nobody"),
    fact("token", tokenOf(event)),
    fact("time in the API", milliseconds(event.ms)),
    fact("ZITADEL’s answer", answerOf(event)),
  );
}

function fact(name, value) {
  return make("div", make("dt", name), make("dd", value));
}

function tokenOf(event) {
  const { token, kind } = event.caller ?? {};
  if (!token) return "none";
  if (!event.caller?.part) return `${kind} ${token}`;
  return kind ? `${token} (${kind})` : token;
}

function answerOf(event) {
  if (!event.answer) {
    if (isAsked(event)) return "none that the API can use";
    return resultOf(event) === "failed" ? `not asked: ${reasonOf(event)}` : "not needed";
  }
  const age = event.source === "hit" || event.source === "shared" ? ageOf(event) : "";
  const words = (SOURCES[event.source] ?? "known") + (age && `, ${age} old`);
  const until = event.answer.fresh_until;
  if (typeof until !== "number") return words;
  return make("span", `${words}; `, make("span.fresh", { "data-until": until }, freshness(until)));
}

/** Return how old the answer was that a request used. */
function ageOf(event) {
  const asked = event.answer?.asked_at;
  return typeof asked === "number" ? duration(Math.max(event.at - asked, 0)) : "";
}

/** Return for how long the API may still use an answer. */
function freshness(until) {
  const left = until - now();
  return left > 0 ? `may be used for ${seconds(left)} more` : `could be used until ${timeOfDay(until)}`;
}

/** Bring the running times up to date. */
export function tickFacts() {
  for (const element of document.querySelectorAll(".fresh")) {
    const text = freshness(Number(element.dataset.until));
    if (element.textContent !== text) element.textContent = text;
  }
}
