/** Making and finding elements. Text from the server becomes text nodes only, never markup. */

// Control characters, and those that are invisible or change the direction of text: a name must not look like another.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Return text with its unseen characters written out, as in the API's log. @param {unknown} text */
export function printable(text) {
  return String(text).replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Return the element with this ID.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Return a new element. Properties are set on the object; names with a dash, and role, become attributes.
 * @param {string} name for example "button.small"
 * @param {...any} children after the properties, if the first is an object: nodes, texts, numbers, or nothing
 */
export function make(name, ...children) {
  const hasProperties = children[0] && typeof children[0] === "object" && !(children[0] instanceof Node);
  const properties = hasProperties ? children.shift() : {};
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.includes("-") || key === "role") element.setAttribute(key, String(value));
    else element[key] = value;
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false)
      element.append(child instanceof Node ? child : printable(child));
  }
  return element;
}

/** Return text that only screen readers get. @param {string} text */
export function spoken(text) {
  return make("span.hidden", text);
}

/** Set the text of an element if it differs: a write without a change would still be laid out and announced. */
export function setText(element, text) {
  const shown = printable(text);
  if (element.textContent !== shown) element.textContent = shown;
}

/**
 * Ask in a dialog, which Escape closes, and return whether the person agreed.
 * @param {string} title
 * @param {string} text
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
export function confirmed(title, text, yes) {
  const dialog = byId("confirm");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
