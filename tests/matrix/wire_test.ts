import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvalidRequestError } from "../../lib/matrix/errors.ts";
import { parseGetTokenRequest, parseSfuGetRequest } from "../../lib/matrix/wire.ts";

const openidToken = {
  access_token: "secret",
  token_type: "Bearer",
  matrix_server_name: "example.org",
  expires_in: 3600,
};
const legacy = { room: "!room:example.org", device_id: "DEVICE", openid_token: openidToken };
const current = {
  room_id: "!room",
  slot_id: "m.call#ROOM",
  openid_token: openidToken,
  member: { id: "member", claimed_user_id: "@alice:example.org", claimed_device_id: "DEVICE" },
};

/** Errcode and message of a refusal. */
function refusalOf(parse: (body: unknown) => unknown, body: unknown): [string, string] {
  const error = assertThrows(() => parse(body), InvalidRequestError);
  return [error.errcode, error.message];
}

Deno.test("parseSfuGetRequest() reads a body", () => {
  const { openIdToken, ...rest } = parseSfuGetRequest({ ...legacy, unknown: [1] });
  assertEquals(rest, {
    roomId: "!room:example.org",
    deviceId: "DEVICE",
    delayedLeave: undefined,
  });
  assertEquals([openIdToken.accessToken.reveal(), openIdToken.serverName], [
    "secret",
    "example.org",
  ]);
});

Deno.test("parseGetTokenRequest() reads a body", () => {
  const { openIdToken, ...rest } = parseGetTokenRequest({ ...current, unknown: {} });
  assertEquals(rest, {
    roomId: "!room",
    slotId: "m.call#ROOM",
    memberId: "member",
    claimedUserId: "@alice:example.org",
    claimedDeviceId: "DEVICE",
    delayedLeave: undefined,
  });
  assertEquals(openIdToken.accessToken.reveal(), "secret");
});

Deno.test("parseSfuGetRequest() and parseGetTokenRequest() show no token when printed", () => {
  for (const request of [parseSfuGetRequest(legacy), parseGetTokenRequest(current)]) {
    assertEquals(JSON.stringify(request).includes('"secret"'), false);
    assertEquals(Deno.inspect(request, { depth: 9 }).includes('"secret"'), false);
  }
});

Deno.test("parseSfuGetRequest() names all that is missing", () => {
  const [errcode, message] = refusalOf(parseSfuGetRequest, {});
  assertEquals(errcode, "M_BAD_JSON");
  for (const name of ["room", "access_token", "matrix_server_name"]) assert(message.includes(name));
  assertEquals(message.includes("device_id"), false);
  assertEquals(
    refusalOf(parseSfuGetRequest, { ...legacy, room: "" }),
    ["M_BAD_JSON", "Missing room parameter"],
  );
  assertEquals(parseSfuGetRequest({ ...legacy, device_id: null }).deviceId, "");
});

Deno.test("parseGetTokenRequest() names all that is missing", () => {
  const names = [
    "room_id",
    "slot_id",
    "member.id",
    "member.claimed_user_id",
    "member.claimed_device_id",
    "openid_token.access_token",
    "openid_token.matrix_server_name",
  ];
  const expected = ["M_BAD_JSON", `Missing parameters: ${names.join(", ")}`] as [string, string];
  const empties = [
    {},
    { member: null, openid_token: null, room_id: null },
    { room_id: "", member: {}, openid_token: {} },
  ];
  for (const body of empties) assertEquals(refusalOf(parseGetTokenRequest, body), expected);
});

