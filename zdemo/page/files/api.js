/** What the page asks of the server that it came from. */

/** An answer that is not what was asked for. `kind` is "gone", "key" or "refused". */
export class ApiError extends Error {
  constructor(kind, message, hint = "", code = "") {
    super(message);
    this.kind = kind;
    this.hint = hint;
    this.code = code;
  }
}

/** @returns {Promise<any>} */
export const readState = () => asked("/-/state");

/** @returns {Promise<any>} */
export const readDocument = () => asked("/-/openapi.json");

/** @param {Record<string, any>} request @returns {Promise<any>} */
export const send = (request) => posted("/-/send", request);

/** @param {Record<string, any>} change @returns {Promise<any>} */
export const change = (change) => posted("/-/change", change);

/** Return why the feed does not open, or null if it would. EventSource does not tell. */
export async function feedRefusal() {
  const stop = new AbortController();
  try {
    const response = await fetch("/-/feed", { signal: stop.signal, cache: "no-store" });
    return response.ok ? null : await refusal(response);
  } catch {
    return gone();
  } finally {
    stop.abort();
  }
}

function posted(address, body) {
  return asked(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

async function asked(address, options = {}) {
  let response;
  try {
    response = await fetch(address, { cache: "no-store", ...options });
  } catch {
    throw gone();
  }
  if (!response.ok) throw await refusal(response);
  try {
    return await response.json();
  } catch {
    throw new ApiError("refused", `the answer of ${address} is not JSON`);
  }
}

function gone() {
  return new ApiError("gone", "the API does not answer", "zdemo serve --emulator");
}

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const code = body.error ?? "";
  // only the page's own key is checked below /-/, so a 401 there is about it and not about a token
  const kind = response.status === 401 || response.status === 403 ? "key" : "refused";
  return new ApiError(kind, body.error_description ?? code ?? `status ${response.status}`, body.hint ?? "", code);
}
