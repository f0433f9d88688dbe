/** H: the media path, as far as a program without WebRTC sees it. */

import type { Check, Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { isPublicAddress, isReachedPublicly } from "../livekit/public_address.ts";
import { visitRoom } from "../livekit/room_visit.ts";
import type { SignalFacts } from "../livekit/signal_session.ts";
import { judgeAddresses, judgeIceServers, judgeTcp } from "./judge_places.ts";
import { tryIceServers, tryTcpCandidates } from "./places.ts";

type Joined = Extract<SignalFacts, { kind: "joined" }>;

/** The checks; all but two follow from what LiveKit tells a client that joins (F5). */
export function mediaChecks(): Check<DoctorContext>[] {
  return [
    {
      id: "H1",
      title: "media over TCP",
      run: onceJoined(async (context, { candidates }) =>
        judgeTcp(await tryTcpCandidates(context, candidates))
      ),
    },
    {
      id: "H2",
      title: "media over UDP",
      run: () => ({
        verdict: "SKIP",
        evidence: "LiveKit is silent to all but WebRTC: try it in a browser, with LiveKit's " +
          "connection test",
      }),
    },
    {
      id: "H3",
      title: "STUN and TURN",
      run: onceJoined(async (context, { iceServers }) =>
        judgeIceServers(await tryIceServers(context, iceServers))
      ),
    },
    {
      id: "H4",
      title: "addresses for media",
      run: onceJoined(async (context, { candidates }) =>
        judgeAddresses(candidates, await isReachedPublicly(context), isPublicAddress)
      ),
    },
    {
      id: "H5",
      title: "from inside the own network",
      run: () => ({
        verdict: "SKIP",
        evidence: "needs a client there: run LiveKit's connection test in a browser at home",
      }),
    },
  ];
}

function onceJoined(
  judge: (context: DoctorContext, joined: Joined) => Promise<Finding>,
): (context: DoctorContext) => Promise<Finding> {
  return async (context) => {
    const { signal } = await visitRoom(context);
    if (signal?.kind === "joined") return await judge(context, signal);
    return { verdict: "SKIP", evidence: "LiveKit tells its places to those whom it lets in (F5)" };
  };
}
