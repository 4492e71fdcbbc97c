/** The secret that proves the key: other servers on this machine get the cookie of this page, but never this. */

const NAME = "zdemo.secret";

const given = /^#secret=(\w+)$/.exec(location.hash)?.[1] ?? "";

if (given) {
  history.replaceState(null, "", location.pathname);
  try {
    localStorage.setItem(NAME, given);
  } catch {
    // then it lasts as long as this page
  }
}

/** Return the secret, or "". One that was given to another page of this browser may be newer. */
export function secret() {
  try {
    return localStorage.getItem(NAME) ?? given;
  } catch {
    return given;
  }
}
