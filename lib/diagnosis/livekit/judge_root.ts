import { bodyKind } from "../body_kind.ts";
import type { Finding } from "../check.ts";
import type { Exchange } from "../probe.ts";

/** From where LiveKit is looked at: as this service reaches it, as clients do, or both in one. */
export type Viewpoint = "internal" | "public" | "both";

/** What to change, by who reaches LiveKit there. */
const VARIABLE = {
  internal: "LIVEKIT_INTERNAL_URL",
  public: "LIVEKIT_URL",
  both: "LIVEKIT_URL (or LIVEKIT_INTERNAL_URL, for this service alone)",
} as const satisfies Record<Viewpoint, string>;

/** F1: judges `GET /` of LiveKit, which says whether it is ready. */
export function judgeRoot(exchange: Exchange, viewpoint: Viewpoint): Finding {
  const variable = VARIABLE[viewpoint];
  const fail = (evidence: string, remedy: string): Finding => ({
    verdict: "FAIL",
    evidence,
    remedy,
  });
  if (!exchange.answered) return fail(exchange.message, remedyForHop(exchange.hop, variable));
  const { status, text } = exchange;
  if (status === 200 && text.trim() === "OK") return { verdict: "PASS", evidence: "200 OK" };
  const evidence = `GET / is answered HTTP ${status} with ${bodyKind(text)}`;
  if (status === 406) {
    return {
      verdict: "WARN",
      evidence: "LiveKit says that it is not ready: its node's statistics are stale",
      remedy: "See LiveKit's log: it is just starting, overloaded, or has lost its Redis.",
    };
  }
  if (status >= 502 && status <= 504) {
    return fail(
      evidence,
      "The proxy does not reach LiveKit: is LiveKit running, and is the port in the proxy " +
        "LiveKit's (7880 unless configured)?",
    );
  }
  if (status === 404) {
    return fail(
      evidence,
      `The path does not lead to LiveKit: let the proxy strip the prefix, or correct ${variable}.`,
    );
  }
  return fail(
    evidence,
    `Something else than LiveKit answers there: point ${variable}, or the proxy behind it, at ` +
      "LiveKit's port (7880 unless configured).",
  );
}

function remedyForHop(hop: string, variable: string): string {
  if (hop === "dns") return `The name has no address here: correct ${variable}, or add it to DNS.`;
  if (hop === "tls") {
    return "The certificate there is not trusted from here: serve the full chain for this name, " +
      "or name the authority in MATRIXRTC_CA_FILE.";
  }
  return `Nobody answers there: start LiveKit, open the port, or correct ${variable}.`;
}
