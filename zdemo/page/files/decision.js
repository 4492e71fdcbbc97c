/** Why a request was answered so: the sentence, the rule, and what fixes it, all in the server's words. */

import { byId, make, spoken } from "./dom.js";
import { state } from "./state.js";

const COMMAND = /^(zdemo|curl|unset|export|docker|python|pip)\b/;
const REMARK = /\s{2,}\((.*)\)$/s;
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
    candidates(why),
    fixes(why.fix, event.caller),
  );
}

function candidates(why) {
  if (!why.candidates?.length) return null;
  const heading =
    why.certainty === "open" ? "One of these; they cannot be told apart from outside:" : "It can also be:";
  return make("div.candidates", make("p", heading), make("ul", ...why.candidates.map((text) => make("li", text))));
}

/**
 * Return what fixes a problem: buttons for the switches that the texts name, then the texts, with their commands to copy.
 * @param {string[] | undefined} texts
 * @param {any} [caller]
 */
export function fixes(texts, caller) {
  if (!texts?.length) return null;
  const buttons = switchButtons(texts.join("\n"), caller);
  const items = [buttons, ...texts.map(fix)].filter((parts) => parts.length);
  return make("div.fixes", make("b", "Fix"), make("ul", ...items.map((parts) => make("li", ...parts))));
}

function fix(text) {
  if (!COMMAND.test(text)) return [text];
  const remark = REMARK.exec(text)?.[1];
  const command = text.replace(REMARK, "");
  return [make("code", command), copyButton(command), remark && make("span.note", remark)];
}

/** Return a button for each switch of the caller's user, or of ZITADEL, that is off and that a text names. */
function switchButtons(text, caller) {
  const users = state.setup?.changes.users ?? [];
  const user = caller?.user_id || users.find(({ name }) => name === caller?.name)?.id;
  const switches = [...byId("changes").querySelectorAll("button[data-fixes]")];
  const named = ({ dataset }) => new RegExp(`\\b${dataset.fixes}\\b`, "i").test(text);
  return switches.filter((one) => named(one) && [undefined, user].includes(one.dataset.user)).map(switchButton);
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
