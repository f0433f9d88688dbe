// Two homeservers and an SFU over HTTPS for load runs, in a process of their own: cheap enough not
// to be what is measured. They know every token and refuse nothing. The SFU has rooms and
// participants and sends webhooks, the homeserver keeps delayed events; the users who need that
// live here as well (load_users.ts).
//
// Writes one line of JSON when it listens (StandInsReady), takes orders on a control port
// (stand_ins_process.ts), and ends when its standard input does.

import { createTestCa } from "../../tests/support/test_ca.ts";
import { type DelayedEventsTally, userOfDelayId } from "./delayed_events.ts";
import { LoadUsers, type LoadUsersOptions } from "./load_users.ts";
import { SfuRooms } from "./sfu_rooms.ts";

/** What the process says once it listens. */
export interface StandInsReady {
  /** PEM of the CA that the servers' certificates come from. */
  ca: string;
  /** Server name of the homeserver that gets full access, `localhost:PORT`. */
  fullAccessServer: string;
  /** Where its client API answers. */
  homeserverUrl: string;
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
  /** Other calls of the RoomService, by method. */
  sfuCalls: Record<string, number>;
  /** Calls for delayed events, the failed ones among them. */
  delayedEventRequests: number;
  /** What has become of the users' delayed events; zeros without users. */
  events: DelayedEventsTally | undefined;
}

/** How long the servers take, and how often they fail; zero at the start. */
export interface StandInsDelays {
  homeserverDelayMs: number;
  sfuDelayMs: number;
  /** Share of calls for delayed events that are answered 503. */
  failing?: number;
}

const HEADERS = { "content-type": "application/json" };

/** Turns a token into a user: `u00000042` belongs to `@u00000042:` and the server's name. */
const TOKEN_QUERY = "?access_token=";
/** The ID and what to do with the event follow. */
const DELAYED_EVENTS = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/";

if (import.meta.main) await main();

async function main(): Promise<void> {
  const ca = await createTestCa();
  const tls = await ca.issue(["localhost", "127.0.0.1"]);
  const delays = { homeserverDelayMs: 0, sfuDelayMs: 0, failing: 0 };
  const homeserverConnections = new Set<string>();
  const sfuConnections = new Set<string>();
  let userinfoRequests = 0;
  let createRoomCalls = 0;
  let delayedEventRequests = 0;
  const sfuCalls: Record<string, number> = {};
  const rooms = new SfuRooms();
  const now = () => performance.now();
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  let users: LoadUsers | undefined;

  const answerDelayedEvent = (path: string): Response => {
    const [id = "", action] = path.split("/");
    const user = userOfDelayId(id);
    if (Math.random() < delays.failing) return new Response("busy", { status: 503 });
    const done = action === "restart"
      ? users?.events.restart(user, now())
      : action === "send" && users?.events.send(user, now());
    return done ? new Response("{}", { headers: HEADERS }) : Response.json({
      errcode: action === "restart" || action === "send" ? "M_NOT_FOUND" : "M_UNRECOGNIZED",
      error: "No such event",
    }, { status: 404 });
  };

  const startHomeserver = (number: number) => {
    const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(
      { hostname: "127.0.0.1", port: 0, ...tls, onListen() {} },
      (request, { remoteAddr }) => {
        homeserverConnections.add(`${number}:${remoteAddr.port}`);
        const eventsAt = request.url.indexOf(DELAYED_EVENTS);
        if (eventsAt !== -1) {
          delayedEventRequests++;
          const path = request.url.slice(eventsAt + DELAYED_EVENTS.length);
          // A slow homeserver acts late, too: the delay comes first.
          return after(delays.homeserverDelayMs, () => answerDelayedEvent(path));
        }
        userinfoRequests++;
        const at = request.url.indexOf(TOKEN_QUERY);
        if (at === -1) return Response.json({ errcode: "M_MISSING_TOKEN" }, { status: 401 });
        const token = request.url.slice(at + TOKEN_QUERY.length);
        const body = `{"sub":"@${token}:localhost:${server.addr.port}"}`;
        return after(delays.homeserverDelayMs, () => new Response(body, { headers: HEADERS }));
      },
    );
    return server;
  };
  const homeservers = [startHomeserver(0), startHomeserver(1)] as const;
  const sfu = Deno.serve(
    { hostname: "127.0.0.1", port: 0, ...tls, onListen() {} },
    async (request, { remoteAddr }) => {
      sfuConnections.add(`${remoteAddr.port}`);
      const method = request.url.slice(request.url.lastIndexOf("/") + 1);
      if (method === "CreateRoom") createRoomCalls++;
      else sfuCalls[method] = (sfuCalls[method] ?? 0) + 1;
      const type = request.headers.get("content-type");
      const { status, contentType, body } = rooms.answer(method, await request.bytes(), type);
      const headers = { "content-type": contentType };
      return after(delays.sfuDelayMs, () => new Response(body, { status, headers }));
    },
  );
  const control = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/delays") {
        Object.assign(delays, await request.json());
        return new Response();
      }
      if (pathname === "/users") {
        const options: LoadUsersOptions = await request.json();
        users = new LoadUsers(options, { rooms, now, sleep });
        return new Response();
      }
      if (pathname === "/join" || pathname === "/leave") {
        if (users === undefined) return new Response("There are no users", { status: 400 });
        const phase = await request.json();
        try {
          const report = pathname === "/join" ? users.join(phase) : users.leave(phase);
          return Response.json(await report);
        } catch (error) {
          return new Response(Deno.inspect(error), { status: 500 });
        }
      }
      const stats: StandInsStats = {
        homeserverHandshakes: homeserverConnections.size,
        sfuHandshakes: sfuConnections.size,
        userinfoRequests,
        createRoomCalls,
        sfuCalls,
        delayedEventRequests,
        events: users?.events.tally(now()),
      };
      return Response.json(stats);
    },
  );
  const ready: StandInsReady = {
    ca: ca.pem,
    fullAccessServer: `localhost:${homeservers[0].addr.port}`,
    homeserverUrl: `https://localhost:${homeservers[0].addr.port}`,
    restrictedServer: `localhost:${homeservers[1].addr.port}`,
    sfuUrl: `https://127.0.0.1:${sfu.addr.port}`,
    controlUrl: `http://127.0.0.1:${control.addr.port}`,
  };
  console.log(JSON.stringify(ready));

  for await (const _ of Deno.stdin.readable); // until whoever started this ends
  Deno.exit(0);
}

function after(delayMs: number, answer: () => Response): Response | Promise<Response> {
  if (delayMs === 0) return answer();
  return new Promise((resolve) => setTimeout(() => resolve(answer()), delayMs));
}
