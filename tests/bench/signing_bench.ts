import { AccessToken } from "livekit-server-sdk";
import { Secret } from "../../lib/secret.ts";
import { createSigner } from "../../lib/signing/hs256.ts";
import { createJoinTokenIssuer } from "../../lib/signing/join_token.ts";
import { hashedIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import { clock, USER_ID } from "./fixtures.ts";

const SECRET = "a-secret-of-thirty-two-characters!";
const room = liveKitRoom("!room:example.org", "m.call#ROOM");
const identity = hashedIdentity(USER_ID, "DEVICE", "member");
const issue = createJoinTokenIssuer({
  apiKey: "devkey",
  sign: createSigner(new Secret(SECRET)),
  ttlSeconds: 3600,
  canUpdateOwnMetadata: false,
  clock,
});

Deno.bench("join token", { group: "sign", baseline: true }, () => {
  issue({ room, identity, canPublish: true });
});

Deno.bench("join token of livekit-server-sdk", { group: "sign" }, async () => {
  const token = new AccessToken("devkey", SECRET, { identity, ttl: 3600 });
  token.addGrant({ room, roomJoin: true, canPublish: true, canSubscribe: true });
  await token.toJwt();
});

Deno.bench("names of room and participant", { group: "names" }, () => {
  liveKitRoom("!room:example.org", "m.call#ROOM");
  hashedIdentity(USER_ID, "DEVICE", "member");
});
