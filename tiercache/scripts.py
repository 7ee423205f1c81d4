"""Lua scripts: where a condition, a change and its message have to be one step in Redis.

Each takes the channel and the message as its first two arguments and publishes only if something
changed; an empty channel means that nobody is told.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

SET: Final = """
local reply = redis.call('SET', KEYS[1], ARGV[3], unpack(ARGV, 4))
if reply then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return reply
"""

SET_MANY: Final = """
for i, key in ipairs(KEYS) do
  if ARGV[3] == '' then
    redis.call('SET', key, ARGV[i + 3])
  else
    redis.call('SET', key, ARGV[i + 3], 'PX', ARGV[3])
  end
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return #KEYS
"""

CHANGE: Final = """
local command = {ARGV[3]}
for _, key in ipairs(KEYS) do command[#command + 1] = key end
for i = 4, #ARGV do command[#command + 1] = ARGV[i] end
local reply = redis.call(unpack(command))
if reply ~= 0 then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return reply
"""

# The sum is read back as text: Lua's numbers are doubles, and exact up to 2^53 only.
INCREMENT: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 and ARGV[4] == '' then return false end
redis.call('INCRBY', KEYS[1], ARGV[3])
if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return redis.call('GET', KEYS[1])
"""

PERSIST: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('PERSIST', KEYS[1])
if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return 1
"""

SWAP: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[4], 'KEEPTTL')
if ARGV[1] ~= '' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return 1
"""


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


# Redis names a script by the SHA-1 of its text (redis.io, commands/evalsha).
_NAMES: Final = {text: _sha(text) for text in (SET, SET_MANY, CHANGE, INCREMENT, PERSIST, SWAP)}
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
