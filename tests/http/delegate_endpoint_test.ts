import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { createDelegateEndpoint } from "../../lib/http/delegate_endpoint.ts";
import { InvalidRequestError, MatrixError } from "../../lib/matrix/errors.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

const BODY = {
  room_id: "!room:example.com",
  slot_id: "m.call#ROOM",
  openid_token: { access_token: "openid-secret", matrix_server_name: "example.org" },
  member: { id: "member", claimed_user_id: "@alice:example.org", claimed_device_id: "DEVICE" },
  delay_id: "delay-secret",
  delay_timeout: 10_000,
};

async function createWorld(isPossible: boolean) {
  const clock = createManualClock();
  const { log, logText } = await captureLog({ level: "debug", format: "text", clock });
  const asked: number[] = [];
  const endpoint = createDelegateEndpoint({
    log,
    clock,
    pseudonym: () => "someone",
    isPossible: () => isPossible,
    delegate: ({ delayedLeave }, deadline) => {
      asked.push(delayedLeave.delayTimeoutMs, deadline);
      return Promise.resolve({ userId: "@alice:example.org", room: "room" });
    },
  });
  const ask = (body?: unknown) =>
    endpoint(
      new Request("http://a/delegate_delayed_leave", {
        method: "POST",
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
      { requestId: "id0", route: "/delegate_delayed_leave", facts: {} },
    );
  return { ask, asked, logText };
}

Deno.test("createDelegateEndpoint() answers an empty object and logs no secret", async () => {
  const { ask, asked, logText } = await createWorld(true);
  const { status, contentType, body } = await ask(BODY);
  assertEquals([status, contentType, body], [200, "application/json", "{}"]);
  assertEquals(asked, [10_000, 15_000]);
  const text = await logText();
  assertMatch(text, /took over a delayed leave endpoint=\/delegate_delayed_leave server=example/);
  assert(!/secret|alice|DEVICE/.test(text));
});

Deno.test("createDelegateEndpoint() answers a request without a body with 400", async () => {
  const { ask } = await createWorld(true);
  let error: unknown;
  try {
    await ask();
  } catch (caught) {
    error = caught;
  }
  assert(error instanceof InvalidRequestError);
  assertEquals([error.status, error.errcode], [400, "M_NOT_JSON"]);
});

Deno.test("createDelegateEndpoint() is not there while delegation cannot work", async () => {
  const { ask, asked } = await createWorld(false);
  for (const body of [undefined, BODY]) {
    const error = assertThrows(() => ask(body), MatrixError);
    assertEquals([error.status, error.errcode], [404, "M_UNRECOGNIZED"]);
  }
  assertEquals(asked, []);
});
