"""Who calls, and how often they may: API keys, rate limits, and the header fields about both."""
