"""The pipe network as a graph: what hangs together, what flows where, and what a burst cuts off."""
