import { type ParticipantInfo, RoomServiceClient } from "livekit-server-sdk";
import type { LiveKit } from "./livekit.ts";
import type { JoinDetails } from "./participant.ts";

/** What the SFU answers to a client that asks whether it could join with its token. */
export async function validateJoin({ url, jwt }: JoinDetails): Promise<Response> {
  const target = new URL("/rtc/validate", url.replace(/^ws/, "http"));
  target.searchParams.set("access_token", jwt);
  return await fetch(target);
}

/** Who is in a room on the SFU, by identity; nobody when it does not exist. */
export async function listParticipants(
  sfu: LiveKit,
  liveKitRoom: string,
): Promise<ReadonlyMap<string, ParticipantInfo>> {
  const client = new RoomServiceClient(sfu.httpUrl, sfu.apiKey, sfu.apiSecret);
  const participants = await client.listParticipants(liveKitRoom);
  return new Map(participants.map((participant) => [participant.identity, participant]));
}

/** The names of the rooms that exist on the SFU. */
export async function listRooms(sfu: LiveKit): Promise<string[]> {
  const rooms = await new RoomServiceClient(sfu.httpUrl, sfu.apiKey, sfu.apiSecret).listRooms();
  return rooms.map((room) => room.name);
}
