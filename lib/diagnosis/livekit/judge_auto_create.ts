import { bodyKind } from "../body_kind.ts";
import type { Finding } from "../check.ts";
import type { Exchange } from "../probe.ts";
import { troubleOf } from "./judge_room_service.ts";

/**
 * F4: judges `GET /rtc/validate` with a token that only lets its holder join, for a room that does
 * not exist. LiveKit creates nothing then, and says whether it would.
 *
 * @param hasFullAccessList Whether this service tells servers apart at all.
 */
export function judgeAutoCreate(exchange: Exchange, hasFullAccessList: boolean): Finding {
  if (!exchange.answered || exchange.status === 401) {
    return { verdict: "FAIL", ...troubleOf("/rtc/validate", exchange)! };
  }
  const { status, text } = exchange;
  if (status === 404 && /room/.test(text)) {
    return { verdict: "PASS", evidence: "auto_create is off: a room that nobody created is 404" };
  }
  if (status === 200 && text.trim() === "success") {
    const evidence = "auto_create is on: whoever has a join token can open a room";
    const remedy = "Set room.auto_create: false in LiveKit's configuration and restart it; " +
      "otherwise any federated user can open rooms on your SFU.";
    // Without the list it is the only way in which rooms come about.
    if (hasFullAccessList) return { verdict: "FAIL", evidence, remedy };
    return {
      verdict: "WARN",
      evidence: `${evidence}; without LIVEKIT_FULL_ACCESS_HOMESERVERS nothing else creates rooms`,
      remedy: `List your server in LIVEKIT_FULL_ACCESS_HOMESERVERS. ${remedy}`,
    };
  }
  return {
    verdict: "FAIL",
    evidence: `/rtc/validate: HTTP ${status} with ${bodyKind(text)}`,
    remedy: status >= 500
      ? "LiveKit cannot tell: see its log for load, limits and Redis; or the proxy does not reach it."
      : "This is not LiveKit's answer: let the proxy forward /rtc and all below it to LiveKit.",
  };
}
