"""SIP as bytes: messages, fields, SDP, digest, sockets; decides nothing."""
