/** Reads metrics the way Prometheus does. */

/** The samples of an exposition by name and labels, as they are written. */
export function samplesOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

/** The samples that are not 0. */
export function countedIn(metrics: readonly { render(): string }[]): Record<string, number> {
  const samples = samplesOf(metrics.map((metric) => metric.render()).join(""));
  return Object.fromEntries(
    [...samples].filter(([name, value]) => value !== 0 && !name.includes("_bucket")),
  );
}
