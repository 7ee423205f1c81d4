"""What operators see and do, tested as `tiercache/operations` is laid out."""
