"""The child process that carries a call; the only folder that imports pjsua2."""
