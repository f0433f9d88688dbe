/** What LiveKit's RoomService says to our key. */

import { bodyKind } from "../body_kind.ts";
import type { Finding } from "../check.ts";
import type { Answer, Exchange } from "../probe.ts";

/** What is wrong, in the words of a finding. */
type Trouble = Required<Pick<Finding, "evidence" | "remedy">>;

/** F2: judges `ListRooms`. */
export function judgeListRooms(exchange: Exchange): Finding {
  const trouble = troubleOf("ListRooms", exchange);
  if (trouble !== undefined) return { verdict: "FAIL", ...trouble };
  return { verdict: "PASS", evidence: "LiveKit takes LIVEKIT_KEY and LIVEKIT_SECRET" };
}

/** What came of creating a room and removing it. */
export interface RoomFacts {
  readonly created: Exchange;
  /** There also when creating was not answered: it may have come about all the same. */
  readonly deleted: Exchange;
}

/** F3: judges `CreateRoom` and `DeleteRoom`. */
export function judgeRoom({ created, deleted }: RoomFacts): Finding {
  const creating = troubleOf("CreateRoom", created);
  if (creating !== undefined) return { verdict: "FAIL", ...creating };
  const deleting = troubleOf("DeleteRoom", deleted);
  // A room that has gone by itself meanwhile is as good.
  if (deleting === undefined || codeOf(deleted) === "not_found") {
    return { verdict: "PASS", evidence: "a room was created and removed" };
  }
  return { verdict: "WARN", ...deleting };
}

/**
 * Finds out what is wrong with an answer of RoomService; nothing where it is a good one.
 *
 * LiveKit repeats a token that it refuses, so what it says is recognised, and never shown.
 */
export function troubleOf(method: string, exchange: Exchange): Trouble | undefined {
  if (!exchange.answered) {
    return {
      evidence: `${method}: ${exchange.message}`,
      remedy: "LiveKit's API cannot be reached from here: see F1.",
    };
  }
  const { status, text, json } = exchange;
  if (status === 200 && typeof json === "object" && json !== null) return undefined;
  const code = codeOf(exchange);
  if (code !== undefined) return troubleOfCode(method, code);
  if (status === 401) return troubleOfToken(method, exchange);
  const evidence = `${method}: HTTP ${status} with ${bodyKind(text)}`;
  if (status === 404) {
    return {
      evidence,
      remedy: "The path does not lead to LiveKit's API: correct LIVEKIT_INTERNAL_URL, or let the " +
        "proxy strip the prefix and forward /twirp.",
    };
  }
  if (status >= 500) {
    return {
      evidence,
      remedy: "The proxy does not reach LiveKit, or LiveKit does not reach its Redis: check the " +
        "port in the proxy, and LiveKit's log.",
    };
  }
  return {
    evidence,
    remedy: "Something else than LiveKit answers there: set LIVEKIT_INTERNAL_URL to LiveKit's " +
      "own address.",
  };
}

function troubleOfToken(method: string, { text, header, receivedAt }: Answer): Trouble {
  if (text.startsWith("invalid API key")) {
    return {
      evidence: `${method}: LiveKit says "invalid API key"`,
      remedy: "LIVEKIT_KEY is not in LiveKit's keys: put the same pair into LiveKit's `keys` and " +
        "into LIVEKIT_KEY and LIVEKIT_SECRET.",
    };
  }
  if (/expired|not valid yet/.test(text)) {
    const skew = Math.round((Date.parse(header("date")[0] ?? "") - receivedAt) / 1000);
    const apart = Number.isNaN(skew) ? "" : `, and its clock is ${formatSkew(skew)}`;
    return {
      evidence: `${method}: LiveKit says "invalid token", not for now${apart}`,
      remedy: "The clocks here and at LiveKit differ by more than a minute: enable NTP on both.",
    };
  }
  if (text.startsWith("invalid token")) {
    return {
      evidence: `${method}: LiveKit says "invalid token", its signature is wrong`,
      remedy: "LIVEKIT_SECRET is not the secret that LiveKit has for LIVEKIT_KEY: copy it again.",
    };
  }
  return {
    evidence: `${method}: HTTP 401 with ${bodyKind(text)}, not LiveKit's`,
    remedy: "A proxy wants a login, or removes the Authorization header: let /twirp pass as it is.",
  };
}

function troubleOfCode(method: string, code: string): Trouble {
  const evidence = `${method}: LiveKit says ${code}`;
  if (code === "unauthenticated" || code === "permission_denied") {
    return {
      evidence,
      remedy: "A proxy removes the Authorization header, or the key may not do this: let /twirp " +
        "pass as it is.",
    };
  }
  if (code === "bad_route") {
    return { evidence, remedy: "The path is wrong: correct LIVEKIT_INTERNAL_URL." };
  }
  return {
    evidence,
    remedy: "No node is available: see LiveKit's log for its load, its limits and its Redis.",
  };
}

/** Twirp's own code, where the answer has one. */
function codeOf(exchange: Exchange): string | undefined {
  if (!exchange.answered || typeof exchange.json !== "object") return undefined;
  const { code } = (exchange.json ?? {}) as { code?: unknown };
  return typeof code === "string" && /^[a-z_]{1,40}$/.test(code) ? code : undefined;
}

function formatSkew(seconds: number): string {
  return `${Math.abs(seconds)} s ${seconds < 0 ? "behind" : "ahead of"} ours`;
}
