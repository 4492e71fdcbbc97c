/** The second view: what the API answers, read from its OpenAPI document. */

import { readDocument } from "./api.js";
import { byId, make } from "./dom.js";

const METHODS = ["get", "head", "post", "put", "patch", "delete", "options"];
let isRead = false;

/** Read the document when the view is opened for the first time. */
export async function showDocument() {
  if (isRead) return;
  const routes = byId("api-routes");
  try {
    const document = await readDocument();
    routes.replaceChildren(...about(document), ...operations(document));
    isRead = true;
  } catch (error) {
    routes.replaceChildren(make("p", {}, `The document cannot be read: ${error.message}`));
  }
}

function about({ info = {} }) {
  return [make("p.note", {}, [info.title, info.version].filter(Boolean).join(" ")), info.description && make("p", {}, info.description)].filter(Boolean);
}

function operations(document) {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => operation(document, method, path, item[method])));
}

function operation(document, method, path, described) {
  const security = described.security ?? document.security ?? [];
  const needsToken = security.some((way) => Object.keys(way).length);
  return make(
    "section.operation",
    {},
    make("h3", {}, make("code", {}, `${method.toUpperCase()} ${path}`), make("span.tag", {}, needsToken ? "needs a token" : "open to all")),
    described.summary && make("p", {}, described.summary),
    described.description && make("p.note", {}, described.description),
    answers(document, described.responses ?? {}),
  );
}

function answers(document, responses) {
  return make("dl.answers", {}, ...Object.entries(responses).map(([status, response]) =>
    make("div", {}, make("dt", {}, status), make("dd", {}, resolved(document, response).description ?? ""))));
}

/** Follow a reference within the document. */
function resolved(document, part) {
  if (typeof part?.$ref !== "string") return part ?? {};
  return part.$ref.replace(/^#\//, "").split("/").reduce((found, name) => found?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], document) ?? {};
}
