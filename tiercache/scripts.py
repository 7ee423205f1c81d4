"""Lua scripts: where a condition, a change and its message have to be one step in Redis.

Those that change something take the channel and the message as their first two arguments and
publish only if something changed, or was to be removed; an empty channel means that nobody is
told. Each change to a key removes the lease to load it as well, so that a load that began before
stores nothing.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

_TELL: Final = """
local function tell() if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end end
"""

# Reads what `header` writes. `alive` returns whether there is an entry that is fresh and whose
# tags have the numbers that it bears, then its grace and its tags.
_HEADER: Final = """
local function header(key)
  local head = redis.pcall('GETRANGE', key, 0, 15)
  if type(head) ~= 'string' or #head < 16 or string.byte(head) ~= 193 then return 0, {} end
  local _, version, grace, _, count = struct.unpack('>BBI8I4I2', head)
  if version ~= 1 then return 0, {} end
  local tags, at = {}, 16
  for _ = 1, count do
    local tag = redis.call('GETRANGE', key, at, at + 9)
    if #tag < 10 then return 0, {} end
    local number, length = struct.unpack('>I8I2', tag)
    local name = redis.call('GETRANGE', key, at + 10, at + 9 + length)
    tags[name] = string.format('%.0f', number)
    at = at + 10 + length
  end
  return grace, tags
end
local function alive(key)
  if redis.call('EXISTS', key) == 0 then return false, 0, {} end
  local grace, tags = header(key)
  if grace > 0 then
    local left = redis.call('PTTL', key)
    if left ~= -1 and left <= grace then return false, grace, tags end
  end
  for name, number in pairs(tags) do
    if redis.call('GET', name) ~= number then return false, grace, tags end
  end
  return true, grace, tags
end
"""

# A tag is kept for as long as anything that bears it.
_KEEP: Final = """
local function keep(name, life)
  local left = redis.call('PTTL', name)
  if left == -1 then return end
  if life == -1 then
    redis.call('PERSIST', name)
  elseif left < life then
    redis.call('PEXPIRE', name, life)
  end
end
"""

# Numbers of tags only grow. If the count is lost, the time in microseconds goes on from there:
# nobody counts a million tags a second.
_NUMBER: Final = """
local function number(count, name)
  local known = redis.call('GET', name)
  if known then return known end
  if redis.call('EXISTS', count) == 0 then
    local now = redis.call('TIME')
    redis.call('SET', count, now[1] .. string.format('%06d', now[2]))
  end
  redis.call('INCR', count)
  local new = redis.call('GET', count)
  redis.call('SET', name, new, 'PX', 86400000)
  return new
end
"""

_NUMBERS: Final = (
    _NUMBER
    + """
