"""What the runtime has to know of the process that it runs in."""
