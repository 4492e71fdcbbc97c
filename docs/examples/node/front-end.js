// A front end for the browser, and its API behind the same address.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

import { api } from "./fetch-api.js";

const { ZITADEL_DOMAIN, ZDEMO_APP_CLIENT_ID } = process.env;
const file = (path) => readFile(new URL(path, import.meta.url));
const page = ["text/html", await file("front-end.html")];
const library = ["text/javascript", await file("node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js")];
const settings = ["application/json", JSON.stringify({ authority: ZITADEL_DOMAIN, client_id: ZDEMO_APP_CLIENT_ID })];
const files = {
  "/": page,
  "/callback": page,
  "/silent-renew": page,
  "/oidc-client-ts.min.js": library,
  "/settings.json": settings,
};

export const frontEnd = createServer((request, response) => {
  const [type, content] = files[new URL(request.url, "http://localhost").pathname] ?? [];
  if (!content) return api.emit("request", request, response);
  response.writeHead(200, { "content-type": type }).end(content);
});
