import { assertEquals } from "@std/assert";
import { isRoomId } from "../../lib/matrix/room_id.ts";

const ROOM_IDS: [text: string, isOne: boolean][] = [
  ["!room:example.org", true],
  ["!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", true],
  ["!a", true],
  ["!%2e%2e/../..?x#y:example.org", true],
  ["!a b:example.org", true],
  ["!📞:example.org", true],
  [`!${"a".repeat(254)}`, true],
  [`!${"a".repeat(255)}`, false],
  [`!${"é".repeat(127)}`, true],
  [`!${"é".repeat(128)}`, false],
  ["", false],
  ["!", false],
  [".", false],
  ["..", false],
  ["room:example.org", false],
  ["#alias:example.org", false],
  ["@user:example.org", false],
  [" !room:example.org", false],
  ["!room\n:example.org", false],
  ["!\0", false],
  ["!\ud800:example.org", false],
  ["!a\ud800", false],
];

for (const [text, isOne] of ROOM_IDS) {
  const shown = text.length > 60 ? `${text.slice(0, 20)}… of ${text.length}` : text;
  Deno.test(`isRoomId() says ${isOne} to ${JSON.stringify(shown)}`, () => {
    assertEquals(isRoomId(text), isOne);
  });
}
