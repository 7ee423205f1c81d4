"""The gateway's route table: read from one TOML file, asked once for each request.

`current` holds the process's table; `reading` makes one from a file; `table` answers.
"""
