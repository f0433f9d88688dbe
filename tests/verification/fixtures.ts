/** What the tests of verification share. */

import type { Clock } from "../../lib/clock.ts";
import { UpstreamError } from "../../lib/matrix/errors.ts";
import type { HttpClient, HttpResponse, HttpTarget } from "../../lib/net/http_client.ts";
import {
  createServerResolver,
  type ServerResolver,
  type ServerResolverOptions,
} from "../../lib/verification/resolve_server.ts";
import type { SrvRecord } from "../../lib/verification/srv.ts";
import { createManualClock, type ManualClock } from "../support/manual_clock.ts";

/** One call that a {@linkcode FakeClient} saw. */
export interface Call {
  /** Host header and path, `example.org/.well-known/matrix/server`. */
  readonly what: string;
  readonly target: HttpTarget;
  readonly timeoutMs: number;
}

/** What a fake client answers: a body alone means status 200. */
export interface Answer {
  readonly status?: number;
  readonly headers?: HttpResponse["headers"];
  readonly body?: string;
}

/** An HTTP client without a network. */
export interface FakeClient extends HttpClient {
  readonly calls: Call[];
}

/** Makes a client that answers by a function; `undefined` refuses the connection. */
export function createFakeClient(
  answer: (what: string, call: Call) => Answer | undefined | Promise<Answer | undefined>,
): FakeClient {
  const calls: Call[] = [];
  return {
    calls,
    async request(target, { path, timeoutMs }) {
      const call = { what: target.hostHeader + path, target, timeoutMs };
      calls.push(call);
      const given = await answer(call.what, call);
      if (given === undefined) throw new UpstreamError("tcp", `${target.hostHeader} refuses`);
      const { status = 200, headers = {}, body = "" } = given;
      return { status, headers, body: new TextEncoder().encode(body) };
    },
    close: () => Promise.resolve(),
  };
}

/** The answer of a well-known file. */
export function delegation(to: unknown, headers: HttpResponse["headers"] = {}): Answer {
  return { body: JSON.stringify({ "m.server": to }), headers };
}

/** Where {@linkcode createWorld} delegates a name to: its well-known, its SRV records. */
export interface WorldOptions extends Partial<ServerResolverOptions> {
  /** By URL without scheme. */
  readonly web?: Record<string, Answer>;
  /** By name; an error is thrown. */
  readonly srv?: Record<string, readonly SrvRecord[] | Error>;
  readonly clock?: Clock & ManualClock;
}

/** A resolver over a web and a DNS made of tables, which a test may change. */
export interface World {
  readonly resolver: ServerResolver;
  readonly client: FakeClient;
  readonly clock: ManualClock;
  readonly web: Record<string, Answer>;
  readonly srv: Record<string, readonly SrvRecord[] | Error>;
  /** Names whose SRV records were asked for. */
  readonly srvAsked: string[];
  /** Endpoints, TLS name and Host that a name leads to. */
  where(serverName: string): Promise<string>;
}

/** Makes the world. */
export function createWorld(options: WorldOptions = {}): World {
  const { web = {}, srv = {}, clock = createManualClock() } = options;
  const client = createFakeClient((what) => web[what]);
  const srvAsked: string[] = [];
  const resolver = createServerResolver({
    client,
    clock,
    lookupSrv(name) {
      srvAsked.push(name);
      const records = srv[name] ?? [];
      return records instanceof Error ? Promise.reject(records) : Promise.resolve(records);
    },
    overrides: new Map(),
    isOwn: () => false,
    maxConnections: () => 4,
    random: () => 0.5,
    ...options,
  });
  return {
    resolver,
    client,
    clock,
    web,
    srv,
    srvAsked,
    where: async (serverName) => describeTarget((await resolver.resolve(serverName)).target),
  };
}

/** Writes a target on one line: where to connect, as whom. */
export function describeTarget({ endpoints, tlsName, hostHeader }: HttpTarget): string {
  const places = endpoints.map(({ host, port }) => `${host} ${port}`).join(", ");
  return `${places} | tls ${tlsName} | host ${hostHeader}`;
}

/** A record with what tests rarely care for filled in. */
export function srvRecord(target: string, port: number, priority = 0, weight = 0): SrvRecord {
  return { target, port, priority, weight };
}
