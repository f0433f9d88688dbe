/** Rooms and participants of the SFU stand-in. */

import { type ProtobufField, readStrings, writeMessage } from "./protobuf.ts";

/** An answer of the RoomService. */
export interface SfuAnswer {
  status: number;
  contentType: string;
  body: string | Uint8Array<ArrayBuffer>;
}

interface Participant {
  sid: string;
  identity: string;
  /** The same as JSON, made once: a poll of a room is no more than putting these together. */
  json: string;
}

interface Room {
  sid: string;
  name: string;
  participants: Map<string, Participant>;
}

const JSON_TYPE = "application/json";
const PROTOBUF_TYPE = "application/protobuf";
const ACTIVE = 2;
const CREATED_AT_S = 1795516265;

/**
 * Answers the RoomService truthfully from memory, in Twirp's JSON or protobuf, as it was asked.
 * Tokens are not looked at, and no room ever ends: load runs are short.
 */
export class SfuRooms {
  readonly #rooms = new Map<string, Room>();
  #created = 0;

  /**
   * Lets a participant in, making the room if need be.
   *
   * @returns The participant's SID.
   */
  join(roomName: string, identity: string): string {
    const sid = `PA_${this.#nextNumber()}`;
    const json = `{"sid":"${sid}","identity":${JSON.stringify(identity)},"state":"ACTIVE",` +
      `"tracks":[],"metadata":"","joined_at":"${CREATED_AT_S}","name":"","version":3,` +
      `"permission":{"can_subscribe":true,"can_publish":true,"can_publish_data":true,` +
      `"can_publish_sources":[],"hidden":false,"recorder":false,"can_update_metadata":false,` +
      `"agent":false,"can_subscribe_metrics":false},"region":"","is_publisher":true,` +
      `"kind":"STANDARD","attributes":{},"disconnect_reason":"UNKNOWN_REASON","kind_details":[]}`;
    this.#room(roomName).participants.set(identity, { sid, identity, json });
    return sid;
  }

  /** Lets a participant go. */
  leave(roomName: string, identity: string): void {
    this.#rooms.get(roomName)?.participants.delete(identity);
  }

  /**
   * Answers a call.
   *
   * @param method `CreateRoom`, `ListRooms`, `ListParticipants` or `GetParticipant`.
   * @param body As it came.
   * @param contentType Says how to read it, and how to answer.
   */
  answer(method: string, body: Uint8Array, contentType: string | null): SfuAnswer {
    const inJson = contentType !== PROTOBUF_TYPE;
    const fields: Record<string, unknown> = inJson
      ? JSON.parse(new TextDecoder().decode(body))
      : readStrings(body);
    const name = String((method === "CreateRoom" ? fields.name : fields.room) ?? fields[1]);
    const found = (json: string, message: Iterable<ProtobufField>): SfuAnswer =>
      inJson
        ? { status: 200, contentType: JSON_TYPE, body: json }
        : { status: 200, contentType: PROTOBUF_TYPE, body: writeMessage(message) };
    switch (method) {
      case "CreateRoom": {
        const room = this.#room(name);
        return found(roomToJson(room), roomToMessage(room));
      }
      case "ListRooms": {
        const names = inJson ? fields.names : fields[1] === undefined ? [] : [fields[1]];
        const rooms = this.#list(Array.isArray(names) ? names : []);
        return found(
          `{"rooms":[${rooms.map(roomToJson).join()}]}`,
          rooms.map((room) => [1, writeMessage(roomToMessage(room))] as const),
        );
      }
      case "ListParticipants": {
        // An absent room is an empty one here, as in LiveKit.
        const participants = [...this.#rooms.get(name)?.participants.values() ?? []];
        return found(
          `{"participants":[${participants.map(({ json }) => json).join()}]}`,
          participants.map((one) => [1, writeMessage(participantToMessage(one))] as const),
        );
      }
      case "GetParticipant": {
        const identity = String(fields.identity ?? fields[2]);
        const participant = this.#rooms.get(name)?.participants.get(identity);
        if (participant === undefined) return notFound("participant does not exist", "not_found");
        return found(participant.json, participantToMessage(participant));
      }
      default:
        return notFound(`no handler for ${method}`, "bad_route");
    }
  }

  #room(name: string): Room {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      room = { sid: `RM_${this.#nextNumber()}`, name, participants: new Map() };
      this.#rooms.set(name, room);
    }
    return room;
  }

  #list(names: unknown[]): Room[] {
    if (names.length === 0) return [...this.#rooms.values()];
    return names.flatMap((name) => this.#rooms.get(String(name)) ?? []);
  }

  #nextNumber(): string {
    return String(++this.#created).padStart(12, "0");
  }
}

/** Errors are JSON whatever the request was. */
function notFound(message: string, code: string): SfuAnswer {
  const body = JSON.stringify({ code, msg: message });
  return { status: 404, contentType: JSON_TYPE, body };
}

function roomToJson({ sid, name, participants }: Room): string {
  return `{"sid":"${sid}","name":${JSON.stringify(name)},"empty_timeout":300,` +
    `"departure_timeout":20,"max_participants":0,"creation_time":"${CREATED_AT_S}",` +
    `"enabled_codecs":[],"metadata":"","num_participants":${participants.size},` +
    `"num_publishers":0,"active_recording":false,"version":null}`;
}

function roomToMessage({ sid, name, participants }: Room): ProtobufField[] {
  return [[1, sid], [2, name], [3, 300], [5, CREATED_AT_S], [9, participants.size]];
}

function participantToMessage({ sid, identity }: Participant): ProtobufField[] {
  return [[1, sid], [2, identity], [3, ACTIVE], [6, CREATED_AT_S]];
}
