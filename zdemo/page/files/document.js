/** The second view: what the API answers, read from its OpenAPI document. */

import { readDocument } from "./api.js";
import { byId, make } from "./dom.js";

const METHODS = ["get", "head", "post", "put", "patch", "delete", "options"];
const DERIVED = ["head", "options"]; // Flask adds them to each route: closed at first
let isRead = false;

/** Read the document when the view is opened for the first time. */
export async function showDocument() {
  if (isRead) return;
  const routes = byId("api-routes");
  try {
    const document = await readDocument();
    routes.replaceChildren(...about(document), ...paths(document));
    isRead = true;
  } catch (error) {
    routes.replaceChildren(make("p", {}, `The document cannot be read: ${error.message}`));
  }
}

function about({ info = {} }) {
  return [make("p.note", {}, info.title, " ", info.version), make("p", {}, ...prose(info.description))];
}

function paths(document) {
  return Object.entries(document.paths ?? {}).map(([path, item]) =>
    make(
      "section.path",
      {},
      make("h3", {}, make("code", {}, path)),
      ...METHODS.filter((method) => item[method]).map((method) => operation(document, method, item[method])),
    ),
  );
}

function operation(document, method, described) {
  const security = described.security ?? document.security ?? [];
  const needed = neededBy(security);
  return make(
    "details",
    { open: !DERIVED.includes(method) },
    make(
      "summary",
      {},
      make("code", {}, method.toUpperCase()),
      " ",
      ...prose(described.summary),
      " ",
      needed && make("span.tag", {}, needed),
    ),
    described.description && make("p.note", {}, ...prose(described.description)),
    answers(document, described.responses ?? {}),
  );
}

/** Return what a request needs. A way without a scheme is one without credentials: this machine's own programs. */
function neededBy(security) {
  if (!security.some((way) => Object.keys(way).length)) return "";
  const isOptional = security.some((way) => !Object.keys(way).length);
  return isOptional ? "needs a key or a program on this machine" : "needs a token";
}

function answers(document, responses) {
  return make(
    "dl.answers",
    {},
    ...Object.entries(responses).map(([status, response]) =>
      make("div", {}, make("dt", {}, status), make("dd", {}, ...prose(resolved(document, response).description))),
    ),
  );
}

/** Return text with what stands between backticks as code; the rest of its Markdown is left as it is. */
function prose(text = "") {
  return text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

/** Follow a reference within the document. */
function resolved(document, part) {
  if (typeof part?.$ref !== "string") return part ?? {};
  return (
    part.$ref
      .replace(/^#\//, "")
      .split("/")
      .reduce((found, name) => found?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], document) ?? {}
  );
}
