// Two homeservers and an SFU over HTTPS for load runs, in a process of their own: cheap enough not
// to be what is measured. They know every token and refuse nothing.
//
// Writes one line of JSON when it listens (StandInsReady), answers `GET /stats` and `PUT /delays`
// on a control port, and ends when its standard input does.

import { createTestCa } from "../../tests/support/test_ca.ts";

/** What the process says once it listens. */
export interface StandInsReady {
  /** PEM of the CA that the servers' certificates come from. */
  ca: string;
  /** Server name of the homeserver that gets full access, `localhost:PORT`. */
  fullAccessServer: string;
  /** Server name of another one. */
  restrictedServer: string;
  /** Where the SFU's API answers. */
  sfuUrl: string;
  /** Where statistics and delays are. */
  controlUrl: string;
}

/** What the servers have counted since they started. */
export interface StandInsStats {
  /** TLS handshakes of both homeservers: connections on which a request came. */
  homeserverHandshakes: number;
  /** The same of the SFU. */
  sfuHandshakes: number;
  /** Userinfo requests. */
  userinfoRequests: number;
  /** CreateRoom calls. */
  createRoomCalls: number;
}

/** How long the servers take; zero at the start. */
export interface StandInsDelays {
  homeserverDelayMs: number;
  sfuDelayMs: number;
}

const HEADERS = { "content-type": "application/json" };

/** Turns a token into a user: `u00000042` belongs to `@u00000042:` and the server's name. */
const TOKEN_QUERY = "?access_token=";

if (import.meta.main) await main();

async function main(): Promise<void> {
  const ca = await createTestCa();
  const tls = await ca.issue(["localhost", "127.0.0.1"]);
  const delays: StandInsDelays = { homeserverDelayMs: 0, sfuDelayMs: 0 };
  const homeserverConnections = new Set<string>();
  const sfuConnections = new Set<string>();
  let userinfoRequests = 0;
  let createRoomCalls = 0;

  const startHomeserver = (number: number) => {
    const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(
      { hostname: "127.0.0.1", port: 0, ...tls, onListen() {} },
      (request, { remoteAddr }) => {
        homeserverConnections.add(`${number}:${remoteAddr.port}`);
        userinfoRequests++;
        const at = request.url.indexOf(TOKEN_QUERY);
        if (at === -1) return Response.json({ errcode: "M_MISSING_TOKEN" }, { status: 401 });
        const token = request.url.slice(at + TOKEN_QUERY.length);
        const body = `{"sub":"@${token}:localhost:${server.addr.port}"}`;
        return answer(body, delays.homeserverDelayMs);
      },
    );
    return server;
  };
  const homeservers = [startHomeserver(0), startHomeserver(1)] as const;
  const sfu = Deno.serve(
    { hostname: "127.0.0.1", port: 0, ...tls, onListen() {} },
    async (request, { remoteAddr }) => {
      sfuConnections.add(`${remoteAddr.port}`);
      if (!request.url.endsWith("/CreateRoom")) return answer("{}", delays.sfuDelayMs);
      createRoomCalls++;
      const { name } = await request.json();
      return answer(
        `{"sid":"RM_000000000000","name":"${name}","empty_timeout":300,"departure_timeout":20,` +
          `"max_participants":0,"creation_time":"1795516265","enabled_codecs":[],"metadata":"",` +
          `"num_participants":0,"num_publishers":0,"active_recording":false,"version":null}`,
        delays.sfuDelayMs,
      );
    },
  );
  const control = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      if (request.method === "PUT") {
        Object.assign(delays, await request.json());
        return new Response();
      }
      const stats: StandInsStats = {
        homeserverHandshakes: homeserverConnections.size,
        sfuHandshakes: sfuConnections.size,
        userinfoRequests,
        createRoomCalls,
      };
      return Response.json(stats);
    },
  );
  const ready: StandInsReady = {
    ca: ca.pem,
    fullAccessServer: `localhost:${homeservers[0].addr.port}`,
    restrictedServer: `localhost:${homeservers[1].addr.port}`,
    sfuUrl: `https://127.0.0.1:${sfu.addr.port}`,
    controlUrl: `http://127.0.0.1:${control.addr.port}`,
  };
  console.log(JSON.stringify(ready));

  for await (const _ of Deno.stdin.readable); // until whoever started this ends
  Deno.exit(0);
}

function answer(body: string, delayMs: number): Response | Promise<Response> {
  if (delayMs === 0) return new Response(body, { headers: HEADERS });
  return new Promise((resolve) =>
    setTimeout(() => resolve(new Response(body, { headers: HEADERS })), delayMs)
  );
}
