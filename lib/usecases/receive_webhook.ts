import type { SfuEvent } from "../sfu/webhook.ts";

/** What events are told to. */
export interface WebhookDeps {
  /** The SFU has closed a room. */
  forgetRoom(room: string): void;
}

/** `POST /sfu_webhook`: lets the rest of the service know what has happened on the SFU. */
export function receiveWebhook({ event, room }: SfuEvent, deps: WebhookDeps): void {
  if (event === "room_finished" && room !== undefined) deps.forgetRoom(room);
}
