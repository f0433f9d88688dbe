import { assertEquals } from "@std/assert";
import { readSystemTrust } from "../../lib/net/system_trust.ts";
import { installTlsTrust, SYSTEM_BUNDLES } from "../../lib/net/tls_trust.ts";
import { startHttpServer } from "../fakes/http_server.ts";
import { createTestCa } from "../support/test_ca.ts";
import { get, hopOf, localTarget, startClient } from "./fixtures.ts";

Deno.test("installTlsTrust() trusts the bundles and what comes beside them, nobody else", async () => {
  const [system, own, foreign] = await Promise.all([
    createTestCa(),
    createTestCa(),
    createTestCa(),
  ]);
  const bundle = `# a comment\n${system.pem}\nnot a certificate\n`;
  const { ca } = installTlsTrust([bundle], [own.pem]);
  await using client = startClient({ ca: [...ca] });
  const ask = async (issuer: typeof own) => {
    const tls = await issuer.issue(["example.org"]);
    await using server = startHttpServer({ tls, handler: () => new Response() });
    return await client.request(localTarget(server.port, { protocol: "https" }), get());
  };
  assertEquals((await ask(system)).status, 200);
  assertEquals((await ask(own)).status, 200);
  assertEquals((await hopOf(ask(foreign)))[0], "tls");
});

Deno.test("installTlsTrust() hands no bundle of a whole system to each connection", () => {
  const bundles = SYSTEM_BUNDLES.flatMap((path) => {
    try {
      return [Deno.readTextFileSync(path)];
    } catch {
      return [];
    }
  });
  // A handful may be known to the system and not to the runtime.
  assertEquals(installTlsTrust(bundles.slice(0, 1), []).ca.length < 20, true);
});

Deno.test("readSystemTrust() reads the folders' PEM files beside the file, or alone", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const files = {
      "a.pem": "A",
      "b.crt": "B",
      "0f1e2d3c.0": "C",
      "readme.txt": "no",
      "c.cer": "",
    };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await Deno.mkdir(`${folder}/folder.pem`);
    const sslCertDirs = [folder, `${folder}/absent`];
    const read = (settings: Parameters<typeof readSystemTrust>[0]) =>
      readSystemTrust(settings).filter((text) => text !== "").sort();
    assertEquals(read({ sslCertDirs }), ["A", "B", "C"]);
    assertEquals(read({ sslCertDirs, sslCertFile: { pem: "F" } }), ["A", "B", "C", "F"]);
    assertEquals(read({ sslCertDirs: [], sslCertFile: { pem: "F" } }), ["F"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readSystemTrust() takes the system's bundle when the settings name nothing", () => {
  assertEquals(readSystemTrust({ sslCertDirs: ["/absent"] }).length <= 1, true);
});

Deno.test("installTlsTrust() passes over a certificate that cannot be read", async () => {
  const authority = await createTestCa();
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
  const { ca } = installTlsTrust([`${broken}\n${authority.pem}`], [broken]);
  await using client = startClient({ ca: [...ca] });
  const tls = await authority.issue(["example.org"]);
  await using server = startHttpServer({ tls, handler: () => new Response() });
  const target = localTarget(server.port, { protocol: "https" });
  assertEquals((await client.request(target, get())).status, 200);
});
