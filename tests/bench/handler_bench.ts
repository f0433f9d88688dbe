import { WorkLimit } from "../../lib/http/work_limit.ts";
import { createHandler } from "../../lib/http/handler.ts";
import { createTokenEndpoint } from "../../lib/http/token_endpoint.ts";
import { parseGetTokenRequest } from "../../lib/matrix/wire.ts";
import { targetOfUrl } from "../../lib/net/target.ts";
import { createLogger } from "../../lib/observability/logger.ts";
import { createPseudonym } from "../../lib/observability/pseudonym.ts";
import { Secret } from "../../lib/secret.ts";
import { createRooms } from "../../lib/sfu/rooms.ts";
import { createTwirp } from "../../lib/sfu/twirp.ts";
import { createSigner } from "../../lib/signing/hs256.ts";
import { createJoinTokenIssuer } from "../../lib/signing/join_token.ts";
import { createServiceTokens } from "../../lib/signing/service_token.ts";
import { getToken } from "../../lib/usecases/get_token.ts";
import { createOpenIdVerifier } from "../../lib/verification/openid.ts";
import { createServerResolver } from "../../lib/verification/resolve_server.ts";
import { ServerGates } from "../../lib/verification/server_gate.ts";
import { UnreachableServers } from "../../lib/verification/unreachable_servers.ts";
import { client, clock, GET_TOKEN_BODY } from "./fixtures.ts";

// Everything between a Request and its Response but the network: wired as in lib/service.ts, with
// homeserver and SFU answered from memory and the log written nowhere.
const { log } = await createLogger({
  level: "info",
  format: "text",
  clock,
  write: () => Promise.resolve(),
});
const verify = createOpenIdVerifier({
  client,
  clock,
  resolver: createServerResolver({
    client,
    clock,
    lookupSrv: () => Promise.resolve([]),
    overrides: new Map(),
    isOwn: () => true,
    maxConnections: () => 256,
    random: Math.random,
  }),
  gates: new ServerGates(clock),
  limits: () => ({ maxInFlight: 256, maxInWork: 512 }),
  unreachable: new UnreachableServers(clock),
  isAdmitted: () => true,
  isOwn: () => true,
});
const sign = createSigner(new Secret("a-secret-of-thirty-two-characters!"));
const rooms = createRooms(
  createTwirp({
    client,
    ...targetOfUrl("http://127.0.0.1:7880", 64),
    serviceToken: createServiceTokens({ apiKey: "devkey", sign, clock }),
  }),
  clock,
);

function createExchange(access: "full" | "restricted") {
  const handle = createHandler({
    log,
    nextRequestId: () => "bench0",
    routes: {
      "/get_token": {
        limit: new WorkLimit(32),
        POST: createTokenEndpoint({
          log,
          clock,
          pseudonym: createPseudonym("hashed"),
          parse: parseGetTokenRequest,
          exchange: (body, deadline) =>
            getToken(body, deadline, {
              sfuUrl: "wss://sfu.example.org",
              verify,
              hasFullAccess: () => access === "full",
              issueJoinToken: createJoinTokenIssuer({
                apiKey: "devkey",
                sign,
                ttlSeconds: 3600,
                canUpdateOwnMetadata: false,
                clock,
              }),
              ensureRoom: (room) => rooms.ensure(room),
              delegation: {
                isPossible: () => false,
                isOpenTo: () => false,
                resolveClientApi: () => Promise.resolve(),
                delegate: () => Promise.resolve(),
              },
              now: clock.monotonic,
            }),
        }),
      },
    },
  });
  return async () => {
    const response = await handle(createRequest());
    if (response.status !== 200) throw new Error(await response.text());
  };
}

function createRequest(): Request {
  return new Request("http://127.0.0.1:8080/get_token", {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": `${GET_TOKEN_BODY.length}` },
    body: GET_TOKEN_BODY,
  });
}

// What a benchmark pays for requests that come from no socket; Deno.serve makes them for less.
Deno.bench("request and response alone", { group: "POST /get_token", baseline: true }, async () => {
  const body = await createRequest().bytes();
  new Response(`{"length":${body.length}}`, { headers: { "content-type": "application/json" } });
});
Deno.bench("restricted user", { group: "POST /get_token" }, createExchange("restricted"));
Deno.bench("full-access user", { group: "POST /get_token" }, createExchange("full"));
