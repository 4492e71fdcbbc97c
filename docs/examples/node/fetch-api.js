// An API without dependencies. It asks ZITADEL about each token (RFC 7662).
import { createServer } from "node:http";

const { ZITADEL_DOMAIN, CLIENT_ID, CLIENT_SECRET, ZITADEL_PROJECT_ID } = process.env;
const ROLES = `urn:zitadel:iam:org:project:${ZITADEL_PROJECT_ID}:roles`;

async function introspect(token) {
  const credentials = [CLIENT_ID, CLIENT_SECRET].map(encodeURIComponent).join(":"); // RFC 6749 section 2.3.1
  const answer = await fetch(`${ZITADEL_DOMAIN}/oauth/v2/introspect`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` },
    body: new URLSearchParams({ token }),
    redirect: "error",
    signal: AbortSignal.timeout(5000),
  });
  if (!answer.ok) throw new Error(`ZITADEL answered ${answer.status}`);
  return answer.json();
}

// Return the status for a request: 200, or why it is refused.
async function admit(authorization, role) {
  const token = /^bearer +([\w.~+/-]+=*)$/i.exec(authorization ?? "")?.[1];
  if (!token) return 401;
  try {
    const claims = await introspect(token);
    if (claims.active !== true || ![claims.aud].flat().includes(ZITADEL_PROJECT_ID)) return 401;
    return Object.keys(claims[ROLES]?.[role] ?? {}).length > 0 ? 200 : 403; // organizations that grant the role
  } catch (error) {
    console.error(error.message);
    return 503; // the token was not checked, so nobody knows whether it is good
  }
}

export const api = createServer(async (request, response) => {
  const status = await admit(request.headers.authorization, "read:messages");
  if (status === 401) response.setHeader("www-authenticate", "Bearer");
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(status === 200 ? { messages: [] } : { error: status }));
});
