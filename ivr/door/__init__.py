"""The SIP front door: the only socket the network sees, and what may pass it."""