const wrongTypes: [string, unknown][] = [
  ["null", undefined],
  ["a list", []],
  ["text", "{}"],
  ["a number", 5],
  ["a boolean", true],
  ["a list for the token", { openid_token: [] }],
  ["text for the token", { openid_token: "secret" }],
  ["a number for the server", { openid_token: { ...openidToken, matrix_server_name: 5 } }],
  ["a number for the access token", { openid_token: { ...openidToken, access_token: 5 } }],
  ["a number for the token type", { openid_token: { ...openidToken, token_type: 5 } }],
  ["text for the lifetime", { openid_token: { ...openidToken, expires_in: "3600" } }],
  ["half a second", { openid_token: { ...openidToken, expires_in: 0.5 } }],
  ["infinity", JSON.parse('{"delay_timeout":1e999}')],
  ["text for the delay", { delay_timeout: "3600000" }],
  ["a number for the delay's ID", { delay_id: 5 }],
  ["an object for the delay's address", { delay_cs_api_url: {} }],
  ["half a surrogate pair", { delay_id: "\ud800" }],
];
for (const [what, part] of wrongTypes) {
  Deno.test(`parseSfuGetRequest() and parseGetTokenRequest() refuse ${what} as M_NOT_JSON`, () => {
    const isPart = typeof part === "object" && part !== null && !Array.isArray(part);
    if (part === undefined) {
      // JSON null counts as an empty object: what is missing is named.
      assertEquals(refusalOf(parseSfuGetRequest, null)[0], "M_BAD_JSON");
      return;
    }
    for (const [parse, body] of [[parseSfuGetRequest, legacy], [parseGetTokenRequest, current]]) {
      const whole = isPart ? { ...body as object, ...part } : part;
      assertEquals(refusalOf(parse as typeof parseSfuGetRequest, whole)[0], "M_NOT_JSON");
    }
  });
}

Deno.test("parseSfuGetRequest() and parseGetTokenRequest() take the delay's two halves together", () => {
  for (const [parse, body] of [[parseSfuGetRequest, legacy], [parseGetTokenRequest, current]]) {
    const read = (part: object) =>
      (parse as typeof parseSfuGetRequest)({ ...body as object, ...part }).delayedLeave;
    const leave = read({ delay_id: "id", delay_timeout: 8000, delay_cs_api_url: "http://evil" });
    assertEquals([leave?.delayId.reveal(), leave?.delayTimeoutMs], ["id", 8000]);
    const none = [
      {},
      { delay_id: "" },
      { delay_timeout: 0 },
      { delay_timeout: -1 },
      { delay_id: null, delay_timeout: null },
      { delay_cs_api_url: "http://evil.example" },
    ];
    for (const part of none) assertEquals(read(part), undefined);
    const halves = [
      { delay_id: "id" },
      { delay_timeout: 8000 },
      { delay_id: "id", delay_timeout: 0 },
      { delay_id: "id", delay_timeout: -5 },
    ];
    for (const part of halves) {
      const whole = { ...body as object, ...part };
      assertEquals(refusalOf(parse as typeof parseSfuGetRequest, whole), [
        "M_BAD_JSON",
        "delay_id and delay_timeout must be given together",
      ]);
    }
  }
});

Deno.test("parseSfuGetRequest() and parseGetTokenRequest() read or refuse any JSON", () => {
  const anything = fc.jsonValue();
  const part = fc.oneof({ weight: 3, arbitrary: fc.string() }, anything);
  const body = fc.oneof(
    anything,
    fc.record({
      room: part,
      device_id: part,
      room_id: part,
      slot_id: part,
      member: fc.oneof(
        anything,
        fc.record({ id: part, claimed_user_id: part, claimed_device_id: part }),
      ),
      openid_token: fc.oneof(
        anything,
        fc.record({ access_token: part, matrix_server_name: part, expires_in: anything }),
      ),
      delay_id: part,
      delay_timeout: fc.oneof(fc.integer(), anything),
      __proto__: anything,
    }, { requiredKeys: [] }),
  );
  fc.assert(
    fc.property(body, (body) => {
      for (const parse of [parseSfuGetRequest, parseGetTokenRequest]) {
        try {
          const { roomId, openIdToken, delayedLeave } = parse(body);
          assert(roomId !== "" && openIdToken.serverName !== "");
          assert(openIdToken.accessToken.reveal() !== "");
          assert(delayedLeave === undefined || delayedLeave.delayTimeoutMs > 0);
        } catch (error) {
          assertInstanceOf(error, InvalidRequestError);
        }
      }
    }),
    { numRuns: 500 },
  );
});
