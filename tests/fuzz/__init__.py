"""SIP messages gone wrong by a seed: a mutator, tried in process and over the sockets of a running service.

Here lives what makes and sends bad messages. The property tests by hypothesis stay beside what they test.
"""
