import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { refusalOf } from "../../../lib/delayed_leave/stores/redis_refusal.ts";

/** Answers of real servers, and what they come to. */
const answers: {
  command: string;
  answer: string;
  code: string;
  isUnsupported: boolean;
  says: string;
}[] = [
  {
    command: "AUTH",
    answer: "WRONGPASS invalid username-password pair or user is disabled.",
    code: "WRONGPASS",
    isUnsupported: false,
    says: "LIVEKIT_REDIS_PASSWORD",
  },
  {
    command: "PING",
    answer: "NOAUTH Authentication required.",
    code: "NOAUTH",
    isUnsupported: false,
    says: "wants a password",
  },
  {
    command: "EVALSHA",
    answer: "NOPERM User lk has no permissions to run the 'evalsha' command",
    code: "NOPERM",
    isUnsupported: true,
    says: "does not allow EVALSHA",
  },
  {
    command: "EVAL",
    answer:
      "ERR ACL failure in script: User lk has no permissions to run the 'set' command script: " +
      "0d, on @user_script:3.",
    code: "ERR",
    isUnsupported: true,
    says: "does not allow EVAL",
  },
  {
    command: "EVALSHA",
    answer: "ERR unknown command 'EVALSHA', with args beginning with: 'hunter2' ",
    code: "ERR",
    isUnsupported: true,
    says: "does not know EVALSHA",
  },
  {
    command: "EVAL",
    answer:
      "OOM command not allowed when used memory > 'maxmemory'. script: 0d, on @user_script:3.",
    code: "OOM",
    isUnsupported: false,
    says: "maxmemory",
  },
  {
    command: "EVAL",
    answer:
      "ERR Error running script (call to f_0d): @user_script:3: @user_script: 3: -OOM command " +
      "not allowed when used memory > 'maxmemory'.",
    code: "OOM",
    isUnsupported: false,
    says: "maxmemory",
  },
  {
    command: "SELECT",
    answer: "ERR DB index is out of range",
    code: "ERR",
    isUnsupported: false,
    says: "no database of this number",
  },
  {
    command: "PING",
    answer: "ERR max number of clients reached",
    code: "ERR",
    isUnsupported: false,
    says: "maxclients",
  },
  {
    command: "HSET",
    answer: "READONLY You can't write against a read only replica.",
    code: "READONLY",
    isUnsupported: false,
    says: "name the primary",
  },
  {
    command: "EVALSHA",
    answer: "NOSCRIPT No matching script. Please use EVAL.",
    code: "NOSCRIPT",
    isUnsupported: false,
    says: "EVALSHA",
  },
];
for (const { command, answer, says, ...expected } of answers) {
  Deno.test(`refusalOf() words ${answer.slice(0, 60)}`, () => {
    const refusal = refusalOf("cache:6379", command, answer);
    assertEquals({ code: refusal.code, isUnsupported: refusal.isUnsupported }, expected);
    assertStringIncludes(refusal.message, "Redis at cache:6379 ");
    assertStringIncludes(refusal.message, says);
    assert(!Deno.inspect(refusal).includes("hunter2"));
  });
}
