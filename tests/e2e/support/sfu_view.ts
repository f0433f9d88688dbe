import { RoomServiceClient } from "livekit-server-sdk";
import type { LiveKit } from "./livekit.ts";
import type { JoinDetails } from "./participant.ts";

/** What the SFU answers to a client that asks whether it could join with its token. */
export async function validateJoin({ url, jwt }: JoinDetails): Promise<Response> {
  const target = new URL("/rtc/validate", url.replace(/^ws/, "http"));
  target.searchParams.set("access_token", jwt);
  return await fetch(target);
}

/** The names of the rooms that exist on the SFU. */
export async function listRooms(sfu: LiveKit): Promise<string[]> {
  const rooms = await new RoomServiceClient(sfu.httpUrl, sfu.apiKey, sfu.apiSecret).listRooms();
  return rooms.map((room) => room.name);
}
