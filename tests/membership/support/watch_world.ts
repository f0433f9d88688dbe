import type { Member, RoomMembership } from "../../../lib/homeserver/room_membership.ts";
import { UpstreamError } from "../../../lib/matrix/errors.ts";
import {
  createMembershipWatch,
  type MembershipWatchOptions,
} from "../../../lib/membership/membership_watch.ts";
import { Secret } from "../../../lib/secret.ts";
import type { Participant } from "../../../lib/sfu/participants.ts";
import {
  type CallMember,
  createMemberSeal,
  MEMBER_ATTRIBUTE,
} from "../../../lib/signing/member_seal.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../../lib/signing/names.ts";
import { captureLog } from "../../support/captured_log.ts";
import { createManualClock } from "../../support/manual_clock.ts";

/** From one sweep to the next. */
export const INTERVAL_MS = 60_000;
/** The own homeserver. */
export const OWN = "example.org";

/** A question that the homeserver was asked. */
export interface Question {
  readonly roomId: string;
  readonly member: Member;
  readonly anew: boolean;
  readonly timeoutMs: number;
}

/** Makes a watch over calls and a homeserver that do as the test says. */
export async function createWatchWorld(options: Partial<MembershipWatchOptions> = {}) {
  const clock = createManualClock();
  // A clock of its own: the log's timers are none of the watch's.
  const logClock = createManualClock();
  const { log, logText } = await captureLog({ level: "debug", format: "text", clock: logClock });
  const seal = createMemberSeal([new Secret("a-secret-of-thirty-two-characters!")]);
  const calls = new Map<string, Map<string, Participant>>();
  /** Who is joined: `<room> <user or server>`. */
  const joined = new Set<string>();
  const questions: Question[] = [];
  const removed: string[] = [];
  let inFlight = 0;
  const world = {
    clock,
    logText,
    seal,
    calls,
    joined,
    questions,
    removed,
    /** Questions at once, the most so far. */
    mostInFlight: 0,
    listed: [] as string[],
    listRoomsCount: 0,
    /** Comes before each answer; what it throws is thrown. */
    beforeAnswer: (_question: Question): Promise<void> | void => {},
    /** The same of the SFU, told the method. */
    beforeSfu: (_method: string, _room: string): Promise<void> | void => {},
    /** What of the service's own makes a participant known. */
    attributesOf: (member: CallMember, room: string, identity: string) => ({
      [MEMBER_ATTRIBUTE]: seal.seal(member, room as LiveKitRoom, identity as LiveKitIdentity),
    }),
    /** Lets a user into the call of his room. */
    join(member: CallMember, identity = `${member.userId}:DEVICE`, room = `call ${member.roomId}`) {
      const attributes = world.attributesOf(member, room, identity);
      world.joinWith(attributes, identity, room);
      return { room, identity, attributes };
    },
    /** Lets somebody in with any attributes. */
    joinWith(
      attributes: Readonly<Record<string, string>> | undefined,
      identity: string,
      room: string,
    ) {
      const call = calls.get(room) ?? new Map<string, Participant>();
      calls.set(room, call);
      call.set(identity, { identity, sid: "PA_1", ...(attributes && { attributes }) });
    },
    /** Moves on to the next sweep, and returns when it has ended. */
    async sweep() {
      const next = clock.pending[0];
      if (next === undefined) throw new Error("no sweep is to come");
      clock.advance(next);
      await clock.waitForTimer(INTERVAL_MS);
    },
    /** Lets everything run that waits for nothing but promises. */
    async settle() {
      for (let i = 0; i < 200; i++) await Promise.resolve();
    },
  };

  async function answer(question: Question): Promise<boolean> {
    questions.push(question);
    world.mostInFlight = Math.max(world.mostInFlight, ++inFlight);
    try {
      await world.beforeAnswer(question);
      const { roomId, member } = question;
      return joined.has(`${roomId} ${"userId" in member ? member.userId : member.serverName}`);
    } finally {
      inFlight--;
    }
  }
  const membership: RoomMembership = {
    isJoined: (roomId, member, timeoutMs) => answer({ roomId, member, anew: false, timeoutMs }),
    isStillJoined: (roomId, member, timeoutMs) => answer({ roomId, member, anew: true, timeoutMs }),
  };
  const watch = createMembershipWatch({
    participants: {
      async listRooms() {
        world.listRoomsCount++;
        await world.beforeSfu("ListRooms", "");
        // LiveKit counts late: rooms that are full may be said to be empty.
        return [...calls.keys()].map((name) => ({ name, sid: "RM_1", numParticipants: 0 }));
      },
      async list(room) {
        world.listed.push(room);
        await world.beforeSfu("ListParticipants", room);
        return [...calls.get(room)?.values() ?? []];
      },
    },
    async removeParticipant(room, identity) {
      await world.beforeSfu("RemoveParticipant", room);
      removed.push(identity);
      calls.get(room)?.delete(identity);
    },
    seal,
    membership,
    ownServerName: OWN,
    fallsToThis: () => true,
    clock,
    random: () => 0.5,
    log,
    pseudonym: () => "somebody",
    intervalMs: INTERVAL_MS,
    ...options,
  });
  return Object.assign(world, { watch });
}

/** A homeserver that does not answer. */
export function silence(): never {
  throw new UpstreamError("http", "no answer");
}

/** A user of the own homeserver in the call of a room. */
export function user(localpart: string, changes: Partial<CallMember> & { server?: string } = {}) {
  const { server = OWN, ...rest } = changes;
  const userId = `@${localpart}:${server}`;
  return { userId, roomId: "!room", way: "homeserver", ...rest } satisfies CallMember;
}
