import type { ParticipantEvent } from "../delayed_leave/participant_event.ts";
import type { CallParticipant } from "../membership/call_participant.ts";
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
  /** Those who see to it that participants are joined in the Matrix room; absent where nobody does. */
  readonly membership?: {
    /** Takes note and returns at once: LiveKit waits for the answer. */
    onJoined(participant: CallParticipant): void;
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
  const { identity, sid, attributes } = participant;
  // Before the part that may fail and come again, as it must not wait for that.
  if (kind === "joined") {
    deps.membership?.onJoined({ room, identity, ...(attributes && { attributes }) });
  }
  await deps.delayedLeaves?.onEvent({
    kind,
    room,
    identity,
    ...(sid !== undefined && { sid }),
    reason: event.disconnectReason,
  });
}
