import { assertEquals } from "@std/assert";
import { receiveWebhook } from "../../lib/usecases/receive_webhook.ts";

for (
  const { event, room, forgotten } of [
    { event: "room_finished", room: "a", forgotten: ["a"] },
    { event: "room_finished", room: undefined, forgotten: [] },
    { event: "room_started", room: "a", forgotten: [] },
    { event: "participant_left", room: "a", forgotten: [] },
  ]
) {
  Deno.test(`receiveWebhook() forgets ${forgotten.length} rooms after ${event} of ${room}`, () => {
    const rooms: string[] = [];
    receiveWebhook({ event, room }, { forgetRoom: (name) => rooms.push(name) });
    assertEquals(rooms, forgotten);
  });
}
