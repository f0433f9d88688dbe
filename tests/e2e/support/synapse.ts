import { join } from "node:path";
import { type TestCa } from "../../support/test_ca.ts";
import { installed } from "./installed.ts";
import { createMatrixClient, type MatrixClient } from "./matrix_client.ts";
import { freePorts } from "./ports.ts";
import { type RunningProcess, startProcess } from "./process.ts";
import { waitUntilReady } from "./ready.ts";

/** A real Synapse on loopback with TLS and an empty database of its own. */
export interface Synapse extends AsyncDisposable {
  /** Its name in user IDs; the port belongs to it, so that nothing needs DNS. */
  readonly serverName: string;
  /** Where it answers, `https://` and its name. */
  readonly baseUrl: string;
  /** Calls its client-server API as its users' clients would. */
  readonly client: MatrixClient;
  /** The server's log so far. */
  readonly lines: readonly string[];
  /** Ends the server; its database stays. */
  stop(): Promise<void>;
  /** Starts it again on the same port and database. */
  restart(): Promise<void>;
}

/** What {@linkcode startSynapse} needs. */
export interface SynapseOptions {
  /** Issues the certificate. */
  ca: TestCa;
  /** The name without the port; two servers need not differ in it. */
  host: "localhost" | "127.0.0.1";
  /** Keeps Synapse's own limit on calls about delayed events: one a second, five at once. */
  limitsDelayedEvents?: boolean;
  /** Makes it the homeserver of homeserver mode, which federates with others on loopback. */
  homeserverMode?: HomeserverModeOptions;
}

/** What a Synapse needs so that a service can stand behind it. */
export interface HomeserverModeOptions {
  /** Gives the piece of homeserver.yaml that an operator is told to put in. */
  fragment(serverName: string): Promise<string>;
}

/** Enough requests for any storm of the tests: Synapse's limits are not what they are about. */
const NO_LIMIT = { per_second: 10_000, burst_count: 10_000 };
/** The same for what other servers ask. */
const NO_FEDERATION_LIMIT = { window_size: 1, sleep_limit: 10_000, reject_limit: 10_000 };

/** Starts a Synapse whose client and federation APIs share one TLS port, and waits until it serves. */
export async function startSynapse(
  { ca, host, limitsDelayedEvents = false, homeserverMode }: SynapseOptions,
): Promise<Synapse> {
  const [port] = freePorts(1) as [number];
  const serverName = `${host}:${port}`;
  await using parts = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "matrixrtc-auth-synapse-" });
  parts.defer(() => Deno.remove(dir, { recursive: true }));
  const configPath = await writeConfig(dir, serverName, port, await ca.issue([host]), {
    ...(limitsDelayedEvents ? {} : { rc_delayed_event_mgmt: NO_LIMIT }),
    ...(homeserverMode === undefined ? {} : await writeFederation(dir, ca.pem)),
  });
  const python = installed("synapsePython");
  const args = ["-m", "synapse.app.homeserver", "--config-path", configPath];
  if (homeserverMode !== undefined) {
    const path = join(dir, "homeserver_mode.yaml");
    await Deno.writeTextFile(path, await homeserverMode.fragment(serverName));
    args.push("--config-path", path);
  }

  await using keys = startProcess(python, {
    name: "synapse --generate-keys",
    args: [...args, "--generate-keys"],
    cwd: dir,
  });
  if (!(await keys.ended).success) throw new Error(`${keys.name}: ${keys.lines.join("\n")}`);

  const baseUrl = `https://${serverName}`;
  const client = createMatrixClient({ baseUrl, caPem: ca.pem });
  parts.defer(() => client.close());
  const lines: (readonly string[])[] = [];
  async function start(): Promise<RunningProcess> {
    const server = startProcess(python, { name: `synapse ${serverName}`, args, cwd: dir });
    lines.push(server.lines);
    await waitUntilReady(server, { timeoutMs: 60_000, probe: client.isHealthy });
    return server;
  }
  let server = await start();
  parts.defer(() => server.stop());
  const all = parts.move();
  return {
    serverName,
    baseUrl,
    client,
    get lines() {
      return lines.flat();
    },
    stop: () => server.stop(),
    async restart() {
      server = await start();
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Writes what federation on loopback needs, and returns the configuration for it. */
async function writeFederation(dir: string, caPem: string): Promise<Record<string, unknown>> {
  const caFile = join(dir, "ca.pem");
  await Deno.writeTextFile(caFile, caPem);
  return {
    federation_custom_ca_list: [caFile],
    // Loopback is on both lists by default.
    ip_range_blacklist: [],
    federation_ip_range_blacklist: [],
    // A server that was down is asked again at once when it is back, not in ten minutes.
    federation: { destination_min_retry_interval: "1s", destination_max_retry_interval: "1s" },
    rc_federation: NO_FEDERATION_LIMIT,
    rc_invites: { per_room: NO_LIMIT, per_user: NO_LIMIT, per_issuer: NO_LIMIT },
  };
}

/** Writes Synapse's files into a folder; JSON is YAML enough. */
async function writeConfig(
  dir: string,
  serverName: string,
  port: number,
  tls: { cert: string; key: string },
  more: Record<string, unknown>,
): Promise<string> {
  const at = (name: string) => join(dir, name);
  const config = {
    server_name: serverName,
    // Makes Synapse serve /.well-known/matrix/client, which says where its client API is.
    public_baseurl: `https://${serverName}/`,
    listeners: [{
      port,
      bind_addresses: ["127.0.0.1"],
      type: "http",
      tls: true,
      resources: [{ names: ["client", "federation", "health"], compress: false }],
    }],
    tls_certificate_path: at("tls.crt"),
    tls_private_key_path: at("tls.key"),
    database: { name: "sqlite3", args: { database: at("homeserver.db") } },
    log_config: at("log.yaml"),
    pid_file: at("homeserver.pid"),
    media_store_path: at("media"),
    signing_key_path: at("signing.key"),
    macaroon_secret_key: "of no value",
    form_secret: "of no value",
    report_stats: false,
    trusted_key_servers: [],
    enable_registration: true,
    enable_registration_without_verification: true,
    // The cheapest that bcrypt allows: fifty users register within a test.
    bcrypt_rounds: 4,
    rc_registration: NO_LIMIT,
    rc_login: { address: NO_LIMIT, account: NO_LIMIT, failed_attempts: NO_LIMIT },
    rc_message: NO_LIMIT,
    rc_room_creation: NO_LIMIT,
    rc_joins: { local: NO_LIMIT, remote: NO_LIMIT },
    max_event_delay_duration: "24h",
    ...more,
  };
  const logging = {
    version: 1,
    handlers: { console: { class: "logging.StreamHandler" } },
    root: { level: "INFO", handlers: ["console"] },
  };
  await Deno.writeTextFile(at("tls.crt"), tls.cert);
  await Deno.writeTextFile(at("tls.key"), tls.key);
  await Deno.writeTextFile(at("log.yaml"), JSON.stringify(logging));
  await Deno.writeTextFile(at("homeserver.yaml"), JSON.stringify(config));
  return at("homeserver.yaml");
}
