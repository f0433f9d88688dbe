/**
 * The three functions of `reflect-metadata` that `@peculiar/x509` asks for
 * while it loads. Its injection library refuses to start without them, and
 * they are all that it calls.
 *
 * @module
 */

const table = new WeakMap<object, Map<unknown, unknown>>();

const functions = {
  defineMetadata(key: unknown, value: unknown, target: object): void {
    let entries = table.get(target);
    if (entries === undefined) table.set(target, entries = new Map());
    entries.set(key, value);
  },
  getOwnMetadata(key: unknown, target: object): unknown {
    return table.get(target)?.get(key);
  },
  getMetadata(key: unknown, target: object): unknown {
    for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
      const entries = table.get(at);
      if (entries?.has(key)) return entries.get(key);
    }
    return undefined;
  },
};

// Whoever loaded the whole polyfill before keeps it.
if (!("getMetadata" in Reflect)) Object.assign(Reflect, functions);
