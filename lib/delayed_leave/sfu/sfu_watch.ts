/** The SFU, as those see it who look after delayed leaves. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import type { Participants } from "../../sfu/participants.ts";
import type { SfuEvent } from "../../sfu/sfu_event.ts";
import { SfuError } from "../../sfu/twirp.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../signing/names.ts";
import type { ParticipantEvent } from "../participant_event.ts";
import { createRoomLook } from "./room_look.ts";
import { createFindMembers } from "./room_members.ts";
import { RoomPolling } from "./room_polling.ts";
import { SfuHealth } from "./sfu_health.ts";
import type { SfuView, Sighting, WatchedJobs } from "../sfu_view.ts";

/** Answers jobs' questions, and tells them unasked what has become of their participants. */
export interface SfuWatch extends SfuView {
  /** Never fails: what cannot be found out is `unknown`. */
  look(room: LiveKitRoom, identities: readonly LiveKitIdentity[]): Promise<Sighting>;
  /** From now on the SFU is watched while there are jobs to watch. */
  start(): void;
  /** Ends that; calls under way end by themselves, within 5 s. */
  stop(): void;
  /** There is a job to watch; costs nothing when it is known already. */
  wake(): void;
  /** The SFU has told this process something. */
  onWebhook(event: SfuEvent): void;
  /** The SFU has told, here or to another replica, what has become of a participant. */
  onEvent(event: ParticipantEvent): void;
}

/** What watching needs. */
export interface SfuWatchOptions {
  readonly participants: Participants;
  readonly jobs: WatchedJobs;
  /** Creates a room, even if it is known to have been there. */
  readonly ensureRoom: (room: LiveKitRoom) => Promise<void>;
  /** From one look into a room to the next, in milliseconds; 0: only after outages. */
  readonly intervalMs: number;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

/** Makes what watches the SFU; nothing is called and no timer set before there is a job. */
export function createSfuWatch(options: SfuWatchOptions): SfuWatch {
  const { clock, intervalMs, jobs, log, participants, random } = options;
  const findMembers = createFindMembers(participants, clock);
  const health = new SfuHealth({
    participants,
    jobs,
    ensureRoom: options.ensureRoom,
    onGraceOver: () => void polling.pollAll(),
    clock,
    log,
  });
  const polling = new RoomPolling({
    jobs,
    findMembers,
    intervalMs,
    isDown: () => health.isDown,
    countsIn: (room) => health.countsIn(room),
    onAnswer: () => health.onAnswer(),
    onFailure: (error) => health.onFailure(error),
    clock,
    random,
  });
  const lookInto = createRoomLook({
    participants,
    findMembers,
    clock,
    refuse: () => health.isDown ? new SfuError("load", "the SFU is away") : undefined,
  });
  let isStarted = false;

  async function look(room: LiveKitRoom, identities: readonly LiveKitIdentity[]) {
    const unknown: Sighting = { kind: "unknown", everAnswered: health.everAnswered };
    if (health.isDown) return unknown;
    let participant;
    try {
      participant = await lookInto(room, identities);
    } catch (error) {
      health.onFailure(error);
      return { ...unknown, everAnswered: health.everAnswered };
    }
    health.onAnswer();
    if (participant !== undefined) {
      const { identity, sid } = participant;
      return { kind: "present", sid, identity } satisfies Sighting;
    }
    if (await health.absenceCounts(room)) return { kind: "absent" } satisfies Sighting;
    return { kind: "unknown", everAnswered: true } satisfies Sighting;
  }

  function wake(): void {
    if (!isStarted) return;
    health.wake();
    polling.wake();
  }

  return {
    look,
    start() {
      isStarted = true;
      health.start();
      wake();
    },
    stop() {
      isStarted = false;
      health.stop();
      polling.stop();
    },
    wake,
    onWebhook(event) {
      polling.onWebhook();
      if (event.event === "room_finished" && event.room !== undefined) {
        health.onRoomFinished(event.room);
      }
    },
    onEvent: (event) => polling.onEvent(event),
  };
}
