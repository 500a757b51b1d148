# USB
