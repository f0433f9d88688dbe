/** The one thing that the doctor changes: a room of LiveKit's that it creates, visits and removes. */

import { createAddressPolicy } from "../../net/address_policy.ts";
import { createConnect } from "../../net/connect.ts";
import { targetOfUrl } from "../../net/target.ts";
import type { DoctorContext } from "../context.ts";
import type { RoomFacts } from "./judge_room_service.ts";
import { callRoomService, doctorRoomName, joinTokenFor } from "./room_service.ts";
import { isNoRoom, type SignalFacts, visitSignal } from "./signal_session.ts";

/** What came of it. */
export interface RoomVisit extends RoomFacts {
  /** The room's name. */
  readonly room: string;
  /** Absent where there was no room to visit. */
  readonly signal?: SignalFacts;
}

/** It goes by itself soon, should the doctor be stopped in between. */
const EMPTY_TIMEOUT_SECONDS = 1;

/** Creates a room, joins it at the public URL, and removes it; once, however many checks ask. */
export function visitRoom(context: DoctorContext): Promise<RoomVisit> {
  return context.once("LiveKit: room and visit", () => visit(context));
}

async function visit(context: DoctorContext): Promise<RoomVisit> {
  const room = doctorRoomName(context.random);
  const create = () =>
    callRoomService(context, "CreateRoom", "roomCreate", {
      name: room,
      empty_timeout: EMPTY_TIMEOUT_SECONDS,
      departure_timeout: EMPTY_TIMEOUT_SECONDS,
    });
  const created = await create();
  let signal: SignalFacts | undefined;
  if (created.answered && created.status === 200) {
    signal = await join(context, room);
    // A second is short for a far-away proxy's handshake: the room may have gone meanwhile.
    if (signal.kind === "refused" && isNoRoom(signal)) {
      await create();
      signal = await join(context, room);
    }
  }
  const deleted = await callRoomService(context, "DeleteRoom", "roomCreate", { room });
  return { room, created, deleted, ...signal && { signal } };
}

function join(context: DoctorContext, room: string): Promise<SignalFacts> {
  const { config, clock } = context;
  const connect = createConnect({
    ...context,
    policy: createAddressPolicy([]),
    insecureSkipVerifyTls: config.insecureSkipVerifyTls,
    proxy: config.outgoingProxy,
  });
  const base = targetOfUrl(publicHttpUrl(config.liveKit.url), 1);
  return visitSignal({ connect, base, joinToken: joinTokenFor(context, room), clock });
}

/** What clients are told, with the scheme of the same server's HTTP; no slash at its end. */
export function publicHttpUrl(liveKitUrl: string): string {
  return liveKitUrl.replace(/^ws/i, "http").replace(/\/+$/, "");
}
