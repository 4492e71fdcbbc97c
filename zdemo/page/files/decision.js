/** Why a request was answered so: the sentence, the rule, and what fixes it, all in the server's words. */

import { make, spoken } from "./dom.js";

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
    fixes(why.fix),
  );
}

function candidates(why) {
  if (!why.candidates?.length) return null;
  const heading =
    why.certainty === "open" ? "One of these; they cannot be told apart from outside:" : "It can also be:";
  return make("div.candidates", make("p", heading), make("ul", ...why.candidates.map((text) => make("li", text))));
}

/** Return what fixes a problem, with a button that copies what is a command. @param {string[] | undefined} texts */
export function fixes(texts) {
  if (!texts?.length) return null;
  return make("div.fixes", make("b", "Fix"), make("ul", ...texts.map((text) => make("li", ...fix(text)))));
}

function fix(text) {
  if (!COMMAND.test(text)) return [text];
  const remark = REMARK.exec(text)?.[1];
  const command = text.replace(REMARK, "");
  return [make("code", command), copyButton(command), remark && make("span.note", remark)];
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
