import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";

import { api as fetchApi } from "./fetch-api.js";
import { api as passportApi } from "./passport-api.js";

const { PAT, ZDEMO_VISITOR_PAT } = process.env; // zdemo emulator sets them

for (const [name, api] of Object.entries({ fetch: fetchApi, "passport-zitadel": passportApi })) {
  describe(name, () => {
    const server = typeof api === "function" ? createServer(api) : api;
    const status = async (token) => {
      const headers = token ? { authorization: `Bearer ${token}` } : {};
      return (await fetch(`http://127.0.0.1:${server.address().port}/messages`, { headers })).status;
    };
    before(() => new Promise((resolve) => server.listen(0, "127.0.0.1", resolve)));
    after(() => server.close());

    test("a user with the role passes", async () => assert.equal(await status(PAT), 200));
    test("a user without the role is refused", async () => assert.equal(await status(ZDEMO_VISITOR_PAT), 403));
    test("an unknown token is refused", async () => assert.equal(await status("invented"), 401));
    test("a request without a token is refused", async () => assert.equal(await status(), 401));
  });
}
