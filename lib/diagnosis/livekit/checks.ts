/** F: LiveKit. */

import type { Check, Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { judgeAutoCreate } from "./judge_auto_create.ts";
import { judgeListRooms, judgeRoom } from "./judge_room_service.ts";
import { judgeRoot, type Viewpoint } from "./judge_root.ts";
import { judgeSignal } from "./judge_signal.ts";
import { judgeVersion } from "./judge_version.ts";
import { isPublicAddress, isReachedPublicly } from "./public_address.ts";
import { callRoomService, doctorRoomName, joinTokenFor } from "./room_service.ts";
import { publicHttpUrl, visitRoom } from "./room_visit.ts";

/** One room that does not exist: the answer stays small, however many do. */
const NO_ROOM = "doctor-none";
/** An empty join request, which newer signalling wants; base64 of protobuf. */
const EMPTY_JOIN_REQUEST = "EgA%3D";

/** The checks; F1 twice where clients and this service reach LiveKit at different addresses. */
export function liveKitChecks({ config }: DoctorContext): Check<DoctorContext>[] {
  const { apiUrl, url } = config.liveKit;
  const publicUrl = publicHttpUrl(url);
  const roots: [Viewpoint, string][] = publicUrl === apiUrl
    ? [["both", apiUrl]]
    : [["internal", apiUrl], ["public", publicUrl]];
  return [
    ...roots.map(([viewpoint, baseUrl]): Check<DoctorContext> => ({
      id: "F1",
      title: "LiveKit is ready",
      subject: viewpoint === "both" ? baseUrl : `${viewpoint}, ${baseUrl}`,
      run: async ({ probe }) => judgeRoot(await probe(`${baseUrl}/`), viewpoint),
    })),
    {
      id: "F2",
      title: "LiveKit takes our key",
      run: async (context) =>
        judgeListRooms(
          await callRoomService(context, "ListRooms", "roomList", { names: [NO_ROOM] }),
        ),
    },
    {
      id: "F3",
      title: "a room can be created",
      run: async (context) => judgeRoom(await visitRoom(context)),
    },
    { id: "F4", title: "rooms do not create themselves", run: checkAutoCreate },
    { id: "F5", title: "a client can connect", subject: url, run: checkSignal },
    {
      id: "F6",
      title: "LiveKit's version",
      run: async (context) => {
        const { signal } = await visitRoom(context);
        return signal === undefined ? notVisited() : judgeVersion(signal);
      },
    },
  ];
}

async function checkAutoCreate(context: DoctorContext): Promise<Finding> {
  const { config: { liveKit, fullAccess }, probe } = context;
  const headers = {
    authorization: `Bearer ${joinTokenFor(context, doctorRoomName(context.random))}`,
  };
  const older = await probe(`${liveKit.apiUrl}/rtc/validate`, { headers });
  const isMissing = older.answered && older.status === 404 && !/room/.test(older.text);
  const exchange = isMissing
    ? await probe(`${liveKit.apiUrl}/rtc/v1/validate?join_request=${EMPTY_JOIN_REQUEST}`, {
      headers,
    })
    : older;
  return judgeAutoCreate(exchange, fullAccess.length > 0);
}

async function checkSignal(context: DoctorContext): Promise<Finding> {
  const { signal } = await visitRoom(context);
  if (signal === undefined) return notVisited();
  return judgeSignal(signal, { isPublic: await isReachedPublicly(context), isPublicAddress });
}

function notVisited(): Finding {
  return { verdict: "SKIP", evidence: "without a room nobody can be let in (F3)" };
}
