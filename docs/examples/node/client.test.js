import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { timestampFromMs } from "@zitadel/client";
import { createServerTransport } from "@zitadel/client/node";
import { createManagementServiceClient } from "@zitadel/client/v1";
import { createUserServiceClient } from "@zitadel/client/v2";

import { api } from "./fetch-api.js";

const { ZITADEL_DOMAIN, ZITADEL_ADMIN_PAT, ZITADEL_PROJECT_ID: projectId } = process.env;
const transport = createServerTransport(ZITADEL_ADMIN_PAT, { baseUrl: ZITADEL_DOMAIN });
const users = createUserServiceClient(transport);
const management = createManagementServiceClient(transport); // API v1

async function status(token) {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`http://127.0.0.1:${api.address().port}/messages`, { headers })).status;
}

before(() => new Promise((resolve) => api.listen(0, "127.0.0.1", resolve)));
after(() => api.close());

test("a new user passes with the role only", async () => {
  const { org } = await management.getMyOrg({});
  const machine = { case: "machine", value: { name: "Robot" } };
  const { id: userId } = await users.createUser({ organizationId: org.id, userType: machine });
  const expirationDate = timestampFromMs(Date.now() + 3_600_000);
  const { token } = await users.addPersonalAccessToken({ userId, expirationDate });
  assert.equal(await status(token), 403);

  await management.addUserGrant({ userId, projectId, roleKeys: ["read:messages"] });
  assert.equal(await status(token), 200);

  await users.deleteUser({ userId });
  assert.equal(await status(token), 401);
  await assert.rejects(users.getUserByID({ userId }), { code: 5 }); // NotFound
});
