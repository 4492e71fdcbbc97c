/** What is chosen in the forms, kept over a reload of this tab. Never a token, and of a path nothing after its "?". */

const PREFIX = "zdemo.";

/** Return what was kept under a name, or "". @param {string} name */
export function remembered(name) {
  try {
    return sessionStorage.getItem(PREFIX + name) ?? "";
  } catch {
    return ""; // a browser may refuse to keep anything
  }
}

/** Keep the value of a control whenever it changes. @param {any} control */
export function remember(control) {
  control.addEventListener("change", () => {
    const value = control.type === "checkbox" ? String(control.checked) : control.value.split("?")[0];
    try {
      sessionStorage.setItem(PREFIX + control.id, value);
    } catch {
      // then it is not kept
    }
  });
}
