import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { isServerName } from "../../lib/matrix/server_name.ts";
import { serverNameOfUserId } from "../../lib/matrix/user_id.ts";

const valid = [
  ["@alice:example.org", "example.org"],
  ["@alice:example.org:8448", "example.org:8448"],
  ["@alice:[::1]:8448", "[::1]:8448"],
  ["@alice:1.2.3.4", "1.2.3.4"],
  ["@alice:Example.ORG", "Example.ORG"],
  ["@a.b_c=d/e+f-0:example.org", "example.org"],
  ["@Alice!#$%&'()*,;<>?@[]^`{|}~:example.org", "example.org"],
  ["@älice:example.org", "example.org"],
  [`@${"a".repeat(242)}:example.org`, "example.org"],
] as const;
for (const [userId, expected] of valid) {
  Deno.test(`serverNameOfUserId() finds ${expected} in ${userId.slice(0, 60)}`, () => {
    assertEquals(serverNameOfUserId(userId), expected);
  });
}

const invalid = [
  ["", "nothing"],
  ["@", "a sigil alone"],
  ["@alice", "a localpart alone"],
  ["@alice:", "an empty server"],
  ["@:example.org", "an empty localpart"],
  ["alice:example.org", "no sigil"],
  ["!alice:example.org", "a room"],
  [" @alice:example.org", "a leading blank"],
  ["@alice:example.org ", "a trailing blank"],
  ["@alice:example.org\n", "a trailing newline"],
  ["@al ice:example.org", "a blank in the localpart"],
  ["@al\tice:example.org", "a tab"],
  ["@al\u00a0ice:example.org", "a no-break space"],
  ["@al\u2028ice:example.org", "a line separator"],
  ["@al\0ice:example.org", "NUL"],
  ["@al\x7fice:example.org", "DEL"],
  ["@al\u0085ice:example.org", "a C1 control character"],
  ["@al\ud800ice:example.org", "half a surrogate pair"],
  ["@alice::example.org", "an empty part"],
  ["@alice:bob:example.org", "a second localpart"],
  ["@alice:example.org:", "an empty port"],
  ["@alice:https://example.org", "a URL"],
  ["@alice:example.org/path", "a path"],
  [`@${"a".repeat(243)}:example.org`, "256 bytes"],
  [`@${"ä".repeat(122)}:example.org`, "256 bytes in fewer characters"],
  [`@${"a".repeat(1_000_000)}:example.org`, "1 MB"],
] as const;
for (const [userId, what] of invalid) {
  Deno.test(`serverNameOfUserId() finds none in ${what}`, () => {
    assertEquals(serverNameOfUserId(userId), undefined);
  });
}

Deno.test("serverNameOfUserId() gives the part behind the first colon, a server name, or nothing", () => {
  const piece = fc.constantFrom("@", ":", "a", "example.org", "[::1]", "8448", " ", "\n", "ä", ".");
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(text, (text) => {
      const serverName = serverNameOfUserId(text);
      if (serverName === undefined) return;
      assert(isServerName(serverName));
      assert(text.startsWith("@") && new TextEncoder().encode(text).length <= 255);
      assertEquals(text.slice(text.indexOf(":") + 1), serverName);
    }),
    { numRuns: 500 },
  );
});
