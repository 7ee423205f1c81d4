"""Pools of upstream servers: whom to ask, within what time, and who is to be left alone."""

from gateway_project.upstreams.errors import Attempt, BrokenBody, PoolDown, PoolError
from gateway_project.upstreams.health import ServerState, State
from gateway_project.upstreams.messages import Incoming, Outgoing
from gateway_project.upstreams.options import Policy, PoolOptions
from gateway_project.upstreams.pool import Pool, PoolState

__all__ = [
    "Attempt",
    "BrokenBody",
    "Incoming",
    "Outgoing",
    "Policy",
    "Pool",
    "PoolDown",
    "PoolError",
    "PoolOptions",
    "PoolState",
    "ServerState",
    "State",
]
