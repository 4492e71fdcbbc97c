/** Words and numbers as the page shows them. Reasons, rules and fixes are the server's own words and not here. */

export const LANES = ["caller", "api", "cache", "zitadel"];
export const LANE_NAMES = { caller: "Caller", api: "API", cache: "Cache", zitadel: "ZITADEL" };
const MARKS = { admitted: "✓", refused: "✕", failed: "!", other: "–" };
const ABOUT_TOKENS = [400, 401, 403];
const OTHERS = { 200: "done", 404: "no such route", 405: "method not allowed", 415: "body not accepted" };
const CLIENT_ERROR = 400;
const SERVER_ERROR = 500;
const SOURCES = {
  asked: "asked ZITADEL",
  hit: "from the cache",
  joined: "waited for another",
  shared: "shared store",
};

/**
 * Return what became of a request. A 5xx says nothing about the token, so it is not a refusal; neither is a 404. An
 * order to forget is not admitted for its token.
 * @param {{status: number, is_order?: boolean}} event
 * @returns {"admitted" | "refused" | "failed" | "other"}
 */
export function resultOf({ status, is_order: isOrder }) {
  if (status >= SERVER_ERROR) return "failed";
  if (status < CLIENT_ERROR) return isOrder ? "other" : "admitted";
  return ABOUT_TOKENS.includes(status) ? "refused" : "other";
}

/** Return the result in a word or two. @param {{status: number, is_order?: boolean}} event */
export function wordOf(event) {
  const result = resultOf(event);
  return result === "other" ? (OTHERS[event.status] ?? "not answered") : result;
}

/** Return where ZITADEL's answer came from, or that there is none, in the few words that a row has place for. */
export function sourceOf(event) {
  if (event.source) return SOURCES[event.source] ?? "";
  if (isAsked(event)) return "no usable answer";
  return resultOf(event) === "failed" ? "not asked" : "";
}

/** Return whether a request asked ZITADEL; a step to ZITADEL may also say why it was not asked. */
export function isAsked(event) {
  return event.steps.some((step) => step.from === "zitadel");
}

/** Return the mark that says the same as the colour. @param {"admitted" | "refused" | "failed" | "other"} result */
export function markOf(result) {
  return MARKS[result];
}

/** Return the step that decided, if the request has one. */
export function decisionOf(event) {
  return (event.steps ?? []).find((step) => step.decides);
}

/** Return in one line why a request was answered so; where it stands, the result is said already. */
export function reasonOf(event) {
  return decisionOf(event)?.reason ?? event.why?.sentence ?? event.outcome ?? "";
}

/** @param {number | null | undefined} ms */
export function milliseconds(ms) {
  if (typeof ms !== "number") return "";
  return `${ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Return seconds that run, with a unit that does not move to the next line. @param {number} value */
export function seconds(value) {
  return `${Math.max(value, 0).toFixed(1)}\u00a0s`;
}

/** Return a duration as people say it: 5 s, 300 ms. @param {number} value in seconds */
export function duration(value) {
  return value > 0 && value < 1 ? `${Math.round(value * 1000)}\u00a0ms` : `${Number(value.toFixed(1))}\u00a0s`;
}

/** @param {number} at seconds since 1970 */
export function timeOfDay(at) {
  const date = new Date(at * 1000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** Return who sent a request: by name, or by the token that ZITADEL does not know. */
export function callerOf({ caller }) {
  return caller?.name || caller?.part || (caller?.token ? "unknown" : "nobody");
}
