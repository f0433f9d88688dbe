import type { Clock } from "../../../lib/clock.ts";
import type { Participant, Participants, RoomState } from "../../../lib/sfu/participants.ts";
import type { SfuEvent } from "../../../lib/sfu/sfu_event.ts";
import { SfuError } from "../../../lib/sfu/twirp.ts";

/** What becomes of calls. `unreachable` holds for webhooks as well; who is in a room stays there. */
export type SfuMode = "up" | "unreachable" | "hanging";

/** One connection of a participant. */
export interface Session {
  readonly room: string;
  readonly identity: string;
  readonly sid: string;
  readonly since: number;
  isActive: boolean;
}

/** An SFU as a model: no network, the time is the test's. */
export interface ModelSfu {
  mode: SfuMode;
  readonly isDown: boolean;
  /** When it was up again after the last crash. */
  readonly backAt: number;
  onEvent: (event: SfuEvent) => void;
  /** Told, for people, of each call and what has come of it. */
  onCall: (name: string, answer: string) => void;
  readonly participants: Participants;
  ensureRoom(room: string): Promise<void>;
  hasRoom(room: string): boolean;
  /** As the token endpoint does it, before the client comes. */
  createRoom(room: string): void;
  /**
   * Somebody connects, and is in the call after a moment. Another connection of
   * the same identity ends.
   *
   * @param sid The connection's ID where it is one that goes on from elsewhere.
   * @returns `undefined` where there is no such room, or no SFU.
   */
  join(room: string, identity: string, sid?: string): Session | undefined;
  /** A connection ends, if it has not yet. */
  end(session: Session, reason: string): void;
  isListed(session: Session): boolean;
  /** From now on it is noted when calls tell that nobody of that identity is there. */
  noteAbsence(room: string, identity: string): void;
  /** When that was told last. */
  absenceToldAt(room: string, identity: string): number;
  /** All rooms are lost, nobody says so, and nothing works for a while. */
  crash(ms: number): void;
}

interface Room {
  readonly sid: string;
  readonly sessions: Map<string, Session>;
  stop: () => void;
}

const ON_THE_WAY_MS = 2;
const CALL_TIMEOUT_MS = 5_000;
const CONNECTING_MS = 60;
const EMPTY_TIMEOUT_MS = 300_000;
const DEPARTURE_TIMEOUT_MS = 20_000;

/** Makes one. */
export function createModelSfu(clock: Clock): ModelSfu {
  const rooms = new Map<string, Room>();
  const absences = new Map<string, number>();
  let lastSid = 0;
  let crashes = 0;
  let isDown = false;
  let backAt = -Infinity;

  function call<T>(name: string, evaluate: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      clock.after(ON_THE_WAY_MS, () => {
        if (isDown || sfu.mode === "unreachable") {
          sfu.onCall(name, "refused");
          reject(new SfuError("tcp", "refused"));
        } else if (sfu.mode === "hanging") {
          sfu.onCall(name, "nothing");
          clock.after(CALL_TIMEOUT_MS, () => reject(new SfuError("http", "no answer in time")));
        } else {
          const value = evaluate();
          sfu.onCall(name, JSON.stringify(value) ?? "nobody");
          clock.after(ON_THE_WAY_MS, () => resolve(value));
        }
      });
    });
  }

  function emit(event: string, room: string, session?: Session, reason = "UNKNOWN_REASON"): void {
    sfu.onEvent({
      event,
      room,
      ...(session && { participant: { identity: session.identity, sid: session.sid } }),
      disconnectReason: reason,
    });
  }

  function closeLater(name: string, room: Room, ms: number): void {
    room.stop();
    room.stop = clock.after(ms, () => {
      rooms.delete(name);
      emit("room_finished", name);
    });
  }

  function createRoom(name: string): Room {
    const known = rooms.get(name);
    if (known !== undefined) return known;
    const room = { sid: `RM_${++lastSid}`, sessions: new Map(), stop: () => {} };
    rooms.set(name, room);
    closeLater(name, room, EMPTY_TIMEOUT_MS);
    emit("room_started", name);
    return room;
  }

  function find(name: string, identity: string): Participant | undefined {
    const session = rooms.get(name)?.sessions.get(identity);
    return session && { identity, sid: session.sid };
  }

  /** Whoever is not in a list has been told to be absent, too. */
  function noteAbsences(name: string, isAbsent: (identity: string) => boolean): void {
    for (const key of absences.keys()) {
      const [room, identity] = JSON.parse(key) as [string, string];
      if (room === name && isAbsent(identity)) absences.set(key, clock.monotonic());
    }
  }

  const sfu: ModelSfu = {
    mode: "up",
    get isDown() {
      return isDown;
    },
    get backAt() {
      return backAt;
    },
    onEvent: () => {},
    onCall: () => {},
    participants: {
      find: (name, identity) =>
        call("find", () => {
          const found = find(name, identity);
          if (found === undefined) noteAbsences(name, (other) => other === identity);
          return found;
        }),
      list: (name) =>
        call("list", () => {
          const sessions = rooms.get(name)?.sessions;
          noteAbsences(name, (identity) => sessions?.has(identity) !== true);
          return [...sessions?.keys() ?? []].map((identity) => find(name, identity)!);
        }),
      listRooms: (names) =>
        call(
          "listRooms",
          () =>
            [...rooms].filter(([name]) => names.length === 0 || names.includes(name))
              .map(([name, { sid, sessions }]): RoomState => ({
                name,
                sid,
                numParticipants: sessions.size,
              })),
        ),
    },
    ensureRoom: (name) => call("ensureRoom", () => void createRoom(name)),
    hasRoom: (name) => rooms.has(name),
    createRoom(name) {
      if (!isDown) createRoom(name);
    },
    join(name, identity, sid = `PA_${++lastSid}`) {
      const room = isDown ? undefined : rooms.get(name);
      if (room === undefined) return undefined;
      const previous = room.sessions.get(identity);
      if (previous !== undefined) sfu.end(previous, "DUPLICATE_IDENTITY");
      const session = { room: name, identity, sid, since: clock.monotonic(), isActive: false };
      room.sessions.set(identity, session);
      room.stop();
      clock.after(CONNECTING_MS, () => {
        if (!sfu.isListed(session)) return;
        session.isActive = true;
        emit("participant_joined", name, session);
      });
      return session;
    },
    end(session, reason) {
      if (!sfu.isListed(session)) return;
      const room = rooms.get(session.room)!;
      room.sessions.delete(session.identity);
      const event = session.isActive ? "participant_left" : "participant_connection_aborted";
      emit(event, session.room, session, reason);
      if (room.sessions.size === 0) closeLater(session.room, room, DEPARTURE_TIMEOUT_MS);
    },
    isListed: (session) => rooms.get(session.room)?.sessions.get(session.identity) === session,
    noteAbsence(name, identity) {
      const key = JSON.stringify([name, identity]);
      if (!absences.has(key)) absences.set(key, -Infinity);
    },
    absenceToldAt: (name, identity) => absences.get(JSON.stringify([name, identity])) ?? -Infinity,
    crash(ms) {
      for (const room of rooms.values()) room.stop();
      rooms.clear();
      isDown = true;
      const crash = ++crashes;
      clock.after(ms, () => {
        if (crash !== crashes) return;
        isDown = false;
        backAt = clock.monotonic();
      });
    },
  };
  return sfu;
}
