/** Sees to it that whoever leaves a Matrix room, or is banned from it, leaves its call. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { RoomMembership } from "../homeserver/room_membership.ts";
import { describeError, hopFact } from "../observability/logger.ts";
import type { Pseudonym } from "../observability/pseudonym.ts";
import type { Participants } from "../sfu/participants.ts";
import type { RemoveParticipant } from "../sfu/remove_participant.ts";
import type { MemberSeal } from "../signing/member_seal.ts";
import type { CallParticipant } from "./call_participant.ts";
import { JoinedChecks } from "./joined_checks.ts";
import { Removal } from "./removal.ts";
import { Sweep } from "./sweep.ts";

/** What watching needs. */
export interface MembershipWatchOptions {
  readonly participants: Pick<Participants, "list" | "listRooms">;
  readonly removeParticipant: RemoveParticipant;
  readonly seal: Pick<MemberSeal, "open">;
  readonly membership: RoomMembership;
  /** The homeserver's that is asked. */
  readonly ownServerName: string;
  /** Whether this process looks after a room of the SFU, and not another replica. */
  readonly fallsToThis: (room: string) => boolean;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly pseudonym: Pseudonym;
  /** From the start of one sweep to that of the next, in milliseconds; 0: nobody is watched at all. */
  readonly intervalMs: number;
}

/** Watches; see {@linkcode createMembershipWatch}. */
export interface MembershipWatch {
  /** Sweeps from now on; the first time within the interval, so that replicas are not in step. */
  start(): void;
  /** Nobody is removed any more. */
  stop(): void;
  /** Looks at someone who has just come in, in its own time. */
  onJoined(participant: CallParticipant): void;
}

/** However long sweeps take, servers can draw breath in between. */
const MIN_PAUSE_MS = 1_000;

/**
 * Makes what watches. Nothing is kept: whom a participant stands for is read from
 * the participant, so that any process can tell, after any restart.
 *
 * When in doubt everybody stays: whom the homeserver or the SFU does not tell of,
 * and who has no attribute of ours.
 */
export function createMembershipWatch(options: MembershipWatchOptions): MembershipWatch {
  const { clock, intervalMs, log, random } = options;
  const removal = new Removal(options);
  const sweep = new Sweep({ ...options, removal });
  const joinedChecks = new JoinedChecks({ ...options, removal });
  let cancelTimer = () => {};

  function schedule(ms: number): void {
    if (!removal.isStopped) cancelTimer = clock.after(ms, () => void runSweep());
  }

  async function runSweep(): Promise<void> {
    const begunAt = clock.monotonic();
    try {
      await sweep.run();
    } catch (error) {
      log.error("could not check who is still in the rooms of calls", {
        error: describeError(error),
        ...hopFact(error),
      });
    }
    const left = begunAt + intervalMs - clock.monotonic();
    schedule(Math.max(left, Math.min(intervalMs, MIN_PAUSE_MS)));
  }

  return {
    start() {
      if (intervalMs > 0) schedule(intervalMs * random());
    },
    stop() {
      removal.stop();
      joinedChecks.stop();
      cancelTimer();
    },
    onJoined(participant) {
      if (intervalMs > 0) joinedChecks.onJoined(participant);
    },
  };
}
