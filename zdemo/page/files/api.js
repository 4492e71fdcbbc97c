/** What the page asks of the server that it came from. */

import { secret } from "./secret.js";

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

/** @param {Record<string, any>} request @returns {Promise<any>} */
export const send = (request) => posted("/-/send", request);

/** @param {Record<string, any>} change @returns {Promise<any>} */
export const change = (change) => posted("/-/change", change);

let lastId = "";

/**
 * Read the feed until it ends, which is an ApiError too. EventSource would do this, but cannot send the secret.
 * @param {EventTarget} target gets the events
 */
export async function readFeed(target) {
  const response = await requested("/-/feed", { headers: { "Last-Event-ID": lastId } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read().catch(() => ({ done: true }));
    if (done) throw gone();
    const frames = (text + value).split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const { id, event, data } = Object.fromEntries(frame.split("\n").map((line) => line.split(/: (.*)/)));
      if (id) lastId = id;
      if (event) target.dispatchEvent(new MessageEvent(event, { data }));
    }
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
  const response = await requested(address, options);
  try {
    return await response.json();
  } catch {
    throw new ApiError("refused", `the answer of ${address} is not JSON`);
  }
}

async function requested(address, options) {
  const headers = { ...options.headers, "X-Zdemo-Secret": secret() };
  let response;
  try {
    response = await fetch(address, { cache: "no-store", ...options, headers });
  } catch {
    throw gone();
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

function gone() {
  return new ApiError("gone", "the API does not answer", "zdemo serve --emulator");
}

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const code = body.error ?? "";
  // only the page's own key is checked below /-/, so a 401 there is about it and not about a token
  const kind = response.status === 401 || response.status === 403 ? "key" : "refused";
  return new ApiError(kind, body.error_description || code || `status ${response.status}`, body.hint ?? "", code);
}
