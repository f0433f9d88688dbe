import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvalidRequestError } from "../../lib/matrix/errors.ts";
import {
  parseFederationTokenRequest,
  parseHomeserverDelegateRequest,
  parseHomeserverTokenRequest,
} from "../../lib/matrix/homeserver_wire.ts";
import { Secret } from "../../lib/secret.ts";

const NEWEST = {
  url: "wss://sfu.example.org",
  room_id: "!room:example.org",
  slot_id: "m.call#ROOM",
  member_id: "member",
};
const OLDER = {
  room_id: "!room:example.org",
  slot_id: "m.call#ROOM",
  member: { id: "member", claimed_device_id: "DEVICE" },
};
const CALL = { roomId: "!room:example.org", slotId: "m.call#ROOM", memberId: "member" };

/** Errcode and message of a refusal. */
function refusalOf(parse: (body: unknown) => unknown, body: unknown): [string, string] {
  const error = assertThrows(() => parse(body), InvalidRequestError);
  return [error.errcode, error.message];
}

Deno.test("parseHomeserverTokenRequest() reads the newest form", () => {
  assertEquals(parseHomeserverTokenRequest({ ...NEWEST, unknown: 1 }), {
    ...CALL,
    url: NEWEST.url,
    serverName: undefined,
    claimedDeviceId: undefined,
  });
  const remote = parseHomeserverTokenRequest({ ...NEWEST, server_name: "b.example" });
  assertEquals(remote.serverName, "b.example");
});

Deno.test("parseHomeserverTokenRequest() reads the older form, with and without url", () => {
  const parsed = { ...CALL, serverName: undefined, claimedDeviceId: "DEVICE" };
  assertEquals(parseHomeserverTokenRequest(OLDER), { ...parsed, url: undefined });
  const url = "wss://sfu.example.org";
  assertEquals(parseHomeserverTokenRequest({ ...OLDER, url }), { ...parsed, url });
});

Deno.test("parseHomeserverTokenRequest() takes member_id where both forms are there", () => {
  const { memberId, claimedDeviceId } = parseHomeserverTokenRequest({
    ...OLDER,
    ...NEWEST,
    member_id: "newer",
  });
  assertEquals([memberId, claimedDeviceId], ["newer", undefined]);
  // And with it comes its duty to name the SFU.
  assertEquals(refusalOf(parseHomeserverTokenRequest, { ...OLDER, member_id: "newer" }), [
    "M_BAD_JSON",
    "Missing parameters: url",
  ]);
});

Deno.test("parseFederationTokenRequest() and parseHomeserverDelegateRequest() read their bodies", () => {
  assertEquals(parseFederationTokenRequest({ ...NEWEST, user_id: "@bob:b.example" }), {
    ...CALL,
    url: NEWEST.url,
    userId: "@bob:b.example",
  });
  const { delayId, ...rest } = parseHomeserverDelegateRequest({
    ...NEWEST,
    delay_id: "syd_1",
    delay_timeout: "of an older form",
  });
  assertEquals([rest, delayId.reveal()], [{ ...CALL, url: NEWEST.url }, "syd_1"]);
});

const FORMS = [
  {
    parse: parseHomeserverTokenRequest,
    body: NEWEST as Record<string, unknown>,
    all: "url, room_id, slot_id, member_id",
  },
  {
    parse: parseFederationTokenRequest,
    body: { ...NEWEST, user_id: "@bob:b.example" },
    all: "url, room_id, slot_id, member_id, user_id",
  },
  {
    parse: parseHomeserverDelegateRequest,
    body: { ...NEWEST, delay_id: "syd_1" },
    all: "url, room_id, slot_id, member_id, delay_id",
  },
];

for (const { parse, body, all } of FORMS) {
  Deno.test(`${parse.name}() names what is missing or empty`, () => {
    assertEquals(refusalOf(parse, {}), ["M_BAD_JSON", `Missing parameters: ${all}`]);
    assertEquals(refusalOf(parse, null), ["M_BAD_JSON", `Missing parameters: ${all}`]);
    for (const name of Object.keys(body)) {
      for (const value of ["", null]) {
        const refusal = refusalOf(parse, { ...body, [name]: value });
        assertEquals(refusal, ["M_BAD_JSON", `Missing parameters: ${name}`]);
      }
    }
  });

  Deno.test(`${parse.name}() refuses wrong types`, () => {
    for (const name of [...Object.keys(body), "member"]) {
      for (const value of [1, true, ["x"], ...(name === "member" ? ["x"] : [{}]), "\ud800"]) {
        const [errcode] = refusalOf(parse, { ...body, [name]: value });
        assertEquals([name, value, errcode], [name, value, "M_NOT_JSON"]);
      }
    }
    for (const value of [[], "text", 7, true]) {
      assertEquals(refusalOf(parse, value)[0], "M_NOT_JSON");
    }
  });

  Deno.test(`${parse.name}() takes any JSON for what it is`, () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      try {
        parse(value);
      } catch (error) {
        assertInstanceOf(error, InvalidRequestError);
      }
    }));
    const part = fc.option(fc.oneof(fc.string(), fc.jsonValue()), { nil: undefined });
    const names = ["url", "room_id", "slot_id", "member_id", "member", "delay_id", "user_id"];
    const fields = fc.record(Object.fromEntries(names.map((name) => [name, part])));
    fc.assert(fc.property(fields, (value) => {
      let parsed: Record<string, unknown>;
      try {
        parsed = { ...parse(value) };
      } catch (error) {
        assertInstanceOf(error, InvalidRequestError);
        return;
      }
      for (const [name, text] of Object.entries(parsed)) {
        const isOptional = ["url", "serverName", "claimedDeviceId"].includes(name);
        const found = text instanceof Secret ? text.reveal() : text;
        assert(
          (isOptional && found === undefined) || (typeof found === "string" && found !== ""),
          name,
        );
      }
    }));
  });
}
