"""What every test may rely on: its own Azurite, no way out to the network, repeatable examples."""
