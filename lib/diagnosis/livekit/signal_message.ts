/** What the SFU says on its signal connection, as far as it tells of its setup. */

import { candidatesIn, type IceCandidate, parseCandidate } from "./ice_candidate.ts";
import { messagesOf, readFields, textsOf } from "./protobuf.ts";

/** The SFU lets a participant in. */
export interface JoinReply {
  readonly kind: "join";
  /** As in `1.13.5`; absent where it does not say. */
  readonly version?: string;
  /** URLs of STUN and TURN servers for clients: `turn:host:3478?transport=udp`. No credentials. */
  readonly iceServers: readonly string[];
}

/** Something else than the reply. */
export interface OtherSignal {
  readonly kind: "candidates" | "leave" | "other";
  /** Those that it brought. */
  readonly candidates: readonly IceCandidate[];
  /** Whether these were the last ones. */
  readonly isLast: boolean;
}

// Numbers of fields in livekit_rtc.proto and livekit_models.proto.
const SIGNAL = { join: 1, answer: 2, offer: 3, trickle: 4, leave: 8 } as const;
const JOIN = { serverVersion: 4, iceServers: 5, serverInfo: 12 } as const;
const ICE_SERVER = { urls: 1 } as const;
const SERVER_INFO = { version: 2 } as const;
const SESSION_DESCRIPTION = { sdp: 2 } as const;
const TRICKLE = { candidateInit: 1 } as const;

/**
 * Reads a binary message (`SignalResponse`).
 *
 * @throws {RangeError} For bytes that are no such message.
 */
export function readSignal(message: Uint8Array): JoinReply | OtherSignal {
  const signal = readFields(message);
  for (const join of messagesOf(signal, SIGNAL.join)) {
    const [info] = messagesOf(join, JOIN.serverInfo);
    const version = (info && textsOf(info, SERVER_INFO.version)[0]) ??
      textsOf(join, JOIN.serverVersion)[0];
    const iceServers = messagesOf(join, JOIN.iceServers)
      .flatMap((server) => textsOf(server, ICE_SERVER.urls));
    return { kind: "join", ...version && { version }, iceServers };
  }
  for (const description of [SIGNAL.offer, SIGNAL.answer]) {
    for (const fields of messagesOf(signal, description)) {
      const sdp = textsOf(fields, SESSION_DESCRIPTION.sdp).join("");
      const isLast = /^a=end-of-candidates/m.test(sdp);
      return { kind: "candidates", candidates: candidatesIn(sdp), isLast };
    }
  }
  for (const trickle of messagesOf(signal, SIGNAL.trickle)) {
    return readTrickle(textsOf(trickle, TRICKLE.candidateInit)[0] ?? "");
  }
  const kind = signal.has(SIGNAL.leave) ? "leave" : "other";
  return { kind, candidates: [], isLast: false };
}

/** Clients get it as JSON, in the form of the browsers' `RTCIceCandidateInit`. */
function readTrickle(text: string): OtherSignal {
  let candidate: unknown;
  try {
    candidate = JSON.parse(text)?.candidate;
  } catch {
    // A candidate of no form that anybody could use.
  }
  const parsed = typeof candidate === "string" ? parseCandidate(candidate) : undefined;
  // The end is told by a candidate without text.
  return { kind: "candidates", candidates: parsed ? [parsed] : [], isLast: candidate === "" };
}
