"""The processes of the lines: forked, handed out, watched and buried; what a line says is not for it."""
