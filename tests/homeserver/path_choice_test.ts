import { assertEquals } from "@std/assert";
import { createPathChoice } from "../../lib/homeserver/path_choice.ts";

/** Status and error code. */
type Given = readonly [number, string?];

/** A choice between two paths of a homeserver that answers each as a test has it. */
function createWorld(answers: { unstable: Given; stable: Given }) {
  const choose = createPathChoice(["unstable", "stable"]);
  const asked: string[] = [];
  const ask = async () => {
    asked.length = 0;
    const { status } = await choose((path) => {
      asked.push(path);
      const [status, errcode] = answers[path as keyof typeof answers];
      return Promise.resolve({ status, errcode, fields: {}, where: "" });
    });
    return [status, ...asked];
  };
  return { answers, ask };
}

for (const status of [400, 404, 405]) {
  Deno.test(`a path that is ${status} M_UNRECOGNIZED is not there`, async () => {
    const { ask } = createWorld({ unstable: [status, "M_UNRECOGNIZED"], stable: [200] });
    assertEquals(await ask(), [200, "unstable", "stable"]);
    assertEquals(await ask(), [200, "stable"]);
  });
}

const answered: Given[] = [
  [200],
  [200, "M_UNRECOGNIZED"],
  [401, "M_UNKNOWN_TOKEN"],
  [403, "M_UNRECOGNIZED"],
  [404, "M_NOT_FOUND"],
  [500, "M_UNRECOGNIZED"],
];
for (const given of answered) {
  const [status, errcode] = given;
  Deno.test(`a path that is ${status} ${errcode ?? ""} is there`, async () => {
    const { ask } = createWorld({ unstable: given, stable: [200] });
    assertEquals(await ask(), [status, "unstable"]);
  });
}

Deno.test("where neither path is there, nothing is learnt from it", async () => {
  const gone: Given = [404, "M_UNRECOGNIZED"];
  const { answers, ask } = createWorld({ unstable: gone, stable: gone });
  for (let i = 0; i < 3; i++) assertEquals(await ask(), [404, "unstable", "stable"]);
  answers.stable = [403, "M_FORBIDDEN"];
  assertEquals(await ask(), [403, "unstable", "stable"]);
  assertEquals(await ask(), [403, "stable"]);
  answers.stable = gone;
  for (let i = 0; i < 3; i++) assertEquals(await ask(), [404, "stable", "unstable"]);
});
