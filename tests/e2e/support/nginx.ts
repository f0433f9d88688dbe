import { join } from "node:path";
import type { TestCertificate } from "../../support/test_ca.ts";
import { installed } from "./installed.ts";
import { freePorts } from "./ports.ts";
import { startProcess } from "./process.ts";
import { waitUntilReady } from "./ready.ts";

/** A real nginx on a TLS port of loopback. */
export interface Nginx extends AsyncDisposable {
  /** `https://localhost:PORT`. */
  readonly url: string;
  readonly port: number;
}

/**
 * Starts nginx with one server for everything.
 *
 * @param tls Its certificate, for `localhost` unless a test wants another.
 * @param locations What stands in the `server` block.
 */
export async function startNginx(tls: TestCertificate, locations: string): Promise<Nginx> {
  const [port] = freePorts(1) as [number];
  await using parts = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "matrixrtc-auth-nginx-" });
  parts.defer(() => Deno.remove(dir, { recursive: true }));
  // Started by root, nginx works as somebody else.
  await Deno.chmod(dir, 0o755);
  const at = (name: string) => join(dir, name);
  await Deno.writeTextFile(at("tls.crt"), tls.cert);
  await Deno.writeTextFile(at("tls.key"), tls.key);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${at(name)};`).join("\n");
  await Deno.writeTextFile(
    at("nginx.conf"),
    `daemon off;
pid ${at("pid")};
error_log stderr info;
worker_processes 1;
events {}
http {
  access_log off;
${temporary}
  server {
    listen 127.0.0.1:${port} ssl;
    server_name localhost;
    ssl_certificate ${at("tls.crt")};
    ssl_certificate_key ${at("tls.key")};
${locations}
  }
}
`,
  );
  const args = ["-e", "stderr", "-p", dir, "-c", at("nginx.conf")];
  const server = parts.use(startProcess(installed("nginx"), { name: "nginx", args }));
  await waitUntilReady(server, {
    timeoutMs: 10_000,
    probe: async () => {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    },
  });
  const all = parts.move();
  return {
    url: `https://localhost:${port}`,
    port,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
