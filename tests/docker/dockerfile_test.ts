// What can be told of the image without building it.

import { join } from "node:path";
import { assert, assertEquals, assertExists, assertMatch } from "@std/assert";
import { ROOT } from "../support/service.ts";

const dockerfile = (await Deno.readTextFile(join(ROOT, "Dockerfile"))).replace(/\\\n\s*/g, "");
const lines = dockerfile.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
const stages = dockerfile.split(/^FROM /m).slice(1);
const image = stages.at(-1)!.split("\n");
const ignored = (await Deno.readTextFile(join(ROOT, ".dockerignore"))).trim().split("\n");

Deno.test("the image starts with nothing and runs as nobody in particular", () => {
  assertEquals(image[0], "scratch");
  assert(!image.some((line) => line.startsWith("RUN ")));
  const user = image.find((line) => line.startsWith("USER "));
  // A number: only so can Kubernetes tell that it is not root.
  assertMatch(user ?? "", /^USER [1-9]\d*:[1-9]\d*$/);
});

Deno.test("the image takes commands, and a signal reaches the program", () => {
  // No shell form: a shell would be process 1 and keep signals for itself; and there is none.
  assert(image.includes('ENTRYPOINT ["/matrixrtc-auth"]'));
  assert(!image.some((line) => line.startsWith("CMD ")));
  const health = image.find((line) => line.startsWith("HEALTHCHECK "));
  assertMatch(health ?? "", / CMD \["\/matrixrtc-auth", "healthcheck"\]$/);
});

Deno.test("the image brings certificates, and hosts come before DNS", () => {
  assert(/certificates\.crt etc\/ssl\/certs\//.test(dockerfile));
  assert(dockerfile.includes("'hosts: files dns' > etc/nsswitch.conf"));
});

Deno.test("the image builds with the Deno that everything else is tested with", async () => {
  const version = /^ARG DENO_VERSION=([0-9.]+)$/m.exec(dockerfile)?.[1];
  assertExists(version);
  const install = await Deno.readTextFile(join(ROOT, ".ci/install"));
  assert(install.includes(`install_deno ${version}\n`));
  assert(lines.indexOf(`ARG DENO_VERSION=${version}`) === 0);
});

Deno.test("the build gets what it copies, and nothing else", async () => {
  const copied = lines.filter((line) => /^COPY (?!--from)/.test(line))
    .flatMap((line) => line.split(" ").slice(1, -1));
  assertEquals(ignored[0], "*");
  const sent = ignored.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  for (const name of sent) {
    assert(copied.some((pattern) => name.startsWith(pattern.replace("*", ""))), name);
  }
  for (const name of copied.filter((name) => !name.endsWith("*"))) {
    assert(sent.includes(name), name);
    await Deno.stat(join(ROOT, name));
  }
});

Deno.test("the tool that compiles reads what the build sets", async () => {
  const tool = await Deno.readTextFile(join(ROOT, "tools/compile.ts"));
  for (const [, name] of dockerfile.matchAll(/export (\w+)=/g)) assert(tool.includes(name!), name);
});
