import type { ParticipantEvent } from "../delayed_leave/participant_event.ts";
import type { SfuEvent } from "../sfu/sfu_event.ts";

/** What events are told to. */
export interface WebhookDeps {
  /** The SFU has closed a room. */
  forgetRoom(room: string): void;
  /** Those who look after delayed leaves; absent where nobody does. */
  readonly delayedLeaves?: {
    /** Any event has come: webhooks work. */
    onWebhook(event: SfuEvent): void;
    /** @throws {UpstreamError} When the event could not be kept. */
    onEvent(event: ParticipantEvent): Promise<void>;
  };
}

const PARTICIPANT_EVENTS: Readonly<Record<string, ParticipantEvent["kind"]>> = {
  participant_joined: "joined",
  participant_left: "left",
  participant_connection_aborted: "aborted",
};

/**
 * `POST /sfu_webhook`: lets the rest of the service know what has happened on the SFU.
 *
 * @throws {UpstreamError} When the event could not be kept; LiveKit is to send it again.
 */
export async function receiveWebhook(event: SfuEvent, deps: WebhookDeps): Promise<void> {
  const { room, participant } = event;
  if (event.event === "room_finished" && room !== undefined) deps.forgetRoom(room);
  deps.delayedLeaves?.onWebhook(event);
  const kind = Object.hasOwn(PARTICIPANT_EVENTS, event.event)
    ? PARTICIPANT_EVENTS[event.event]
    : undefined;
  if (kind === undefined || room === undefined || participant === undefined) return;
  const reason = event.disconnectReason;
  await deps.delayedLeaves?.onEvent({ kind, room, ...participant, reason });
}
