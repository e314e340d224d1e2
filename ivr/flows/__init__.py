"""What happens in a call, one coroutine a file."""
