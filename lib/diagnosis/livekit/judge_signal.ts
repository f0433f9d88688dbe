import { bodyKind } from "../body_kind.ts";
import type { Finding } from "../check.ts";
import { formatCandidate } from "./ice_candidate.ts";
import { isNoRoom, type SignalFacts } from "./signal_session.ts";

/** What is known beside the visit itself. */
export interface SignalSetting {
  /** Whether clients reach LiveKit at a public address. */
  readonly isPublic: boolean;
  /** Whether an address is a public one. */
  readonly isPublicAddress: (address: string) => boolean;
}

const UPGRADE_REMEDY =
  "The proxy does not pass WebSockets on: forward the Upgrade and Connection " +
  "headers for /rtc over HTTP/1.1, with a read timeout of minutes.";

/** F5: judges a visit to the signal connection at the public URL. */
export function judgeSignal(facts: SignalFacts, setting: SignalSetting): Finding {
  switch (facts.kind) {
    case "joined":
      return judgeCandidates(facts, setting);
    case "no join":
      return {
        verdict: "FAIL",
        evidence: `upgraded, but LiveKit let nobody in: ${facts.reason}`,
        remedy: "The proxy closes or holds back WebSockets: switch its buffering off for /rtc, " +
          "and give it a read timeout of minutes.",
      };
    case "unreachable":
      return {
        verdict: "FAIL",
        evidence: facts.error.message,
        remedy: facts.error.hop === "http"
          ? UPGRADE_REMEDY
          : "LIVEKIT_URL, which clients get, cannot be reached: check its name, port and " +
            "certificate.",
      };
    case "refused":
      return judgeRefusal(facts);
  }
}

function judgeCandidates(
  { version, iceServers, candidates }: Extract<SignalFacts, { kind: "joined" }>,
  { isPublic, isPublicAddress }: SignalSetting,
): Finding {
  const evidence = [
    `101 and let in by LiveKit ${version ?? "(no version)"}`,
    `media at ${candidates.map(formatCandidate).join(", ") || "no place"}`,
    `ICE servers ${iceServers.join(", ") || "none"}`,
  ].join("; ");
  if (candidates.length === 0) {
    return {
      verdict: "WARN",
      evidence,
      remedy: "LiveKit offers no place for media: set rtc.node_ip or rtc.use_external_ip.",
    };
  }
  if (isPublic && !candidates.some(({ address }) => isPublicAddress(address))) {
    return {
      verdict: "FAIL",
      evidence,
      remedy: "Clients outside cannot reach private addresses: set rtc.node_ip or " +
        "rtc.use_external_ip in LiveKit's configuration.",
    };
  }
  return { verdict: "PASS", evidence };
}

function judgeRefusal(
  { status, text, fault }: Extract<SignalFacts, { kind: "refused" }>,
): Finding {
  const evidence = `the WebSocket upgrade is answered HTTP ${status} with ${bodyKind(text)}`;
  const fail = (remedy: string, seen = evidence): Finding => ({
    verdict: "FAIL",
    evidence: seen,
    remedy,
  });
  if (fault !== undefined) return fail(UPGRADE_REMEDY, `HTTP ${status}, but ${fault}`);
  if (status === 401) {
    return fail(
      "LIVEKIT_URL leads to another LiveKit, with other keys, than LIVEKIT_INTERNAL_URL; " +
        "or see F2.",
      `${evidence}: LiveKit refuses the token`,
    );
  }
  if (isNoRoom({ status, text })) {
    return fail(
      "LIVEKIT_URL and LIVEKIT_INTERNAL_URL lead to two LiveKits that do not share a Redis: " +
        "point both at one.",
      "LiveKit at the public URL does not know a room that was just created at the internal one",
    );
  }
  // To LiveKit a request without those headers is no WebSocket's, and there is nothing else at /rtc.
  if (status === 404 && text.trim() === "") return fail(UPGRADE_REMEDY);
  if (status === 400 || status === 426) return fail(UPGRADE_REMEDY);
  if (status === 404) {
    return fail("The path does not lead to LiveKit's /rtc: let the proxy strip the prefix.");
  }
  if (status >= 502 && status <= 504) {
    return fail("The proxy does not reach LiveKit for /rtc: check the port there.");
  }
  return fail(
    "Something else than LiveKit answers at <LIVEKIT_URL>/rtc: route it to LiveKit's port.",
  );
}
