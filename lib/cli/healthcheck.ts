import type { ListenAddress } from "../config/config.ts";

const TIMEOUT_MS = 3_000;

/**
 * Asks the service that listens at an address for `/healthz`.
 *
 * @param address Where the service was told to listen: "all addresses" are
 * asked at the loopback ones.
 * @param timeoutMs How long to wait for each answer.
 * @returns What is wrong, or `undefined` when it is healthy.
 */
export async function askHealth(
  address: ListenAddress,
  timeoutMs = TIMEOUT_MS,
): Promise<string | undefined> {
  const problems: string[] = [];
  for (const candidate of candidatesFor(address)) {
    const problem = await ask(candidate, timeoutMs).catch((error) =>
      String(error.message ?? error)
    );
    if (problem === undefined) return undefined;
    problems.push(problem);
  }
  return problems.join("; ");
}

type Candidate = Deno.ConnectOptions | Deno.UnixConnectOptions;

function candidatesFor(address: ListenAddress): Candidate[] {
  if (address.kind === "unix") return [{ transport: "unix", path: address.path }];
  const { hostname, port } = address;
  const isAny = hostname === undefined || hostname === "0.0.0.0" || hostname === "::";
  const hostnames = isAny ? ["127.0.0.1", "::1"] : [hostname];
  return hostnames.map((hostname) => ({ hostname, port }));
}

async function ask(candidate: Candidate, timeoutMs: number): Promise<string | undefined> {
  const connection = "path" in candidate
    ? await Deno.connect(candidate)
    : await Deno.connect(candidate);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    connection.close();
  }, timeoutMs);
  try {
    const request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    await connection.write(new TextEncoder().encode(request));
    const buffer = new Uint8Array(64);
    const length = await connection.read(buffer) ?? 0;
    const statusLine = new TextDecoder().decode(buffer.subarray(0, length)).split("\r\n")[0]!;
    return /^HTTP\/1\.1 200 /.test(statusLine) ? undefined : `the service says "${statusLine}"`;
  } catch (error) {
    throw isLate ? new Error(`no answer in ${timeoutMs / 1000} s`) : error;
  } finally {
    clearTimeout(timer);
    try {
      connection.close();
    } catch {
      // The timer has closed it already.
    }
  }
}
