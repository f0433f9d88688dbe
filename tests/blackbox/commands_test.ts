import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../lib/version.ts";
import { run, test, testSecrets } from "./support/watched.ts";

for (const args of [["version"], ["--version"], ["-V"], ["serve", "--version"]]) {
  test(`"${args.join(" ")}" prints the version without any configuration`, async () => {
    const { code, stdout, stderr } = await run({ args });
    assertEquals([code, stdout, stderr], [0, `matrixrtc-auth ${VERSION}\n`, ""]);
  });
}

for (
  const { args, says } of [
    { args: ["--help"], says: "Usage: matrixrtc-auth [COMMAND] [OPTIONS]" },
    { args: ["help"], says: "Usage: matrixrtc-auth [COMMAND] [OPTIONS]" },
    { args: ["serve", "--help"], says: "Usage: matrixrtc-auth [serve] [--env-file FILE]" },
    { args: ["config", "-h"], says: "Usage: matrixrtc-auth config [--env-file FILE]" },
    {
      args: ["config", "registration", "--help"],
      says: "Usage: matrixrtc-auth config registration [--server NAME] [--url URL]",
    },
    { args: ["healthcheck", "--help"], says: "Usage: matrixrtc-auth healthcheck" },
    { args: ["version", "--help"], says: "Usage: matrixrtc-auth version" },
  ]
) {
  test(`"${args.join(" ")}" prints help without any configuration`, async () => {
    const { code, stdout, stderr } = await run({ args, env: { LIVEKIT_URL: "nonsense" } });
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, says);
    assert(stdout.endsWith("\n") && !stdout.endsWith("\n\n"));
  });
}

for (
  const { args, says } of [
    { args: ["start"], says: /^Unknown command "start"\n/ },
    { args: ["serve", "now"], says: /^Unexpected argument "now" after "serve"\n/ },
    { args: ["--port=80"], says: /--port/ },
    {
      args: ["config", "--server", "a"],
      says: /^Option "--server" belongs to "config registration"/,
    },
    { args: ["config", "registration", "--server", "a/b"], says: /^Option "--server" is "a\/b": / },
    { args: ["config", "registration", "--url", "a:80"], says: /^Option "--url" is "a:80": / },
    { args: ["config", "--env-file"], says: /--env-file/ },
  ]
) {
  test(`"${args.join(" ")}" is exit 64 with a hint`, async () => {
    const { code, stdout, stderr } = await run({ args });
    assertEquals([code, stdout], [64, ""]);
    assertMatch(stderr, says);
    assertMatch(stderr, /Try "matrixrtc-auth --help"\.\n$/);
    assert(!stderr.includes("    at "));
  });
}

testSecrets();
