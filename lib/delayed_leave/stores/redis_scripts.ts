/**
 * What Redis does in one step. Whoever changes whose a job is does it here, so
 * that two replicas can never both believe that they have taken it.
 */

import { createHash } from "node:crypto";

/** A script, and the hash that Redis knows it by. */
export interface RedisScript {
  /** For messages. */
  readonly name: string;
  readonly text: string;
  readonly sha1: string;
}

/** The jobs, as lk-jwt-service keeps them: field → record. */
export const JOBS_KEY = "lk-jwt:jobs";
/** Whose jobs they are: field → ID of a replica. */
export const OWNERS_KEY = "matrixrtc-auth:owners";
/** Entries of the jobs that cannot be read: field → what stood there. */
export const SET_ASIDE_KEY = "matrixrtc-auth:set-aside";
/** The IDs of all replicas that there are, and of those that have died just now. */
export const REPLICAS_KEY = "matrixrtc-auth:replicas";

/** The key that exists while a replica lives. */
export function replicaKey(id: string): string {
  return `matrixrtc-auth:replica:${id}`;
}

/**
 * The channel of the replicas. Channels belong to no database, so that the
 * services of two databases would hear one another without the number.
 */
export function channelOf(database: number): string {
  return `matrixrtc-auth:replicas:${database}`;
}

/**
 * Gives a sign of life.
 *
 * KEYS: replicas, own key, keys of others. ARGV: own ID, lease in milliseconds,
 * IDs of those others. Returns 1 if the own key was still there, else 0; the
 * others of ARGV that live; all IDs there are.
 *
 * A key that is there only gets a new date: this works without free memory too.
 */
export const RENEW = script(
  "RENEW",
  `
local kept = redis.call('PEXPIRE', KEYS[2], ARGV[2])
if kept == 0 then redis.call('SET', KEYS[2], '1', 'PX', ARGV[2]) end
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then redis.call('SADD', KEYS[1], ARGV[1]) end
local live = {}
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then live[#live + 1] = ARGV[i] end
end
return {kept, live, redis.call('SMEMBERS', KEYS[1])}
`,
);

/**
 * Applies changes in order.
 *
 * KEYS: jobs, owners. ARGV: own ID, channel, then for each change `put`,
 * `update`, `remove` or `drop`, the field, and the record or, to remove, the
 * delay ID. Returns a 1 for each that holds, a 0 for each that another's
 * ownership has kept from happening. `drop` removes whatever is there, if it is
 * the own.
 *
 * Those who have lost a job by a `put` are told from here: if the taker died
 * in between, nobody else would do it.
 */
export const WRITE = script(
  "WRITE",
  `
local me, channel = ARGV[1], ARGV[2]
local results, taken = {}, {}
local function delete(field)
  redis.call('HDEL', KEYS[1], field)
  redis.call('HDEL', KEYS[2], field)
end
local function is_of(text, delay_id)
  local readable, record = pcall(cjson.decode, text)
  return readable and type(record) == 'table' and type(record.Params) == 'table'
    and record.Params.DelayId == delay_id
end
for i = 3, #ARGV, 3 do
  local kind, field, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local owner = redis.call('HGET', KEYS[2], field)
  local result = 1
  if kind ~= 'put' and owner and owner ~= me then
    result = 0
  elseif kind == 'drop' then
    delete(field)
  elseif kind == 'remove' then
    local text = redis.call('HGET', KEYS[1], field)
    if not text or is_of(text, value) then delete(field) end
  else
    redis.call('HSET', KEYS[1], field, value)
    if owner ~= me then
      redis.call('HSET', KEYS[2], field, me)
      if owner then
        taken[owner] = taken[owner] or {}
        table.insert(taken[owner], field)
      end
    end
  end
  results[#results + 1] = result
end
for owner, fields in pairs(taken) do
  redis.pcall('PUBLISH', channel,
    cjson.encode({kind = 'lost', from = me, to = owner, fields = fields}))
end
return results
`,
);

/**
 * Takes jobs whose owner is missing or dead, and those of the own that have
 * been forgotten.
 *
 * KEYS: jobs, owners, replicas, keys of all replicas known. ARGV: own ID, how
 * many these are, their IDs, then fields. Returns 0 if there are replicas that
 * are not among those known, as they must not be taken for dead; else 1, then
 * field and record of each job taken.
 */
export const CLAIM = script(
  "CLAIM",
  `
local me, count = ARGV[1], tonumber(ARGV[2])
local known, live = {}, {}
for i = 1, count do
  local id = ARGV[2 + i]
  known[id] = true
  live[id] = id ~= me and redis.call('EXISTS', KEYS[3 + i]) == 1
end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  if not known[id] then return {0} end
end
local reply = {1}
for i = 3 + count, #ARGV do
  local field = ARGV[i]
  local owner = redis.call('HGET', KEYS[2], field)
  if not owner or not live[owner] then
    local text = redis.call('HGET', KEYS[1], field)
    if text then
      if owner ~= me then redis.call('HSET', KEYS[2], field, me) end
      reply[#reply + 1] = field
      reply[#reply + 1] = text
    elseif owner then
      redis.call('HDEL', KEYS[2], field)
    end
  end
end
return reply
`,
);

/**
 * Puts own entries aside that cannot be read.
 *
 * KEYS: jobs, owners, set aside. ARGV: own ID, then fields. They are deleted
 * first, so that memory that is full does not keep them in the way.
 */
export const SET_ASIDE = script(
  "SET_ASIDE",
  `
for i = 2, #ARGV do
  local field = ARGV[i]
  if redis.call('HGET', KEYS[2], field) == ARGV[1] then
    local text = redis.call('HGET', KEYS[1], field)
    redis.call('HDEL', KEYS[2], field)
    redis.call('HDEL', KEYS[1], field)
    if text then redis.pcall('HSET', KEYS[3], field, text) end
  end
end
return 1
`,
);

/** Says whose jobs are. KEYS: owners. ARGV: fields. Returns an ID or an empty text for each. */
export const OWNERS_OF = script(
  "OWNERS_OF",
  `
local owners = {}
for i = 1, #ARGV do owners[i] = redis.call('HGET', KEYS[1], ARGV[i]) or '' end
return owners
`,
);

/** Forgets a replica, unless it lives. KEYS: replicas, its key. ARGV: its ID. */
export const FORGET = script(
  "FORGET",
  `
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SREM', KEYS[1], ARGV[1]) end
return 1
`,
);

/** Ends the own life. KEYS: replicas, own key. ARGV: own ID, channel, message. */
export const LEAVE = script(
  "LEAVE",
  `
redis.call('DEL', KEYS[2])
redis.call('SREM', KEYS[1], ARGV[1])
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
return 1
`,
);

function script(name: string, text: string): RedisScript {
  return { name, text, sha1: createHash("sha1").update(text).digest("hex") };
}
