import { assertEquals } from "@std/assert";
import { type JobState, nextState, type Signal } from "../../lib/delayed_leave/state.ts";

const STATES: readonly JobState[] = [
  "WaitingForInitialConnect",
  "Connected",
  "Disconnected",
  "Aborted",
  "Replaced",
];

/** All that is not listed changes nothing. */
const TRANSITIONS: Record<Signal, Partial<Record<JobState, JobState>>> = {
  ParticipantConnected: { WaitingForInitialConnect: "Connected" },
  ParticipantLookupSuccessful: { WaitingForInitialConnect: "Connected" },
  ParticipantConnectionAborted: {
    WaitingForInitialConnect: "Aborted",
    Connected: "Disconnected",
  },
  ParticipantDisconnectedIntentionally: { Connected: "Disconnected" },
  ParticipantNeverActive: { Connected: "WaitingForInitialConnect" },
  SFUParticipantGone: { Connected: "Disconnected" },
  WaitingStateTimedOut: { WaitingForInitialConnect: "Disconnected" },
  DelayedEventReset: {},
  DelayedEventTimedOut: { WaitingForInitialConnect: "Aborted", Connected: "Aborted" },
  DelayedEventNotFound: { WaitingForInitialConnect: "Aborted", Connected: "Aborted" },
  CsApiUrlNotFound: { WaitingForInitialConnect: "Aborted", Connected: "Aborted" },
  JobReplaced: {
    WaitingForInitialConnect: "Replaced",
    Connected: "Replaced",
    Disconnected: "Replaced",
    Aborted: "Replaced",
  },
};

for (const [signal, transitions] of Object.entries(TRANSITIONS)) {
  Deno.test(`nextState() knows where ${signal} leads from each state`, () => {
    for (const state of STATES) {
      assertEquals(nextState(state, signal as Signal), transitions[state] ?? state, state);
    }
  });
}