local function numbers(first)
  local found = {redis.call('GET', KEYS[first]) or '0', redis.call('GET', KEYS[first + 1]) or '0'}
  for i = first + 2, #KEYS do
    found[#found + 1] = number(KEYS[first], KEYS[i])
    found[#found + 1] = redis.call('PTTL', KEYS[i])
  end
  return found
end
"""
)

SET: Final = """
redis.call('SET', KEYS[1], ARGV[3], unpack(ARGV, 4))
redis.call('DEL', KEYS[2])
if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return 1
"""

SET_MANY: Final = """
local half = #KEYS / 2
for i = 1, half do
  if ARGV[3] == '' then
    redis.call('SET', KEYS[i], ARGV[i + 3])
  else
    redis.call('SET', KEYS[i], ARGV[i + 3], 'PX', ARGV[3])
  end
end
redis.call('DEL', unpack(KEYS, half + 1))
if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return half
"""

# KEYS: key, lease, tags. ARGV: value, life, when, token, the tags' numbers.
STORE: Final = (
    _TELL
    + _HEADER
    + _KEEP
    + """
local life, when, token = ARGV[4], ARGV[5], ARGV[6]
if token ~= '' and redis.call('GET', KEYS[2]) ~= token then return 0 end
for i = 3, #KEYS do
  if redis.call('GET', KEYS[i]) ~= ARGV[i + 4] then
    if token ~= '' then
      redis.call('DEL', KEYS[2])
      tell()
    end
    return -1
  end
end
if when ~= '' and alive(KEYS[1]) == (when == 'NX') then return 0 end
if life == '' then
  redis.call('SET', KEYS[1], ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[3], 'PX', life)
end
for i = 3, #KEYS do keep(KEYS[i], life == '' and -1 or tonumber(life)) end
redis.call('DEL', KEYS[2])
tell()
return 1
"""
)

# KEYS: as many leases as keys, after them. Told in any case: of what the server itself has evicted
# for want of memory, nodes may still have copies.
REMOVE: Final = """
local half = #KEYS / 2
local removed = redis.call('UNLINK', unpack(KEYS, 1, half))
redis.call('UNLINK', unpack(KEYS, half + 1))
if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return removed
"""

# The same where there are tags among the keys: loads under way notice that something was evicted.
# KEYS: the count of evictions comes last.
EVICT: Final = """
local half = (#KEYS - 1) / 2
local removed = redis.call('UNLINK', unpack(KEYS, 1, half))
redis.call('UNLINK', unpack(KEYS, half + 1, half * 2))
redis.call('INCR', KEYS[#KEYS])
if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return removed
"""

# A soft eviction: a tag gets a new number, and its old ones, the latest first, are written where
# its lease would be, for as long as anything may bear them; in front of them that time, so that
# what is left of it tells how long ago it was. Of more than 32 numbers the oldest are forgotten,
# which evicts what bears them altogether.
# KEYS: tags, as many leases, the counts of tags and of evictions. Told as by REMOVE.
SOFTEN: Final = (
    _TELL
    + _NUMBER
    + """
local half, known = (#KEYS - 2) / 2, 0
for i = 1, half do
  local tag, softened = KEYS[i], KEYS[half + i]
  local old = redis.call('GET', tag)
  if old then
    known = known + 1
    local list, life, cut = redis.call('GET', softened), redis.call('PTTL', tag), 0
    list = list and old .. ',' .. string.match(list, ':(.*)') or old
    for _ = 1, 32 do cut = cut and string.find(list, ',', cut + 1, true) end
    if cut then list = string.sub(list, 1, cut - 1) end
    redis.call('SET', softened, string.format('%.0f:', life) .. list)
    if life ~= -1 then redis.call('PEXPIRE', softened, life) end
    redis.call('DEL', tag)
    number(KEYS[#KEYS - 1], tag)
  end
end
redis.call('INCR', KEYS[#KEYS])
tell()
return known
"""
)

RENAME: Final = (
    _TELL
    + _HEADER
    + """
if not alive(KEYS[1]) then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('DEL', KEYS[3], KEYS[4])
tell()
return 1
"""
)

# ARGV: PEXPIRE, PEXPIREAT, PERSIST or TOUCH (PERSIST that counts for any entry), and the time.
EXPIRE: Final = (
    _TELL
    + _HEADER
    + _KEEP
    + """
local there, grace, tags = alive(KEYS[1])
if not there then return 0 end
local reply = 1
if ARGV[3] == 'TOUCH' then
  redis.call('PERSIST', KEYS[1])
elseif ARGV[3] == 'PERSIST' then
  reply = redis.call('PERSIST', KEYS[1])
else
  local time, passed = ARGV[4], 0
  if ARGV[3] == 'PEXPIREAT' then passed = redis.call('TIME')[1] * 1000 end
  if grace > 0 and tonumber(time) > passed then time = string.format('%.0f', time + grace) end
  reply = redis.call(ARGV[3], KEYS[1], time)
end
if reply == 0 then return 0 end
local left = redis.call('PTTL', KEYS[1])
for name in pairs(tags) do keep(name, left) end
redis.call('DEL', KEYS[2])
tell()
return reply
"""
)

# The sum is read back as text: Lua's numbers are doubles, and exact up to 2^53 only.
INCREMENT: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 and ARGV[4] == '' then return false end
redis.call('INCRBY', KEYS[1], ARGV[3])
redis.call('DEL', KEYS[2])
if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return redis.call('GET', KEYS[1])
"""

SWAP: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[4], 'KEEPTTL')
redis.call('DEL', KEYS[2])
if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return 1
"""

# KEYS: key, lease, the counts of tags and of evictions, tags. ARGV: token, life, which other leases
# to replace, and for how long a lease is kept after its end.
# One that is over may be taken by anybody; until somebody does, its holder, if it lives, may store.
# A lease whose holder rests after a failure begins with "-".
TAKE: Final = (
    _NUMBERS
    + """
local holder, mine, left = redis.call('GET', KEYS[2]), 0, 0
local resting = holder and string.sub(holder, 1, 1) == '-'
if holder then left = redis.call('PTTL', KEYS[2]) - ARGV[4] end
if left <= 0 or ARGV[3] == 'any' or (resting and ARGV[3] == 'resting') then
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2] + ARGV[4])
  mine, left = 1, 0
end
local value = redis.pcall('GET', KEYS[1])
if type(value) ~= 'string' then value = false end
return {mine, left, value, redis.call('PTTL', KEYS[1]), numbers(3)}
"""
)

RELEASE: Final = """
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
if ARGV[4] == '0' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], '-' .. ARGV[3], 'PX', ARGV[4] + ARGV[5])
end
if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return 1
"""

EXTEND: Final = (
    _TELL
    + _HEADER
    + _KEEP
    + """
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
local there = redis.call('EXISTS', KEYS[1])
if there == 1 then
  local _, tags = header(KEYS[1])
  if ARGV[4] == '' then
    redis.call('PERSIST', KEYS[1])
  else
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
  end
  for name in pairs(tags) do keep(name, ARGV[4] == '' and -1 or tonumber(ARGV[4])) end
end
redis.call('DEL', KEYS[2])
tell()
return there
"""
)

# KEYS: the counts of tags and of evictions, then the tags.
TAGS: Final = _NUMBERS + "return numbers(1)"

# A node's report. KEYS: index, report, totals, then for each step of its history the keys of the
# small one and of the large one. ARGV: the node's id, a sequence number, the report, milliseconds
# until it is forgotten, seconds for which small and large steps and the totals are kept, then
# for each step what is to be added, as JSON. Steps are added once, however often they are sent.
# Answers with the time. Last of all the node is told, as if by another, that this was done.
REPORT: Final = (
    _TELL
    + """
local id, sequence, forgotten = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[6])
local now = redis.call('TIME')
local moment = now[1] * 1000 + math.floor(now[2] / 1000)
local function add(key, counts, seconds)
  for name, count in pairs(counts) do
    redis.call('HINCRBY', key, name, string.format('%.0f', count))
  end
  redis.call('EXPIRE', key, seconds)
end
if tonumber(redis.call('HGET', KEYS[2], 'sequence') or '0') < sequence then
  redis.call('HSETNX', KEYS[3], 'since', now[1])
  for i = 4, #KEYS, 2 do
    local counts = cjson.decode(ARGV[10 + (i - 4) / 2])
    add(KEYS[i], counts, ARGV[7])
    add(KEYS[i + 1], counts, ARGV[8])
    add(KEYS[3], counts, ARGV[9])
  end
end
redis.call('HSET', KEYS[2], 'sequence', sequence, 'report', ARGV[5])
redis.call('PEXPIRE', KEYS[2], forgotten)
redis.call('ZADD', KEYS[1], moment, id)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', moment - forgotten)
redis.call('PEXPIRE', KEYS[1], forgotten)
tell()
return now
"""
)


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


# Redis names a script by the SHA-1 of its text (redis.io, commands/evalsha).
_ALL: Final = (
    SET,
    SET_MANY,
    STORE,
    REMOVE,
    EVICT,
    SOFTEN,
    RENAME,
    EXPIRE,
    INCREMENT,
    SWAP,
    TAKE,
    RELEASE,
    EXTEND,
    TAGS,
    REPORT,
)
_NAMES: Final = {text: _sha(text) for text in _ALL}
_TEXTS: Final = {name: text for text, name in _NAMES.items()}


def run(script: str, keys: tuple[str, ...], *arguments: Any) -> tuple[Any, ...]:
    """Return the command that runs a script by its name."""
    return ("EVALSHA", _NAMES[script], len(keys), *keys, *arguments)


def run_with_text(command: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the same command with the script's text, which the server then knows by name."""
    return ("EVAL", _TEXTS[command[1]], *command[2:])


def load_all() -> list[tuple[Any, ...]]:
    """Return the commands that make a server know every script."""
    return [("SCRIPT", "LOAD", text) for text in _NAMES]
