"""Commands for operators: each puts into words what `tiercache.operations` says."""
