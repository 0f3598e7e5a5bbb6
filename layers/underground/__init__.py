"""What engineers ask of the underground: pure geometry and rules over the pipes of the registry."""
