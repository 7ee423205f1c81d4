"""A gateway in front of an end-of-day stock price API, answering from tiercache."""
