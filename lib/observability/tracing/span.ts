/** One step of a trace that has ended, in the terms of OpenTelemetry. */
export interface Span {
  /** 32 hexadecimal digits in lower case, not all zero. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  /** Absent: the whole request. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: "server" | "client";
  /** Milliseconds since the Unix epoch, with fractions. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly hasFailed: boolean;
  /** By OpenTelemetry's names; what is `undefined` is left out. */
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
}
