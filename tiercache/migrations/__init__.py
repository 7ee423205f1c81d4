"""The tables of the audit."""
