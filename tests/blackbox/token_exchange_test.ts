import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TokenVerifier } from "livekit-server-sdk";
import { hashedIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import {
  type Answer,
  ask,
  BOB,
  getTokenBody,
  openIdToken,
  sfuGetBody,
  startWorld,
} from "./support/world.ts";
import { secret, test, testSecrets } from "./support/watched.ts";

const world = await startWorld();
const { service, own, other, sfu, alice, bob } = world;
Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

const DELAY_ID = secret("delay-id-of-alice");
const ROOM = liveKitRoom("!room:example.com", "m.call#ROOM");

function forget(): void {
  for (const fake of [own, other, sfu]) fake.requests.length = 0;
  sfu.calls.length = 0;
}

function assertCors({ headers }: Answer): void {
  assertEquals(headers.get("access-control-allow-origin"), "*");
  assertEquals(headers.get("access-control-allow-methods"), "POST");
  assertEquals(
    headers.get("access-control-allow-headers"),
    "Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token",
  );
  assertMatch(headers.get("x-request-id") ?? "", /^[0-9a-z]{6,}$/);
}

/** The log line of the request that was answered. */
async function logLineOf({ headers }: Answer): Promise<string> {
  const [line] = await service.waitForLog(
    new RegExp(`^.* request=${headers.get("x-request-id")}$`, "m"),
  );
  return line;
}

function assertError(answer: Answer, status: number, errcode: string, error: string): void {
  assertEquals([answer.status, answer.json.errcode, answer.json.error], [status, errcode, error]);
  assertEquals(Object.keys(answer.json).sort(), ["errcode", "error"]);
  assertEquals(answer.headers.get("content-type"), "application/json");
  assertCors(answer);
}

const ENDPOINTS = [
  {
    path: "/get_token",
    body: () => getTokenBody(world) as Record<string, unknown>,
    bobsBody: (): Record<string, unknown> => ({
      ...getTokenBody(world),
      openid_token: openIdToken(BOB, other.serverName),
      member: { id: "memberB", claimed_user_id: bob, claimed_device_id: "DEVICEB" },
    }),
    identity: hashedIdentity(alice, "DEVICE123", "memberABC") as string,
    bobsIdentity: hashedIdentity(bob, "DEVICEB", "memberB") as string,
    strings: ["room_id", "slot_id"],
    missingTokenText:
      "Missing parameters: openid_token.access_token, openid_token.matrix_server_name",
  },
  {
    path: "/sfu/get",
    body: () => sfuGetBody(world) as Record<string, unknown>,
    bobsBody: (): Record<string, unknown> => ({
      ...sfuGetBody(world),
      openid_token: openIdToken(BOB, other.serverName),
    }),
    identity: `${alice}:DEVICE123`,
    bobsIdentity: `${bob}:DEVICE123`,
    strings: ["room", "device_id"],
    missingTokenText: "Missing OpenID token parameters: access_token, matrix_server_name",
  },
];

for (
  const { path, body, bobsBody, identity, bobsIdentity, strings, missingTokenText } of ENDPOINTS
) {
  test(`POST ${path} gives a full-access user url and token, and creates the room`, async () => {
    forget();
    const before = Math.floor(Date.now() / 1000);
    const answer = await ask(service, "POST", path, body());
    assertEquals(answer.status, 200);
    assertEquals(answer.headers.get("content-type"), "application/json");
    assertCors(answer);
    assertEquals(Object.keys(answer.json).sort(), ["jwt", "url"]);
    assertEquals(answer.json.url, sfu.liveKitUrl);
    const { iss, sub, iat, nbf, exp, video, ...rest } = await new TokenVerifier(sfu.key, sfu.secret)
      .verify(answer.json.jwt as string) as Record<string, unknown>;
    assertEquals([iss, sub, rest], [sfu.key, identity, {}]);
    assert(iat === nbf && Number(exp) - Number(nbf) === 3600);
    assert(Number(nbf) >= before && Number(nbf) <= Date.now() / 1000);
    assertEquals(video, {
      roomJoin: true,
      room: ROOM,
      roomCreate: false,
      canPublish: true,
      canSubscribe: true,
      canUpdateOwnMetadata: false,
      hidden: false,
    });
    assert(sfu.rooms.includes(ROOM));
    const line = await logLineOf(answer);
    assertStringIncludes(
      line,
      `issued a join token endpoint=${path} access=full server=${own.serverName}`,
    );
    assert(!line.includes("alice") && !line.includes("DEVICE123"));
  });

  test(`POST ${path} gives a restricted user a token and creates nothing`, async () => {
    forget();
    const answer = await ask(service, "POST", path, {
      ...bobsBody(),
      ...(path === "/sfu/get" ? { room: "!other:example.com" } : { room_id: "!other:example.com" }),
    });
    assertEquals(answer.status, 200);
    const claims = await new TokenVerifier(sfu.key, sfu.secret).verify(answer.json.jwt as string);
    assertEquals(claims.sub, bobsIdentity);
    assertEquals([claims.video?.roomCreate, claims.video?.canPublish], [false, true]);
    assertEquals([sfu.calls.length, other.requests.length > 0], [0, true]);
    assertStringIncludes(await logLineOf(answer), "access=restricted");
  });

  for (const prefix of ["/livekit/jwt", "/", "/a/b/c/", "//"]) {
    test(`POST ${prefix}${path} is the same with a prefix, slashes and a query`, async () => {
      const answer = await ask(service, "POST", `${prefix}${path}?query`, body());
      assertEquals(answer.status, 200);
      assertCors(answer);
    });
  }

  for (const method of ["GET", "HEAD", "PUT", "DELETE", "PATCH"]) {
    test(`${method} ${path} is 405 with CORS`, async () => {
      const answer = await ask(service, method, path);
      assertEquals([answer.status, answer.headers.get("allow")], [405, "POST"]);
      assertCors(answer);
      if (method !== "HEAD") assertEquals(answer.json.errcode, "M_UNRECOGNIZED");
      assertStringIncludes(await logLineOf(answer), "status=405");
    });
  }

  test(`OPTIONS ${path} is 200 and empty`, async () => {
    const answer = await ask(service, "OPTIONS", path, undefined, {
      origin: "https://call.example.org",
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    });
    assertEquals([answer.status, answer.text], [200, ""]);
    assertCors(answer);
  });

  test(`POST ${path} without a body is 400 M_NOT_JSON, as clients probe`, async () => {
    assertError(await ask(service, "POST", path), 400, "M_NOT_JSON", "Error reading request");
  });

  const nonJson: [name: string, body: unknown][] = [
    ["an empty body", ""],
    ["NUL", "\0"],
    ["text", "hello"],
    ["half an object", '{"room":'],
    ["two values", "{}{}"],
    ["a list", []],
    ["a number", "1"],
    ["a string", '"a"'],
    ["bytes that are no UTF-8", new Uint8Array([0x7b, 0xff, 0x7d])],
    ["60 000 open brackets", "[".repeat(60_000)],
    ["30 000 lists in one another", "[".repeat(30_000) + "]".repeat(30_000)],
    ["10 000 objects in one another", '{"a":'.repeat(10_000) + "1" + "}".repeat(10_000) + ","],
  ];
  for (const [name, sent] of nonJson) {
    test(`POST ${path} with ${name} is 400 M_NOT_JSON`, async () => {
      forget();
      const answer = await ask(service, "POST", path, sent);
      assertError(answer, 400, "M_NOT_JSON", "Error reading request");
      assertStringIncludes(await logLineOf(answer), "status=400");
      assertEquals([own.requests.length, sfu.calls.length], [0, 0]);
    });
  }

  const wrongTypes = [1, true, [], ["a"], {}];
  for (const field of [...strings, "delay_id", "delay_cs_api_url"]) {
    test(`POST ${path} with ${field} of any other type than string is 400 M_NOT_JSON`, async () => {
      for (const value of wrongTypes) {
        const answer = await ask(service, "POST", path, { ...body(), [field]: value });
        assertError(answer, 400, "M_NOT_JSON", "Error reading request");
      }
      const lone = JSON.stringify(body()).replace(/^\{/, `{"${field}":"\\ud800",`);
      if (field.startsWith("delay")) {
        assertEquals((await ask(service, "POST", path, lone)).json.errcode, "M_NOT_JSON");
      }
    });
  }

  test(`POST ${path} with delay_timeout of any other type than integer is 400 M_NOT_JSON`, async () => {
    for (const value of ["10000", 1.5, true, [], {}]) {
      const sent = { ...body(), delay_id: DELAY_ID, delay_timeout: value };
      assertError(
        await ask(service, "POST", path, sent),
        400,
        "M_NOT_JSON",
        "Error reading request",
      );
    }
    const huge = JSON.stringify(body()).replace(/^\{/, '{"delay_timeout":1e999,');
    assertEquals((await ask(service, "POST", path, huge)).json.errcode, "M_NOT_JSON");
  });

  test(`POST ${path} with a wrong type within openid_token is 400 M_NOT_JSON`, async () => {
    for (const token of [1, "token", [], true]) {
      const answer = await ask(service, "POST", path, { ...body(), openid_token: token });
      assertError(answer, 400, "M_NOT_JSON", "Error reading request");
    }
    for (const field of ["access_token", "matrix_server_name"]) {
      for (const value of wrongTypes) {
        const token = { ...body().openid_token as object, [field]: value };
        const answer = await ask(service, "POST", path, { ...body(), openid_token: token });
        assertError(answer, 400, "M_NOT_JSON", "Error reading request");
      }
    }
  });

  test(`POST ${path} ignores unknown fields, null, and what openid_token says of itself`, async () => {
    const sent = {
      ...body(),
      later: { a: [1] },
      delay_id: null,
      delay_timeout: null,
      delay_cs_api_url: "http://169.254.169.254/",
      openid_token: { ...body().openid_token as object, expires_in: 60, later: 1 },
    };
    assertEquals((await ask(service, "POST", path, sent)).status, 200);
  });

  test(`POST ${path} does not care for the content type`, async () => {
    for (const type of ["text/plain", "application/json; charset=utf-8", "nonsense"]) {
      const answer = await ask(service, "POST", path, body(), { "content-type": type });
      assertEquals(answer.status, 200);
    }
  });

  for (const token of [undefined, null, {}, { access_token: "", matrix_server_name: "" }]) {
    test(`POST ${path} with ${JSON.stringify(token)} for a token is 400 M_BAD_JSON`, async () => {
      forget();
      const answer = await ask(service, "POST", path, { ...body(), openid_token: token });
      assertError(answer, 400, "M_BAD_JSON", missingTokenText);
      assertEquals(own.requests.length, 0);
    });
  }

  for (
    const delay of [
      { delay_id: DELAY_ID },
      { delay_timeout: 10_000 },
      { delay_id: DELAY_ID, delay_timeout: 0 },
      { delay_id: DELAY_ID, delay_timeout: -1 },
      { delay_id: "", delay_timeout: 10_000 },
      { delay_id: null, delay_timeout: 10_000 },
    ]
  ) {
    test(`POST ${path} with no more than ${JSON.stringify(delay)} is 400 M_BAD_JSON`, async () => {
      forget();
      const answer = await ask(service, "POST", path, { ...body(), ...delay });
      assertError(answer, 400, "M_BAD_JSON", "delay_id and delay_timeout must be given together");
      assertEquals(own.requests.length, 0);
    });
  }

  test(`POST ${path} refuses a restricted user's delegation with M_BAD_JSON, as clients expect`, async () => {
    forget();
    const sent = { ...bobsBody(), delay_id: DELAY_ID, delay_timeout: 10_000 };
    assertError(
      await ask(service, "POST", path, sent),
      400,
      "M_BAD_JSON",
      "Delegation of delayed events is only supported for full access users",
    );
    assertEquals(other.requests.length > 0, true);
  });

  test(`POST ${path} refuses delegation without a client API with M_BAD_JSON, creating no room`, async () => {
    forget();
    const sent = { ...body(), delay_id: DELAY_ID, delay_timeout: 10_000 };
    const answer = await ask(service, "POST", path, sent);
    assertError(answer, 400, "M_BAD_JSON", "Unable to resolve client-server API");
    // Whose token it is, and /.well-known/matrix/client, which is not there.
    assertEquals([own.requests.length, sfu.calls.length], [2, 0]);
    const forged = { ...sent, openid_token: openIdToken("unknown", own.serverName) };
    assertEquals((await ask(service, "POST", path, forged)).status, 401);
  });

  test(`POST ${path} with a token that the homeserver does not know is 401`, async () => {
    forget();
    const sent = { ...body(), openid_token: openIdToken(secret("forged-token"), own.serverName) };
    const answer = await ask(service, "POST", path, sent);
    assertError(answer, 401, "M_UNAUTHORIZED", "The request could not be authorised.");
    assertEquals(sfu.calls.length, 0);
    const line = await logLineOf(answer);
    for (
      const text of [
        "WARNING",
        "HTTP 401 M_UNKNOWN_TOKEN",
        `server=${own.serverName}`,
        "hop=answer",
      ]
    ) {
      assertStringIncludes(line, text);
    }
  });

  test(`POST ${path} asks with the token as it is, whatever is in it`, async () => {
    forget();
    const odd = secret("a&b=c#d?e/%2F\r\nX: y é\0");
    const sent = { ...body(), openid_token: openIdToken(odd, own.serverName) };
    assertEquals((await ask(service, "POST", path, sent)).status, 401);
    const [request] = own.requests;
    assertEquals(new URL(request!.path, "http://a").searchParams.get("access_token"), odd);
    assertEquals(request!.headers.get("x"), null);
  });

  const vouchers: [name: string, answer: () => Response][] = [
    ["a user of another server", () => Response.json({ sub: "@alice:evil.example" })],
    [
      "a user of its name in other case",
      () => Response.json({ sub: alice.replace("localhost", "LOCALHOST") }),
    ],
    ["a user of its name without the port", () => Response.json({ sub: "@alice:localhost" })],
    ["a user with a second port", () => Response.json({ sub: `${alice}:8448` })],
    ["no user", () => Response.json({})],
    ["a number", () => Response.json({ sub: 1 })],
    ["something without the @", () => Response.json({ sub: alice.slice(1) })],
    ["a page", () => new Response("<html>", { headers: { "content-type": "text/html" } })],
    ["nothing", () => new Response("")],
    ["an error", () => Response.json({ sub: alice }, { status: 500 })],
    ["a redirect", () => Response.redirect("https://evil.example/", 302)],
    ["the user, in status 201", () => Response.json({ sub: alice }, { status: 201 })],
  ];
  for (const [name, respond] of vouchers) {
    test(`POST ${path} is 401 when the homeserver vouches for ${name}`, async () => {
      forget();
      own.settings.respond = respond;
      try {
        const answer = await ask(service, "POST", path, body());
        assertError(answer, 401, "M_UNAUTHORIZED", "The request could not be authorised.");
        assertEquals([own.requests.length, sfu.calls.length], [1, 0]);
        assertStringIncludes(await logLineOf(answer), "hop=answer");
      } finally {
        own.settings.respond = () => undefined;
      }
    });
  }
}

test("POST /get_token names all that is missing at once", async () => {
  const answer = await ask(service, "POST", "/get_token", {});
  assertError(
    answer,
    400,
    "M_BAD_JSON",
    "Missing parameters: room_id, slot_id, member.id, member.claimed_user_id, " +
      "member.claimed_device_id, openid_token.access_token, openid_token.matrix_server_name",
  );
});

for (const field of ["room_id", "slot_id"]) {
  for (const value of ["", null, undefined]) {
    test(`POST /get_token with ${field} ${value === "" ? "empty" : value} is 400 M_BAD_JSON`, async () => {
      const answer = await ask(service, "POST", "/get_token", {
        ...getTokenBody(world),
        [field]: value,
      });
      assertError(answer, 400, "M_BAD_JSON", `Missing parameters: ${field}`);
    });
  }
}

for (const field of ["id", "claimed_user_id", "claimed_device_id"]) {
  test(`POST /get_token without member.${field} is 400, with a wrong type M_NOT_JSON`, async () => {
    const send = (value: unknown) => {
      const member = { ...getTokenBody(world).member, [field]: value };
      return ask(service, "POST", "/get_token", { ...getTokenBody(world), member });
    };
    for (const value of ["", null, undefined]) {
      assertError(await send(value), 400, "M_BAD_JSON", `Missing parameters: member.${field}`);
    }
    for (const value of [1, true, [], {}]) {
      assertError(await send(value), 400, "M_NOT_JSON", "Error reading request");
    }
  });
}

test("POST /get_token with a member that is no object is 400 M_NOT_JSON", async () => {
  for (const member of [1, "a", [], true]) {
    const answer = await ask(service, "POST", "/get_token", { ...getTokenBody(world), member });
    assertError(answer, 400, "M_NOT_JSON", "Error reading request");
  }
});

test("POST /get_token is 401 for whoever claims to be another user", async () => {
  for (const claimed of [bob, "@alice:localhost", alice.toUpperCase(), "alice"]) {
    forget();
    const member = { ...getTokenBody(world).member, claimed_user_id: claimed };
    const answer = await ask(service, "POST", "/get_token", { ...getTokenBody(world), member });
    assertError(answer, 401, "M_UNAUTHORIZED", "The request could not be authorised.");
    assertEquals(sfu.calls.length, 0);
  }
});

test("POST /sfu/get without a room is 400 M_BAD_JSON, without a device 200", async () => {
  for (const room of ["", null, undefined]) {
    const answer = await ask(service, "POST", "/sfu/get", { ...sfuGetBody(world), room });
    assertError(answer, 400, "M_BAD_JSON", "Missing room parameter");
  }
  for (const device_id of ["", null, undefined]) {
    const answer = await ask(service, "POST", "/sfu/get", { ...sfuGetBody(world), device_id });
    const claims = await new TokenVerifier(sfu.key, sfu.secret).verify(answer.json.jwt as string);
    assertEquals(claims.sub, `${alice}:`);
  }
});

for (
  const path of ["/unknown", "/get_token/x", "/sfu", "/get", "/sfu%2Fget", "/SFU/GET", "/__proto__"]
) {
  test(`POST ${path} is 404 with CORS, and OPTIONS 200`, async () => {
    const answer = await ask(service, "POST", path, getTokenBody(world));
    assertError(answer, 404, "M_UNRECOGNIZED", "Unrecognized request");
    assertStringIncludes(await logLineOf(answer), "status=404");
    const preflight = await ask(service, "OPTIONS", path);
    assertEquals([preflight.status, preflight.text], [200, ""]);
    assertCors(preflight);
  });
}

test("GET and HEAD /healthz are 200 and empty, anything else 405", async () => {
  for (const method of ["GET", "HEAD"]) {
    const answer = await ask(service, method, "/healthz");
    assertEquals([answer.status, answer.text], [200, ""]);
    assertCors(answer);
  }
  const posted = await ask(service, "POST", "/prefix/healthz", "{}");
  assertEquals([posted.status, posted.headers.get("allow")], [405, "GET, HEAD"]);
});

test("GET /readyz is 200 while the SFU answers", async () => {
  const answer = await ask(service, "GET", "/readyz");
  const { status, checks } = answer.json;
  assertEquals([answer.status, status, (checks as { sfu: string }).sfu], [200, "ready", "ok"]);
  assertCors(answer);
});

test("GET / is a page for people and JSON for programs", async () => {
  const page = await ask(service, "GET", "/", undefined, { accept: "text/html,*/*;q=0.8" });
  assertEquals([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
  assertStringIncludes(page.headers.get("content-security-policy")!, "default-src 'none'");
  assert(!page.text.includes("<script") && !page.text.includes(sfu.secret));
  const { json } = await ask(service, "GET", "/", undefined, { accept: "*/*" });
  assertEquals(json.name, "matrixrtc-auth");
  for (const path of Object.keys(json.endpoints as object)) {
    assert((await ask(service, "PUT", path)).status === 405, `${path} is told of and answers`);
  }
});

test("every reply has an ID of its own", async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => ask(service, "GET", i % 2 ? "/healthz" : "/unknown")),
  );
  assertEquals(new Set(answers.map(({ headers }) => headers.get("x-request-id"))).size, 50);
});

test("a storm of joins of one room is one call to the SFU", async () => {
  forget();
  const before = own.connections;
  const room_id = "!storm:example.com";
  const answers = await Promise.all(
    Array.from(
      { length: 100 },
      () => ask(service, "POST", "/get_token", { ...getTokenBody(world), room_id }),
    ),
  );
  assertEquals(new Set(answers.map(({ status }) => status)), new Set([200]));
  assertEquals(sfu.count("CreateRoom"), 1);
  const handshakes = own.connections - before;
  assert(handshakes <= 50, `${handshakes} handshakes for 100 users`);
});

testSecrets();
