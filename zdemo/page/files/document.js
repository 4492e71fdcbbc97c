/** The second view: what the API answers, read from its OpenAPI document. */

import { readDocument } from "./api.js";
import { byId, make } from "./dom.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const CLIENT_ERROR = 400;
let isRead = false;

/** Read the document when the view is opened for the first time. */
export async function showDocument() {
  if (isRead) return;
  const routes = byId("api-routes");
  try {
    const document = await readDocument();
    const common = commonRefusals(document);
    routes.replaceChildren(...about(document), ...paths(document, common), everyRoute(common));
    isRead = true;
  } catch (error) {
    routes.replaceChildren(make("p", `The document cannot be read: ${error.message}`));
  }
}

function about({ info = {} }) {
  return [make("p.note", info.title, " ", info.version), make("p", ...prose(info.description))];
}

/** Return the refusals that each path has for some method, as status and description: they are shown once. */
function commonRefusals(document) {
  const [first = [], ...others] = Object.values(document.paths ?? {}).map((item) =>
    METHODS.filter((method) => item[method]).flatMap((method) => answersOf(document, item[method])),
  );
  const isEverywhere = (answer) => others.every((answers) => answers.some((other) => isSame(answer, other)));
  const found = first.filter((answer) => answer[0] >= CLIENT_ERROR && isEverywhere(answer));
  return found.filter((answer, index) => found.findIndex((other) => isSame(answer, other)) === index);
}

const isSame = (one, other) => one[0] === other[0] && one[1] === other[1];

function everyRoute(common) {
  return make("section.path", make("h3", "Any route can also answer"), answers(common));
}

function paths(document, common) {
  return Object.entries(document.paths ?? {}).map(([path, item]) =>
    make(
      "section.path",
      make("h3", make("code", path)),
      ...METHODS.filter((method) => item[method]).map((method) => operation(document, method, item[method], common)),
    ),
  );
}

function operation(document, method, described, common) {
  const security = described.security ?? document.security ?? [];
  const needed = neededBy(security);
  return make(
    "details",
    { open: true },
    make(
      "summary",
      make("code", method.toUpperCase()),
      " ",
      ...prose(described.summary),
      " ",
      needed && make("span.tag", needed),
    ),
    described.description && make("p.note", ...prose(described.description)),
    answers(answersOf(document, described).filter((answer) => !common.some((other) => isSame(answer, other)))),
  );
}

/** Return what a request needs. A way without a scheme is one without credentials: this machine's own programs. */
function neededBy(security) {
  if (!security.some((way) => Object.keys(way).length)) return "";
  const isOptional = security.some((way) => !Object.keys(way).length);
  return isOptional ? "needs a key or a program on this machine" : "needs a token";
}

/** Return what an operation answers: pairs of status and description. */
function answersOf(document, described) {
  return Object.entries(described.responses ?? {}).map(([status, response]) => [
    status,
    resolved(document, response).description,
  ]);
}

function answers(found) {
  const line = ([status, text]) => make("div", make("dt", status), make("dd", ...prose(text)));
  return make("dl.answers", ...found.map(line));
}

/** Return text with what stands between backticks as code; the rest of its Markdown is left as it is. */
function prose(text = "") {
  return text.split("`").map((part, index) => (index % 2 ? make("code", part) : part));
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
