"""A rehearsal of the service with phones of its own, over real SIP and RTP."""
