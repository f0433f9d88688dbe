/** Events that the SFU reports, once it is certain that the SFU reports them. */

import type { KeyPair } from "../config/config.ts";

/** What is needed of an event. */
export interface SfuEvent {
  /** LiveKit's name: `room_finished`, `participant_left` … */
  readonly event: string;
  /** The LiveKit room, where the event is about one. */
  readonly room: string | undefined;
}

/**
 * Tells what a webhook reports.
 *
 * @param body The body exactly as it arrived.
 * @param authorization The header: a bare JWT, LiveKit puts no scheme before it.
 * @returns The event, or `undefined` when it is not signed with a key of ours.
 */
export type WebhookReader = (
  body: string,
  authorization: string,
) => Promise<SfuEvent | undefined>;

/**
 * Makes the function that reads webhooks.
 *
 * LiveKit's own receiver checks signature, lifetime and the hash over the body.
 * It is loaded with the first webhook: services without webhooks save 20 MiB.
 *
 * @param pairs Keys that may have signed; more than one while keys are rotated.
 */
export function createWebhookReader(pairs: readonly KeyPair[]): WebhookReader {
  return async (body, authorization) => {
    const { WebhookReceiver } = await import("livekit-server-sdk");
    for (const { key, secret } of pairs) {
      try {
        const event = await new WebhookReceiver(key, secret.reveal()).receive(body, authorization);
        return { event: event.event, room: event.room?.name };
      } catch {
        // Not signed with this pair; the receiver's reasons would only help who guesses.
      }
    }
    return undefined;
  };
}
