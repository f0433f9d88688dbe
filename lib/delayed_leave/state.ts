/** The states of a job, and which signal leads from which to which. Pure: no clock, no calls. */

/**
 * Where a job stands.
 *
 * - `WaitingForInitialConnect`: the participant has not been seen yet. A stand-alone job calls
 *   nothing then; one through the homeserver keeps the delayed event alive.
 * - `Connected`: the participant is in the call; the delayed event is kept alive.
 * - `Disconnected`: the participant is gone; the leave is being sent.
 * - `Aborted`: the service can do nothing more; the homeserver's own timer decides.
 * - `Replaced`: a newer job of the same participant has taken over.
 */
export type JobState =
  | "WaitingForInitialConnect"
  | "Connected"
  | "Disconnected"
  | "Aborted"
  | "Replaced";

/** What a job can learn. */
export type Signal =
  /** The SFU says that the participant has joined. */
  | "ParticipantConnected"
  /** The participant was found on the SFU. */
  | "ParticipantLookupSuccessful"
  /** The participant hung up. */
  | "ParticipantDisconnectedIntentionally"
  /** The connection ended in another way, and it is certain that it does not go on. */
  | "ParticipantConnectionAborted"
  /** A first attempt to connect has failed; the client may try again. */
  | "ParticipantNeverActive"
  /** A look at the SFU did not find the participant any more. */
  | "SFUParticipantGone"
  /** The participant never came. */
  | "WaitingStateTimedOut"
  /** It is time to restart the delayed event. */
  | "DelayedEventReset"
  /** The delayed event could not be restarted before it was due. */
  | "DelayedEventTimedOut"
  /** The homeserver does not know the delayed event. */
  | "DelayedEventNotFound"
  /** It cannot be found out where the homeserver's client API is. */
  | "CsApiUrlNotFound"
  /** A newer job has come. */
  | "JobReplaced";

const TRANSITIONS: Record<JobState, Partial<Record<Signal, JobState>>> = {
  WaitingForInitialConnect: {
    ParticipantConnected: "Connected",
    ParticipantLookupSuccessful: "Connected",
    ParticipantConnectionAborted: "Aborted",
    WaitingStateTimedOut: "Disconnected",
    // Only those raise these here that came through the homeserver.
    DelayedEventReset: "WaitingForInitialConnect",
    DelayedEventTimedOut: "Aborted",
    DelayedEventNotFound: "Aborted",
    CsApiUrlNotFound: "Aborted",
    JobReplaced: "Replaced",
  },
  Connected: {
    ParticipantDisconnectedIntentionally: "Disconnected",
    ParticipantConnectionAborted: "Disconnected",
    SFUParticipantGone: "Disconnected",
    ParticipantNeverActive: "WaitingForInitialConnect",
    DelayedEventTimedOut: "Aborted",
    DelayedEventNotFound: "Aborted",
    CsApiUrlNotFound: "Aborted",
    DelayedEventReset: "Connected",
    JobReplaced: "Replaced",
  },
  Disconnected: { JobReplaced: "Replaced" },
  Aborted: { JobReplaced: "Replaced" },
  Replaced: {},
};

/**
 * Tells where a signal leads.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { nextState } from "./state.ts";
 *
 * assertEquals(nextState("WaitingForInitialConnect", "ParticipantConnected"), "Connected");
 * // Webhooks come twice, late and in any order: what has no meaning changes nothing.
 * assertEquals(nextState("Disconnected", "ParticipantConnected"), "Disconnected");
 * ```
 */
export function nextState(state: JobState, signal: Signal): JobState {
  return TRANSITIONS[state][signal] ?? state;
}
