import { join } from "node:path";
import { type RunningService, startService } from "../../support/service.ts";

let services = 0;

/**
 * Starts the service. Whoever looks for a mistake names a folder in `E2E_LOG_DIR`: each service writes
 * its log there as it runs, debug level and plain identifiers included.
 */
export async function startLoggedService(env: Record<string, string>): Promise<RunningService> {
  const dir = Deno.env.get("E2E_LOG_DIR");
  if (!dir) return await startService({ env });
  const path = join(dir, `service-${Deno.pid}-${++services}.log`);
  return await startService({
    env: { LIVEKIT_LOG_LEVEL: "debug", MATRIXRTC_LOG_IDENTIFIERS: "plain", ...env },
    onOutput: (text) => Deno.writeTextFileSync(path, text, { append: true }),
  });
}
