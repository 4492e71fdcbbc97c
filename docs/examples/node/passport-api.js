// The same API with Express and ZITADEL's strategy for Passport.
import express from "express";
import passport from "passport";
import { ZitadelIntrospectionStrategy } from "passport-zitadel";

const { ZITADEL_DOMAIN, CLIENT_ID, CLIENT_SECRET, ZITADEL_PROJECT_ID } = process.env;
const ROLES = `urn:zitadel:iam:org:project:${ZITADEL_PROJECT_ID}:roles`;

passport.use(
  new ZitadelIntrospectionStrategy({
    authority: ZITADEL_DOMAIN,
    authorization: { type: "basic", clientId: CLIENT_ID, clientSecret: CLIENT_SECRET },
  }),
);

function requireRole(role) {
  return (request, response, next) =>
    Object.keys(request.user[ROLES]?.[role] ?? {}).length > 0 ? next() : response.status(403).json({ error: 403 });
}

export const api = express();
api.use(passport.authenticate("zitadel-introspection", { session: false }));
api.get("/messages", requireRole("read:messages"), (request, response) => response.json({ messages: [] }));
