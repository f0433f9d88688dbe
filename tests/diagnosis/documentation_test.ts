// docs/doctor.md has a row for each check, and no other.

import { assertEquals } from "@std/assert";
import { loadConfig } from "../../lib/config/load_config.ts";
import { GROUPS } from "../../lib/diagnosis/check.ts";
import { listChecks } from "../../lib/diagnosis/checks.ts";
import { createDoctorContext } from "../../lib/diagnosis/context.ts";
import { UpstreamError } from "../../lib/matrix/errors.ts";
import { readDocument } from "../readme/support/document.ts";
import { createManualClock } from "../support/manual_clock.ts";

const guide = await readDocument("docs/doctor.md");

/** In homeserver mode, so that no check is missing. */
function createContext() {
  const loaded = loadConfig({
    env: {
      LIVEKIT_URL: "ws://sfu.example",
      LIVEKIT_KEY: "devkey",
      LIVEKIT_SECRET: "a-secret-of-thirty-two-characters!",
      LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org",
      LIVEKIT_AS_TOKEN: "a-token",
      LIVEKIT_HS_TOKEN: "another",
      LIVEKIT_HS_SERVER_NAME: "example.org",
    },
    readFile: () => "",
  });
  return createDoctorContext(loaded, {
    clock: createManualClock(),
    client: {
      request: () => Promise.reject(new UpstreamError("dns", "nobody")),
      close: () => Promise.resolve(),
    },
    lookup: () => Promise.resolve([]),
    lookupSrv: () => Promise.resolve([]),
    trust: { ca: [] },
    random: () => 0,
  });
}

Deno.test("docs/doctor.md lists every check and no other", async () => {
  const checks = await listChecks(createContext());
  const made = new Set(checks.map(({ id, title }) => `${id} ${title}`));
  const listed = guide.rows.filter(({ columns }) => columns[0] === "id" && columns[1] === "title")
    .flatMap(({ cells: [id, titles = ""] }) =>
      titles.split(", or: ").map((title) => `${id} ${title}`)
    );
  assertEquals(listed, [...new Set(listed)]);
  assertEquals([...made].sort(), listed.sort());
});

Deno.test("docs/doctor.md has a heading for each group", () => {
  const headings = guide.headings.filter((heading) => /^[A-Z]: /.test(heading));
  assertEquals(headings, Object.entries(GROUPS).map(([group, name]) => `${group}: ${name}`));
});

Deno.test("checks come in the order of their groups", async () => {
  const groups = (await listChecks(createContext())).map(({ id }) => id[0]);
  assertEquals(groups, [...groups].sort());
});
