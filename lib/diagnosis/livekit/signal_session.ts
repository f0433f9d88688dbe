/** A short stay on the SFU's signal connection: let in, told where media would go, and gone. */

import type { Clock } from "../../clock.ts";
import { UpstreamError } from "../../matrix/errors.ts";
import type { Connect } from "../../net/target_pool.ts";
import type { BaseTarget } from "../../net/target.ts";
import { type IceCandidate, unique } from "./ice_candidate.ts";
import { readSignal } from "./signal_message.ts";
import { openWebSocket } from "./web_socket.ts";

/** What came of it. */
export type SignalFacts =
  | {
    readonly kind: "joined";
    readonly version?: string;
    readonly iceServers: readonly string[];
    readonly candidates: readonly IceCandidate[];
  }
  /** An answer other than 101; its text is kept for the judge and not to be shown. */
  | {
    readonly kind: "refused";
    readonly status: number;
    readonly text: string;
    readonly fault?: string;
  }
  /** Upgraded, but not let in. */
  | { readonly kind: "no join"; readonly reason: string }
  | { readonly kind: "unreachable"; readonly error: UpstreamError };

/** What it takes. */
export interface SignalOptions {
  readonly connect: Connect;
  /** The SFU as clients reach it. */
  readonly base: BaseTarget;
  readonly joinToken: string;
  readonly clock: Clock;
}

const TIMEOUT_MS = 6_000;
/** After the reply: candidates come within milliseconds, and often no end of them is told. */
const CANDIDATES_MS = 1_000;
/** A protocol at which the SFU begins by itself to say where it takes media. */
const PROTOCOL = 9;

/** Whether LiveKit itself says that it does not know the room. */
export function isNoRoom({ status, text }: { status: number; text: string }): boolean {
  return status === 404 && text.startsWith("requested room");
}

/** Joins as a participant who publishes nothing and hears everybody. Never rejects. */
export async function visitSignal(options: SignalOptions): Promise<SignalFacts> {
  const { connect, base: { target, basePath }, joinToken, clock } = options;
  const abort = new AbortController();
  let cancel = clock.after(TIMEOUT_MS, () => abort.abort());
  const query = `access_token=${joinToken}&protocol=${PROTOCOL}&auto_subscribe=1&sdk=js`;
  try {
    const path = `${basePath}/rtc?${query}`;
    const socket = await openWebSocket({ connect, target, path, signal: abort.signal });
    if (!socket.upgraded) {
      const { status, text, fault } = socket;
      return { kind: "refused", status, text, ...fault !== undefined && { fault } };
    }
    let joined: Extract<SignalFacts, { kind: "joined" }> | undefined;
    for await (const message of socket.messages) {
      const signal = readSignal(message);
      if (signal.kind === "join") {
        const { version, iceServers } = signal;
        joined = { kind: "joined", ...version && { version }, iceServers, candidates: [] };
        cancel();
        cancel = clock.after(CANDIDATES_MS, socket.close);
      } else if (joined !== undefined) {
        joined = { ...joined, candidates: unique([...joined.candidates, ...signal.candidates]) };
        if (signal.isLast || signal.kind === "leave") break;
      }
    }
    socket.close();
    return joined ?? { kind: "no join", reason: "the connection was closed before anything came" };
  } catch (error) {
    if (error instanceof RangeError) return { kind: "no join", reason: error.message };
    if (error instanceof UpstreamError) return { kind: "unreachable", error };
    throw error;
  } finally {
    cancel();
  }
}
