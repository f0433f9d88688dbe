/** {@linkcode FindDelayedEvent}, over the own homeserver's client API. */

import type { Clock } from "../clock.ts";
import { isDelayId } from "../matrix/delay_id.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { FindDelayedEvent } from "./delayed_event_lookup.ts";
import type { OwnHomeserver } from "./own_homeserver.ts";
import { createPathChoice } from "./path_choice.ts";
import { refusal } from "./refusal.ts";
import { readScheduledEvent } from "./scheduled_event.ts";

/** What looking up needs. */
export interface FindDelayedEventOptions {
  readonly homeserver: OwnHomeserver;
  readonly clock: Clock;
}

const UNSTABLE = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";
const STABLE = "/_matrix/client/v1/delayed_events";
const REMEDIES = {
  M_UNRECOGNIZED: "the homeserver has no delayed events (MSC4140; Synapse has them with " +
    "max_event_delay_duration)",
  M_FORBIDDEN: "the registration's namespaces.users has to cover all users of the homeserver",
};

/**
 * Makes the function that looks events up. What {@linkcode isDelayId} refuses is a
 * {@linkcode TypeError}.
 */
export function createFindDelayedEvent(options: FindDelayedEventOptions): FindDelayedEvent {
  const { homeserver, clock } = options;
  const atKnownPath = createPathChoice([UNSTABLE, STABLE]);
  return async (secretDelayId, userId, timeoutMs) => {
    const deadline = clock.monotonic() + timeoutMs;
    const delayId = secretDelayId.reveal();
    if (!isDelayId(delayId)) throw new TypeError("a delayed event was asked for by no delay ID");
    const answer = await atKnownPath((events) =>
      homeserver.ask({
        what: "look-up of a delayed event",
        path: `${events}/${encodeURIComponent(delayId)}`,
        query: { user_id: userId },
        deadline,
      })
    );
    if (answer.status === 404 && answer.errcode === "M_NOT_FOUND") return undefined;
    if (answer.status !== 200) throw refusal(answer, REMEDIES);
    const event = readScheduledEvent(answer.fields, { delayId, userId });
    if (typeof event !== "string") return event;
    throw new UpstreamError("answer", `${answer.where}: HTTP 200, but ${event}`);
  };
}
