import { createSfuWatch, type SfuWatch } from "../../../lib/delayed_leave/sfu/sfu_watch.ts";
import type { WatchedJob } from "../../../lib/delayed_leave/sfu_view.ts";
import { WatchedJobsByRoom } from "../../../lib/delayed_leave/watched_jobs.ts";
import { Secret } from "../../../lib/secret.ts";
import type { Participants } from "../../../lib/sfu/participants.ts";
import { SfuError } from "../../../lib/sfu/twirp.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../../lib/signing/names.ts";
import { captureLog } from "../../support/captured_log.ts";
import { createManualClock, type ManualClock } from "../../support/manual_clock.ts";

export const room = (name: string) => name as LiveKitRoom;
export const identity = (name: string) => name as LiveKitIdentity;
export const REFUSED = new SfuError("tcp", "connection refused");

/** A call, as it reached the SFU. */
export type Call =
  | { at: number; method: "find"; room: string; identity: string }
  | { at: number; method: "list"; room: string }
  | { at: number; method: "listRooms"; names: readonly string[] };

/** An SFU made of maps. */
export interface RoomsOfSfu extends Participants {
  /** Room → its SID and its participants' SIDs by identity. */
  readonly rooms: Map<string, { sid: string; members: Map<string, string> }>;
  readonly calls: Call[];
  /** The methods called so far, without the heartbeat's. */
  looks(): string[];
  /** Looks at each call first; what it throws is the answer. */
  fail: (call: Call) => void;
  /** Awaited after each answer is made, before it is given. */
  hold: (call: Call) => Promise<void> | undefined;
  join(room: string, identity: string): string;
  leave(room: string, identity: string): void;
  /** All rooms are gone. */
  crash(): void;
}

/** A job that notes what it is told. */
export interface NotingJob extends WatchedJob {
  seenAt: number;
  readonly told: string[];
}

export function createRoomsOfSfu(clock: ManualClock): RoomsOfSfu {
  const rooms: RoomsOfSfu["rooms"] = new Map();
  const calls: Call[] = [];
  let sids = 0;
  const call = async <T>(call: Call, answer: () => T): Promise<T> => {
    calls.push(call);
    sfu.fail(call);
    const value = answer();
    await sfu.hold(call);
    return value;
  };
  const getRoom = (name: string) => {
    let room = rooms.get(name);
    if (room === undefined) rooms.set(name, room = { sid: `RM_${sids++}`, members: new Map() });
    return room;
  };
  const membersOf = (name: string) => rooms.get(name)?.members ?? new Map<string, string>();
  const sfu: RoomsOfSfu = {
    rooms,
    calls,
    looks: () =>
      calls.flatMap((call) => {
        if (call.method === "listRooms") return [];
        return call.method === "find"
          ? [`find ${call.room} ${call.identity}`]
          : [`list ${call.room}`];
      }),
    fail: () => {},
    hold: () => undefined,
    join(name, identity) {
      const sid = `PA_${sids++}`;
      getRoom(name).members.set(identity, sid);
      return sid;
    },
    leave: (name, identity) => void rooms.get(name)?.members.delete(identity),
    crash: () => rooms.clear(),
    find: (room, identity) =>
      call({ at: clock.monotonic(), method: "find", room, identity }, () => {
        const sid = membersOf(room).get(identity);
        return sid === undefined ? undefined : { identity, sid };
      }),
    list: (room) =>
      call(
        { at: clock.monotonic(), method: "list", room },
        () => [...membersOf(room)].map(([identity, sid]) => ({ identity, sid })),
      ),
    listRooms: (names) =>
      call(
        { at: clock.monotonic(), method: "listRooms", names },
        () =>
          [...rooms].filter(([name]) => names.includes(name)).map(([name, { sid, members }]) => ({
            name,
            sid,
            numParticipants: members.size,
          })),
      ),
  };
  return sfu;
}

/** A job that is watched; `seenAt` is now unless told. */
export function createJob(
  name: string,
  participant: string,
  { seenAt = -Infinity, other }: { seenAt?: number; other?: string } = {},
  clock?: ManualClock,
): NotingJob {
  const told: string[] = [];
  const job: NotingJob = {
    job: {
      room: room(name),
      identity: identity(participant),
      ...(other !== undefined && { otherIdentity: identity(other) }),
      delayId: new Secret("delay"),
      delayTimeoutMs: 60_000,
      serverName: "example.org",
    },
    seenAt,
    told,
    onPresent(sid) {
      told.push(`present ${sid}`);
      if (clock !== undefined) job.seenAt = clock.monotonic();
    },
    onAbsent: () => void told.push("absent"),
  };
  return job;
}

/** Everything that waits for nothing but promises comes to rest. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 60; i++) await Promise.resolve();
}

/** Moves time on, from one timer to the next, and lets promises settle in between. */
export async function pass(clock: ManualClock, ms: number): Promise<void> {
  await settle();
  const end = clock.monotonic() + ms;
  while (clock.monotonic() < end) {
    clock.advance(Math.min(clock.pending[0] ?? Infinity, end - clock.monotonic()));
    await settle();
  }
}

/** The watch over an SFU made of maps. */
export async function createSfuWorld({ intervalMs = 0 } = {}) {
  const clock = createManualClock();
  const sfu = createRoomsOfSfu(clock);
  const jobs = new WatchedJobsByRoom();
  const ensured: string[] = [];
  const { log, logText } = await captureLog({ level: "info", format: "text", clock });
  const settings: { ensureRoom: (room: LiveKitRoom) => Promise<void> } = {
    ensureRoom: (name) => {
      if (!sfu.rooms.has(name)) {
        sfu.rooms.set(name, { sid: `RM_again_${name}`, members: new Map() });
      }
      return Promise.resolve();
    },
  };
  const watch: SfuWatch = createSfuWatch({
    participants: sfu,
    jobs,
    ensureRoom: (name) => {
      ensured.push(name);
      return settings.ensureRoom(name);
    },
    intervalMs,
    clock,
    random: () => 0.5,
    log,
  });
  jobs.onFirst = watch.wake;
  return {
    clock,
    ensured,
    jobs,
    logText,
    settings,
    sfu,
    watch,
    /** Watches a job of a participant, who is on the SFU unless told. */
    add(name: string, participant: string, options: Parameters<typeof createJob>[2] = {}) {
      const job = createJob(name, participant, { seenAt: clock.monotonic(), ...options }, clock);
      jobs.add(job);
      return job;
    },
    look: (name: string, ...identities: string[]) =>
      watch.look(room(name), identities.map(identity)),
    pass: (ms: number) => pass(clock, ms),
    heartbeats: () => sfu.calls.filter(({ method }) => method === "listRooms"),
  };
}
