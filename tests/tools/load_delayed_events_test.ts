import { assertEquals } from "@std/assert";
import { DELAY_ID_PREFIX, DelayedEvents, userOfDelayId } from "../../tools/load/delayed_events.ts";

const DELAY_MS = 1000;

/** The figures that are not zero. */
function tell(events: DelayedEvents, now: number): Record<string, number> {
  const { latestRestartPercent: _latest, p999RestartPercent: _p999, ...counts } = events.tally(now);
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

function scheduleAll(users: number): DelayedEvents {
  const events = new DelayedEvents(users, DELAY_MS);
  for (let user = 0; user < users; user++) events.schedule(user, 0);
  return events;
}

Deno.test("DelayedEvents loses whoever is not restarted in time, once", () => {
  const events = scheduleAll(2);
  assertEquals(events.restart(0, 999), true);
  assertEquals(tell(events, 999), { restarts: 1 });
  assertEquals(tell(events, 1000), { restarts: 1, lost: 1 });
  assertEquals(tell(events, 1998), { restarts: 1, lost: 1 });
  assertEquals(tell(events, 1999), { restarts: 1, lost: 2 });
  assertEquals(tell(events, 9999), { restarts: 1, lost: 2 });
});

Deno.test("DelayedEvents does not revive what is lost", () => {
  const events = scheduleAll(1);
  assertEquals([events.restart(0, 1000), events.send(0, 1001)], [false, false]);
  assertEquals(tell(events, 1001), { restartsTooLate: 1, lost: 1 });
  // Nobody misses the leave of a user whose leave the homeserver has sent.
  events.leave(0, 1002);
  assertEquals(tell(events, 1002), { restartsTooLate: 1, lost: 1 });
});

Deno.test("DelayedEvents counts a second send, and tells when the last one that counted came", () => {
  const events = scheduleAll(2);
  for (const user of [0, 1]) events.leave(user, 10);
  assertEquals(tell(events, 10), { missing: 2 });
  assertEquals(events.lastSendAt, NaN);
  assertEquals([events.send(0, 20), events.send(0, 30)], [true, false]);
  assertEquals(events.lastSendAt, 20);
  assertEquals(tell(events, 30), { sends: 1, twice: 1, missing: 1 });
  assertEquals([events.countDue(30), events.countDue(1000)], [1, 0]);
  assertEquals(events.restart(0, 40), false);
  assertEquals(tell(events, 40), { sends: 1, twice: 1, missing: 1, restartsTooLate: 1 });
});

Deno.test("DelayedEvents misses a leave that the homeserver had to send after the user had left", () => {
  const events = scheduleAll(1);
  events.leave(0, 10);
  assertEquals(events.send(0, 1000), false);
  assertEquals(tell(events, 1000), { missing: 1 });
});

Deno.test("DelayedEvents tells of users thrown out by the service", () => {
  const events = scheduleAll(1);
  assertEquals(events.send(0, 10), true);
  events.leave(0, 20);
  assertEquals(tell(events, 20), { sends: 1, sentWhilePresent: 1 });
});

Deno.test("DelayedEvents knows neither strangers nor those who were not let in", () => {
  const events = scheduleAll(1);
  events.forget(0);
  for (const user of [0, 1, -1, NaN, 0.5]) {
    assertEquals([events.restart(user, 1), events.send(user, 1)], [false, false]);
  }
  assertEquals(tell(events, 9999), { unknown: 10 });
  assertEquals(userOfDelayId(`${DELAY_ID_PREFIX}u00000042`), 42);
  assertEquals(userOfDelayId("syd_somebodyElses00000042"), NaN);
});

Deno.test("DelayedEvents tells how late restarts came, the very latest and one in a thousand", () => {
  const events = scheduleAll(2000);
  const tell = (now: number) => {
    const { latestRestartPercent, p999RestartPercent } = events.tally(now);
    return [latestRestartPercent, p999RestartPercent].map((percent) => percent.toFixed(2));
  };
  assertEquals(tell(0), ["0.00", "0.00"]);
  for (let user = 0; user < 1997; user++) events.restart(user, 500);
  for (const user of [1997, 1998]) events.restart(user, 801.5);
  events.restart(1999, 990);
  assertEquals(tell(990), ["99.00", "80.20"]);
  // The age counts from the restart before.
  for (const user of [1997, 1998, 1999]) events.restart(user, 1400);
  assertEquals(tell(1400), ["99.00", "80.20"]);
});
