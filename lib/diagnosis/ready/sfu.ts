import type { Clock } from "../../clock.ts";
import type { HttpClient } from "../../net/http_client.ts";
import { judgeListRooms } from "../livekit/judge_room_service.ts";
import { createProbe } from "../probe.ts";
import type { ReadyCheck } from "./ready_check.ts";

/** What the check needs. */
export interface SfuCheckOptions {
  readonly client: HttpClient;
  readonly clock: Clock;
  /** LiveKit's API, without a slash at the end. */
  readonly apiUrl: string;
  /** A token that lists rooms. */
  readonly serviceToken: (grant: "roomList") => string;
}

/** One room that does not exist: the answer stays small, however many do. */
const BODY = JSON.stringify({ names: ["matrixrtc-auth-readiness"] });

/** F2: makes the check that LiveKit is there and takes our key, without which nobody gets in. */
export function createSfuCheck(options: SfuCheckOptions): ReadyCheck {
  const { client, clock, apiUrl, serviceToken } = options;
  const probe = createProbe(client, clock);
  return {
    name: "sfu",
    isVital: true,
    title: "LiveKit, and the key for it",
    async run() {
      const exchange = await probe(`${apiUrl}/twirp/livekit.RoomService/ListRooms`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: `Bearer ${serviceToken("roomList")}`,
        },
        body: BODY,
      });
      const finding = judgeListRooms(exchange);
      const evidence = finding.evidence.replace(/^ListRooms:/, `ListRooms at ${apiUrl}:`);
      if (exchange.answered) {
        return {
          ...finding,
          evidence,
          ...finding.verdict !== "PASS" && { hop: "answer" as const },
        };
      }
      return {
        verdict: "FAIL",
        evidence,
        hop: exchange.hop,
        remedy: "LiveKit cannot be reached: see that it runs, and that LIVEKIT_INTERNAL_URL or " +
          "LIVEKIT_URL leads there from where this service runs.",
      };
    },
  };
}
