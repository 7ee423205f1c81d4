"""The gateway's views: the API, the watchlist, and the pages."""
