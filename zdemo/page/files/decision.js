/** Why a request was answered so: the sentence, the rule, and what fixes it, all in the server's words. */

import { byId, make, spoken } from "./dom.js";
import { state } from "./state.js";

const SHOWN_MS = 1500;
const MISSING_ROLE = "insufficient_scope";
const ROLES_CLAIM =
  "Roles count only in the roles claim of ZITADEL’s answer. Its scope does not say which roles are granted: for a PAT, it lists every role of the project.";
const FROM_BEFORE = "Admitted by an answer from before the change. The API may use it until it is too old.";

/**
 * Return what stands below the title of the step that decided.
 * @param {any} event
 * @param {any} step
 */
export function decisionCard(event, step) {
  const why = event.why;
  if (event.isFromBefore) return make("div.why", make("p.note", FROM_BEFORE));
  if (!why) return step.ok ? null : make("div.why", make("p", event.outcome));
  return make(
    "div.why",
    make(
      "p.sentence",
      why.sentence !== step.title && `${why.sentence} `,
      why.certainty === "likely" && make("span.tag", "likely"),
      why.certainty === "likely" && " ",
      why.rfc && make("span.tag", why.rfc),
    ),
    event.outcome === MISSING_ROLE && make("p.note", ROLES_CLAIM),
    ...why.because.map((text) => make("p.note", text)),
    candidates(why),
    fixes(why.fix, why.switches, event.caller),
  );
}

function candidates(why) {
  if (!why.candidates?.length) return null;
  return make("div.candidates", make("p.heading", `${why.heading}:`), make("ul", ...why.candidates.map((text) => make("li", text))));
}

/**
 * Return what fixes a problem: buttons for the switches that do it, then the steps, with where to run the commands.
 * @param {any[] | undefined} steps
 * @param {string[]} [switches] the changes that fix it
 * @param {any} [caller]
 */
export function fixes(steps, switches = [], caller = undefined) {
  if (!steps?.length) return null;
  const buttons = switchButtons(switches, caller);
  const items = [buttons, ...steps.map(fix)].filter((parts) => parts.length);
  const first = items.findIndex((parts) => parts.some((part) => part.tagName === "CODE"));
  if (first >= 0) items.splice(first, 0, [terminal(buttons.length, steps)]);
  return make("div.fixes", make("b", "Fix"), make("ul", ...items.map((parts) => make("li", ...parts))));
}

function terminal(isOther, steps) {
  const each = steps.filter((step) => step.is_command).length > 1 ? ", one after the other" : "";
  return `${isOther ? "or in" : "in"} a terminal, in the folder of zdemo serve${each}:`;
}

function fix({ line, remark, is_command: isCommand }) {
  const parts = isCommand ? [make("code", line), copyButton(line)] : [line];
  return remark ? [...parts, make("span.note", remark)] : parts;
}

/** Return a button for each of these switches that is off: of the caller's user, or of ZITADEL. */
function switchButtons(switches, caller) {
  const users = state.setup?.changes.users ?? [];
  const user = caller?.user_id || users.find(({ name }) => name === caller?.name)?.id;
  const buttons = [...byId("changes").querySelectorAll("button[data-fixes]")];
  const fixing = ({ dataset }) => switches.includes(dataset.fixes) && [undefined, user].includes(dataset.user);
  return buttons.filter(fixing).map(switchButton);
}

function switchButton({ id, textContent }) {
  const button = make("button.small", { type: "button", id: `fix-${id}` }, textContent);
  button.addEventListener("click", () => {
    byId(id).click();
    byId("send").focus({ preventScroll: true }); // this button goes when the switch is on
  });
  return button;
}

function copyButton(command) {
  const label = make("span", "Copy");
  const button = make("button.small.copy", { type: "button" }, label, spoken(` ${command}`));
  button.addEventListener("click", async () => {
    label.textContent = (await copied(command)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (label.textContent = "Copy"), SHOWN_MS);
  });
  button.dataset.command = command;
  return button;
}

async function copied(command) {
  try {
    await navigator.clipboard.writeText(command);
    return true;
  } catch {
    return false;
  }
}
