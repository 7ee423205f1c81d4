"""What the gateway's benchmarks are made of: servers, their load, and who takes part."""
