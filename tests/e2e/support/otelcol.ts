import { join } from "node:path";
import { installed } from "./installed.ts";
import { freePorts } from "./ports.ts";
import { startProcess } from "./process.ts";
import { waitUntilReady } from "./ready.ts";

/** A span as the collector understood it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentId: string;
  readonly name: string;
  /** The collector's word for it: `Server`, `Client`. */
  readonly kind: string;
  /** Lines like `http.route: Str(/get_token)`. */
  readonly attributes: readonly string[];
}

/** A real OpenTelemetry Collector that takes OTLP over HTTP and prints what it got. */
export interface OtelCollector extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Ends it; what it has printed by then is all. */
  stop(): Promise<void>;
  /** Everything that it has printed. */
  readonly output: string;
  /** What was received so far. */
  spans(): ReceivedSpan[];
}

const START_TIMEOUT_MS = 20_000;

/** Starts a collector and waits until it takes traces. */
export async function startOtelCollector(): Promise<OtelCollector> {
  const folder = await Deno.makeTempDir({ prefix: "otelcol-" });
  const [port] = freePorts(1) as [number];
  const config = join(folder, "config.yaml");
  await Deno.writeTextFile(config, configFor(port));
  const process = startProcess(installed("otelcol"), {
    name: "otelcol",
    args: ["--config", config],
  });
  const isReady = () => process.lines.some((line) => line.includes("Everything is ready"));
  await waitUntilReady(process, {
    timeoutMs: START_TIMEOUT_MS,
    probe: () => Promise.resolve(isReady()),
  });
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => process.stop(),
    get output() {
      return process.lines.join("\n");
    },
    spans: () => readSpans(process.lines.join("\n")),
    async [Symbol.asyncDispose]() {
      await process.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function configFor(port: number): string {
  return `receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:${port}
exporters:
  debug:
    verbosity: detailed
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [debug]
`;
}

function readSpans(output: string): ReceivedSpan[] {
  return output.split(/^Span #\d+$/m).slice(1).map((text) => {
    const field = (name: string) => new RegExp(`^ +${name} *: (.*)$`, "m").exec(text)?.[1] ?? "";
    return {
      traceId: field("Trace ID"),
      spanId: field("ID"),
      parentId: field("Parent ID"),
      name: field("Name"),
      kind: field("Kind"),
      attributes: [...text.matchAll(/^ +-> (.*)$/gm)].map(([, line]) => line!),
    };
  });
}
