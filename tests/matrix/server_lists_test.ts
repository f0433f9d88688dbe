import { assertEquals } from "@std/assert";
import { hasFullAccess, isAdmitted } from "../../lib/matrix/server_lists.ts";

const access: [string, string[], boolean][] = [
  ["example.org", ["example.org"], true],
  ["example.org", ["other.example", "example.org"], true],
  ["example.org", ["*"], true],
  ["example.org", [], false],
  ["example.org", ["example.org:8448"], false],
  ["example.org:8448", ["example.org"], false],
  ["example.org:443", ["example.org"], false],
  ["sub.example.org", ["example.org"], false],
  ["Example.org", ["example.org"], false],
  ["example.org.", ["example.org"], false],
  ["evilexample.org", ["example.org"], false],
  ["sub.example.org", ["*.example.org"], false],
  ["other.example", ["*", "example.org"], false],
  ["[::1]", ["[::1]"], true],
];
for (const [serverName, listed, expected] of access) {
  Deno.test(`hasFullAccess() of ${serverName} under ${listed.join(",")} is ${expected}`, () => {
    assertEquals(hasFullAccess(serverName, listed), expected);
  });
}

const blocks: [string, string, boolean][] = [
  ["evil.example", "evil.example", true],
  ["EVIL.example", "evil.example", true],
  ["evil.example", "EVIL.Example", true],
  ["evil.example.", "evil.example", true],
  ["evil.example:443", "evil.example", true],
  ["evil.example.:443", "evil.example", true],
  ["evil.example", "evil.example:8448", true],
  ["sub.evil.example", "evil.example", false],
  ["notevil.example", "evil.example", false],
  ["sub.evil.example", "*.evil.example", true],
  ["a.b.EVIL.example.:1", "*.evil.example", true],
  ["evil.example", "*.evil.example", false],
  ["notevil.example", "*.evil.example", false],
  ["1.2.3.4:443", "1.2.3.4", true],
  ["[::ffff:1.2.3.4]", "1.2.3.4", true],
  ["[::ffff:102:304]:443", "1.2.3.4", true],
  ["[2A01:0::0:1]", "[2a01::1]", true],
  ["[2a01:0:0:0:0:0:0:1]:8448", "[2a01::1]", true],
  ["[2a01::2]", "[2a01::1]", false],
];
for (const [serverName, entry, isBlocked] of blocks) {
  Deno.test(`isAdmitted() ${isBlocked ? "refuses" : "takes"} ${serverName} where ${entry} is blocked`, () => {
    assertEquals(isAdmitted(serverName, { blocked: [entry] }), !isBlocked);
    assertEquals(isAdmitted(serverName, { allowed: [serverName], blocked: [entry] }), !isBlocked);
  });
}

const allows: [string, string[] | undefined, boolean][] = [
  ["example.org", undefined, true],
  ["example.org", [], false],
  ["example.org", ["example.org"], true],
  ["example.org:8448", ["example.org"], false],
  ["EXAMPLE.org", ["example.org"], false],
  ["sub.example.org", ["example.org"], false],
  ["sub.example.org", ["*.example.org"], true],
  ["a.b.example.org:8448", ["*.example.org"], true],
  ["example.org", ["*.example.org"], false],
  ["badexample.org", ["*.example.org"], false],
];
for (const [serverName, allowed, expected] of allows) {
  const list = allowed?.join(",") ?? "all";
  Deno.test(`isAdmitted() of ${serverName} is ${expected} where ${list} may come`, () => {
    const lists = { ...(allowed && { allowed }), blocked: [] };
    assertEquals(isAdmitted(serverName, lists), expected);
  });
}
