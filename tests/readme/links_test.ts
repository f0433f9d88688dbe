import { dirname, join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import { ROOT } from "../support/service.ts";
import { anchorOf, readDocument } from "./support/document.ts";

const DOCUMENTS = [
  "README.md",
  "CHANGELOG.md",
  "SECURITY.md",
  "docs/architecture.md",
  "docs/capacity.md",
  "docs/delegated-leaves.md",
  "docs/dependencies.md",
  "docs/doctor.md",
  "docs/homeserver-mode.md",
  "docs/logs.md",
  "docs/metrics.md",
  "docs/tracing.md",
  "docs/troubleshooting.md",
];
/** What is made, given or private: named, and not in the checkout. */
const NOT_HERE = ["dist/matrixrtc-auth", ".env"];

for (const path of DOCUMENTS) {
  Deno.test(`${path} links to what there is`, async () => {
    const { links } = await readDocument(path);
    for (const link of links.filter((link) => !/^https:/.test(link))) {
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? path : join(dirname(path), file);
      assert(await exists(target), link);
      if (anchor === undefined) continue;
      const anchors = (await readDocument(target)).headings.map(anchorOf);
      assert(anchors.includes(anchor), link);
    }
  });

  Deno.test(`${path} names files that there are`, async () => {
    const { codes } = await readDocument(path);
    const paths = codes.filter((code) =>
      /^(?:lib|tests|tools|docs|\.ci)\/[\w./]+$/.test(code) ||
      /^[\w.]+\.(?:ts|json|lock)$/.test(code)
    );
    for (const named of paths) assert(await exists(named) || NOT_HERE.includes(named), named);
  });

  Deno.test(`${path} sends nobody to a package registry`, async () => {
    const { text } = await readDocument(path);
    const hosts = [...text.matchAll(/https?:\/\/([\w.-]+)/g)].map((match) => match[1]!);
    const allowed = /^(?:github\.com|deno\.com|127\.0\.0\.1|(?:[\w-]+\.)*example\.org)$/;
    assertEquals(hosts.filter((host) => !allowed.test(host)), []);
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(join(ROOT, path));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
