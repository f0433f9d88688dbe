/** Questions to servers whose answers are to be looked at, however wrong they are. */

import { isIP } from "node:net";
import type { Clock } from "../clock.ts";
import { type Hop, UpstreamError } from "../matrix/errors.ts";
import type { HttpClient } from "../net/http_client.ts";
import { createTarget, endpointOfUrl } from "../net/target.ts";

/** What is asked. */
export interface ProbeRequest {
  /** `GET` unless told. */
  readonly method?: "GET" | "POST" | "OPTIONS";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** 5 s unless told, connecting included. */
  readonly timeoutMs?: number;
  /** Connects to this address; the URL's host stays whom it speaks to. */
  readonly address?: string;
  /**
   * Whether the operator named the host, so that it may be on a private address; that is so
   * unless told. What other servers' files name is asked with `false`.
   */
  readonly mayBePrivate?: boolean;
}

/** A complete answer. A redirect is one too: nothing is followed. */
export interface Answer {
  readonly answered: true;
  readonly status: number;
  /** Every line of a header, by its name in lower case; none where it is missing. */
  header(name: string): readonly string[];
  /** The media type without parameters, in lower case; empty where there is none. */
  readonly contentType: string;
  readonly text: string;
  /** Absent where the body is no JSON. */
  readonly json?: unknown;
  /** How long it took, in milliseconds, connecting included. */
  readonly ms: number;
  /** Time of day when it came, in milliseconds since the epoch. */
  readonly receivedAt: number;
}

/** None, and at which hop it ended. */
export interface NoAnswer {
  readonly answered: false;
  readonly hop: Hop;
  /** For people; names the target. */
  readonly message: string;
}

/** What came of a question. */
export type Exchange = Answer | NoAnswer;

/** Asks; what the network or a server does wrong is a result, not an error. */
export type Probe = (url: string, request?: ProbeRequest) => Promise<Exchange>;

const TIMEOUT_MS = 5_000;
const MAX_BODY_BYTES = 256 * 1024;
const CONNECTIONS = 4;

/**
 * Makes the function that asks.
 *
 * @returns A function that throws {@linkcode TypeError} for text that is no http or https URL.
 */
export function createProbe(client: HttpClient, clock: Clock): Probe {
  return async (address, request = {}) => {
    const url = new URL(address);
    const startedAt = clock.monotonic();
    try {
      const response = await client.request(targetOf(url, request), {
        method: request.method ?? "GET",
        path: url.pathname + url.search,
        ...(request.headers && { headers: request.headers }),
        ...(request.body !== undefined && { body: request.body }),
        timeoutMs: request.timeoutMs ?? TIMEOUT_MS,
        maxBodyBytes: MAX_BODY_BYTES,
      });
      const text = new TextDecoder().decode(response.body);
      const header = (name: string) => [response.headers[name] ?? []].flat();
      return {
        answered: true,
        status: response.status,
        header,
        contentType: (header("content-type")[0] ?? "").split(";")[0]!.trim().toLowerCase(),
        text,
        ...parse(text),
        ms: clock.monotonic() - startedAt,
        receivedAt: clock.now(),
      };
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      return { answered: false, hop: error.hop, message: error.message };
    }
  };
}

function targetOf(url: URL, { address, mayBePrivate = true }: ProbeRequest) {
  const { host, port } = endpointOfUrl(url);
  if (!/^https?:$/.test(url.protocol) || (address !== undefined && isIP(address) === 0)) {
    throw new TypeError(`Cannot ask ${url.protocol}//${url.host} at ${address ?? "its address"}`);
  }
  return createTarget({
    protocol: url.protocol === "https:" ? "https" : "http",
    endpoints: [{ host: address ?? host, port }],
    tlsName: host,
    hostHeader: url.host,
    mayBePrivate,
    maxConnections: CONNECTIONS,
  });
}

function parse(text: string): { json?: unknown } {
  try {
    return { json: JSON.parse(text) };
  } catch {
    return {};
  }
}
