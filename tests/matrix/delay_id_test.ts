import { assertEquals } from "@std/assert";
import { isDelayId } from "../../lib/matrix/delay_id.ts";

const DELAY_IDS: [text: string, isOne: boolean][] = [
  ["syd_PbMHVRGgmIXJHEpfVmWr", true],
  ["a/../b", true],
  ["...", true],
  ["%2e%2e", true],
  ["📞", true],
  ["a".repeat(255), true],
  ["a".repeat(256), false],
  ["é".repeat(128), false],
  ["", false],
  [".", false],
  ["..", false],
  ["\ud800", false],
];

for (const [text, isOne] of DELAY_IDS) {
  const shown = text.length > 60 ? `${text.slice(0, 20)}… of ${text.length}` : text;
  Deno.test(`isDelayId() says ${isOne} to ${JSON.stringify(shown)}`, () => {
    assertEquals(isDelayId(text), isOne);
  });
}
